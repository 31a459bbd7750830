package compile

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// sound returns a configuration without faults: a REST API with one of everything, and an HTTP API.
func sound() Config {
	rest := API{
		ID: "a1b2c3d4e5", Account: "111122223333", Region: "eu-west-1",
		Stages: []Stage{{Name: "prod", Domains: []string{"pets.example.com/v1"}, Variables: map[string]string{"alias": "live"}}},
		Authorizers: map[string]Authorizer{
			"partners": {Authorization: Custom, Function: askNobody},
			"staff":    {Authorization: JWT, Token: readNothing},
		},
		Routes: []Route{
			{Method: "GET", Resource: "/pets", Authorization: None},
			{Method: "PUT", Resource: "/pets", Authorization: IAM},
			{Method: "GET", Resource: "/partners", Authorization: Custom, Authorizer: "partners"},
			{Method: "GET", Resource: "/staff", Authorization: JWT, Authorizer: "staff", Scopes: []string{"pets/read"}},
		},
		UpstreamHeaders:  []UpstreamHeader{{"x-caller", "$context.authorizer.principalId"}},
		GatewayResponses: map[string]GatewayResponse{"ACCESS_DENIED": {StatusCode: 404, ResponseTemplates: map[string]string{"application/json": "{}"}}},
		Signatures:       SignatureOptions{HostAliases: []string{"public.example.com"}},
	}
	http := API{
		ID: "f6g7h8i9j0", Account: "111122223333", Region: "eu-west-1", HTTP: true,
		Stages: []Stage{{Name: DefaultStage, Domains: []string{"cats.example.com"}}},
		Routes: []Route{{Method: DefaultRoute, Authorization: None}},
		CORS:   &CORS{AllowOrigins: []string{"https://app.example.com"}, AllowMethods: []string{"GET"}},
	}
	return Config{
		APIs: []API{rest, http}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		VPCEndpoints: []VPCEndpoint{{ID: "vpce-1", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Listeners: []string{"internal"}, Principals: []string{"spiffe://cluster.local/ns/a/*"}}},
		Signatures:   func(SignatureOptions) (model.Verify, error) { return refuse, nil },
	}
}

func askNobody(context.Context, model.LambdaCall) (model.LambdaAnswer, error) { return nil, nil }

func readNothing(context.Context, string, []string) (model.Token, error) { return nil, nil }

func refuse(*authz.Request) (*model.Signed, error) { return nil, &authz.Refusal{} }

