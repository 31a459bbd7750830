package otlp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
)

// collector is an OTLP receiver.
type collector struct {
	collogspb.UnimplementedLogsServiceServer
	address string
	// answer is asked first; nil takes everything.
	answer func(ctx context.Context, calls int) (*collogspb.ExportLogsServiceResponse, error)

	mu      sync.Mutex
	calls   int
	records []*logspb.LogRecord
}

func (c *collector) Export(ctx context.Context, in *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	c.calls++
	calls := c.calls
	c.mu.Unlock()
	if c.answer != nil {
		if out, err := c.answer(ctx, calls); out != nil || err != nil {
			return out, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range in.GetResourceLogs() {
		for _, s := range r.GetScopeLogs() {
			c.records = append(c.records, s.GetLogRecords()...)
		}
	}
	return &collogspb.ExportLogsServiceResponse{}, nil
}

func (c *collector) received() []*logspb.LogRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records
}

func collect(t *testing.T, c *collector) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collogspb.RegisterLogsServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	c.address = l.Addr().String()
	return c
}

// opened is a log that sends to an address.
func opened(t *testing.T, address string, timeout time.Duration) (*decisionlog.Log, *decisionlog.Counters) {
	t.Helper()
	return openedTo(t, &decisionlog.OTLP{Address: address}, timeout)
}

// openedTo is a log that sends to a collector.
func openedTo(t *testing.T, to *decisionlog.OTLP, timeout time.Duration) (*decisionlog.Log, *decisionlog.Counters) {
	t.Helper()
	counters := &decisionlog.Counters{}
	l, err := decisionlog.Open(decisionlog.Config{OTLP: to, Sampling: decisionlog.Sampling{Allowed: 1, Denied: 1, Errors: 1}}, decisionlog.Environment{
		Log: slog.New(slog.DiscardHandler), Counters: counters,
		OTLP: func(o decisionlog.OTLP) (decisionlog.Sink, error) {
			s, err := Open(o, "1.2.3")
			if err == nil {
				s.timeout = timeout
			}
			return s, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, counters
}

var entry = decisionlog.Entry{
	Time: time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC), Took: 42 * time.Microsecond, Code: authz.CodeEnvoyConfig, Status: 500,
	Host: "pets.example.com", ClientAddress: netip.MustParseAddr("192.0.2.7"), Scopes: []string{"a", "b"}, Detail: "<x>\x1b\xff",
}

func TestRecord(t *testing.T) {
	c := collect(t, &collector{})
	l, _ := opened(t, c.address, time.Second)
	_ = l.Record(&entry)
	l.Close(5 * time.Second)
	if len(c.received()) != 1 {
		t.Fatalf("%d records", len(c.received()))
	}
	r := c.received()[0]
	if r.GetTimeUnixNano() != uint64(entry.Time.UnixNano()) || r.GetSeverityNumber() != logspb.SeverityNumber_SEVERITY_NUMBER_ERROR ||
		r.GetBody().GetStringValue() != "decision" || r.GetEventName() != "portcullis.decision" {
		t.Errorf("%v", r)
	}
	got := map[string]*commonpb.AnyValue{}
	for _, a := range r.GetAttributes() {
		got[a.GetKey()] = a.GetValue()
	}
	for name, want := range map[string]string{"reason": "envoy_config", "host": "pets.example.com", "client": "192.0.2.7", "detail": "<x>\x1b\ufffd"} {
		if v := got["portcullis."+name].GetStringValue(); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if got["portcullis.status"].GetIntValue() != 500 || got["portcullis.v"].GetIntValue() != 1 || len(got["portcullis.scopes"].GetArrayValue().GetValues()) != 2 {
		t.Errorf("%v", got)
	}
}

func TestBusyCollectorGetsLinesLater(t *testing.T) {
	c := collect(t, &collector{answer: func(_ context.Context, calls int) (*collogspb.ExportLogsServiceResponse, error) {
		if calls < 3 {
			return nil, status.Error(codes.Unavailable, "busy")
		}
		return nil, nil
	}})
	l, counters := opened(t, c.address, time.Second)
	_ = l.Record(&entry)
	l.Close(5 * time.Second)
	if len(c.received()) != 1 || sum(counters, "portcullis_decision_log_lines_total", "") != 1 {
		t.Errorf("%d records", len(c.received()))
	}
}

// TestBadCollectorHoldsNothingUp records more than the queue holds, with collectors that hang, refuse or are not there.
func TestBadCollectorHoldsNothingUp(t *testing.T) {
	for name, answer := range map[string]func(context.Context, int) (*collogspb.ExportLogsServiceResponse, error){
		"hangs": func(ctx context.Context, _ int) (*collogspb.ExportLogsServiceResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"refuses": func(context.Context, int) (*collogspb.ExportLogsServiceResponse, error) {
			return nil, status.Error(codes.PermissionDenied, "no")
		},
		"rejects": func(context.Context, int) (*collogspb.ExportLogsServiceResponse, error) {
			return &collogspb.ExportLogsServiceResponse{PartialSuccess: &collogspb.ExportLogsPartialSuccess{RejectedLogRecords: 1 << 40}}, nil
		},
		"is absent": nil,
	} {
		address := "127.0.0.1:1"
		if answer != nil {
			address = collect(t, &collector{answer: answer}).address
		}
		timeout := 5 * time.Second
		if name == "hangs" {
			timeout = 50 * time.Millisecond
		}
		l, counters := opened(t, address, timeout)
		const lines = 10000
		begin := time.Now()
		for range lines {
			if err := l.Record(&entry); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: %d lines took %v", name, lines, took)
		}
		l.Close(time.Second)
		if n := sum(counters, "portcullis_decision_log_dropped_total", ""); n < lines-512 { // the last batch may still be under way
			t.Errorf("%s: %v lines are counted as dropped, want %d", name, n, lines)
		}
		if n := sum(counters, "portcullis_decision_log_dropped_total", "rejected"); (n > 0) != (name == "rejects") {
			t.Errorf("%s: %v lines are counted as rejected", name, n)
		}
	}
}

// sum adds the samples of a metric that have the label value, or all if it is empty.
func sum(c *decisionlog.Counters, name, label string) (sum float64) {
	for _, s := range c.Samples() {
		if s.Name == name && (label == "" || s.Labels[len(s.Labels)-1].Value == label) {
			sum += s.Value
		}
	}
	return sum
}

func TestAccepted(t *testing.T) {
	for rejected, want := range map[int64]int{0: 5, -1: 5, 2: 3, 9: 0} {
		n, err := accepted(5, &collogspb.ExportLogsPartialSuccess{RejectedLogRecords: rejected})
		if n != want || errors.Is(err, decisionlog.ErrRejected) != (want < 5) {
			t.Errorf("%d rejected: %d, %v", rejected, n, err)
		}
	}
	if !strings.HasPrefix(decisionlog.ErrRejected.Error(), "the collector") {
		t.Error(decisionlog.ErrRejected)
	}
}
