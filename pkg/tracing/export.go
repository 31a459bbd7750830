package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/time/rate"
)

// exportTime is how long sending a batch may take.
const exportTime = 5 * time.Second

// newClient returns what sends spans to a URL.
func newClient(endpoint string) (otlptrace.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" { // the error would repeat a password
		return nil, errors.New("the endpoint is not a URL without user, query and fragment; write one such as grpc://127.0.0.1:4317 or http://127.0.0.1:4318/v1/traces")
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return nil, fmt.Errorf("the endpoint %q has no port; write host:port", u.Host)
	}
	grpc := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(u.Host), otlptracegrpc.WithTimeout(exportTime), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{})}
	http := []otlptracehttp.Option{
		otlptracehttp.WithEndpoint(u.Host), otlptracehttp.WithURLPath(u.Path), otlptracehttp.WithTimeout(exportTime), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}),
	}
	hasPath := u.Path != "" && u.Path != "/"
	switch {
	case (u.Scheme == "grpc" || u.Scheme == "grpcs") && hasPath:
		return nil, fmt.Errorf("the endpoint has the path %q, which gRPC does not have; remove it, or write http", u.Path)
	case u.Scheme == "grpc":
		return otlptracegrpc.NewClient(append(grpc, otlptracegrpc.WithInsecure())...), nil
	case u.Scheme == "grpcs":
		return otlptracegrpc.NewClient(grpc...), nil
	case (u.Scheme == "http" || u.Scheme == "https") && !hasPath:
		return nil, fmt.Errorf("the endpoint has no path; write %s://%s/v1/traces", u.Scheme, u.Host)
	case u.Scheme == "http":
		return otlptracehttp.NewClient(append(http, otlptracehttp.WithInsecure())...), nil
	case u.Scheme == "https":
		return otlptracehttp.NewClient(http...), nil
	default:
		return nil, fmt.Errorf("the endpoint's scheme %q is not known; write grpc, grpcs, http or https", u.Scheme)
	}
}

// bounded hands ended spans on while fewer than queuedSpans wait, and counts the others. The queue of the processor behind it has as much
// room, so none is lost there.
type bounded struct {
	sdktrace.SpanProcessor
	waiting *atomic.Int64
	dropped atomic.Uint64
}

// OnEnd implements sdktrace.SpanProcessor.
func (b *bounded) OnEnd(s sdktrace.ReadOnlySpan) {
	if b.waiting.Add(1) > queuedSpans {
		b.waiting.Add(-1)
		b.dropped.Add(1)
		return
	}
	b.SpanProcessor.OnEnd(s)
}

// exporter sends spans, and counts them. It returns no errors.
type exporter struct {
	// waiting is how many spans have ended and are neither sent nor lost.
	waiting          atomic.Int64
	inner            *otlptrace.Exporter
	log              *slog.Logger
	loud             *rate.Limiter
	exported, failed atomic.Uint64
}

func newExporter(c otlptrace.Client, log *slog.Logger) *exporter {
	return &exporter{inner: otlptrace.NewUnstarted(c), log: log, loud: rate.NewLimiter(rate.Every(time.Minute), 1)}
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	n := uint64(len(spans))
	defer e.waiting.Add(-int64(len(spans)))
	if err := e.inner.ExportSpans(ctx, spans); err != nil {
		e.failed.Add(n)
		if e.loud.Allow() {
			e.log.Warn("the collector does not take spans", "error", err.Error())
		}
		return nil
	}
	e.exported.Add(n)
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(ctx context.Context) error {
	return e.inner.Shutdown(ctx)
}