// Each fault stands at the value that is wrong, says what is wrong with it, and then what to write.
func TestFaultsHaveCauseRemedyAndPlace(t *testing.T) {
	rest := func(change func(*API)) func(*Config) { return func(c *Config) { change(&c.APIs[0]) } }
	http := func(change func(*API)) func(*Config) { return func(c *Config) { change(&c.APIs[1]) } }
	route := func(i int, change func(*Route)) func(*Config) {
		return func(c *Config) { change(&c.APIs[0].Routes[i]) }
	}
	authorizer := func(name string, change func(*Authorizer)) func(*Config) {
		return func(c *Config) {
			a := c.APIs[0].Authorizers[name]
			change(&a)
			c.APIs[0].Authorizers[name] = a
		}
	}
	endpoint := func(e VPCEndpoint) func(*Config) {
		return func(c *Config) { c.VPCEndpoints = append(c.VPCEndpoints, e) }
	}
	response := func(g GatewayResponse) func(*Config) {
		return rest(func(a *API) { a.GatewayResponses["ACCESS_DENIED"] = g })
	}
	const denied = `apis[0].gatewayResponses["ACCESS_DENIED"].`
	for _, tt := range []struct {
		name                 string
		change               func(*Config)
		place, cause, remedy string
	}{
		{"id", rest(func(a *API) { a.ID = "a/*" }), "apis[0].id", `"a/*" is not an API id`, "lower-case letters and digits"},
		{"no id", rest(func(a *API) { a.ID = "" }), "apis[0].id", "id is missing", "such as a1b2c3d4e5"},
		{"id twice", rest(func(a *API) { a.ID = "f6g7h8i9j0" }), "apis[1].id", "given twice", "another id"},
		{"account", rest(func(a *API) { a.Account = "*" }), "apis[0].account", `"*" is not an account id`, "12 digits"},
		{"region", rest(func(a *API) { a.Region = "eu:west" }), "apis[0].region", `"eu:west" is not a region`, "such as eu-west-1"},
		{"partition", rest(func(a *API) { a.Partition = "aws-cn" }), "apis[0].partition", "eu-west-1 lies in partition aws", "write aws"},
		{"stage", rest(func(a *API) { a.Stages[0].Name = "a/b" }), "apis[0].stages[0].name", `"a/b" is not a stage name`, "letters, digits"},
		{"stage twice", rest(func(a *API) { a.Stages = append(a.Stages, Stage{Name: "prod"}) }), "apis[0].stages[1].name", "given twice", "another name"},
		{"$default", rest(func(a *API) { a.Stages[0].Name = DefaultStage }), "apis[0].stages[0].name", "not a stage name of a REST API", "kind: HTTP"},
		{"domain", rest(func(a *API) { a.Stages[0].Domains[0] = "https://x" }), "apis[0].stages[0].domains[0]", "is not a domain", "host/base/path"},
		{"base path", rest(func(a *API) { a.Stages[0].Domains[0] = "a.example.com/a//b" }), "apis[0].stages[0].domains[0]", "cannot be matched", "one slash"},
		{"domain of another", rest(func(a *API) { a.Stages[0].Domains[0] = "cats.example.com" }), "apis[1].stages[0].domains[0]", "already mapped", "remove one"},
		{"base path in another case", rest(func(a *API) { a.Stages = append(a.Stages, Stage{Name: "b", Domains: []string{"pets.example.com/V1"}}) }), "apis[0].stages[1].domains[0]", "only in case", "another base path"},

		{"method", route(0, func(r *Route) { r.Method = "get" }), "apis[0].routes[0].route", `"get" is not a method`, "ANY or one of DELETE"},
		{"resource", route(0, func(r *Route) { r.Resource = "pets" }), "apis[0].routes[0].route", "is not a resource path", "/pets/{petId}"},
		{"route twice", route(0, func(r *Route) { r.Method = "PUT" }), "apis[0].routes[1].route", "given twice", "remove one"},
		{"authorization", route(0, func(r *Route) { r.Authorization = "" }), "apis[0].routes[0].authorization", "not supported", "NONE, AWS_IAM"},
		{"no verifier", func(c *Config) { c.Signatures = nil }, "apis[0].routes[1].authorization", "needs access keys", "iam.accessKeys"},
		{"unknown authorizer", route(2, func(r *Route) { r.Authorizer = "x" }), "apis[0].routes[2].authorizer", "does not have an authorizer", "partners, staff"},
		{"no authorizer", route(2, func(r *Route) { r.Authorizer = "" }), "apis[0].routes[2].authorizer", "needs an authorizer", "its name"},
		{"other authorizer", route(2, func(r *Route) { r.Authorizer = "staff" }), "apis[0].routes[2].authorization", "is for JWT", "authorization: JWT"},
		{"authorizer of an open route", route(0, func(r *Route) { r.Authorizer = "staff" }), "apis[0].routes[0].authorizer", "does not use an authorizer", "remove"},
		{"scopes", route(2, func(r *Route) { r.Scopes = []string{"a"} }), "apis[0].routes[2].scopes", "have scopes", "remove"},
		{"scope", route(3, func(r *Route) { r.Scopes[0] = "a b" }), "apis[0].routes[3].scopes[0]", "is not a scope", "orders/read"},
		{"signatures of an open route", route(0, func(r *Route) { r.Signatures.UnsignedPayload = true }), "apis[0].routes[0].signatures", "only a route with", "AWS_IAM"},
		{"alias", rest(func(a *API) { a.Signatures.HostAliases[0] = "*.a" }), "apis[0].signatures.hostAliases[0]", "is not a host", "api.example.com"},
		{"alias of another API", rest(func(a *API) { a.Signatures.HostAliases[0] = "cats.example.com" }), "apis[0].signatures.hostAliases[0]", "is a host of API f6g7h8i9j0", "remove"},

		{"function", authorizer("partners", func(a *Authorizer) { a.Function = nil }), `apis[0].authorizers["partners"]`, "does not have a function", "write"},
		{"token", authorizer("staff", func(a *Authorizer) { a.Token = nil }), `apis[0].authorizers["staff"]`, "does not check tokens", "write"},
		{"kind of authorizer", authorizer("staff", func(a *Authorizer) { a.Authorization = None }), `apis[0].authorizers["staff"]`, "not one for authorizers", "CUSTOM"},
		{"source", authorizer("partners", func(a *Authorizer) { a.IdentitySource = []string{"header.a"} }), `apis[0].authorizers["partners"].identitySource[0]`, "is not an identity source", "method.request.header.<name>"},
		{"source of a token", authorizer("staff", func(a *Authorizer) { a.IdentitySource = []string{"stageVariables.alias"} }), `apis[0].authorizers["staff"].identitySource[0]`, "is not a header", "method.request.header.<name>"},
		{"expression", authorizer("partners", func(a *Authorizer) { a.IdentityValidationExpression = "(?=a)" }), `apis[0].authorizers["partners"].identityValidationExpression`, "Perl syntax", "without look-around"},

		{"header", rest(func(a *API) { a.UpstreamHeaders[0].Name = "a b" }), `apis[0].upstreamHeaders["a b"]`, "is not a header name", "letters, digits"},
		{"header of the connection", rest(func(a *API) { a.UpstreamHeaders[0].Name = "TE" }), `apis[0].upstreamHeaders["TE"]`, "belongs to the connection", "remove"},
		{"overriding header", rest(func(a *API) { a.UpstreamHeaders[0].Name = "X_Original_URL" }), `apis[0].upstreamHeaders["X_Original_URL"]`, "could change the method or the path", "remove"},
		{"variable", rest(func(a *API) { a.UpstreamHeaders[0].Value = "$context.x" }), `apis[0].upstreamHeaders["x-caller"]`, "unknown variable", "context.requestId"},
		{"literal", rest(func(a *API) { a.UpstreamHeaders[0].Value = "a\nb" }), `apis[0].upstreamHeaders["x-caller"]`, "a header cannot carry", "visible ASCII"},
		{"stage variable", rest(func(a *API) { a.UpstreamHeaders[0].Value = "$stageVariables.x" }), `apis[0].upstreamHeaders["x-caller"]`, `"x" is unknown`, "variables of the API's stages"},

		{"response type", rest(func(a *API) { a.GatewayResponses["forbidden"] = GatewayResponse{} }), `apis[0].gatewayResponses["forbidden"]`, "is not a gateway response type", "ACCESS_DENIED"},
		{"fixed response", rest(func(a *API) { a.GatewayResponses["REQUEST_TOO_LARGE"] = GatewayResponse{} }), `apis[0].gatewayResponses["REQUEST_TOO_LARGE"]`, "cannot be customized", "remove"},
		{"status", response(GatewayResponse{StatusCode: 199}), denied + "statusCode", "not a status that Envoy can answer with", "200 to 208"},
		{"template", response(GatewayResponse{ResponseTemplates: map[string]string{"application/json": "#if(true)"}}), denied + `responseTemplates["application/json"]`, "VTL", "only text and variables"},
		{"content type", response(GatewayResponse{ResponseTemplates: map[string]string{"json": ""}}), denied + `responseTemplates["json"]`, "is not a content type", "application/json"},
		{"parameter", response(GatewayResponse{ResponseParameters: map[string]string{"header.x": "'a'"}}), denied + `responseParameters["header.x"]`, "only headers can be mapped", "gatewayresponse.header.<name>"},

		{"CORS of a REST API", rest(func(a *API) { a.CORS = &CORS{AllowOrigins: []string{"*"}} }), "apis[0].cors", "only an HTTP API", "kind: HTTP"},
		{"no origin", http(func(a *API) { a.CORS.AllowOrigins = nil }), "apis[1].cors.allowOrigins", "does not allow an origin", "https://www.example.com"},
		{"origin", http(func(a *API) { a.CORS.AllowOrigins[0] = "app.example.com" }), "apis[1].cors.allowOrigins[0]", "is not an origin", "https://www.example.com"},
		{"credentials", http(func(a *API) { a.CORS.AllowOrigins[0], a.CORS.AllowCredentials = "*", true }), "apis[1].cors.allowOrigins[0]", "browsers refuse", "write the origins"},
		{"method of CORS", http(func(a *API) { a.CORS.AllowMethods[0] = "get" }), "apis[1].cors.allowMethods[0]", "is not a method", "* or one of"},
		{"policy of an HTTP API", http(func(a *API) { a.ResourcePolicy = &policy.Policy{} }), "apis[1].resourcePolicy", "cannot have a resource policy", "kind: REST"},
		{"private HTTP API", http(func(a *API) { a.Private = true }), "apis[1].endpoint", "always regional", "kind: REST"},
		{"customized HTTP API", http(func(a *API) { a.GatewayResponses = map[string]GatewayResponse{"DEFAULT_4XX": {}} }), "apis[1].gatewayResponses", "cannot be customized", "kind: REST"},

		{"proxy", func(c *Config) { c.TrustedProxies[0] = netip.Prefix{} }, "clientAddress.trustedProxies[0]", "not valid", "10.0.0.0/8"},
		{"proxy's notation", func(c *Config) { c.TrustedProxies[0] = netip.MustParsePrefix("::ffff:10.0.0.0/104") }, "clientAddress.trustedProxies[0]", "IPv6 notation", "IPv4 network"},
		{"empty endpoint", endpoint(VPCEndpoint{}), "vpcEndpoints[1]", "neither a VPC endpoint nor a VPC", "id, vpc or both"},
		{"unreachable endpoint", endpoint(VPCEndpoint{VPC: "vpc-1"}), "vpcEndpoints[1]", "no request can match", "networks"},
		{"endpoint twice", endpoint(VPCEndpoint{ID: "vpce-1"}), "vpcEndpoints[1].id", "given twice", "remove"},
		{"network of a proxy", endpoint(VPCEndpoint{ID: "vpce-2", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}), "vpcEndpoints[1].networks[0]", "overlaps", "do not overlap"},
		{"listener twice", endpoint(VPCEndpoint{ID: "vpce-2", Listeners: []string{"internal"}}), "vpcEndpoints[1].listeners[0]", "given twice", "remove"},
		{"principal", endpoint(VPCEndpoint{ID: "vpce-2", Principals: []string{"spiffe://a/b*"}}), "vpcEndpoints[1].principals[0]", "is not a SPIFFE id", "spiffe://cluster.local"},
	} {
		c := sound()
		tt.change(&c)
		m, faults := New(c)
		if m != nil {
			t.Errorf("%s: compiled", tt.name)
		}
		if !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			cause, remedy, split := cutRemedy(f.Message)
			return split && !f.Warning && f.At.String() == tt.place && strings.Contains(cause, tt.cause) && strings.Contains(remedy, tt.remedy)
		}) {
			t.Errorf("%s: %v, want %q; %q at %s", tt.name, faults, tt.cause, tt.remedy, tt.place)
		}
	}
}

