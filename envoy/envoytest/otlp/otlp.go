// Package otlp receives OpenTelemetry traces for tests. Start with Start.
package otlp

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Collector receives OpenTelemetry traces, by gRPC and by HTTP.
type Collector struct {
	collectorv1.UnimplementedTraceServiceServer
	// GRPC is an address, and HTTP a URL.
	GRPC, HTTP string

	mu    sync.Mutex
	spans []Span
}

// Span is a received span with the name of the service that sent it.
type Span struct {
	*tracev1.Span
	Service string
}

// Start runs a Collector until the test ends.
func Start(tb testing.TB) *Collector {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		tb.Fatal(err)
	}
	c := &Collector{GRPC: listener.Addr().String()}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(listener) }() // it ends with Stop
	tb.Cleanup(server.Stop)
	web := httptest.NewServer(http.HandlerFunc(c.serve))
	tb.Cleanup(web.Close)
	c.HTTP = web.URL
	return c
}

// Export implements the service of OTLP.
func (c *Collector) Export(_ context.Context, in *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range in.GetResourceSpans() {
		service := Attribute(r.GetResource().GetAttributes(), "service.name")
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				c.spans = append(c.spans, Span{Span: span, Service: service})
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in collectorv1.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &in) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	_, _ = c.Export(r.Context(), &in) // never fails
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Spans returns what has been received of a service.
func (c *Collector) Spans(service string) (found []Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Service == service {
			found = append(found, s)
		}
	}
	return found
}

// Value returns an attribute of the span as a text.
func (s *Span) Value(name string) string { return Attribute(s.GetAttributes(), name) }

// Attribute returns an attribute as a text, empty if there is none.
func Attribute(all []*commonv1.KeyValue, name string) string {
	for _, a := range all {
		if a.GetKey() != name {
			continue
		}
		if text, ok := a.GetValue().GetValue().(*commonv1.AnyValue_StringValue); ok {
			return text.StringValue
		}
		return a.GetValue().String()
	}
	return ""
}
