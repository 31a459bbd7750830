package runner

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// The names of the Runtime API.
const (
	apiVersion      = "/2018-06-01"
	headerRequestID = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline  = "Lambda-Runtime-Deadline-Ms"
	headerARN       = "Lambda-Runtime-Invoked-Function-Arn"
	headerTrace     = "Lambda-Runtime-Trace-Id"
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
)

const (
	maxErrorBody  = 256 << 10
	maxErrorType  = 256
	maxErrorText  = 4 << 10
	maxHeader     = 2 << 20 // clients put a stack trace of up to 1 MiB into a header
	transferLimit = 30 * time.Second
)

func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h,
		// No timeout for a whole request: the process waits in one for its next event.
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
}

// listen opens a Runtime API's address.
func listen() (net.Listener, error) {
	var random [3]byte
	rand.Read(random[:])
	return net.Listen("tcp4", listenAddress(random))
}

func (w *worker) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiVersion+"/runtime/invocation/next", w.serveNext)
	mux.HandleFunc("POST "+apiVersion+"/runtime/invocation/{id}/response", w.serveResponse)
	mux.HandleFunc("POST "+apiVersion+"/runtime/invocation/{id}/error", w.serveError)
	mux.HandleFunc("POST "+apiVersion+"/runtime/init/error", w.serveInitError)
	return mux
}

// serveNext waits for an event and hands it out.
func (w *worker) serveNext(rw http.ResponseWriter, req *http.Request) {
	asking := w.ask()
	select {
	case inv := <-w.r.jobs:
		if req.Context().Err() != nil || w.proc.hasExited() || !w.take(inv, asking) {
			inv.done <- result{err: errAgain}
			refuse(rw, http.StatusForbidden, "InvalidStateTransition", "another request for an event has taken the place of this one")
			return
		}
		w.hand(rw, inv)
	case <-asking:
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "another request for an event has taken the place of this one")
	case <-w.ended:
	case <-w.proc.exited:
	case <-req.Context().Done():
	}
}

// hand writes the event. What cannot be written has failed, and so has its process.
func (w *worker) hand(rw http.ResponseWriter, inv *invocation) {
	h := rw.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(inv.event)))
	h.Set(headerRequestID, inv.id)
	h.Set(headerDeadline, strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set(headerARN, inv.arn)
	h.Set(headerTrace, traceID(inv))
	control := http.NewResponseController(rw)
	control.SetWriteDeadline(time.Now().Add(transferLimit)) //nolint:errcheck // without one, the time of the event is the limit
	_, err := rw.Write(inv.event)
	if err == nil {
		err = control.Flush()
	}
	if err != nil {
		w.condemn(ErrCrashed)
		return
	}
	control.SetWriteDeadline(time.Time{}) //nolint:errcheck // as above
}

// traceID is a trace that is not sampled, in X-Ray's form.
func traceID(inv *invocation) string {
	digits := strings.ReplaceAll(inv.id, "-", "")
	return "Root=1-" + strconv.FormatInt(time.Now().Unix(), 16) + "-" + digits[:24] + ";Parent=" + digits[16:] + ";Sampled=0"
}