// cutRemedy splits a message at the semicolon that its cause ends in.
func cutRemedy(message string) (cause, remedy string, found bool) {
	i := strings.LastIndex(message, "; write ")
	if j := strings.LastIndex(message, "; remove "); j > i {
		i = j
	}
	if i < 0 {
		return message, "", false
	}
	return message[:i], message[i+2:], true
}

func TestSoundConfiguration(t *testing.T) {
	m, faults := New(sound())
	if m == nil || len(faults) > 0 {
		t.Fatalf("faults %v", faults)
	}
	a := m.APIs["a1b2c3d4e5"]
	for i, want := range []model.Guard{model.Open, model.ByIAM, model.ByFunction, model.ByToken} {
		r := sound().APIs[0].Routes[i]
		if got := a.Routes.Find(r.Resource, r.Method); got == nil || got.Guard != want {
			t.Errorf("%s %s: %+v, want guard %d", r.Method, r.Resource, got, want)
		}
	}
	if got := a.Stages[0]; got.ARN != "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/" || got.MaskedARN != "arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/" {
		t.Errorf("ARN %s, masked %s", got.ARN, got.MaskedARN)
	}
	if l := m.Locate("pets.example.com", "/v1/pets"); l.Stage != a.Stages[0] || l.Path != "/pets" {
		t.Errorf("%+v", l)
	}
	if !m.Mapped.Has("X_Caller") || !m.Mapped.Has("x-original-url") || m.Mapped.Has("x-other") {
		t.Error("the names that clients cannot send to an upstream are not the mapped ones and those of method and path")
	}
}

