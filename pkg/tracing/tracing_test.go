package tracing_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest/otlp"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/tracing"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	sampled = "00-" + traceID + "-b7ad6b7169203331-01"
	not     = "00-" + traceID + "-b7ad6b7169203331-00"
)

var denied = authz.Decision{
	API: "a1b2c3d4e5", Stage: "prod", Route: "GET /pets", RequestID: "id-1", Reason: authz.Reason{Code: authz.CodeExplicitDeny, Statement: "NoAdmin", Detail: "secret"},
	Denial: authz.Response{Status: 403, Body: "secret"}, Caller: authz.Caller{Principal: "secret"}, Authorizer: "staff", Step: authz.StepDecision, Path: "/secret",
}

func newTracer(t *testing.T, c tracing.Config) *tracing.Tracer {
	t.Helper()
	tracer, err := tracing.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func TestSpans(t *testing.T) {
	for _, scheme := range []string{"grpc", "http"} {
		t.Run(scheme, func(t *testing.T) {
			collector := otlp.Start(t)
			endpoint := "grpc://" + collector.GRPC
			if scheme == "http" {
				endpoint = collector.HTTP + "/v1/traces"
			}
			tracer := newTracer(t, tracing.Config{Endpoint: endpoint, Share: 1})
			ctx, end := tracer.Start(t.Context(), not)
			for _, kind := range []string{authz.CallFunction, authz.CallIssuer, authz.CallRedis} {
				_, endCall := authz.StartCall(ctx, kind, "the "+kind)
				endCall("answered")
			}
			end(&denied)
			tracer.Close()
			checkSpans(t, collector.Spans("portcullis"))
		})
	}
}

func checkSpans(t *testing.T, spans []otlp.Span) {
	t.Helper()
	if len(spans) != 4 {
		t.Fatalf("%d spans", len(spans))
	}
	check := spans[3]
	if hex.EncodeToString(check.GetTraceId()) != traceID || hex.EncodeToString(check.GetParentSpanId()) != "b7ad6b7169203331" || check.GetName() != "check" {
		t.Errorf("the check: %v", check)
	}
	for name, want := range map[string]string{
		"api": "a1b2c3d4e5", "stage": "prod", "route": "GET /pets", "decision": "deny", "reason": "explicit_deny", "statement": "NoAdmin", "request_id": "id-1",
		"authorizer": "staff", "step": string(authz.StepDecision),
	} {
		if got := check.Value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for i, want := range []struct{ kind, attribute string }{{"function", "function"}, {"issuer", "issuer"}, {"redis", "operation"}} {
		s := spans[i]
		if s.GetName() != want.kind || s.Value(want.attribute) != "the "+want.kind || s.Value("result") != "answered" || string(s.GetParentSpanId()) != string(check.GetSpanId()) {
			t.Errorf("a call: %v", s)
		}
	}
	if text := fmt.Sprint(spans); strings.Contains(text, "secret") {
		t.Errorf("a span contains more than it should: %s", text)
	}
}

// Only a share of the checks is traced, whatever clients write into traceparent.
func TestSampling(t *testing.T) {
	for _, tt := range []struct {
		share, sampledShare float64
		traceparent         string
		least, most         int
	}{
		{0, 0, sampled, 0, 0},
		{0, 0, "", 0, 0},
		{0, 1, "", 0, 0},
		{0, 1, not, 0, 0},
		{0, 1, sampled, 10_000, 10_000},
		{0, 0.1, sampled, 900, 1100},
		{0.1, 0, sampled, 800, 1200},
		{0.1, 0, not, 800, 1200},
		{0.1, 0.1, sampled, 1700, 2200},
		{1, 0, "", 10_000, 10_000},
		{0, 1, "00-" + traceID + "-b7ad6b7169203331-01,x", 0, 0},
		{0, 1, "00-00000000000000000000000000000000-b7ad6b7169203331-01", 0, 0},
		{0, 1, strings.Repeat("0", 1<<20), 0, 0},
	} {
		tracer := newTracer(t, tracing.Config{Endpoint: "grpc://127.0.0.1:1", Share: tt.share, SampledShare: tt.sampledShare})
		traced := 0
		for range 10_000 {
			if _, end := tracer.Start(t.Context(), tt.traceparent); end != nil {
				traced++
			}
		}
		if traced < tt.least || traced > tt.most {
			t.Errorf("share %v, sampled share %v, %.60q: %d of 10,000 are traced", tt.share, tt.sampledShare, tt.traceparent, traced)
		}
		tracer.Close()
	}
}

// After a time without sampled checks, few are traced at once.
func TestSavedCreditIsBounded(t *testing.T) {
	tracer := newTracer(t, tracing.Config{Endpoint: "grpc://127.0.0.1:1", SampledShare: 0.1})
	defer tracer.Close()
	for range 100_000 {
		tracer.Start(t.Context(), "")
	}
	traced := 0
	for range 1000 {
		if _, end := tracer.Start(t.Context(), sampled); end != nil {
			traced++
		}
	}
	if traced > 120 {
		t.Errorf("%d of 1000", traced)
	}
}

// A collector that takes connections and answers nothing delays no check, and Close only for a time.
func TestACollectorThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, endpoint := range []string{"grpc://" + listener.Addr().String(), "http://" + listener.Addr().String() + "/v1/traces"} {
		tracer := newTracer(t, tracing.Config{Endpoint: endpoint, Share: 1})
		begun := time.Now()
		for range 20_000 {
			ctx, end := tracer.Start(t.Context(), sampled)
			_, endCall := authz.StartCall(ctx, authz.CallRedis, "read")
			endCall("failed")
			end(&denied)
		}
		if took := time.Since(begun); took > 20*time.Second { // if checks waited, each batch would take 5 s
			t.Errorf("%s: 20,000 checks took %v", endpoint, took)
		}
		begun = time.Now()
		tracer.Close()
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("%s: Close took %v", endpoint, took)
		}
		counts := map[string]float64{}
		for _, s := range tracer.Samples() {
			counts[strings.TrimPrefix(s.Name, "portcullis_trace_spans_")] = s.Value
		}
		rest := counts["total"] - counts["exported_total"] - counts["failed_total"] - counts["dropped_total"]
		if counts["total"] != 40_000 || counts["dropped_total"] < 30_000 || rest < 0 || rest > 512 {
			t.Errorf("%s: %v", endpoint, counts)
		}
	}
}

