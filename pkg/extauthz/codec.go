package extauthz

import (
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Codec is the codec of the gRPC server that s is registered with (grpc.ForceServerCodecV2). It is grpc-go's own, except that
// a message that is no CheckRequest, or a larger one than MaxMessageBytes, still reaches Check, which denies it: grpc-go would
// answer with an error, which Envoy may have been told to ignore.
func (s *Server) Codec() encoding.CodecV2 {
	return codec{CodecV2: encoding.GetCodecV2(proto.Name), server: s}
}

type codec struct {
	encoding.CodecV2
	server *Server
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if in, ok := v.(*message); ok {
		c.server.read(data, in)
		return nil
	}
	in, ok := v.(*authv3.CheckRequest)
	if ok && c.server.isTooLarge(data) {
		in.Attributes = c.server.tooLarge
		return nil
	}
	err := c.CodecV2.Unmarshal(data, v)
	if ok && err != nil {
		in.Attributes = c.server.undecodable
		return nil
	}
	return err
}
