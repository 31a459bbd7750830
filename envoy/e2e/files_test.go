package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const insecure = `portcullis.secureTransport: "false"`

// resources is the file that is not for Envoy itself.
const resources = "envoy-gateway.yaml"

// Every file is valid as it is, but for the certificates that users put in place.
func TestFilesAreValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*.yaml")
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == resources })
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	eachEnvoy(t, func(t *testing.T, bin string) {
		for _, file := range files {
			name := filepath.Base(file)
			t.Run(name, func(t *testing.T) { valid(t, bin, edit(t, name, inPlace(t, name, t.TempDir())...)) })
		}
	})
}

// inPlace makes the certificates that a file names, and the edits that name them instead.
func inPlace(t *testing.T, file, dir string) []envoytest.Edit {
	t.Helper()
	ca := newAuthority(t, dir)
	ca.issue(t, dir, "tls", "pets.example.com")
	ca.issue(t, dir, "client", "envoy.internal")
	ca.issue(t, dir, "server", "portcullis.internal")
	return certificates(file, dir)
}

// The other files are envoy.yaml but for what they are about, which stands here.
func TestFilesDifferOnlyInWhatTheyAreAbout(t *testing.T) {
	open := func(template string) string {
		return "              - {match: {path_match_policy: {name: envoy.path.match.uri_template.uri_template_matcher, typed_config: " +
			`{"@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "` + template + `"}}}, route: {cluster: upstream}, typed_per_filter_config: {envoy.filters.http.ext_authz: ` +
			`{"@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, check_settings: {disable_request_body_buffering: true}}}}` + "\n"
	}
	for file, edits := range map[string][]envoytest.Edit{
		"unix-socket.yaml": {
			{Old: "{socket_address: {address: 127.0.0.1, port_value: 9001}}", New: "{pipe: {path: /run/portcullis/portcullis.sock}}"},
		},
		"mutual-tls.yaml": {
			{Old: "address: 127.0.0.1, port_value: 9001", New: "address: portcullis.internal, port_value: 9001"},
			{Old: "- name: portcullis\n    type: STATIC\n", New: "- name: portcullis\n    type: STRICT_DNS\n    transport_socket: {name: envoy.transport_sockets.tls, typed_config: " +
				`{"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: portcullis.internal, ` +
				`common_tls_context: {tls_params: {tls_minimum_protocol_version: TLSv1_2}, tls_certificates: ` +
				`[{certificate_chain: {filename: /etc/envoy/portcullis/client.crt}, private_key: {filename: /etc/envoy/portcullis/client.key}}], ` +
				`validation_context: {trusted_ca: {filename: /etc/envoy/portcullis/ca.crt}, ` +
				"match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: portcullis.internal}}]}}}}\n"},
		},
		"https.yaml": {
			{Old: "- name: http\n    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}", New: "- name: https\n    address: {socket_address: {address: 127.0.0.1, port_value: 8443}}"},
			{Old: "stat_prefix: http", New: "stat_prefix: https"},
			{Old: insecure, New: `portcullis.secureTransport: x-forwarded-proto`},
			{Old: "- filters:\n", New: "- transport_socket: {name: envoy.transport_sockets.tls, typed_config: " +
				`{"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: ` +
				`{alpn_protocols: [h2, http/1.1], tls_params: {tls_minimum_protocol_version: TLSv1_2}, tls_certificates: ` +
				"[{certificate_chain: {filename: /etc/envoy/tls/tls.crt}, private_key: {filename: /etc/envoy/tls/tls.key}}]}}}\n      filters:\n"},
		},
		"iam.yaml": {
			{Old: "include_tls_session: true\n", New: "include_tls_session: true\n              with_request_body: {max_request_bytes: 1048576, allow_partial_message: false, pack_as_bytes: true}\n"},
			{Old: "              routes:\n              # A rewrite", New: "              routes:\n" + open("/uploads/*") + open("/uploads/*/**") + "              # A rewrite"},
			{Old: "                route: {cluster: upstream}\n", New: "                route: {cluster: upstream}\n                typed_per_filter_config: {envoy.filters.http.ext_authz: " +
				`{"@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, check_settings: {context_extensions: {portcullis.body: buffered}, with_request_body: {max_request_bytes: 1048576, allow_partial_message: false}}}}` + "\n"},
		},
		"private-api.yaml": {
			{Old: "    filter_chains:\n", New: "    listener_filters: [{name: envoy.filters.listener.proxy_protocol, typed_config: " +
				`{"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol, disallowed_versions: [V1], ` +
				"rules: [{tlv_type: 0xEA, on_tlv_present: {metadata_namespace: envoy.filters.listener.proxy_protocol, key: aws_vpce}}]}}]\n    filter_chains:\n"},
			{Old: "name: apis", New: "name: private-apis"},
			{Old: "include_tls_session: true\n", New: "include_tls_session: true\n              metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]\n"},
		},
	} {
		t.Run(file, func(t *testing.T) {
			if diff := cmp.Diff(tree(t, edit(t, "", edits...)), tree(t, edit(t, file))); diff != "" {
				t.Errorf("envoy.yaml with its edits and %s differ (-want +got):\n%s", file, diff)
			}
		})
	}
}

