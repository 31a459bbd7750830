package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const (
	// queuedSpans is how many ended spans may wait. A span takes some 2 KiB.
	queuedSpans = 512
	batchSpans  = 128
	batchWait   = time.Second
	// closeTime is how long Close may take to send what waits.
	closeTime = 2 * time.Second
)

// Config configures a Tracer.
type Config struct {
	// Endpoint is the collector's URL: grpc://host:port or grpcs://host:port, or http://host:port/v1/traces or https.
	Endpoint string
	// Share is the share of checks that are traced, from 0 to 1.
	Share float64
	// SampledShare is the share of all checks that may be traced because their traceparent is sampled.
	SampledShare float64
	// Version is the service's version.
	Version string
	// Log is told of a collector that does not take spans; nil discards it.
	Log *slog.Logger
}

// Tracer traces decisions. Its methods are safe for concurrent use.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
	sampler  *sampler
	exporter *exporter
	queue    *bounded
	ended    atomic.Uint64
}

// New returns a Tracer. It connects when the first spans are sent. Close it after the last check.
func New(c Config) (*Tracer, error) {
	client, err := newClient(c.Endpoint)
	if err != nil {
		return nil, err
	}
	s, err := newSampler(c.Share, c.SampledShare)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tracer{sampler: s, exporter: newExporter(client, c.Log)}
	if err := t.exporter.inner.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("the collector's client cannot start: %w", err)
	}
	t.queue = &bounded{waiting: &t.exporter.waiting, SpanProcessor: sdktrace.NewBatchSpanProcessor(t.exporter, sdktrace.WithMaxQueueSize(queuedSpans),
		sdktrace.WithMaxExportBatchSize(batchSpans), sdktrace.WithBatchTimeout(batchWait), sdktrace.WithExportTimeout(exportTime))}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // what is started was sampled
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "portcullis"), attribute.String("service.version", c.Version))),
		sdktrace.WithSpanProcessor(t.queue),
	)
	t.tracer = t.provider.Tracer("github.com/portcullis-authz/portcullis")
	return t, nil
}

// Close sends the spans that wait, for at most two seconds.
func (t *Tracer) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // the exporter counts what is lost
}

// Start begins the span of a check, which continues the trace of a traceparent header. A check that is not traced gets its context back,
// and a nil end. Otherwise end is called once.
func (t *Tracer) Start(ctx context.Context, traceparent string) (_ context.Context, end func(*authz.Decision)) {
	parent := parse(traceparent)
	if !t.sampler.sample(parent.IsSampled()) {
		return ctx, nil
	}
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	ctx, span := t.tracer.Start(ctx, "check", trace.WithSpanKind(trace.SpanKindServer))
	return authz.WithTracer(ctx, t), func(d *authz.Decision) {
		span.SetAttributes(attributes(d)...)
		if !d.Allow && (d.Denial.Status == 0 || d.Denial.Status >= 500) {
			span.SetStatus(codes.Error, d.Reason.Code.String())
		}
		t.end(span)
	}
}

func (t *Tracer) end(s trace.Span) {
	t.ended.Add(1)
	s.End()
}

// parse returns the parent of a traceparent header, which is not valid if the header is not.
func parse(traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	carrier := propagation.MapCarrier{"traceparent": traceparent}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// attributes are those of the decision log that have bounded values, and the request's id. They are copies: a span waits, and the request
// that they are cut from does not.
func attributes(d *authz.Decision) []attribute.KeyValue {
	all := []attribute.KeyValue{
		attribute.String("decision", authz.Word(d.Allow)),
		attribute.String("reason", d.Reason.Code.String()),
	}
	for _, f := range [...]authz.Field{
		{Name: "api", Value: d.API},
		{Name: "stage", Value: d.Stage},
		{Name: "route", Value: d.Route},
		{Name: "authorizer", Value: d.Authorizer},
		{Name: "step", Value: string(d.Step)},
		{Name: "policy", Value: d.Reason.Policy},
		{Name: "statement", Value: d.Reason.Statement},
		{Name: "request_id", Value: d.RequestID},
	} {
		if f.Value != "" {
			all = append(all, attribute.String(f.Name, strings.ToValidUTF8(strings.Clone(f.Value), "?")))
		}
	}
	if !d.Allow {
		all = append(all, attribute.Int("status", d.Denial.Status))
	}
	return all
}

// targets has the attribute for the target of each kind of call.
var targets = map[string]attribute.Key{authz.CallFunction: "function", authz.CallIssuer: "issuer", authz.CallRedis: "operation"}

// StartCall implements authz.Tracer.
func (t *Tracer) StartCall(ctx context.Context, kind, target string) (_ context.Context, end func(result string)) {
	ctx, span := t.tracer.Start(ctx, kind, trace.WithSpanKind(trace.SpanKindClient))
	if key, ok := targets[kind]; ok {
		span.SetAttributes(key.String(strings.Clone(target)))
	}
	return ctx, func(result string) {
		span.SetAttributes(attribute.String("result", result))
		t.end(span)
	}
}

// Samples returns the metrics.
func (t *Tracer) Samples() []authz.Sample {
	return []authz.Sample{
		{Name: "portcullis_trace_spans_total", Help: "Spans that ended.", Value: float64(t.ended.Load())},
		{Name: "portcullis_trace_spans_exported_total", Help: "Spans that the collector took.", Value: float64(t.exporter.exported.Load())},
		{Name: "portcullis_trace_spans_failed_total", Help: "Spans that the collector did not take.", Value: float64(t.exporter.failed.Load())},
		{Name: "portcullis_trace_spans_dropped_total", Help: "Spans that were not sent because too many waited for the collector.", Value: float64(t.queue.dropped.Load())},
	}
}
