package sts

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// issuedOutcome is the outcome of a call without an error.
const issuedOutcome = "OK"

// Event is the outcome of a call. It holds nothing secret.
type Event struct {
	Time time.Time
	Took time.Duration
	// Issued is false for a call that is refused. Reason says why, and Status is that of the answer.
	Issued bool
	Reason authz.Reason
	Status int

	RequestID, Host, Method string
	ClientAddress           netip.Addr
	// Action is the operation; empty if it is unknown. AccessKey signed the call, IssuedKey is the key that it got.
	Action, Principal, AccessKey string
	Issuer, Subject              string
	Role, SessionName, IssuedKey string

	peer netip.Addr
}

// finish records a call, and then answers it. A call that cannot be recorded is refused.
func (s *Server) finish(ctx context.Context, a *reply, e *Event, fields []Field, failed *Error) {
	e.Took, e.RequestID = time.Since(e.Time), a.id
	e.decide(failed)
	if err := s.config.Record(e); err != nil && failed == nil {
		failed = &Error{Code: ServiceUnavailable, Message: "The call could not be recorded.", Detail: "the audit is required: " + err.Error()}
		e.decide(failed)
		e.Reason.Code = authz.CodeUnrecorded
	}
	s.log(ctx, e, failed)
	if failed != nil {
		a.fail(failed)
		return
	}
	a.succeed(e.Action, fields)
}

// decide sets what an error means. A nil error is a call that succeeded.
func (e *Event) decide(failed *Error) {
	if e.Issued, e.Status = failed == nil, http.StatusOK; failed == nil {
		e.Reason = authz.Reason{Code: authz.CodeAllowed}
		return
	}
	e.Status, e.IssuedKey = failed.httpStatus(), ""
	e.Reason = authz.Reason{Code: failed.reasonCode(), Detail: failed.reason()}
	if d := failed.decided; d != nil {
		e.Reason.Policy, e.Reason.Statement, e.Reason.Condition, e.Reason.ConditionKey = d.Policy, d.Statement, d.Condition, d.ConditionKey
	}
}

// log counts a call and writes it to the process's log. Lines about calls that no rate bounds are limited to one a second.
func (s *Server) log(ctx context.Context, e *Event, failed *Error) {
	outcome, level := issuedOutcome, slog.LevelInfo
	if failed != nil {
		outcome = string(failed.Code)
		if e.Status >= 500 {
			level = slog.LevelError
		}
	}
	s.counters.count(e.Action, outcome)
	if (outcome == string(Throttling) || outcome == string(ServiceUnavailable)) && !s.throttledLines.Allow() {
		return
	}
	attributes := []slog.Attr{
		slog.String("action", e.Action), slog.String("outcome", outcome), slog.String("requestId", e.RequestID), slog.String("peer", e.peer.String()),
	}
	for _, text := range [...]struct{ name, value string }{
		{"principal", e.Principal}, {"accessKeyId", e.AccessKey}, {"issuer", e.Issuer}, {"subject", e.Subject}, {"role", e.Role},
		{"sessionName", e.SessionName}, {"issuedKeyId", e.IssuedKey}, {"reason", e.Reason.Detail},
	} {
		if text.value != "" {
			attributes = append(attributes, slog.String(text.name, short(text.value)))
		}
	}
	attributes = append(attributes, slog.Int64("duration_us", e.Took.Microseconds()))
	s.config.Log.LogAttrs(ctx, level, "sts call", attributes...)
}

// short bounds a text of a client's in a line of the log.
func short(text string) string {
	const most = 2048
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// counters count calls by action and outcome. Both are from this package or the configuration, and not from clients.
type counters struct {
	mu    sync.Mutex
	calls map[counter]uint64
}

type counter struct{ action, outcome string }

func (c *counters) count(action, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[counter]uint64{}
	}
	c.calls[counter{action, outcome}]++
}

// Samples returns the metrics of the calls.
func (s *Server) Samples() []authz.Sample {
	s.counters.mu.Lock()
	calls := maps.Clone(s.counters.calls)
	s.counters.mu.Unlock()
	samples := append(s.limits.places.Samples(), s.connections.Samples()...)
	for _, key := range slices.SortedFunc(maps.Keys(calls), func(a, b counter) int {
		return slices.Compare([]string{a.action, a.outcome}, []string{b.action, b.outcome})
	}) {
		samples = append(samples, authz.Sample{
			Name: "portcullis_sts_calls_total", Help: "Calls of STS by action (empty if unknown) and outcome: OK or the code of the error.",
			Labels: []authz.Field{{Name: "action", Value: key.action}, {Name: "code", Value: key.outcome}}, Value: float64(calls[key]),
		})
	}
	return samples
}
