package sts

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// issuedOutcome is the outcome of a call without an error.
const issuedOutcome = "OK"

// record counts a call and logs it. Lines about calls that no rate bounds are limited to one a second.
func (s *Server) record(ctx context.Context, a *reply, e *entry, peer netip.Addr, failed *Error, began time.Time) {
	outcome, level := issuedOutcome, slog.LevelInfo
	if failed != nil {
		outcome = string(failed.Code)
		if failed.httpStatus() >= 500 {
			level = slog.LevelError
		}
	}
	s.counters.count(e.action, outcome)
	if (outcome == string(Throttling) || outcome == string(ServiceUnavailable)) && !s.throttledLines.Allow() {
		return
	}
	attributes := []slog.Attr{
		slog.String("action", e.action), slog.String("outcome", outcome), slog.String("requestId", a.id), slog.String("peer", peer.String()),
	}
	for _, text := range [...]struct{ name, value string }{
		{"principal", e.principal}, {"accessKeyId", e.keyID}, {"issuer", e.issuer}, {"subject", e.subject}, {"role", e.role},
		{"sessionName", e.session}, {"issuedKeyId", e.issued},
	} {
		if text.value != "" {
			attributes = append(attributes, slog.String(text.name, short(text.value)))
		}
	}
	if failed != nil {
		attributes = append(attributes, slog.String("reason", short(failed.reason())))
	}
	attributes = append(attributes, slog.Int64("duration_us", time.Since(began).Microseconds()))
	s.log.LogAttrs(ctx, level, "sts call", attributes...)
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
