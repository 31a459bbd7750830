package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// Trailers come after the check. None reaches the upstream under the name of a header that portcullis sets, from a client of either
// HTTP, unless somebody enables them: the README says so, and this is what it speaks of.
func TestTrailersDoNotReachTheUpstream(t *testing.T) {
	t.Parallel()
	api := strings.Replace(mapped, "GET /pets", "POST /pets", 1)
	enabled := envoytest.Edit{
		Old: "type: STATIC\n    connect_timeout: 1s\n    load_assignment:\n      cluster_name: upstream",
		New: `type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http_protocol_options: {enable_trailers: true}}
    connect_timeout: 1s
    load_assignment:
      cluster_name: upstream`,
	}
	for name, edits := range map[string][]envoytest.Edit{"as shipped": nil, "enabled": {enabled}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: api, edits: edits})
			seen := s.allowed(t, s.send(t, request("POST", "/pets", "Transfer-Encoding: chunked", "Trailer: x-edge")+"1\r\na\r\n0\r\nx-edge: spoof\r\n\r\n"))
			if seen.Body != "a" || len(seen.Trailers) != 0 {
				t.Errorf("HTTP/1.1: body %q, trailers %q", seen.Body, seen.Trailers)
			}
			seen = s.allowed(t, s.trailing(t, "/pets", "x-edge", "spoof"))
			if seen.Body != "a" || len(seen.Trailers) != len(edits) {
				t.Errorf("HTTP/2: body %q, trailers %q", seen.Body, seen.Trailers)
			}
		})
	}
}

// trailing sends a request over HTTP/2 with a trailer.
func (s *stack) trailing(t *testing.T, target, name, value string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.addr+target, io.NopCloser(strings.NewReader("a")))
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.Trailer = "pets.example.com", http.Header{http.CanonicalHeaderKey(name): {value}}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	got, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: got.StatusCode, header: got.Header, body: string(body)}
}