func tree(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// secured is an API for clients that come over TLS.
const secured = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    routes:
      - {route: GET /pets, authorization: NONE}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {Bool: {aws:SecureTransport: "false"}}}
`

func TestHTTPS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, setup{file: "https.yaml", config: secured, edits: inPlace(t, "https.yaml", dir)})
	for name, config := range map[string]*tls.Config{
		"with a server name":    {RootCAs: pool(t, dir), ServerName: "pets.example.com"},
		"without a server name": {InsecureSkipVerify: true},
	} {
		t.Run(name, func(t *testing.T) {
			s.allowed(t, s.sendTLS(t, config, request("GET", "/pets", "X-Forwarded-Proto: http")))
			s.denied(t, s.sendTLS(t, config, request("GET", "/admin")), 403)
		})
	}
}

// Over plain text no header makes a connection secure, whichever way portcullis is told.
func TestPlainTextIsNotSecure(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{insecure, "portcullis.secureTransport: x-forwarded-proto", "unrelated: setting"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: secured, edits: []envoytest.Edit{{Old: insecure, New: setting}}})
			for _, headers := range [][]string{
				nil,
				{"X-Forwarded-Proto: https"},
				{"X-Forwarded-Proto: https", "X-Forwarded-Proto: https", "Forwarded: proto=https", "X-Forwarded-Ssl: on", "Front-End-Https: on"},
			} {
				s.denied(t, s.get(t, "/pets", headers...), 403)
			}
			s.denied(t, s.send(t, "GET https://pets.example.com/pets HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"), 403)
		})
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	s := start(t, setup{file: "unix-socket.yaml", config: pets})
	s.allowed(t, s.get(t, "/pets"))
	check(t, s, s.get(t, "/admin"), 403, "AccessDeniedException", explicitDeny)
}

// Envoy and portcullis speak only if each shows the certificate that the other expects.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server, client string // the certificates' names in the authorities' folders
		allowed        bool
	}{
		"each is who it should be":           {"right/server", "right/client", true},
		"Envoy has a stranger's certificate": {"right/server", "wrong/client", false},
		"portcullis has a stranger's":        {"wrong/server", "right/client", false},
		"portcullis has another's name":      {"right/client", "right/client", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, authority := range []string{"right", "wrong"} {
				if err := os.Mkdir(filepath.Join(dir, authority), 0o700); err != nil {
					t.Fatal(err)
				}
				inPlace(t, "mutual-tls.yaml", filepath.Join(dir, authority))
			}
			s := start(t, setup{
				file: "mutual-tls.yaml", config: pets,
				flags: []string{"--tls-cert", dir + "/" + tc.server + ".crt", "--tls-key", dir + "/" + tc.server + ".key", "--tls-client-ca", dir + "/right/ca.crt"},
				edits: []envoytest.Edit{
					{Old: "/etc/envoy/portcullis/client.crt", New: dir + "/" + tc.client + ".crt"},
					{Old: "/etc/envoy/portcullis/client.key", New: dir + "/" + tc.client + ".key"},
					{Old: "/etc/envoy/portcullis/ca.crt", New: dir + "/right/ca.crt"},
				},
			})
			if a := s.get(t, "/pets"); tc.allowed {
				s.allowed(t, a)
			} else {
				s.denied(t, a, 503)
			}
		})
	}
}

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// newAuthority makes one, and dir/ca.crt.
func newAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	a := &authority{}
	a.cert = a.issue(t, dir, "ca", "authority")
	return a
}

// issue makes the certificate and key dir/file.crt and dir/file.key for a name, or a SPIFFE id. An authority's first is its own.
func (a *authority) issue(t *testing.T, dir, file, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if id, err := url.Parse(name); err == nil && id.Scheme == "spiffe" {
		template.DNSNames, template.URIs = nil, []*url.URL{id}
	}
	parent := a.cert
	if parent == nil {
		a.key, parent = key, template
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for ext, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, file+ext), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// pool holds the authority of a folder.
func pool(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatal("no certificate")
	}
	return p
}

// The pinned wheels are the Envoys that these tests look for.
func TestPinnedVersion(t *testing.T) {
	for file, version := range map[string]string{"envoy-requirements.txt": envoytest.Version, "envoy-oldest-requirements.txt": envoytest.OldestVersion} {
		text, err := os.ReadFile("../../hack/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if want := "\nenvoy-server==" + version + " "; !strings.Contains(string(text), want) {
			t.Errorf("hack/%s does not pin %s", file, want)
		}
	}
}
