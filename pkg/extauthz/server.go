package extauthz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/probe"
)

// CodeUndecodable is the reason for denying a message that is not a CheckRequest.
const CodeUndecodable = authz.CodeUndecodable

// Authorizer decides on a request. It returns when ctx is done.
type Authorizer interface {
	Authorize(ctx context.Context, r *authz.Request) authz.Decision
}

// Config configures a Server.
type Config struct {
	// Authorizer decides. Without one every check is denied.
	Authorizer Authorizer
	// Record is told of each decision before it is answered; nil records nothing. It may replace a decision by a denial. If it panics, the
	// check is denied. The request is nil if it could not be read. Record keeps neither.
	Record func(r *authz.Request, d *authz.Decision, took time.Duration)
	// Trace begins the trace of a check, and returns what ends it; nil for a check that is not traced. Nil: no check is traced.
	Trace func(context.Context) (context.Context, func(*authz.Decision))
	// MaxMessageBytes is the largest message that is looked into; a larger one is denied, and so is one of more than 11 MiB: API
	// Gateway takes 10 MiB of payload. Default 11 MiB.
	MaxMessageBytes int
	// NeedsBodies tells whether a check may need the body of its request. If not, a message of more than 1 MiB is denied. Nil: it may.
	NeedsBodies func() bool
	// MaxReadBytes bounds the messages of more than 64 KiB that are read at once, all together; one more is denied. It is at least
	// MaxMessageBytes. Default 64 MiB, or MaxMessageBytes if that is more.
	MaxReadBytes int
	// Probes are the tokens of probes, which are answered with what arrived and never allowed. Nil: there are none.
	Probes *probe.Tokens
	// Log gets the stack of a check that panicked; nil discards it.
	Log *slog.Logger
}

// Server is Envoy's external authorization service.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	config Config
	// standIns are in place of the attributes of generated messages that were not read, one for each refusal of unread.
	standIns []*authv3.AttributeContext
	// reading are the bytes of larger messages that are being read.
	reading atomic.Int64
}

// New makes a Server.
func New(c Config) *Server {
	if c.Record == nil {
		c.Record = func(*authz.Request, *authz.Decision, time.Duration) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = maxAttributes + maxPayload
	}
	c.MaxReadBytes = max(cmp.Or(c.MaxReadBytes, 64<<20), c.MaxMessageBytes)
	s := &Server{config: c}
	for range unread() {
		s.standIns = append(s.standIns, &authv3.AttributeContext{})
	}
	return s
}

// Check answers one request. The error is always nil.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return own(s.check(ctx, s.messageOf(in))), nil
}

func (s *Server) check(ctx context.Context, in *message) (out *authv3.CheckResponse) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			d := s.panicked(p)
			out = denied(&d, time.Since(start))
		}
	}()
	var endTrace func(*authz.Decision)
	if s.config.Trace != nil {
		ctx, endTrace = s.config.Trace(ctx)
	}
	d := &in.decision
	r := s.decide(ctx, in, d)
	took := time.Since(start)
	s.config.Record(r, d, took)
	if endTrace != nil {
		endTrace(d)
	}
	if d.Allow {
		return allowed(d, took)
	}
	return denied(d, took)
}

// decide sets d to a decision that can be rendered as it is. A panic ends here, so that it is recorded like any other decision.
func (s *Server) decide(ctx context.Context, in *message, d *authz.Decision) (r *authz.Request) {
	defer func() {
		if p := recover(); p != nil {
			*d = s.panicked(p)
		}
	}()
	r, *d = s.authorize(ctx, in)
	switch {
	case d.Allow && ctx.Err() != nil:
		d.Reason = authz.Reason{Code: authz.CodeCanceled, Detail: "the check's time ran out"}
		Deny(d, 504)
	case d.Allow && !renderable(d):
		d.Reason = authz.Reason{Code: authz.CodeInternal, Detail: "the decision sets or removes a header or a parameter that has no valid form"}
		Deny(d, 500)
	case !d.Allow && d.Denial.Status == 0:
		Deny(d, 500)
	}
	return r
}

func (s *Server) authorize(ctx context.Context, in *message) (r *authz.Request, d authz.Decision) {
	if ctx.Err() != nil {
		return nil, Refuse(504, authz.CodeCanceled, "the check's time had run out before it began")
	}
	if s.config.Probes.Any() {
		if r, d, is := s.probed(in); is {
			return r, d
		}
	}
	r, refused := in.request()
	if refused != nil {
		return r, Refuse(refused.status, refused.code, refused.detail)
	}
	d = s.config.Authorizer.Authorize(ctx, r)
	if d.Allow && outgrows(r, d.SetHeaders) {
		d.Reason = authz.Reason{Code: authz.CodeBadRequest, Detail: "the headers that the client sent and those that are set are longer than 60 KiB together"}
		Deny(&d, 431)
	}
	return r, d
}

// outgrows tells whether a request has more bytes of headers with those that are set than Envoy passes on: it would answer 500, without a
// body. A request that is much longer as it came shows that Envoy takes more than its default.
func outgrows(r *authz.Request, set []authz.Field) bool {
	const (
		taken = 60 << 10 // max_request_headers_kb, of what the client sends
		added = 4 << 10  // more than Envoy has added to that
	)
	if len(set) == 0 {
		return false
	}
	came := len(":method:path:scheme:authority") + len(r.Method) + len(r.Target) + len(r.Scheme) + len(r.Host)
	for name, value := range r.Headers() {
		came += len(name) + len(value)
	}
	passed := came
	for _, f := range set {
		passed += len(f.Name) + len(f.Value)
	}
	return came <= taken+added && passed > taken
}

// panicked logs the stack and denies. The value of the panic may hold what the client sent; only the runtime's own errors,
// which speak of indexes and types, are written out.
func (s *Server) panicked(p any) authz.Decision {
	d := Refuse(500, authz.CodeInternal, "a panic")
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	s.config.Log.Error("a check panicked and is denied", "panic", what, "request_id", d.RequestID, "stack", string(debug.Stack()))
	return d
}

// ErrNotRecorded is returned for a text that is not a CheckRequest.
var ErrNotRecorded = errors.New("it is not a CheckRequest in protobuf's JSON form")

// CheckRecorded answers a CheckRequest in protobuf's JSON form, as grpcurl sends it, in the way in which Check answers it on the wire. It
// returns the decision, whose method, host and path are as received if they could not be read. The error does not repeat the text, which
// may contain secrets.
func CheckRecorded(ctx context.Context, a Authorizer, text []byte) (authz.Decision, error) {
	var in authv3.CheckRequest
	if err := protojson.Unmarshal(text, &in); err != nil {
		return authz.Decision{}, ErrNotRecorded
	}
	var decision authz.Decision
	s := New(Config{Authorizer: a, Record: func(r *authz.Request, d *authz.Decision, _ time.Duration) {
		decision = *d
		decision.Method, decision.Host, decision.Path = d.Asked(r)
	}})
	if _, err := s.Check(ctx, &in); err != nil {
		return authz.Decision{}, err
	}
	return decision, nil
}
