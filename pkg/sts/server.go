package sts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

const (
	// maxBody bounds a request's body. The longest call that STS knows, with its session policies and tags escaped, is shorter.
	maxBody = 128 << 10
	// callTime bounds a call, which may wait for an issuer's keys.
	callTime = 10 * time.Second
	// throttledPause delays the answer to a call that exceeds a rate. A client that asks again at once then costs less than a call.
	throttledPause = 250 * time.Millisecond
)

// ServerConfig configures a Server.
type ServerConfig struct {
	// Current returns the Service of the configuration that serves, or nil. The caller calls release when it needs it no longer.
	Current func() (s *Service, release func())
	// Log gets a line for each call.
	Log *slog.Logger
	// Record records a call before it is answered; nil records nothing. If it fails, the call is refused.
	Record func(*Event) error
	// Names returns the names of the certificate that TLS connections are served with; nil if there are none.
	Names func() []string
}

// Server serves calls over HTTP. It outlives configurations. It is safe for concurrent use.
type Server struct {
	config   ServerConfig
	limits   *limits
	counters counters
	// throttledLines bounds the lines about calls that no rate bounds.
	throttledLines *rate.Limiter

	http        *http.Server
	connections *bulkhead.Tree
}

// NewServer returns a Server.
func NewServer(c ServerConfig) *Server {
	if c.Record == nil {
		c.Record = func(*Event) error { return nil }
	}
	if c.Names == nil {
		c.Names = func() []string { return nil }
	}
	s := &Server{config: c, limits: newLimits(), throttledLines: rate.NewLimiter(1, 1)}
	s.http, s.connections = s.httpServer(), newConnections()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := &reply{w: w, id: authz.NewRequestID(), json: acceptsJSON(r)}
	event := &Event{Time: time.Now(), Host: r.Host, Method: r.Method, peer: peerOf(r)}
	event.ClientAddress = event.peer
	ctx, cancel := context.WithTimeout(r.Context(), callTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // the value may hold a secret
			s.config.Log.Error("a call of STS panicked", "requestId", reply.id, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			s.finish(ctx, reply, event, nil, internal("a panic; the log has the stack"))
		}
	}()
	fields, err := s.call(ctx, w, r, event)
	if err == nil {
		s.finish(ctx, reply, event, fields, nil)
		return
	}
	failed := errorOf(err)
	if failed.Code == Throttling {
		pause(ctx, throttledPause)
	}
	s.finish(ctx, reply, event, nil, failed)
}

// call answers a request within the limits.
func (s *Server) call(ctx context.Context, w http.ResponseWriter, r *http.Request, e *Event) ([]Field, error) {
	service, release := s.config.Current()
	if service == nil {
		return nil, &Error{Code: ServiceUnavailable, Message: "No configuration that issues sessions is loaded."}
	}
	defer release()
	request := requestOf(r, e.peer, service.now())
	client, err := service.clientAddress(request)
	if err != nil {
		return nil, &Error{Code: ValidationError, Message: "X-Forwarded-For is not valid.", Detail: err.Error()}
	}
	e.ClientAddress = client
	place, ok := s.limits.enter(client.String())
	if !ok {
		return nil, &Error{Code: Throttling, Message: throttledMessage, Detail: "too many calls at once"}
	}
	defer place.Leave()
	pace := s.limits.at(service.callsPerSecond)
	if !pace.call(client.String(), request.Time) {
		return nil, &Error{Code: Throttling, Message: throttledMessage, Detail: "more calls than iam.sts.callsPerSecond, or than the client's share of it"}
	}
	if failed := refuse(w, r); failed != nil {
		return nil, failed
	}
	body, failed := readBody(w, r)
	if failed != nil {
		return nil, failed
	}
	request.SetBody(body, authz.BodyComplete)
	return service.do(ctx, &Call{
		Request: request, ClientAddress: client, At: request.Time, service: service, pace: pace, event: e, certified: s.config.Names(),
	})
}

// refuse refuses requests that cannot be calls.
func refuse(w http.ResponseWriter, r *http.Request) *Error {
	switch {
	case r.URL.EscapedPath() != "/" && r.URL.EscapedPath() != "":
		return &Error{Code: InvalidAction, Message: "Calls are sent to the path /.", status: http.StatusNotFound}
	case r.Method != http.MethodPost && r.Method != http.MethodGet:
		w.Header().Set("Allow", "GET, POST")
		return &Error{Code: InvalidAction, Message: "Calls are sent by the method POST.", status: http.StatusMethodNotAllowed}
	case r.Method == http.MethodPost && !isForm(r.Header.Values("Content-Type")):
		return &Error{Code: MissingAction, Message: "The request is missing an action: its Content-Type must be application/x-www-form-urlencoded."}
	case r.ContentLength > maxBody:
		w.Header().Set("Connection", "close")
		return tooLarge()
	}
	return nil
}

func isForm(contentTypes []string) bool {
	if len(contentTypes) != 1 {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(contentTypes[0])
	return err == nil && mediaType == "application/x-www-form-urlencoded"
}

func tooLarge() *Error {
	return &Error{Code: ValidationError, Message: "The request is larger than " + strconv.Itoa(maxBody) + " bytes. A session policy has at most 2048 characters."}
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge()
	case err != nil:
		return nil, &Error{Code: ValidationError, Message: "The request's body ended early."}
	case len(body) > 0 && r.Method == http.MethodGet:
		return nil, &Error{Code: MalformedQueryString, Message: "A request with the method GET has no body."}
	}
	return body, nil
}

// requestOf returns a request as package iam verifies it.
func requestOf(r *http.Request, peer netip.Addr, at time.Time) *authz.Request {
	target := "/"
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	request := &authz.Request{
		Method: r.Method, Target: target, Host: r.Host, Scheme: "http", Protocol: r.Proto, Time: at, Peer: peer,
	}
	if r.TLS != nil {
		request.Scheme = "https"
	}
	var lines []authz.Field
	for name, values := range r.Header {
		for _, value := range values {
			lines = append(lines, authz.Field{Name: strings.ToLower(name), Value: value})
		}
	}
	request.SetHeaders(lines)
	return request
}

func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a unix socket
	}
	return peer.Addr().Unmap()
}

func acceptsJSON(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		if strings.HasPrefix(accept, "application/json") {
			return true
		}
	}
	return false
}

// pause waits, but not longer than the client.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// reply writes one answer.
type reply struct {
	w    http.ResponseWriter
	id   string
	json bool
}

func (a *reply) succeed(action string, fields []Field) {
	root, content := result(action, a.id, fields)
	a.write(http.StatusOK, root, content)
}

func (a *reply) fail(e *Error) {
	root, content := failure(e, a.id)
	a.write(e.httpStatus(), root, content)
}

func (a *reply) write(status int, root string, content []Field) {
	body, contentType := []byte(nil), "text/xml"
	if a.json {
		body, contentType = marshalJSON(root, content), "application/json"
	} else {
		body = marshalXML(root, content)
	}
	h := a.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Amzn-Requestid", a.id)
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body) // the client has gone
}
