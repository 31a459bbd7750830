package doctor

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// foundIn is what is found in a bootstrap.
func foundIn(t *testing.T, bootstrap string, o Options) []rulebook.Finding {
	t.Helper()
	data, err := json.Marshal(configs(map[string]any{"bootstrap": map[string]any{}}, static(t, bootstrap, "listeners", "listener"), static(t, bootstrap, "clusters", "cluster")))
	if err != nil {
		t.Fatal(err)
	}
	d := dump.New()
	if err := d.Read("bootstrap", strings.NewReader(string(data))); err != nil {
		t.Fatal(err)
	}
	return Examine(d, o)
}

func static(t *testing.T, bootstrap, list, name string) any {
	t.Helper()
	return map[string]any{"all": wrappedAll(name, parseYAML(t, bootstrap)["static_resources"].(map[string]any)[list].([]any))}
}

// Nothing is found in the files of envoy/.
func TestFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../envoy/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "envoy-gateway.yaml" {
			continue // resources, which are not for Envoy itself
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range foundIn(t, string(text), Options{}) {
			t.Errorf("%s: %+v", file, f)
		}
	}
}

// Nothing is found in what portcullis envoy prints for APIs of every kind, compared with their configuration.
func TestPrinted(t *testing.T) {
	t.Parallel()
	api := func(id string, domains []string, routes ...gateway.Route) gateway.API {
		return gateway.API{ID: id, Account: "111122223333", Region: "eu-west-1", Stages: []gateway.Stage{{Name: "prod", Domains: domains}}, Routes: routes,
			Authorizers: map[string]gateway.Authorizer{"door": {}}, UpstreamHeaders: []gateway.UpstreamHeader{{Name: "x-caller"}}}
	}
	open, signed := gateway.Route{Method: "GET", Resource: "/open", Authorization: gateway.None}, gateway.Route{Method: "ANY", Resource: "/pets/{proxy+}", Authorization: gateway.IAM}
	function := gateway.Route{Method: "GET", Resource: "/door", Authorization: gateway.Custom, Authorizer: "door"}
	upload := signed
	upload.Signatures.UnsignedPayload = true
	endpoint, private := api("c1b2c3d4e5", nil, open, signed), api("p1b2c3d4e5", []string{"private.example.com"}, open)
	endpoint.ExecuteAPIEndpoint, private.Private = true, true
	http := api("h1b2c3d4e5", []string{"http.example.com"}, open, signed)
	http.HTTP = true
	named := api("n1b2c3d4e5", []string{"n.example.com", "api.example.com/named"}, open, signed)
	named.Upstream, named.Routes[0].Upstream = "pets", "front"
	servers := map[string]gateway.Upstream{"pets": {Address: "pets.internal:8443", TLSCA: "/etc/ca.pem"}, "front": {Address: "127.0.0.1:8080", PathPrefix: "/v1"}}
	vpc := []gateway.VPCEndpoint{{ID: "vpce-1a2b3c4d", VPC: "vpc-1a2b3c4d", Listeners: []string{"internal"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	for name, tc := range map[string]struct {
		c gateway.Config
		o envoyconf.Options
	}{
		"upstreams":          {gateway.Config{APIs: []gateway.API{named}, Upstreams: servers}, envoyconf.Options{}},
		"upstreams and none": {gateway.Config{APIs: []gateway.API{named, api("b1b2c3d4e5", []string{"b.example.com"}, open, signed)}, Upstreams: servers}, envoyconf.Options{}},
		"open":               {gateway.Config{APIs: []gateway.API{api("a1b2c3d4e5", []string{"a.example.com"}, open)}}, envoyconf.Options{}},
		"signed":             {gateway.Config{APIs: []gateway.API{api("a1b2c3d4e5", []string{"a.example.com"}, signed)}}, envoyconf.Options{}},
		"mixed":              {gateway.Config{APIs: []gateway.API{api("a1b2c3d4e5", []string{"a.example.com", "api.example.com/pets"}, open, signed, function)}}, envoyconf.Options{}},
		"uploads":            {gateway.Config{APIs: []gateway.API{api("a1b2c3d4e5", []string{"a.example.com"}, open, upload)}}, envoyconf.Options{UnbufferedUploads: true}},
		"endpoint":           {gateway.Config{APIs: []gateway.API{endpoint}}, envoyconf.Options{}},
		"HTTP":               {gateway.Config{APIs: []gateway.API{http}}, envoyconf.Options{}},
		"several":            {gateway.Config{APIs: []gateway.API{api("a1b2c3d4e5", []string{"api.example.com/a"}, signed), api("b1b2c3d4e5", []string{"api.example.com/b"}, open)}}, envoyconf.Options{UpstreamOf: map[string]string{"b1b2c3d4e5": "127.0.0.1:8082"}}},
		"private":            {gateway.Config{APIs: []gateway.API{private}, VPCEndpoints: vpc}, envoyconf.Options{}},
		"by networks":        {gateway.Config{APIs: []gateway.API{private}, VPCEndpoints: vpc}, envoyconf.Options{VPCEndpoints: "networks"}},
		"by listener":        {gateway.Config{APIs: []gateway.API{private, endpoint}, VPCEndpoints: vpc}, envoyconf.Options{VPCEndpoints: "listener:internal", PrivateListen: "127.0.0.1:10001"}},
		"TLS":                {gateway.Config{APIs: []gateway.API{endpoint}}, envoyconf.Options{TLS: envoyconf.ServerTLS{Cert: "/a", Key: "/b"}}},
		"unix":               {gateway.Config{APIs: []gateway.API{endpoint}}, envoyconf.Options{Portcullis: "unix:/run/p.sock"}},
		"mutual TLS":         {gateway.Config{APIs: []gateway.API{endpoint}}, envoyconf.Options{Portcullis: "p.internal:9001", PortcullisTLS: envoyconf.ClientTLS{CA: "/a", Cert: "/b", Key: "/c"}}},
		"keeps a path":       {gateway.Config{APIs: []gateway.API{endpoint}}, envoyconf.Options{KeepBasePath: true}},
	} {
		out, err := envoyconf.Generate(&tc.c, tc.o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range foundIn(t, out.Text, Options{Config: &tc.c, CheckTime: envoyconf.CheckTime(tc.c.APIs)}) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	plain := gateway.Config{APIs: []gateway.API{endpoint}}
	out, err := envoyconf.Generate(&plain, envoyconf.Options{Portcullis: "p.internal:9001"})
	if err != nil {
		t.Fatal(err)
	}
	if found := foundIn(t, out.Text, Options{}); len(found) != 1 || found[0].Rule != rulebook.Plain {
		t.Errorf("plain text to another machine: %+v", found)
	}
}

// Nothing is found in dumps of Envoys of a mesh and of Envoy Gateway. TestMeshDoctor and TestMeshEnvoyGateway write them with -update.
func TestMeshDumps(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := dump.New()
		if err := d.Read(file, strings.NewReader(string(text))); err != nil {
			t.Fatal(err)
		}
		for _, f := range Examine(d, Options{}) {
			t.Errorf("%s: %+v", file, f)
		}
		if broken := strings.Replace(string(text), `"any": true`, `"any": false`, 1); broken != string(text) {
			expectRules(t, file+" with another policy", examined(t, Options{}, broken), rulebook.Metadata)
		}
	}
}

// Envoy Gateway has a filter for each SecurityPolicy. Each is examined, and each route with the filter that it uses. The filter for routes
// that no other one guards runs for all others.
func TestEnvoyGateway(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/envoy-gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		old, new string
		want     []string
	}{
		"a filter without raw headers":     {`"encode_raw_headers": true`, `"encode_raw_headers": false`, []string{rulebook.RawHeaders}},
		"the backstop for what is allowed": {`"invert": true`, `"invert": false`, []string{rulebook.Metadata, rulebook.Backstop}},
		"the backstop for what is denied":  {`"exact": "allow"`, `"exact": "deny"`, []string{rulebook.Metadata, rulebook.Backstop}},
		"a route without its policy":       {`ext_authz//default/portcullis-api-c1a2t3s4e5-test": {`, `ext_authz//default/another": {`, []string{rulebook.Unapplied}},
		"a filter that fails open":         {`"status_on_error": {`, `"failure_mode_allow": true, "status_on_error": {`, []string{rulebook.FailOpen}},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(string(text), tc.old, tc.new, 1)
			if broken == string(text) {
				t.Fatalf("the dump has no %s", tc.old)
			}
			expectRules(t, name, examined(t, Options{}, broken), tc.want...)
		})
	}
	// Without the backstop, a route that no policy covers is not checked.
	broken := strings.ReplaceAll(string(text), `default/portcullis-unguarded": {`, `default/other-unguarded": {`)
	found := examined(t, Options{}, broken)
	expectRules(t, "no backstop", found, rulebook.Off, rulebook.Unapplied, rulebook.Backstop)
}

// The patches of portcullis envoy do not reach listeners with other names. They are named.
func TestUnpatched(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/envoy-gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	unpatched := strings.NewReplacer(`"encode_raw_headers": true`, `"encode_raw_headers": false`).Replace(string(text))
	for what, tc := range map[string]struct{ text, want string }{
		"another name":     {unpatched, `"default/eg/http" has encode_raw_headers`},
		"XDSNameSchemeV2":  {strings.ReplaceAll(unpatched, `"default/eg/http"`, `"tcp-80"`), `it has the name of XDSNameSchemeV2`},
		"merged Gateways":  {strings.ReplaceAll(unpatched, `"default/eg/https"`, `"default/other/https"`), `this Envoy serves the Gateways default/eg and default/other`},
		"HTTP/3":           {strings.ReplaceAll(unpatched, `"address": "0.0.0.0",`, `"address": "0.0.0.0", "protocol": "UDP",`), `it is one of HTTP/3`},
		"patched":          {string(text), ""},
		"one more of QUIC": {withQUIC(t, text), `the listener "default/eg/https-quic" has encode_raw_headers: it is one of HTTP/3`},
	} {
		d := dump.New()
		if err := d.Read(what, strings.NewReader(tc.text)); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range Examine(d, Options{}) {
			if f.Rule == rulebook.Unpatched {
				found = append(found, f.What)
			}
		}
		if all := strings.Join(found, "; "); all != "" && tc.want == "" || !strings.Contains(all, tc.want) {
			t.Errorf("%s: %q, want %q", what, all, tc.want)
		}
	}
}

// withQUIC adds a listener that Envoy Gateway makes for HTTP/3, which the patches of the other one do not change.
func withQUIC(t *testing.T, text []byte) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, section := range all["configs"].([]any) {
		listeners, ok := section.(map[string]any)["dynamic_listeners"].([]any)
		if !ok {
			continue
		}
		one, err := json.Marshal(listeners[0])
		if err != nil {
			t.Fatal(err)
		}
		var quic any
		changed := strings.NewReplacer(`"name":"default/eg/https"`, `"name":"default/eg/https-quic"`, `"encode_raw_headers":true`, `"encode_raw_headers":false`,
			`"address":"0.0.0.0",`, `"address":"0.0.0.0","protocol":"UDP",`).Replace(string(one))
		if err := json.Unmarshal([]byte(changed), &quic); err != nil {
			t.Fatal(err)
		}
		section.(map[string]any)["dynamic_listeners"] = append(listeners, quic)
	}
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
