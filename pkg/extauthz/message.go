package extauthz

import (
	"context"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// message is a CheckRequest that has been read, or why it could not be.
type message struct {
	attributes attributes
	refused    *refusal
}

// request is what the message asks about.
func (m *message) request() (*authz.Request, *refusal) {
	if m.refused != nil {
		return nil, m.refused
	}
	return request(&m.attributes)
}

// notDecodable refuses a message that is no CheckRequest.
func notDecodable() *refusal { return &refusal{400, CodeUndecodable, "the message is no CheckRequest"} }

// tooLarge refuses a message that is not looked into.
func tooLarge() *refusal {
	return &refusal{413, authz.CodeTooLarge, "the check is larger than --max-message-bytes: raise it, or lower with_request_body.max_request_bytes"}
}

func (s *Server) isTooLarge(data mem.BufferSlice) bool {
	return s.config.MaxMessageBytes > 0 && data.Len() > s.config.MaxMessageBytes
}

// messageOf reads the generated message.
func (s *Server) messageOf(in *authv3.CheckRequest) *message {
	switch in.GetAttributes() {
	case s.undecodable:
		return &message{refused: notDecodable()}
	case s.tooLarge:
		return &message{refused: tooLarge()}
	}
	return &message{attributes: attributesOf(in.GetAttributes())}
}

// read reads a message from the wire, by hand where that understands it and else with the generated decoder. It always leaves
// something to answer: a panic, which grpc-go would not survive here, refuses this one check.
func (s *Server) read(data mem.BufferSlice, m *message) {
	defer func() {
		if p := recover(); p != nil {
			d := s.panicked(p)
			*m = message{refused: &refusal{500, authz.CodeInternal, d.Reason.Detail}}
		}
	}()
	if s.isTooLarge(data) {
		*m = message{refused: tooLarge()}
		return
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	wire := buffer.ReadOnlyData()
	if decode(wire, &m.attributes) {
		return
	}
	var in authv3.CheckRequest
	if proto.Unmarshal(wire, &in) != nil {
		*m = message{refused: notDecodable()}
		return
	}
	m.attributes = attributesOf(in.GetAttributes())
}

// Register makes s the Authorization service of a gRPC server whose codec is s.Codec(). The generated registration works too,
// and every message is then decoded by generated code.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
		HandlerType: (*authv3.AuthorizationServer)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: s.handle}},
		Metadata:    authv3.Authorization_ServiceDesc.Metadata,
	}, s)
}

// handle is what grpc-go calls for each check.
func (s *Server) handle(_ any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	m := &message{}
	if err := receive(m); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return s.check(ctx, m), nil
	}
	info := &grpc.UnaryServerInfo{Server: s, FullMethod: authv3.Authorization_Check_FullMethodName}
	return interceptor(ctx, m, info, func(ctx context.Context, in any) (any, error) {
		return own(s.check(ctx, in.(*message))), nil
	})
}
