package envoyconf

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// shapes are configurations of every kind.
func shapes(t *testing.T) map[string]*gateway.Config {
	t.Helper()
	mixed := []string{"GET /health", "ANY /pets AWS_IAM", "GET /pets/{petId}", "GET /pets/mine AWS_IAM", "ANY /{proxy+} AWS_IAM"}
	staged := api("a1b2c3d4e5", on("pets.example.com", "api.example.com/pets"), mixed...)
	staged.Stages = append(staged.Stages, gateway.Stage{Name: "on", Domains: on("api.example.com/pets/on")}, gateway.Stage{Name: "v3"})
	endpoint := staged
	endpoint.ExecuteAPIEndpoint = true
	inVPC := private(api("prv0000000", on("private.example.com"), "GET /pets"))
	inVPC.ExecuteAPIEndpoint = true
	full, err := policy.Parse([]byte(`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}`), policy.Options{Kind: policy.Resource})
	if err != nil {
		t.Fatal(err)
	}
	withPolicy := config(inVPC)
	withPolicy.VPCEndpoints = []gateway.VPCEndpoint{{ID: "vpce-1a2b3c4d", VPC: "vpc-1a2b3c4d", Listeners: on("internal"), Policy: full}}
	both := config(inVPC, api("1234567890", on("[::1]", "open.example.com"), "GET /pets"))
	return map[string]*gateway.Config{
		"named upstreams":       namedUpstreams(mixed),
		"open":                  config(api("a1b2c3d4e5", on("pets.example.com"), "GET /pets")),
		"signed":                config(api("a1b2c3d4e5", on("pets.example.com"), "GET /pets AWS_IAM")),
		"mixed":                 config(api("a1b2c3d4e5", on("pets.example.com"), mixed...)),
		"stages":                config(staged),
		"endpoint":              config(endpoint),
		"several":               config(staged, api("1234567890", on("api.example.com", "null"), "GET /pets")),
		"private":               config(inVPC),
		"private and public":    both,
		"VPC endpoint's policy": withPolicy,
	}
}

// namedUpstreams is an API whose routes have upstreams beside one that has none.
func namedUpstreams(routes []string) *gateway.Config {
	named := api("a1b2c3d4e5", on("pets.example.com", "api.example.com/pets"), routes...)
	named.Upstream, named.Routes[0].Upstream = "pets", "health"
	c := config(named, api("1234567890", on("api.example.com"), "GET /pets"))
	c.Upstreams = map[string]gateway.Upstream{"pets": {Address: "pets.internal:8443", TLSCA: "/etc/envoy/ca.pem"}, "health": {Address: "127.0.0.1:8081"}}
	return c
}

// optionsFor returns the options that a shape needs for a target.
func optionsFor(target Target, shape string) Options {
	o := Options{Target: target}
	if shape == "private and public" && target == Bootstrap {
		o.PrivateListen = "127.0.0.1:10001"
	}
	switch shape { // which have several stages on one host
	case "several":
		o.UpstreamOf = map[string]string{"a1b2c3d4e5/on": "127.0.0.1:8081", "1234567890": "127.0.0.1:8082"}
	case "stages", "endpoint":
		o.UpstreamOf = map[string]string{"a1b2c3d4e5/on": "127.0.0.1:8081", "a1b2c3d4e5/v3": "127.0.0.1:8082"}
	}
	return o
}

type tree = map[string]any

// at follows keys, and numbers in lists.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(tree)[step]
		case int:
			v = v.([]any)[step]
		}
		if v == nil {
			t.Fatalf("nothing at %v", path)
		}
	}
	return v
}

