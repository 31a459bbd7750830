package extauthz

import (
	"context"
	"slices"

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
	// asked is the request of the message, and decision the answer. They are here so that a check has one allocation for all.
	asked    authz.Request
	decision authz.Decision
}

// request returns the request of the message.
func (m *message) request() (*authz.Request, *refusal) {
	if m.refused != nil {
		return nil, m.refused
	}
	return request(&m.attributes, &m.asked)
}

// The refusals of messages that are not read, or not to the end.
var (
	notDecodable = &refusal{400, CodeUndecodable, "the message is not a CheckRequest"}
	tooLarge     = &refusal{413, authz.CodeTooLarge, "the check is larger than --max-message-bytes, or than 11 MiB: raise it, or lower with_request_body.max_request_bytes"}
	needlessBody = &refusal{413, authz.CodeTooLarge, "the check is larger than 1 MiB, and no route of the configuration has the authorization AWS_IAM, which alone needs bodies: " +
		"remove with_request_body from the ext_authz filter, or send less metadata"}
	tooManyHeaders = &refusal{431, authz.CodeBadRequest, "there are more than 1000 headers"}
	tooCostly      = &refusal{413, authz.CodeTooLarge, "the check has so many fields, or fields so deep inside each other, that reading it takes many times its size: " +
		"send less metadata (metadata_context_namespaces of the ext_authz filter)"}
	tooManyBytes = &refusal{503, authz.CodeOverload, "too many bytes of checks are read at once: a fourth of --max-body-bytes"}
)

// unread are the refusals that a generated message may stand for.
func unread() []*refusal {
	return []*refusal{notDecodable, tooLarge, needlessBody, tooManyHeaders, tooCostly, tooManyBytes}
}

// What a check may need, in bytes: the body, of which API Gateway takes 10 MiB, and everything else.
const (
	maxPayload    = 10 << 20
	maxAttributes = 1 << 20
)

// admit refuses a message that is not to be looked into because of its size. Unless it does, done is to be called once the message is read.
// Small messages are not counted.
func (s *Server) admit(size int) (done func(), refused *refusal) {
	if size <= countedFrom && size <= s.config.MaxMessageBytes {
		return nothing, nil
	}
	limit, over := maxAttributes+maxPayload, tooLarge
	if s.config.NeedsBodies != nil && !s.config.NeedsBodies() {
		limit, over = maxAttributes, needlessBody
	}
	if size > s.config.MaxMessageBytes {
		return nil, tooLarge
	}
	if size > limit {
		return nil, over
	}
	done = func() { s.reading.Add(-int64(size)) }
	if s.reading.Add(int64(size)) > int64(s.config.MaxReadBytes) {
		done()
		return nil, tooManyBytes
	}
	return done, nil
}

// countedFrom is the size of the smallest message that counts among those that are read at once.
const countedFrom = 64 << 10

func nothing() {}

// messageOf reads the generated message.
func (s *Server) messageOf(in *authv3.CheckRequest) *message {
	for i, a := range s.standIns {
		if a == in.GetAttributes() {
			return &message{refused: unread()[i]}
		}
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
	done, refused := s.admit(data.Len())
	if refused != nil {
		m.refused = refused
		return
	}
	defer done()
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	wire := buffer.ReadOnlyData()
	if decode(wire, &m.attributes) {
		return
	}
	var in authv3.CheckRequest
	if refused := generated(wire, &in); refused != nil {
		*m = message{refused: refused}
		return
	}
	m.attributes = attributesOf(in.GetAttributes())
}

// readGenerated reads a message from the wire with the generated decoder alone. One that is refused has a stand-in for attributes.
func (s *Server) readGenerated(data mem.BufferSlice, in *authv3.CheckRequest) {
	done, refused := s.admit(data.Len())
	if refused == nil {
		defer done()
		buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buffer.Free()
		refused = generated(buffer.ReadOnlyData(), in)
	}
	if refused != nil {
		proto.Reset(in)
		in.Attributes = s.standIns[slices.Index(unread(), refused)]
	}
}

// generated reads a message with the generated decoder, unless that would cost too much.
func generated(wire []byte, in *authv3.CheckRequest) *refusal {
	if refused := weigh(wire); refused != nil {
		return refused
	}
	if proto.Unmarshal(wire, in) != nil {
		return notDecodable
	}
	return nil
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

// handle is called by grpc-go for each check.
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