// serveResponse takes an answer. It counts when it is there in full, and if no error follows it in a trailer.
func (w *worker) serveResponse(rw http.ResponseWriter, req *http.Request) {
	inv, ok := w.claimFor(rw, req)
	if !ok {
		return
	}
	body, err := readBody(rw, req, w.r.cfg.MaxAnswer)
	switch kind := req.Trailer.Get(headerErrorType); {
	case isTooLarge(err):
		w.settle(inv, result{err: &FunctionError{Type: "Function.ResponseSizeTooLarge"}})
		refuse(rw, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the answer is too large")
	case err != nil:
		refuse(rw, http.StatusBadRequest, "InvalidRequest", "the answer could not be read")
	case kind != "":
		w.accept(rw, inv, result{err: &FunctionError{Type: clip(kind, maxErrorType)}})
	default:
		w.accept(rw, inv, result{answer: body})
	}
}

// serveError takes the function's error.
func (w *worker) serveError(rw http.ResponseWriter, req *http.Request) {
	inv, ok := w.claimFor(rw, req)
	if !ok {
		return
	}
	reported, err := readError(rw, req)
	switch {
	case isTooLarge(err):
		w.settle(inv, result{err: reported})
		refuse(rw, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the error is too large")
	case err != nil:
		refuse(rw, http.StatusBadRequest, "InvalidRequest", "the error could not be read")
	default:
		w.accept(rw, inv, result{err: reported})
	}
}

// serveInitError takes an error of the start, after which the process is expected to end, and is ended.
func (w *worker) serveInitError(rw http.ResponseWriter, req *http.Request) {
	if w.hasAsked() {
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "the function has started already")
		return
	}
	reported, err := readError(rw, req)
	if err != nil && !isTooLarge(err) {
		refuse(rw, http.StatusBadRequest, "InvalidRequest", "the error could not be read")
		return
	}
	w.r.log.Error("the function reports an error of its start", "pid", w.proc.pid, "type", w.out.fit(reported.Type, len(reported.Type) > maxErrorType),
		"message", w.out.fit(reported.Message, len(reported.Message) > maxErrorText))
	answer(rw, http.StatusAccepted, map[string]string{"status": "OK"})
	w.failStart()
}

// claimFor finds the event that a process answers, or refuses.
func (w *worker) claimFor(rw http.ResponseWriter, req *http.Request) (*invocation, bool) {
	inv, err := w.claim(req.PathValue("id"))
	switch {
	case errors.Is(err, errTwice):
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", err.Error())
	case err != nil:
		refuse(rw, http.StatusBadRequest, "InvalidRequestID", err.Error())
	}
	return inv, err == nil
}

// accept settles the event and tells the process; of two answers at once the second is refused.
func (w *worker) accept(rw http.ResponseWriter, inv *invocation, res result) {
	if !w.settle(inv, res) {
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", errTwice.Error())
		return
	}
	answer(rw, http.StatusAccepted, map[string]string{"status": "OK"})
}

func readBody(rw http.ResponseWriter, req *http.Request, limit int64) ([]byte, error) {
	control := http.NewResponseController(rw)
	control.SetReadDeadline(time.Now().Add(transferLimit)) //nolint:errcheck // without one, the time of the event is the limit
	if req.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	var body bytes.Buffer
	body.Grow(int(max(req.ContentLength, 0)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(rw, req.Body, limit))
	control.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	return body.Bytes(), err
}

// readError reads an error as runtimes post it: {"errorMessage", "errorType", "stackTrace"}. Of one that is too large or not
// in this form, the type that a header names is known.
func readError(rw http.ResponseWriter, req *http.Request) (*FunctionError, error) {
	reported := &FunctionError{Type: clip(req.Header.Get(headerErrorType), maxErrorType)}
	body, err := readBody(rw, req, maxErrorBody)
	if err != nil {
		return reported, err
	}
	if parsed, ok := parseError(body); ok {
		reported.Type = cmp.Or(clip(parsed.Type, maxErrorType), reported.Type)
		reported.Message = clip(parsed.Message, maxErrorText)
	}
	return reported, nil
}

// parseError reads an error's members by their exact names.
func parseError(body []byte) (e FunctionError, ok bool) {
	r := strictjson.New(body, strictjson.Limits{})
	err := r.Object(func(name string, _ int) (err error) {
		switch given := r.Kind() != strictjson.Null; {
		case given && name == "errorMessage":
			e.Message, err = r.Text()
		case given && name == "errorType":
			e.Type, err = r.Text()
		default:
			_, _, err = r.Span()
		}
		return err
	})
	return e, err == nil && r.End() == nil
}

func isTooLarge(err error) bool {
	var tooLarge *http.MaxBytesError
	return errors.As(err, &tooLarge)
}

// clip cuts a text that is too long.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func refuse(rw http.ResponseWriter, status int, kind, message string) {
	answer(rw, status, map[string]string{"errorType": kind, "errorMessage": message})
}

func answer(rw http.ResponseWriter, status int, body map[string]string) {
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte("{}")
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	rw.Write(text) //nolint:errcheck // who does not read it does not get it
}

// maxConnections is how many connections a process may have to its Runtime API at once.
const maxConnections = 32

// guarded lets in connections of the worker's own process alone.
type guarded struct {
	net.Listener
	w      *worker
	mu     sync.Mutex
	open   int
	warned time.Time
}

// Accept waits for a connection that may come in. Others are closed unread.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		err = g.w.proc.owns(conn)
		if err == nil && g.enter() {
			return &counted{Conn: conn, leave: sync.OnceFunc(g.leave)}, nil
		}
		if err != nil {
			g.refused(err)
		}
		_ = conn.Close()
	}
}

func (g *guarded) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= maxConnections {
		return false
	}
	g.open++
	return true
}

func (g *guarded) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
}

// refused counts, and warns once in ten seconds.
func (g *guarded) refused(why error) {
	g.w.r.stats.refused.Add(1)
	if time.Since(g.warned) < 10*time.Second {
		return
	}
	g.warned = time.Now()
	g.w.r.log.Warn("a connection to the function's Runtime API was refused", "pid", g.w.proc.pid, "why", why)
}

// counted is a connection that leaves when it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