// maybe returns a value below a mapping, or nil.
func maybe(v any, path ...string) any {
	for _, key := range path {
		m, ok := v.(tree)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func parse(t *testing.T, text string) []tree {
	t.Helper()
	var all []tree
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v tree
		if err := d.Decode(&v); err != nil {
			if err.Error() == "EOF" {
				return all
			}
			t.Fatal(err)
		}
		all = append(all, v)
	}
}

// managers are the HTTP connection managers.
func managers(t *testing.T, target Target, text string) []tree {
	t.Helper()
	doc := parse(t, text)[0]
	var all []tree
	if target == Filter {
		for _, l := range at(t, doc, "listeners").([]any) {
			all = append(all, at(t, l, "http_connection_manager").(tree))
		}
		return all
	}
	for _, l := range at(t, doc, "static_resources", "listeners").([]any) {
		all = append(all, at(t, l, "filter_chains", 0, "filters", 0, "typed_config").(tree))
	}
	return all
}

var perRoute = []string{"typed_per_filter_config", "envoy.filters.http.ext_authz", "check_settings"}

// Every configuration has the security settings, in every shape.
func TestWhatIsGeneratedIsShut(t *testing.T) {
	for shape, c := range shapes(t) {
		for _, target := range []Target{Bootstrap, Filter} {
			t.Run(shape+"/"+string(target), func(t *testing.T) {
				text := mustGenerate(t, c, optionsFor(target, shape))
				for _, manager := range managers(t, target, text) {
					checkManager(t, manager)
				}
				if named := "clear_route_cache: true"; len(c.Upstreams) > 0 {
					if !strings.Contains(text, named) {
						t.Errorf("no %s", named)
					}
					text = strings.ReplaceAll(text, named, "")
				}
				checkWords(t, text)
			})
		}
	}
}

// checkWords looks for settings that stand nowhere but in comments.
func checkWords(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "#")
		for _, word := range []string{
			"disabled:", "clear_route_cache", "failure_mode_allow: true", "allowed_headers", "filter_enabled", "strip_", "UNESCAPE", "failure_mode_allow_header_add",
			"allow_requests_without_proxy_protocol", "failOpen: true", "allowPartialMessage: true", "allow_partial_message: true",
		} {
			if strings.Contains(code, word) {
				t.Errorf("the configuration holds %q: %s", word, line)
			}
		}
	}
}

func checkManager(t *testing.T, manager tree) {
	t.Helper()
	for _, key := range []string{"normalize_path", "merge_slashes", "use_remote_address"} {
		if manager[key] != true {
			t.Errorf("%s: %v", key, manager[key])
		}
	}
	if manager["path_with_escaped_slashes_action"] != "KEEP_UNCHANGED" {
		t.Errorf("%v", manager["path_with_escaped_slashes_action"])
	}
	filter := at(t, manager, "http_filters", 0)
	if name := at(t, filter, "name"); name != "envoy.filters.http.ext_authz" {
		t.Errorf("the first filter is %v", name)
	}
	authz := at(t, filter, "typed_config").(tree)
	for key, want := range map[string]any{"failure_mode_allow": false, "encode_raw_headers": true, "validate_mutations": true, "include_tls_session": true} {
		if authz[key] != want {
			t.Errorf("%s: %v", key, authz[key])
		}
	}
	buffers := authz["with_request_body"] != nil
	if buffers && (maybe(authz, "with_request_body", "allow_partial_message") != false || maybe(authz, "with_request_body", "pack_as_bytes") != true) {
		t.Errorf("%v", authz["with_request_body"])
	}
	hosts := at(t, manager, "route_config", "virtual_hosts").([]any)
	for _, h := range hosts[:len(hosts)-1] {
		checkHost(t, h, buffers)
	}
	last := hosts[len(hosts)-1]
	if at(t, last, "domains", 0) != "*" || maybe(last, "routes") == nil || maybe(at(t, last, "routes", 0), "direct_response") == nil {
		t.Errorf("the last virtual host is %v", last)
	}
}

// checkHost holds that every way to an upstream names API and stage, and says of the body what is so.
func checkHost(t *testing.T, host any, buffers bool) {
	t.Helper()
	if slices.ContainsFunc(at(t, host, "domains").([]any), func(d any) bool { return strings.Contains(d.(string), "*") }) {
		t.Errorf("a virtual host for any host: %v", host)
	}
	of := maybe(host, append(perRoute, "context_extensions")...)
	if maybe(of, "portcullis.body") != nil {
		t.Errorf("portcullis.body stands on a virtual host: %v", host)
	}
	routes := at(t, host, "routes").([]any)
	for _, r := range routes {
		own := maybe(r, append(perRoute, "context_extensions")...)
		if maybe(r, "route") != nil {
			for _, key := range []string{"portcullis.api", "portcullis.stage", "portcullis.basePath", "portcullis.secureTransport"} {
				value, other := maybe(of, key), maybe(own, key)
				if _, text := value.(string); value != nil && !text {
					t.Errorf("%s is not text: %#v", key, value)
				}
				if (value == nil) == (other == nil) {
					t.Errorf("%s: %v on the virtual host, %v on the route", key, value, other)
				}
			}
		}
		checkBasePath(t, of, r)
		says, unbuffered := maybe(own, "portcullis.body") == "buffered", maybe(r, append(perRoute, "disable_request_body_buffering")...) == true
		if says && (unbuffered || !buffers) || maybe(r, "route") != nil && buffers && says == unbuffered {
			t.Errorf("the route says of its body %v, unbuffered %v, where the filter buffers: %v", says, unbuffered, buffers)
		}
		checkBody(t, r, says)
	}
	if last := maybe(routes[len(routes)-1], "match"); maybe(last, "prefix") != "/" || len(last.(tree)) != 1 {
		t.Errorf("paths are left without a route: %v", last)
	}
}