// Lost spans are counted.
func TestACollectorThatIsDown(t *testing.T) {
	tracer := newTracer(t, tracing.Config{Endpoint: "http://127.0.0.1:1/v1/traces", Share: 1})
	_, end := tracer.Start(t.Context(), "")
	end(&denied)
	tracer.Close()
	want := map[string]float64{"portcullis_trace_spans_total": 1, "portcullis_trace_spans_exported_total": 0, "portcullis_trace_spans_failed_total": 1}
	for _, s := range tracer.Samples() {
		if s.Value != want[s.Name] {
			t.Errorf("%s is %v", s.Name, s.Value)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for _, tt := range []struct {
		config tracing.Config
		want   string
	}{
		{tracing.Config{Endpoint: "127.0.0.1:4317"}, "write one such as grpc://"},
		{tracing.Config{Endpoint: "udp://127.0.0.1:4317"}, `"udp" is not known`},
		{tracing.Config{Endpoint: "grpc://127.0.0.1"}, "has no port"},
		{tracing.Config{Endpoint: "grpc://127.0.0.1:4317/v1/traces"}, "gRPC does not have"},
		{tracing.Config{Endpoint: "http://127.0.0.1:4318"}, "write http://127.0.0.1:4318/v1/traces"},
		{tracing.Config{Endpoint: "http://user:secret@127.0.0.1:4318/v1/traces"}, "without user"},
		{tracing.Config{Endpoint: "http://%zz:secret"}, "is not a URL"},
		{tracing.Config{Endpoint: "grpc://127.0.0.1:4317", Share: 1.5}, "share 1.5 is not a number from 0 to 1"},
		{tracing.Config{Endpoint: "grpc://127.0.0.1:4317", SampledShare: -1}, "sampled share -1"},
	} {
		_, err := tracing.New(tt.config)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", tt.config, err, tt.want)
		}
	}
}

func TestWithoutATracerACallIsNothing(t *testing.T) {
	ctx, end := authz.StartCall(t.Context(), authz.CallRedis, "read")
	end("answered")
	if ctx != t.Context() {
		t.Error("another context")
	}
}

func BenchmarkTracedCheck(b *testing.B) {
	tracer, err := tracing.New(tracing.Config{Endpoint: "grpc://127.0.0.1:1", Share: 1})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, end := tracer.Start(context.Background(), sampled)
		end(&denied)
	}
}
