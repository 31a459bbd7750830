package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

func TestFaults(t *testing.T) {
	change := func(f func(*API)) Config {
		a := testAPI("GET /", "GET /pets/{petId}")
		a.Stages[0].Variables = map[string]string{"alias": "live"}
		f(&a)
		return Config{APIs: []API{a}}
	}
	three := func(f func(*API)) Config {
		a, b := testAPI("GET /"), testAPI("GET /")
		b.ID, b.Stages = "f6g7h8i9j0", []Stage{{Name: "v1"}}
		f(&b)
		a.ExecuteAPIEndpoint = true
		c := testAPI("GET /")
		c.ID, c.Stages = "c3", []Stage{{Name: "v1"}}
		return Config{APIs: []API{a, b, c}}
	}
	upstream := func(name, value string) Config {
		return change(func(a *API) { a.UpstreamHeaders = []UpstreamHeader{{Name: name, Value: value}} })
	}
	response := func(name string, r GatewayResponse) Config {
		return change(func(a *API) { a.GatewayResponses = map[string]GatewayResponse{name: r} })
	}
	domain := func(text string) Config { return change(func(a *API) { a.Stages[0].Domains = []string{text} }) }
	parameter := func(key, value string) Config {
		return response("DEFAULT_4XX", GatewayResponse{ResponseParameters: map[string]string{key: value}})
	}
	template := func(contentType, text string) Config {
		return response("DEFAULT_4XX", GatewayResponse{ResponseTemplates: map[string]string{contentType: text}})
	}
	const at = `apis[0].gatewayResponses["DEFAULT_4XX"].`
	for _, tt := range []struct {
		config        Config
		path, message string
	}{
		{change(func(a *API) { a.ID = "" }), "apis[0].id", "id is missing; write"},
		{change(func(a *API) { a.ID = "A1B2C3D4E5" }), "apis[0].id", "is not an API id; write"},
		{change(func(a *API) { a.ID = "a/b" }), "apis[0].id", "is not an API id; write"},
		{change(func(a *API) { a.Account = "11112222333" }), "apis[0].account", "12 digits"},
		{change(func(a *API) { a.Account = "1.1e+11" }), "apis[0].account", "12 digits"},
		{change(func(a *API) { a.Account = "" }), "apis[0].account", "12 digits"},
		{change(func(a *API) { a.Region = "" }), "apis[0].region", "region is missing; write"},
		{change(func(a *API) { a.Region = "europe" }), "apis[0].region", "is not a region; write"},
		{change(func(a *API) { a.Partition = "aws-cn" }), "apis[0].partition", "lies in partition aws"},
		{change(func(a *API) { a.Region, a.Partition = "cn-north-1", "aws" }), "apis[0].partition", "lies in partition aws-cn"},
		{change(func(a *API) { a.Stages[0].Name = "" }), "apis[0].stages[0].name", "name is missing; write"},
		{change(func(a *API) { a.Stages[0].Name = "$default" }), "apis[0].stages[0].name", "is not a stage name"},
		{change(func(a *API) { a.Stages[0].Name = "a/b" }), "apis[0].stages[0].name", "is not a stage name"},
		{change(func(a *API) { a.Stages = append(a.Stages, Stage{Name: "prod"}) }), "apis[0].stages[1].name", "twice"},
		{change(func(a *API) { a.Routes[1].Method = "get" }), "apis[0].routes[1].route", "is not a method; write"},
		{change(func(a *API) { a.Routes[1].Method = "TRACE" }), "apis[0].routes[1].route", "is not a method; write"},
		{change(func(a *API) { a.Routes[1].Method = "" }), "apis[0].routes[1].route", "is not a method; write"},
		{change(func(a *API) { a.Routes[1].Resource = "pets" }), "apis[0].routes[1].route", "begins with a slash"},
		{change(func(a *API) { a.Routes[1] = a.Routes[0] }), "apis[0].routes[1].route", "twice"},
		{change(func(a *API) { a.Routes[1].Authorization = "" }), "apis[0].routes[1].authorization", "not supported"},
		{three(func(b *API) { b.ID = "a1b2c3d4e5" }), "apis[1].id", "twice"},
		{three(func(b *API) { b.Stages[0].Domains = []string{"PETS.example.com"} }), "apis[1].stages[0].domains[0]", "mapped to stage prod of API a1b2c3d4e5"},
		{three(func(b *API) { b.Stages[0].Domains = []string{"a.example.com/x", "a.example.com/x"} }), "apis[1].stages[0].domains[1]", "mapped to stage v1"},
		{three(func(b *API) { b.Stages[0].Domains = []string{"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"} }), "apis[1].stages[0].domains[0]", "execute-api endpoint of API a1b2c3d4e5"},
		{three(func(b *API) { b.Stages[0].Domains = []string{"c3.execute-api.eu-west-1.amazonaws.com"} }), "apis[1].stages[0].domains[0]", "execute-api endpoint of API c3"},
		{domain(""), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("https://pets.example.com"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("pets.example.com:443"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("pets.example.com."), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("*.example.com"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("*"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("zoë.example.com"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("-a.example.com"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("[::1"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("[2001:db8:0::1]"), "apis[0].stages[0].domains[0]", "is not a domain; write"},
		{domain("pets.example.com/"), "apis[0].stages[0].domains[0]", "base path"},
		{domain("pets.example.com/a/"), "apis[0].stages[0].domains[0]", "base path"},
		{domain("pets.example.com//a"), "apis[0].stages[0].domains[0]", "base path"},
		{domain("pets.example.com/a/.."), "apis[0].stages[0].domains[0]", "base path"},
		{domain("pets.example.com/a%2Fb"), "apis[0].stages[0].domains[0]", "base path"},
		{upstream("", "x"), `apis[0].upstreamHeaders[""]`, "not a header name"},
		{upstream("x y", "x"), `apis[0].upstreamHeaders["x y"]`, "not a header name"},
		{upstream(":path", "x"), `apis[0].upstreamHeaders[":path"]`, "not a header name"},
		{upstream("Host", "x"), `apis[0].upstreamHeaders["Host"]`, "belongs to the connection"},
		{upstream("Transfer-Encoding", "x"), `apis[0].upstreamHeaders["Transfer-Encoding"]`, "belongs to the connection"},
		{upstream("content_length", "1"), `apis[0].upstreamHeaders["content_length"]`, "belongs to the connection"},
		{upstream("X_Original_URL", "/"), `apis[0].upstreamHeaders["X_Original_URL"]`, "could change the method or the path for the upstream; remove"},
		{upstream("X-HTTP-Method-Override", "GET"), `apis[0].upstreamHeaders["X-HTTP-Method-Override"]`, "could change the method or the path for the upstream; remove"},
		{upstream("x-a", "$context.nothing"), `apis[0].upstreamHeaders["x-a"]`, "unknown variable context.nothing"},
		{upstream("x-a", "$context"), `apis[0].upstreamHeaders["x-a"]`, "unknown variable"},
		{upstream("x-a", "$"), `apis[0].upstreamHeaders["x-a"]`, "unknown variable"},
		{upstream("x-a", "$context.error.message"), `apis[0].upstreamHeaders["x-a"]`, "unknown variable"},
		{upstream("x-a", "$method.request.header.x"), `apis[0].upstreamHeaders["x-a"]`, "unknown variable"},
		{upstream("x-a", "$stageVariables.nothing"), `apis[0].upstreamHeaders["x-a"]`, "stage variable \"nothing\" is unknown; write"},
		{upstream("x-a", "a-$context.stage"), `apis[0].upstreamHeaders["x-a"]`, "cannot have text around it; write"},
		{upstream("x-a", "a\r\nb"), `apis[0].upstreamHeaders["x-a"]`, "a header cannot carry"},
		{upstream("x-a", " a"), `apis[0].upstreamHeaders["x-a"]`, "a header cannot carry"},
		{upstream("x-a", "é"), `apis[0].upstreamHeaders["x-a"]`, "a header cannot carry"},
		{change(func(a *API) {
			a.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}}
		}), `apis[0].upstreamHeaders["X-A"]`, "mapped twice"},
		{change(func(a *API) { a.Routes[1].UpstreamHeaders = []UpstreamHeader{{Name: "te", Value: "1"}} }), `apis[0].routes[1].upstreamHeaders["te"]`, "belongs to the connection"},
		{response("NOT_FOUND", GatewayResponse{}), `apis[0].gatewayResponses["NOT_FOUND"]`, "not a gateway response type"},
		{response("", GatewayResponse{}), `apis[0].gatewayResponses[""]`, "not a gateway response type"},
		{response("REQUEST_TOO_LARGE", GatewayResponse{}), `apis[0].gatewayResponses["REQUEST_TOO_LARGE"]`, "cannot be customized"},
		{response("DEFAULT_4XX", GatewayResponse{StatusCode: 100}), at + "statusCode", "not a status that Envoy can answer with; write one of 200 to 208, 226,"},
		{response("DEFAULT_4XX", GatewayResponse{StatusCode: 600}), at + "statusCode", "not a status that Envoy can answer with; write one of 200 to 208, 226,"},
		{response("DEFAULT_4XX", GatewayResponse{StatusCode: -1}), at + "statusCode", "not a status that Envoy can answer with; write one of 200 to 208, 226,"},
		{parameter("header.x", "'a'"), at + `responseParameters["header.x"]`, "only headers"},
		{parameter("gatewayresponse.header.", "'a'"), at + `responseParameters["gatewayresponse.header."]`, "not a header name"},
		{parameter("gatewayresponse.header.Connection", "'a'"), at + `responseParameters["gatewayresponse.header.Connection"]`, "belongs to the connection"},
		{parameter("gatewayresponse.header.X-Amzn-ErrorType", "'a'"), at + `responseParameters["gatewayresponse.header.X-Amzn-ErrorType"]`, "API Gateway sets it itself; remove"},
		{parameter("gatewayresponse.header.x", "a"), at + `responseParameters["gatewayresponse.header.x"]`, "unknown variable"},
		{parameter("gatewayresponse.header.x", "'"), at + `responseParameters["gatewayresponse.header.x"]`, "unknown variable"},
		{parameter("gatewayresponse.header.x", "'a\nb'"), at + `responseParameters["gatewayresponse.header.x"]`, "a header cannot carry"},
		{parameter("gatewayresponse.header.x", "method.request.body"), at + `responseParameters["gatewayresponse.header.x"]`, "method.request.header.<name>"},
		{parameter("gatewayresponse.header.x", "method.request.header."), at + `responseParameters["gatewayresponse.header.x"]`, "method.request.header.<name>"},
		{parameter("gatewayresponse.header.x", "context.integration.status"), at + `responseParameters["gatewayresponse.header.x"]`, "unknown variable"},
		{template("application/json", "#set($a=1)"), at + `responseTemplates["application/json"]`, "VTL"},
		{template("application/json", "#{if}"), at + `responseTemplates["application/json"]`, "VTL"},
		{template("application/json", "## comment"), at + `responseTemplates["application/json"]`, "VTL"},
		{template("application/json", "$input.json('$')"), at + `responseTemplates["application/json"]`, "unknown variable"},
		{template("application/json", "$util.escapeJavaScript($context.path)"), at + `responseTemplates["application/json"]`, "unknown variable"},
		{template("application/json", "$context.nothing"), at + `responseTemplates["application/json"]`, "unknown variable"},
		{template("application/json", "${context.path}"), at + `responseTemplates["application/json"]`, "without braces"},
		{template("application/json", "$!context.path"), at + `responseTemplates["application/json"]`, "without braces"},
		{template("application/json", "$stageVariables.nothing"), at + `responseTemplates["application/json"]`, "stage variable \"nothing\" is unknown; write"},
		{template("json", "{}"), at + `responseTemplates["json"]`, "not a content type"},
		{template("a/b\r\nx: y", "{}"), at + `responseTemplates["a/b\r\nx: y"]`, "not a content type"},
		{response("DEFAULT_4XX", GatewayResponse{ResponseTemplates: map[string]string{"text/html": "", "text/plain": ""}}), at + "responseTemplates", "single one"},
		{change(func(a *API) {
			a.GatewayResponses = map[string]GatewayResponse{"DEFAULT_4XX": {ResponseParameters: map[string]string{"gatewayresponse.header.X-A": "'1'", "gatewayresponse.header.x-a": "'2'"}}}
		}), at + `responseParameters["gatewayresponse.header.x-a"]`, "mapped twice"},
		{Config{APIs: []API{testAPI("GET /")}, TrustedProxies: []netip.Prefix{{}}}, "clientAddress.trustedProxies[0]", "such as"},
		{Config{APIs: []API{testAPI("GET /")}, TrustedProxies: prefixes("::ffff:10.0.0.0/104")}, "clientAddress.trustedProxies[0]", "IPv4 network"},
	} {
		g, faults := New(tt.config)
		if g != nil {
			t.Errorf("%s %q: compiled", tt.path, tt.message)
		}
		if !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.At.String() == tt.path && strings.Contains(f.Message, tt.message) && !f.Warning
		}) {
			t.Errorf("%s %q is not among %+v", tt.path, tt.message, faults)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	a := testAPI("get /", "GET pets", "GET /a/{x}", "GET /a/{y}")
	a.Account, a.Stages[0].Domains = "1", []string{"a:b"}
	_, faults := New(Config{APIs: []API{a}, TrustedProxies: []netip.Prefix{{}}})
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.At.String())
	}
	slices.Sort(paths)
	want := []string{"apis[0].account", "apis[0].routes[0].route", "apis[0].routes[1].route", "apis[0].routes[3].route", "apis[0].stages[0].domains[0]", "clientAddress.trustedProxies[0]"}
	if !slices.Equal(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
}

func TestWarnings(t *testing.T) {
	a := testAPI("GET /")
	a.GatewayResponses = map[string]GatewayResponse{
		"INTEGRATION_TIMEOUT": {StatusCode: 502},
		"DEFAULT_4XX":         {ResponseTemplates: map[string]string{"application/json": "{}", "text/html": ""}},
	}
	g, faults := New(Config{APIs: []API{a}, TrustedProxies: prefixes("0.0.0.0/0")})
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprint(f.At.String(), " ", f.Warning))
	}
	slices.Sort(got)
	want := []string{
		`apis[0].gatewayResponses["DEFAULT_4XX"].responseTemplates["text/html"] true`,
		`apis[0].gatewayResponses["INTEGRATION_TIMEOUT"] true`, "clientAddress.trustedProxies[0] true",
	}
	if g == nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPolicyTarget(t *testing.T) {
	a := testAPI("GET /", "ANY /{proxy+}")
	a.Region = "us-gov-west-1"
	target := a.PolicyTarget(nil)
	if target.ARNPrefix != "arn:aws-us-gov:execute-api:us-gov-west-1:111122223333:a1b2c3d4e5" || len(target.Stages) != 1 || target.AWSPrincipals ||
		!slices.Equal(target.Routes, []policy.TargetRoute{{Method: "GET", Resource: "/"}, {Method: "ANY", Resource: "/{proxy+}"}}) {
		t.Errorf("%+v", target)
	}
	for key, want := range map[string]bool{
		"aws:SourceIp": true, "AWS:currenttime": true, "aws:EpochTime": true, "aws:SecureTransport": true, "aws:Referer": true, "aws:UserAgent": true,
		"aws:ViaAWSService": true, "aws:PrincipalType": true, "portcullis:SourcePrincipal": true,
		"aws:PrincipalArn": false, "aws:PrincipalTag/team": false, "aws:SourceVpce": false, "aws:SourceVpc": false, "aws:userid": false, "custom:key": false,
	} {
		if got := target.KeyPossible(policy.NewKey(key)); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

// A reader of another format has faults stand where its own files have the parts.
func TestFaultsStandWhereTheirPartsDo(t *testing.T) {
	file := fault.Root(nil)
	token := func(context.Context, string, []string) (Token, error) { return nil, nil }
	a := testAPI("GET /pets")
	a.At, a.Account = file.Field("paths"), "1"
	a.Stages = []Stage{{At: file.Field("servers").Item(2), Name: "prod", Domains: []string{"a:b"}}, {Name: "a b"}}
	a.Routes[0].At, a.Routes[0].Method = file.Field("paths").Key("/pets").Field("get"), "get"
	a.Authorizers = map[string]Authorizer{
		"a": {At: file.Field("securitySchemes").Key("a"), Authorization: JWT, Token: token, IdentitySource: []string{"x"}},
		"b": {Authorization: JWT, Token: token, IdentitySource: []string{"x"}},
	}
	_, faults := New(Config{
		At: file.Field("all"), APIs: []API{a}, TrustedProxies: []netip.Prefix{{}},
		VPCEndpoints: []VPCEndpoint{{ID: "vpce-1"}, {At: file.Field("endpoint"), ID: "vpce-1"}, {}},
	})
	var got []string
	for _, f := range faults {
		got = append(got, f.At.String())
	}
	want := []string{
		"paths.account", "servers[2].domains[0]", "paths.stages[1].name", `paths["/pets"].get.route`,
		`securitySchemes["a"].identitySource[0]`, `paths.authorizers["b"].identitySource[0]`,
		"all.clientAddress.trustedProxies[0]", "endpoint.id", "all.vpcEndpoints[2]",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