// checkBasePath holds that the base path in the settings of the route or its virtual host is the one that the route removes.
func checkBasePath(t *testing.T, ofHost, route any) {
	t.Helper()
	if maybe(route, "route") == nil {
		return
	}
	base := maybe(route, append(perRoute, "context_extensions", "portcullis.basePath")...)
	if base == nil {
		base = maybe(ofHost, "portcullis.basePath")
	}
	taken := maybe(route, "route", "regex_rewrite", "pattern", "regex")
	if text, _ := base.(string); text == "" || taken == nil != (text == "/") || taken != nil && taken != "^"+regexp.QuoteMeta(text)+"/*" {
		t.Errorf("the settings have the base path %v, and the route removes %v", base, taken)
	}
}

// checkBody holds that a route has Envoy wait for the body if, and only if, it tells portcullis so.
func checkBody(t *testing.T, route any, says bool) {
	t.Helper()
	waits := maybe(route, append(perRoute, "with_request_body")...)
	if says != (waits != nil) || says && (maybe(waits, "allow_partial_message") != false || maybe(waits, "max_request_bytes") == nil) {
		t.Errorf("the route says of its body %v, and has Envoy wait so: %v", says, waits)
	}
}

// The same configuration has the same text, and each target's is YAML.
func TestDeterministic(t *testing.T) {
	for shape, c := range shapes(t) {
		for _, target := range []Target{Bootstrap, Filter} {
			o := optionsFor(target, shape)
			if target == Bootstrap {
				o.UpstreamOf = map[string]string{}
				for i, a := range c.APIs {
					if a.HasUpstreams() {
						continue // --upstream is refused
					}
					for j, s := range a.Stages {
						o.UpstreamOf[a.ID+"/"+s.Name] = fmt.Sprintf("127.0.0.%d:808%d", i+1, j)
					}
				}
			}
			text := mustGenerate(t, c, o)
			for range 5 {
				if mustGenerate(t, c, o) != text {
					t.Fatalf("%s, %s: two texts", shape, target)
				}
			}
		}
	}
}

// Only a route that needs a body makes Envoy buffer.
func TestBuffersOnlyWhereNeeded(t *testing.T) {
	for shape, want := range map[string]bool{"open": false, "private": false, "signed": true, "mixed": true, "VPC endpoint's policy": true} {
		c := shapes(t)[shape]
		text := mustGenerate(t, c, Options{})
		if got := maybe(at(t, managers(t, Bootstrap, text)[0], "http_filters", 0, "typed_config"), "with_request_body") != nil; got != want {
			t.Errorf("%s: buffers %v, want %v", shape, got, want)
		}
		if got := strings.Contains(text, "portcullis.body: buffered"); got != want {
			t.Errorf("%s: says so: %v, want %v", shape, got, want)
		}
	}
}

