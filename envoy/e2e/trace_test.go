package e2e

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/envoy/envoytest/otlp"
)

// tracingEnvoy makes Envoy trace each request and send its spans to a collector.
func tracingEnvoy(collector string) []envoytest.Edit {
	host, port, _ := strings.Cut(collector, ":")
	return []envoytest.Edit{
		{Old: "          stat_prefix: http\n", New: `          stat_prefix: http
          tracing:
            provider:
              name: envoy.tracers.opentelemetry
              typed_config:
                "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
                grpc_service: {envoy_grpc: {cluster_name: collector}}
                service_name: envoy
`},
		{Old: "  clusters:\n", New: `  clusters:
  - name: collector
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: collector
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: ` + host + `, port_value: ` + port + `}}}}]}]
`},
	}
}

// traced sends requests whose traceparent is sampled, with a trace id each that begins with prefix.
func (s *stack) traced(t *testing.T, prefix string, n int) {
	t.Helper()
	for i := range n {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr+"/pets/7", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "pets.example.com"
		r.Header.Set("traceparent", "00-"+prefix+hex.EncodeToString([]byte{byte(i >> 8), byte(i)})+"-b7ad6b7169203331-01")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
}

// portcullis continues the trace that Envoy continues, as a child of Envoy's span.
func TestTracesContinueThoseOfEnvoy(t *testing.T) {
	t.Parallel()
	collector := otlp.Start(t)
	s := start(t, setup{
		config: pets, edits: tracingEnvoy(collector.GRPC),
		flags: []string{"--trace-endpoint", "grpc://" + collector.GRPC, "--trace-share=0", "--trace-sampled-share=1"},
	})
	const prefix = "0af7651916cd43dd8448eb211c80"
	s.traced(t, prefix, 1)
	var check *otlp.Span
	eventually(t, "the collector has both spans", func() bool {
		for _, mine := range collector.Spans("portcullis") {
			for _, envoys := range collector.Spans("envoy") {
				if string(mine.GetParentSpanId()) == string(envoys.GetSpanId()) {
					check = &mine
				}
			}
		}
		return check != nil
	})
	if id := hex.EncodeToString(check.GetTraceId()); id != prefix+"0000" {
		t.Errorf("trace %s", id)
	}
	for name, want := range map[string]string{"api": "a1b2c3d4e5", "stage": "prod", "route": "GET /pets/{petId}", "decision": "allow", "reason": "allowed"} {
		if got := check.Value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Clients that ask for traces get a bounded share.
func TestClientsCannotTurnTracesOn(t *testing.T) {
	t.Parallel()
	collector := otlp.Start(t)
	s := start(t, setup{
		config: pets, edits: tracingEnvoy(collector.GRPC),
		flags: []string{"--trace-endpoint", "grpc://" + collector.GRPC, "--trace-share=0", "--trace-sampled-share=0.1"},
	})
	s.traced(t, "0af7651916cd43dd8448eb211c80", 100)
	eventually(t, "Envoy has traced all", func() bool { return len(collector.Spans("envoy")) >= 100 })
	eventually(t, "portcullis has traced some", func() bool { return len(collector.Spans("portcullis")) > 5 })
	if n := len(collector.Spans("portcullis")); n > 11 {
		t.Errorf("%d of 100 checks are traced", n)
	}
}
