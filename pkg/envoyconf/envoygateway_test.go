package envoyconf

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// forGateway are options for Envoy Gateway.
func forGateway(shape string) Options {
	o := optionsFor(EnvoyGateway, shape)
	o.Upstream = "app.pets.svc.cluster.local:80"
	if shape == "private" || shape == "VPC endpoint's policy" || shape == "private and public" {
		o.VPCEndpoints = "networks"
	}
	return o
}

// gatewayShapes are the shapes that Envoy Gateway can serve.
func gatewayShapes(t *testing.T) map[string]*gateway.Config {
	t.Helper()
	all := shapes(t)
	delete(all, "named upstreams") // refused
	inVPC := func(c *gateway.Config) {
		c.VPCEndpoints = append(c.VPCEndpoints, gateway.VPCEndpoint{VPC: "vpc-1a2b3c4d", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	}
	for _, shape := range []string{"private", "VPC endpoint's policy", "private and public"} {
		inVPC(all[shape])
	}
	all["private and public"].APIs[1].Stages[0].Domains = on("open.example.com")
	return all
}

// extensions returns the context extensions of a SecurityPolicy.
func extensions(t *testing.T, policy tree) map[string]string {
	t.Helper()
	all := map[string]string{}
	list, _ := maybe(policy, "spec", "extAuth", "contextExtensions").([]any)
	for _, e := range list {
		if at(t, e, "type") != "Value" {
			t.Errorf("%v", e)
		}
		all[at(t, e, "name").(string)] = at(t, e, "value").(string)
	}
	return all
}

// Every route that leads to an upstream has a policy, which names API and stage and denies if there is no answer. The Gateway has a policy
// for all others.
func TestEnvoyGateway(t *testing.T) {
	for shape, c := range gatewayShapes(t) {
		t.Run(shape, func(t *testing.T) {
			text := mustGenerate(t, c, forGateway(shape))
			if again := mustGenerate(t, c, forGateway(shape)); again != text {
				t.Error("two texts")
			}
			checkWords(t, strings.ReplaceAll(text, "filter_enabled_metadata", ""))
			policies := map[string]tree{}
			var catchAll tree
			for _, doc := range parse(t, text) {
				if doc["kind"] != "SecurityPolicy" {
					continue
				}
				checkPolicy(t, doc)
				for _, ref := range at(t, doc, "spec", "targetRefs").([]any) {
					if at(t, ref, "kind") == "Gateway" {
						catchAll = doc
					}
					policies[at(t, ref, "name").(string)] = doc
				}
			}
			if got := extensions(t, catchAll); len(got) != 2 || got["portcullis.api"] != noAPI || got["portcullis.stage"] != noAPI {
				t.Errorf("the Gateway's policy: %v", got)
			}
			for _, doc := range parse(t, text) {
				if doc["kind"] == "HTTPRoute" {
					checkRoute(t, doc, policies[at(t, doc, "metadata", "name").(string)])
				}
			}
		})
	}
}

func checkPolicy(t *testing.T, policy tree) {
	t.Helper()
	auth := at(t, policy, "spec", "extAuth").(tree)
	for key, want := range map[string]any{"failOpen": false, "statusOnError": 503, "headersToExtAuth": nil, "recomputeRoute": nil, "http": nil} {
		if auth[key] != want {
			t.Errorf("%s: %v", key, auth[key])
		}
	}
	if says := extensions(t, policy)["portcullis.body"] == "buffered"; says != (auth["bodyToExtAuth"] != nil) {
		t.Errorf("the policy says of the body %v, and sends %v", says, auth["bodyToExtAuth"])
	}
	if limit := at(t, auth, "grpc", "backendSettings", "circuitBreaker").(tree); limit["maxParallelRequests"] != 8192 || limit["maxParallelRetries"] != 0 {
		t.Errorf("%v", limit)
	}
}

// checkRoute holds that a route has an upstream if, and only if, its policy names a stage. It removes the base path that the policy names.
func checkRoute(t *testing.T, route, policy tree) {
	t.Helper()
	for _, parent := range at(t, route, "spec", "parentRefs").([]any) {
		if maybe(parent, "sectionName") != "http" || maybe(parent, "name") != "eg" {
			t.Errorf("the route is on %v", parent)
		}
	}
	rule := at(t, route, "spec", "rules", 0).(tree)
	if rule["backendRefs"] == nil {
		if at(t, rule, "filters", 0, "extensionRef", "name") != "portcullis-forbidden" {
			t.Errorf("%v", rule)
		}
		return
	}
	said := extensions(t, policy)
	hosts, _ := maybe(route, "spec", "hostnames").([]any)
	if said["portcullis.api"] == "" || said["portcullis.stage"] == "" || said["portcullis.secureTransport"] != "x-forwarded-proto" || len(hosts) == 0 {
		t.Errorf("the route has the settings %v, and is for %v", said, hosts)
	}
	path := at(t, rule, "matches", 0, "path", "value")
	strips := rule["filters"] != nil && at(t, rule, "filters", 0, "urlRewrite", "path", "replacePrefixMatch") == "/"
	if path != said["portcullis.basePath"] || strips != (path != "/") {
		t.Errorf("the route for %v strips %v, and the policy has the base path %q", path, strips, said["portcullis.basePath"])
	}
}

// The patches apply to the filters that are printed here, with and without a cluster, and to no others.
func TestGatewayPatches(t *testing.T) {
	o := forGateway("signed")
	o.Gateway, o.GatewayListeners = "edge/public", []string{"http", "https"}
	for shape, bodies := range map[string]int{"signed": 1, "open": 0} {
		docs := parse(t, mustGenerate(t, shapes(t)[shape], o))
		policy := docs[slices.IndexFunc(docs, func(d tree) bool { return d["kind"] == "EnvoyPatchPolicy" })]
		count := map[string]int{}
		for _, p := range at(t, policy, "spec", "jsonPatches").([]any) {
			path := at(t, p, "operation", "path").(string)
			count[fmt.Sprint(at(t, p, "name"), " ", path)]++
			selects, _ := maybe(p, "operation", "jsonPath").(string)
			_, after, filters := strings.Cut(selects, "=~ /")
			if !filters {
				continue
			}
			expression, _, _ := strings.Cut(after, "/)]")
			unguarded := path == "filter_enabled_metadata" || path == "stat_prefix"
			checkOurs(t, regexp.MustCompile(strings.ReplaceAll(expression, `\/`, "/")), unguarded)
		}
		for _, listener := range []string{"edge/public/http", "edge/public/https"} {
			for path, want := range map[string]int{
				"encode_raw_headers": 1, "validate_mutations": 1, "filter_enabled_metadata": 1, "stat_prefix": 1, "access_log": 1, "local_reply_config": 1, "http_filters/-2": 1,
				"pack_as_bytes": bodies, "with_request_body": bodies, "request_id_extension": 1,
				"/typed_per_filter_config/envoy.filters.http.ext_authz~1~1edge~1portcullis-public-unguarded":               1,
				"/typed_per_filter_config/envoy.filters.http.ext_authz~1securitypolicy~1edge~1portcullis-public-unguarded": 1,
			} {
				if got := count[listener+" "+path]; got != want {
					t.Errorf("%s, %s: %d patches of %s, want %d", shape, listener, got, path, want)
				}
			}
		}
	}
}

// The names in Envoy are those that Envoy Gateway gives to the Gateway's listeners, or others that the flags name. Merged Gateways have one
// EnvoyPatchPolicy for their class.
func TestGatewayNamesInEnvoy(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   []string
	}{
		{func(*Options) {}, []string{"Gateway eg", "Listener default/eg/http", "RouteConfiguration default/eg/http"}},
		{func(o *Options) {
			o.GatewayClass, o.EnvoyListeners, o.EnvoyRoutes = "merged", []string{"tcp-443", "udp-443"}, []string{"default/eg/http"}
		}, []string{"GatewayClass merged", "Listener tcp-443", "Listener udp-443", "RouteConfiguration default/eg/http"}},
	} {
		o := forGateway("signed")
		c.change(&o)
		docs := parse(t, mustGenerate(t, shapes(t)["signed"], o))
		policy := docs[slices.IndexFunc(docs, func(d tree) bool { return d["kind"] == "EnvoyPatchPolicy" })]
		got := []string{fmt.Sprint(at(t, policy, "spec", "targetRef", "kind"), " ", at(t, policy, "spec", "targetRef", "name"))}
		for _, p := range at(t, policy, "spec", "jsonPatches").([]any) {
			kind := at(t, p, "type").(string)
			if name := fmt.Sprint(kind[strings.LastIndex(kind, ".")+1:], " ", at(t, p, "name")); !slices.Contains(got, name) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Two Gateways share no resource.
func TestTwoGatewaysOfANamespace(t *testing.T) {
	names := func(name string) []string {
		o := forGateway("signed")
		o.Gateway, o.Portcullis = name, "10.0.0.7:9001"
		var all []string
		for _, doc := range parse(t, mustGenerate(t, shapes(t)["signed"], o)) {
			all = append(all, fmt.Sprint(doc["kind"], " ", maybe(doc, "metadata", "namespace"), " ", at(t, doc, "metadata", "name")))
		}
		return all
	}
	eg := names("default/eg")
	for _, other := range []string{"default/inner", "pets/eg", "pets/inner"} {
		for _, name := range names(other) {
			if slices.Contains(eg, name) {
				t.Errorf("%s and default/eg have %s", other, name)
			}
		}
	}
}

// A policy that names an API refuses requests of a listener without the patches.
func TestPoliciesNeedThePatches(t *testing.T) {
	for _, doc := range parse(t, mustGenerate(t, shapes(t)["signed"], forGateway("signed"))) {
		if said := extensions(t, doc); doc["kind"] == "SecurityPolicy" && said["portcullis.basePath"] != "" && said["portcullis.headers"] != "raw" {
			t.Errorf("%v: %v", at(t, doc, "metadata", "name"), said)
		}
	}
}

func checkOurs(t *testing.T, ours *regexp.Regexp, unguarded bool) {
	t.Helper()
	for name, want := range map[string]bool{
		"envoy.filters.http.ext_authz/securitypolicy/edge/portcullis-public-api-a1b2c3d4e5-prod": !unguarded, "envoy.filters.http.ext_authz//edge/portcullis-public-api-a1b2c3d4e5-prod": !unguarded,
		"envoy.filters.http.ext_authz//edge/portcullis-public-other": !unguarded, "envoy.filters.http.ext_authz/securitypolicy/edge/portcullis-public-unguarded": true,
		"envoy.filters.http.ext_authz/securitypolicy/edge/opa": false, "envoy.filters.http.ext_authz/securitypolicy/edges/portcullis-public-unguarded": false,
		"envoy.filters.http.ext_authz/securitypolicy/edge/portcullis-public": false, "envoy.filters.http.ext_authz/securitypolicy/edge/portcullis-unguarded": false, "envoy.filters.http.ext_authz": false,
		"envoy.filters.http.ext_authz/securitypolicy/edge/x/portcullis-public-unguarded": false, "envoyxfiltersxhttpxext_authz//edge/portcullis-public-unguarded": false,
		"envoy.filters.http.jwt_authn/securitypolicy/edge/portcullis-public-unguarded": false,
	} {
		if got := ours.MatchString(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Envoy Gateway tries filters in the order of their names, and portcullis-unguarded needs what the others have decided.
func TestUnguardedIsLast(t *testing.T) {
	for _, name := range []string{objectName("portcullis-api-" + "zzzz" + "-zzzz"), "portcullis-other"} {
		if name >= "portcullis-unguarded" {
			t.Errorf("%s comes after portcullis-unguarded", name)
		}
	}
}

// Names are valid in Kubernetes, stay when other stages come and go, and differ.
func TestGatewayNames(t *testing.T) {
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("h%d.example.com", i))
	}
	odd := api("abc", many, "GET /pets")
	odd.Stages = append(odd.Stages, gateway.Stage{Name: "pre_prod", Domains: on("pre.example.com")}, gateway.Stage{Name: "pre-prod", Domains: on("pre-prod.example.com")}, gateway.Stage{Name: "Pre-prod", Domains: on("abc.example.com")})
	o := forGateway("")
	o.UpstreamOf = map[string]string{"abc/pre_prod": "10.0.0.1:80", "abc/pre-prod": "app.example.com:8080"}
	valid := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	names, hosts := map[string]bool{}, 0
	for _, doc := range parse(t, mustGenerate(t, config(odd), o)) {
		name := fmt.Sprint(doc["kind"], " ", at(t, doc, "metadata", "name"))
		if names[name] || !valid.MatchString(at(t, doc, "metadata", "name").(string)) {
			t.Errorf("%s", name)
		}
		names[name] = true
		if list, _ := maybe(doc, "spec", "hostnames").([]any); len(list) > 16 {
			t.Errorf("%s has %d hosts", name, len(list))
		} else {
			hosts += len(list)
		}
	}
	if hosts != 23 {
		t.Errorf("%d hosts", hosts)
	}
	alone := mustGenerate(t, config(api("1234567890", on("a.example.com"), "GET /pets")), forGateway(""))
	beside := mustGenerate(t, config(odd, api("1234567890", on("a.example.com"), "GET /pets")), o)
	const name = "metadata: {name: portcullis-api-1234567890-prod, namespace: default}"
	if !strings.Contains(alone, name) || !strings.Contains(beside, name) {
		t.Error("the name depends on other APIs")
	}
}

// A Service in another namespace needs a grant, and an address that is not a Service is a Backend.
func TestGatewayBackends(t *testing.T) {
	o := forGateway("open")
	o.Gateway = "pets/eg"
	for portcullis, want := range map[string][]string{
		"":                    {"ReferenceGrant portcullis/portcullis-pets-securitypolicy-portcullis"},
		"p.pets.svc:9001":     nil,
		"10.0.0.7:9001":       {"Backend pets/portcullis"},
		"[fd00::1]:9001":      {"Backend pets/portcullis"},
		"p.example.com:9001":  {"Backend pets/portcullis"},
		"p.b.svc.c.d.e:12345": {"ReferenceGrant b/portcullis-pets-securitypolicy-p"},
	} {
		o.Portcullis = portcullis
		var got []string
		for _, doc := range parse(t, mustGenerate(t, shapes(t)["open"], o)) {
			if doc["kind"] == "ReferenceGrant" || doc["kind"] == "Backend" {
				got = append(got, fmt.Sprint(doc["kind"], " ", at(t, doc, "metadata", "namespace"), "/", at(t, doc, "metadata", "name")))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", portcullis, got, want)
		}
	}
}

// What an HTTPRoute or Envoy Gateway cannot carry is an error that names the setting.
func TestRefusedForEnvoyGateway(t *testing.T) {
	all := shapes(t)
	with := func(change func(*Options)) Options {
		o := forGateway("")
		change(&o)
		return o
	}
	uploads := api("a1b2c3d4e5", on("pets.example.com"), "GET /pets AWS_IAM", "PUT /uploads AWS_IAM")
	uploads.Routes[1].Signatures.UnsignedPayload = true
	for want, tc := range map[string]struct {
		c *gateway.Config
		o Options
	}{
		"--upstream: it is required":                         {all["open"], Options{Target: EnvoyGateway}},
		`--upstream: "unix:/x" is a Unix socket`:             {all["open"], with(func(o *Options) { o.Upstream = "unix:/x" })},
		`--upstream: "app" is not a complete name`:           {all["open"], with(func(o *Options) { o.Upstream = "app:80" })},
		`--portcullis: "unix:/p" is a Unix socket`:           {all["open"], with(func(o *Options) { o.Portcullis = "unix:/p" })},
		"--portcullis-ca: it does not apply to":              {all["open"], with(func(o *Options) { o.Portcullis, o.PortcullisTLS.CA = "p.example.com:1", "ca" })},
		"--listen: it does not apply to --for envoy-gateway": {all["open"], with(func(o *Options) { o.Listen = "127.0.0.1:1" })},
		"--istio-port: it does not apply":                    {all["open"], with(func(o *Options) { o.Mesh.Ports = []int{80} })},
		`--gateway: "eg" is not a Gateway`:                   {all["open"], with(func(o *Options) { o.Gateway = "eg" })},
		`--gateway: "a/b/c" is not a Gateway`:                {all["open"], with(func(o *Options) { o.Gateway = "a/b/c" })},
		`--gateway-listener: "a b" is not the name`:          {all["open"], with(func(o *Options) { o.GatewayListeners = []string{"a b"} })},
		"--gateway-listener: http is given twice":            {all["open"], with(func(o *Options) { o.GatewayListeners = []string{"http", "http"} })},
		"--gateway-class: it does not apply to --for istio":  {all["open"], Options{Target: Istio, GatewayClass: "a"}},
		`--gateway-class: "A" is not the name`:               {all["open"], with(func(o *Options) { o.GatewayClass = "A" })},
		`--gateway-envoy-listener: "a b" is not a name`:      {all["open"], with(func(o *Options) { o.EnvoyListeners = []string{"a b"} })},
		"--gateway-envoy-listener: it does not apply to":     {all["open"], Options{Target: Filter, EnvoyListeners: []string{"tcp-80"}}},
		"--gateway-envoy-routes: a/b/c is given twice":       {all["open"], with(func(o *Options) { o.EnvoyRoutes = []string{"a/b/c", "a/b/c"} })},
		"--gateway-envoy-routes: it does not apply to":       {all["open"], Options{EnvoyRoutes: []string{"http-80"}}},
		"--gateway: it does not apply to --for bootstrap":    {all["open"], Options{Gateway: "a/b"}},
		"--gateway-listener: it does not apply to":           {all["open"], Options{Target: Filter, GatewayListeners: []string{"http"}}},
		"Envoy Gateway cannot forward the TLV":               {all["private"], forGateway("")},
		"domains: [::1]: an HTTPRoute cannot have that host": {config(api("a1b2c3d4e5", on("[::1]"), "GET /pets")), forGateway("")},
		"domains: 10.0.0.1: an HTTPRoute cannot":             {config(api("a1b2c3d4e5", on("10.0.0.1"), "GET /pets")), forGateway("")},
		"domains: a_b.example.com: an HTTPRoute cannot":      {config(api("a1b2c3d4e5", on("a_b.example.com"), "GET /pets")), forGateway("")},
		"--unbuffered-uploads: API a1b2c3d4e5 has routes":    {config(uploads), with(func(o *Options) { o.UnbufferedUploads = true })},
		"lead to one upstream":                               {all["stages"], forGateway("")},
	} {
		if out, err := Generate(tc.c, tc.o); err == nil || !strings.Contains(err.Error(), want) || out.Text != "" {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	alone := api("a1b2c3d4e5", on("pets.example.com"), "PUT /uploads AWS_IAM")
	alone.Routes[0].Signatures.UnsignedPayload = true
	if text := mustGenerate(t, config(alone), with(func(o *Options) { o.UnbufferedUploads = true })); strings.Contains(text, "bodyToExtAuth") {
		t.Error("uploads are buffered")
	}
}

// The Gateway API has whole numbers of up to five digits.
func TestGatewayDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1s", 1500 * time.Millisecond: "1s500ms", 5 * time.Minute: "300s", time.Nanosecond: "1ms", 20*time.Second + time.Microsecond: "20s1ms", 0: "0ms",
	} {
		if got := gatewayDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