// Base paths are looked for from the longest to the shortest, and what belongs to nobody leads nowhere.
func TestBasePaths(t *testing.T) {
	p, err := newPlan(shapes(t)["several"], Options{}.withDefaults(nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range p.Listeners[0].Hosts {
		text := strings.Join(h.Domains, " ")
		for _, r := range h.Routes {
			if r.Match.Path == "" && r.Match.Template == "" {
				text += " " + r.Match.Prefix + "/"
			}
		}
		if h.Rest {
			text += " rest"
		}
		got = append(got, text)
	}
	want := []string{"pets.example.com /", "api.example.com /pets/on/ /pets/ /", "null /"}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	if want := []string{"stage v3 of API a1b2c3d4e5 is left out: it has no domains, so no host leads to it"}; !slices.Equal(p.Notes, want) {
		t.Errorf("%q", p.Notes)
	}
}

// The default endpoint is a host with the stages' names as base paths, and for a private API one for each VPC endpoint.
func TestEndpointHosts(t *testing.T) {
	names := func(c *gateway.Config, o Options) []string {
		p, err := newPlan(c, o.withDefaults(c.APIs))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, h := range p.Listeners[0].Hosts {
			all = append(all, h.Domains...)
		}
		return all
	}
	if got, want := names(shapes(t)["endpoint"], Options{}), on("pets.example.com", "api.example.com", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := names(shapes(t)["VPC endpoint's policy"], Options{}), on("private.example.com", "prv0000000.execute-api.eu-west-1.amazonaws.com", "prv0000000-vpce-1a2b3c4d.execute-api.eu-west-1.amazonaws.com"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// The time for a check is more than what authorizers take.
func TestTimeout(t *testing.T) {
	for authorization, want := range map[gateway.Authorization]time.Duration{
		gateway.None: time.Second, gateway.IAM: time.Second, gateway.Custom: 11 * time.Second, gateway.Cognito: 6 * time.Second, gateway.JWT: 6 * time.Second,
	} {
		apis := []gateway.API{api("a1b2c3d4e5", nil, "GET /pets "+string(authorization))}
		if got := (Options{}).withDefaults(apis).Timeout; got != want {
			t.Errorf("%s: %v, want %v", authorization, got, want)
		}
	}
	slow := api("a1b2c3d4e5", nil, "GET /pets CUSTOM", "GET /cats JWT")
	slow.Routes[0].Authorizer = "partners"
	slow.Authorizers = map[string]gateway.Authorizer{"partners": {Authorization: gateway.Custom, Timeout: 29 * time.Second}}
	if got := (Options{}).withDefaults([]gateway.API{slow}).Timeout; got != 30*time.Second {
		t.Errorf("%v", got)
	}
	for d, want := range map[time.Duration]string{time.Second: "1s", 1500 * time.Millisecond: "1.5s", time.Minute: "60s", time.Millisecond: "0.001s"} {
		if got := duration(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

// Envoy asks about more requests at once than portcullis takes, and tries none twice.
func TestCircuitBreakers(t *testing.T) {
	for checks, want := range map[int]int{0: 8192, 100: 200, 10_000: 20_000} {
		doc := parse(t, mustGenerate(t, shapes(t)["open"], Options{MaxChecks: checks}))[0]
		got := at(t, doc, "static_resources", "clusters", 0, "circuit_breakers", "thresholds", 0).(tree)
		if got["max_requests"] != want || got["max_pending_requests"] != want || got["max_connections"] != want || got["max_retries"] != 0 {
			t.Errorf("%d checks: %v", checks, got)
		}
	}
}

// Only private APIs have the listener's name.
func TestListenerName(t *testing.T) {
	both := shapes(t)["private and public"]
	both.VPCEndpoints = []gateway.VPCEndpoint{{VPC: "vpc-1a2b3c4d", Listeners: on("internal")}}
	text := mustGenerate(t, both, Options{VPCEndpoints: "listener:internal", PrivateListen: "127.0.0.1:10001"})
	if strings.Contains(text, "proxy_protocol") {
		t.Error("the PROXY protocol is expected too")
	}
	for i, manager := range managers(t, Bootstrap, text) {
		hosts := at(t, manager, "route_config", "virtual_hosts").([]any)
		for _, h := range hosts[:len(hosts)-1] {
			if got := maybe(h, append(perRoute, "context_extensions", "portcullis.listener")...); (got == "internal") != (i == 1) {
				t.Errorf("listener %d: %v", i, got)
			}
		}
	}
}

// Values from outside stay unchanged, with any content.
func TestNothingIsReadAsYAML(t *testing.T) {
	const odd = "/tmp/a b: {#x}\n- \"y\" 'z'"
	text := mustGenerate(t, shapes(t)["open"], Options{
		Portcullis: "p.internal:9001", PortcullisTLS: ClientTLS{odd, odd, odd}, TLS: ServerTLS{Cert: odd, Key: odd}, Upstream: "unix:" + odd,
	})
	var names []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case tree:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if name, is := v[key].(string); is && (key == "filename" || key == "path") && name != "/dev/stdout" {
					names = append(names, name)
				}
				walk(v[key])
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(parse(t, text)[0])
	count := 0
	for _, name := range names {
		if name == odd {
			count++
		}
	}
	if count != 6 {
		t.Errorf("%d of %q, want 6", count, names)
	}
}
