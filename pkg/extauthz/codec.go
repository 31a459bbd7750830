package extauthz

import (
	"fmt"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Codec is the codec of the gRPC server that s is registered with (grpc.ForceServerCodecV2). It is grpc-go's own, except that
// a message that is not a CheckRequest, or a larger one than MaxMessageBytes, still reaches Check, which denies it: grpc-go would
// answer with an error, which Envoy may have been told to ignore.
func (s *Server) Codec() encoding.CodecV2 {
	return codec{CodecV2: encoding.GetCodecV2(proto.Name), server: s}
}

type codec struct {
	encoding.CodecV2
	server *Server
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch in := v.(type) {
	case *message:
		c.server.read(data, in)
		return nil
	case *authv3.CheckRequest:
		c.server.readGenerated(data, in)
		return nil
	}
	if data.Len() > maxOther {
		return fmt.Errorf("a message of %d bytes, which may be at most %d", data.Len(), maxOther)
	}
	return c.CodecV2.Unmarshal(data, v)
}

// maxOther bounds the messages of other services, reflection and health, in bytes.
const maxOther = 64 << 10
