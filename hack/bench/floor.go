package main

import (
	"context"
	"fmt"
	"net"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

// floorServer allows everything, as the minimal server from the same parts.
type floorServer struct {
	authv3.UnimplementedAuthorizationServer
}

func (floorServer) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}},
	}, nil
}

func serveFloor(ctx context.Context, address string) error {
	lis, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("portcullis: grpc listening on %s\n", lis.Addr())
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, floorServer{})
	go func() {
		<-ctx.Done()
		s.Stop()
	}()
	return s.Serve(lis)
}
