package otlp

import (
	"context"
	"crypto/tls"
	"errors"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
)

// byGRPC sends lines with gRPC.
type byGRPC struct {
	conn    *grpc.ClientConn
	client  collogspb.LogsServiceClient
	headers metadata.MD
}

func newGRPC(c *decisionlog.OTLP, security *tls.Config, version string) (*byGRPC, error) {
	transport := insecure.NewCredentials()
	if security != nil {
		transport = credentials.NewTLS(security)
	}
	conn, err := grpc.NewClient("dns:///"+c.Address, grpc.WithTransportCredentials(transport), grpc.WithUserAgent("portcullis/"+version), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, err
	}
	g := &byGRPC{conn: conn, client: collogspb.NewLogsServiceClient(conn), headers: metadata.MD{}}
	for _, h := range c.Headers {
		g.headers.Set(h.Name, h.Value)
	}
	return g, nil
}

func (g *byGRPC) export(ctx context.Context, request *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	answer, err := g.client.Export(metadata.NewOutgoingContext(ctx, g.headers), request)
	if err == nil {
		return answer, nil
	}
	code := status.Code(err)
	err = errors.New("gRPC " + code.String())
	switch code {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.OutOfRange, codes.DataLoss, codes.Canceled:
		return nil, transient{err}
	default:
		return nil, err
	}
}

func (g *byGRPC) close() error { return g.conn.Close() }
