package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// encrypted is an upstream with TLS that counts its requests.
type encrypted struct {
	*httptest.Server
	requests atomic.Int32
}

// port returns the port of the upstream.
func (e *encrypted) port() string { return e.URL[strings.LastIndexByte(e.URL, ':')+1:] }

// startEncrypted starts an upstream that has a certificate for a name.
func startEncrypted(t *testing.T, dir, file, name string, by *authority) *encrypted {
	t.Helper()
	by.issue(t, dir, file, name)
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, file+".crt"), filepath.Join(dir, file+".key"))
	if err != nil {
		t.Fatal(err)
	}
	e := &encrypted{}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		fmt.Fprintf(w, "%s %s\n", r.Method, r.URL.Path)
	}))
	e.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

// integrated is an OpenAPI file whose operations have the integrations of the test.
const integrated = `openapi: 3.0.1
info: {title: integrated, version: "1"}
paths:
  /pets: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "http://127.0.0.1:PLAIN/v1/pets"}}}
  /pets/{id}: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "http://127.0.0.1:OTHER/pets/{id}", requestParameters: {integration.request.path.id: method.request.path.id}}}}
  /admin/{proxy+}: {x-amazon-apigateway-any-method: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: ANY, uri: "http://127.0.0.1:OTHER/in/side/admin/{proxy}",
    requestParameters: {integration.request.path.proxy: method.request.path.proxy}}}}
  /encrypted: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "https://localhost:TRUSTED/encrypted"}}}
  /stranger: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "https://localhost:STRANGER/stranger"}}}
  /misnamed: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "https://localhost:MISNAMED/misnamed"}}}
  /down: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "http://127.0.0.1:DOWN/down"}}}
  /function: {get: {x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, uri: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:f/invocations"}}}
  /unknown: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "http://127.0.0.1:PLAIN/elsewhere"}}}
`

// Each route of a definition reaches the server of its integration, with the path that API Gateway would send, or none.
func TestUpstreamsOfIntegrations(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		up, text := startServers(t, "plain", "other", "local")
		trustedDir, strangeDir := t.TempDir(), t.TempDir()
		trusted, strange := newAuthority(t, trustedDir), newAuthority(t, strangeDir)
		ours := startEncrypted(t, trustedDir, "ours", "localhost", trusted)
		stranger := startEncrypted(t, strangeDir, "stranger", "localhost", strange)
		misnamed := startEncrypted(t, trustedDir, "misnamed", "elsewhere.example.com", trusted)
		definition := strings.NewReplacer("PLAIN", up["plain"].Port(), "OTHER", up["other"].Port(), "TRUSTED", ours.port(), "STRANGER", stranger.port(),
			"MISNAMED", misnamed.port(), "DOWN", envoytest.FreePort(t)).Replace(integrated)
		local := text[:strings.Index(text, "  plain:")] + text[strings.Index(text, "  local:"):]
		s := start(t, setup{envoy: bin, printed: []string{}, files: map[string]string{"api.yaml": definition}, config: local + fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com, pets.example.com/base]}]
    definition: {file: api.yaml, upstreams: integrations, upstreamTlsCa: %s, unresolved: deny, values: {"upstream GET /function": local}}
`, filepath.Join(trustedDir, "ca.crt"))})
		for _, tc := range []struct {
			target, want, path string
			status             int
		}{
			{"/pets", "plain", "/v1/pets", 200},
			{"/base/pets", "plain", "/v1/pets", 200},
			{"/pets?a=b", "plain", "/v1/pets?a=b", 200},
			{"//pets", "plain", "/v1/pets", 200},
			{"/pets/7", "other", "/pets/7", 200},
			{"/pets/7%2F8", "other", "/pets/7%2F8", 200},
			{"/admin/a/b", "other", "/in/side/admin/a/b", 200},
			{"/base/admin/a/../b", "other", "/in/side/admin/b", 200},
			{"/%61dmin/a", "other", "/in/side/admin/a", 200},
			{"/function", "local", "/function", 200},
			{"/v1/pets", "", "", 403},
			{"/in/side/admin/a", "", "", 403},
			{"/unknown", "", "", 500},
			{"/down", "", "", 503},
			{"/stranger", "", "", 503},
			{"/misnamed", "", "", 503},
		} {
			a := s.get(t, tc.target)
			name, seen := up.take(t)
			if a.status != tc.status || name != tc.want || seen.Target != tc.path {
				t.Errorf("GET %s: status %d by %q with %q, want %d by %q with %q", tc.target, a.status, name, seen.Target, tc.status, tc.want, tc.path)
			}
		}
		if n := stranger.requests.Load() + misnamed.requests.Load(); n > 0 || ours.requests.Load() > 0 {
			t.Errorf("%d requests reached servers that cannot be verified, %d that of another route", n, ours.requests.Load())
		}
		if a := s.get(t, "/encrypted"); a.status != 200 || ours.requests.Load() != 1 {
			t.Errorf("encrypted: status %d, %d requests", a.status, ours.requests.Load())
		}
	})
}