// What New does not refuse by itself denies: there is nothing that a request could lead to.
func TestEmptyConfigurationServesNothing(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no API":   func(c *Config) { c.APIs = nil },
		"no stage": func(c *Config) { c.APIs[0].Stages = nil },
		"no route": func(c *Config) { c.APIs[0].Routes = nil; c.APIs[0].Signatures = SignatureOptions{} },
	} {
		c := sound()
		change(&c)
		m, faults := New(c)
		if m == nil {
			t.Fatalf("%s: %v", name, faults)
		}
		if l := m.Locate("pets.example.com", "/v1/pets"); l.Stage != nil && l.Stage.API.Routes.Find(l.Path, "GET") != nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// A warning has a remedy too, and does not keep a configuration from being used.
func TestWarningsHaveARemedy(t *testing.T) {
	c := sound()
	c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix("2000::/0"))
	c.APIs[0].GatewayResponses["THROTTLED"] = GatewayResponse{}
	c.APIs[0].Private = true
	c.APIs[0].Authorizers["partners"] = Authorizer{Authorization: Custom, Function: askNobody, IdentitySource: []string{"stageVariables.none", "context.identity.userArn"}}
	c.APIs[1].CORS.AllowOrigins, c.APIs[1].CORS.AllowCredentials = []string{"https://*"}, true
	c.VPCEndpoints[0].Principals = []string{"spiffe://cluster.local/*"}
	m, faults := New(c)
	if m == nil || len(faults) != 7 {
		t.Errorf("%d: %v", len(faults), fault.List(faults))
	}
	for _, f := range faults {
		if _, _, found := cutRemedy(f.Message); !found || !f.Warning || f.At == nil {
			t.Errorf("%s: %s", f.At, f.Message)
		}
	}
}
