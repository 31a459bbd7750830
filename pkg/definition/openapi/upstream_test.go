package openapi

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/backend"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// The server of an integration is the upstream of its route only if Envoy sends it what API Gateway would.
func TestUpstreams(t *testing.T) {
	const orders = `{type: http_proxy, httpMethod: ANY, uri: "http://a.internal/orders/{proxy}", requestParameters: {integration.request.path.proxy: method.request.path.`
	for _, test := range []struct{ name, route, integration, want, note string }{
		{"a server", "GET /pets", `{type: http_proxy, uri: "http://a.internal/pets"}`, "http://a.internal:80", ""},
		{"a port and a prefix", "GET /pets", `{type: HTTP_PROXY, httpMethod: GET, uri: "http://A.internal:8080/v1/pets"}`, "http://a.internal:8080/v1", ""},
		{"TLS", "GET /pets", `{type: http_proxy, uri: "HTTPS://a.internal/pets"}`, "https://a.internal:443", ""},
		{"IPv6", "GET /pets", `{type: http_proxy, uri: "http://[::1]:8080/pets"}`, "http://[::1]:8080", ""},
		{"blanks around", "GET /pets", `{type: http_proxy, uri: " http://a.internal/pets "}`, "http://a.internal:80", ""},
		{"a parameter", "GET /pets/{id}", `{type: http_proxy, uri: "http://a.internal/pets/{id}", requestParameters: {integration.request.path.id: method.request.path.id}}`, "http://a.internal:80", ""},
		{"a parameter by another name", "GET /pets/{id}", `{type: http_proxy, uri: "http://a.internal/pets/{pet}", requestParameters: {integration.request.path.pet: method.request.path.id}}`, "http://a.internal:80", ""},
		{"a greedy parameter", "ANY /orders/{proxy+}", orders + "proxy}}", "http://a.internal:80", ""},
		{"a stage variable", "GET /pets", `{type: http_proxy, uri: "http://${stageVariables.host}/pets"}`, "http://b.internal:80", ""},
		{"the type http", "GET /pets", `{type: http, uri: "http://a.internal/pets"}`, "http://a.internal:80", "Mapping templates (requestTemplates, responses) are not carried out"},
		{"a mapped header", "GET /pets", `{type: http_proxy, uri: "http://a.internal/pets", requestParameters: {integration.request.header.A: "'b'"}}`, "http://a.internal:80", "is not carried out: the server gets what the client sends"},

		{"another path", "GET /pets", `{type: http_proxy, uri: "http://a.internal/animals"}`, "", "API Gateway sends the path \"/animals\""},
		{"a part of the path", "ANY /orders/{proxy+}", `{type: http_proxy, uri: "http://a.internal/{proxy}", requestParameters: {integration.request.path.proxy: method.request.path.proxy}}`, "", "is another one"},
		{"a parameter of the header", "GET /pets/{id}", `{type: http_proxy, uri: "http://a.internal/pets/{id}", requestParameters: {integration.request.path.id: method.request.header.X-Id}}`, "", "does not come from the path of the request"},
		{"a parameter of the query", "ANY /orders/{proxy+}", strings.Replace(orders, "method.request.path.", "method.request.querystring.", 1) + "proxy}}", "", "does not come from the path of the request"},
		{"swapped parameters", "GET /pets/{a}/{b}", `{type: http_proxy, uri: "http://a.internal/pets/{a}/{b}", requestParameters: {integration.request.path.a: method.request.path.b, integration.request.path.b: method.request.path.a}}`, "", "is another one"},
		{"a parameter that the route lacks", "GET /pets", `{type: http_proxy, uri: "http://a.internal/pets/{id}"}`, "", "is not one of the route"},
		{"a client chooses the host", "GET /pets/{host}", `{type: http_proxy, uri: "http://{host}/pets/{host}", requestParameters: {integration.request.path.host: method.request.path.host}}`, "", "a client must not choose the upstream"},
		{"a client chooses a part of the host", "GET /pets/{host}", `{type: http_proxy, uri: "http://{host}.internal/pets/{host}"}`, "", "a client must not choose the upstream"},
		{"user information", "GET /pets", `{type: http_proxy, uri: "http://user:secret@a.internal/pets"}`, "", "is not a host and a port"},
		{"a query", "GET /pets", `{type: http_proxy, uri: "http://a.internal/pets?x=y"}`, "", "has a query"},
		{"a prefix with dots", "GET /pets", `{type: http_proxy, uri: "http://a.internal/v1/../pets"}`, "", "Envoy cannot write"},
		{"an encoded prefix", "GET /pets", `{type: http_proxy, uri: "http://a.internal/%2e%2e/pets"}`, "", "Envoy cannot write"},
		{"port 0", "GET /pets", `{type: http_proxy, uri: "http://a.internal:0/pets"}`, "", "is not a host and a port"},
		{"a port too high", "GET /pets", `{type: http_proxy, uri: "http://a.internal:65536/pets"}`, "", "is not a host and a port"},
		{"TLS with an address", "GET /pets", `{type: http_proxy, uri: "https://10.0.0.1/pets"}`, "", "is verified by a host name"},
		{"another scheme", "GET /pets", `{type: http_proxy, uri: "ftp://a.internal/pets"}`, "", "is not the URI of a server"},
		{"without a URI", "GET /pets", `{type: http_proxy}`, "", "has no uri"},
		{"another method", "GET /pets", `{type: http_proxy, httpMethod: POST, uri: "http://a.internal/pets"}`, "", "API Gateway sends POST"},
		{"a stage variable that is not given", "GET /pets", `{type: http_proxy, uri: "http://${stageVariables.other}/pets"}`, "", "the stage variable other has no value"},
		{"not verified", "GET /pets", `{type: http_proxy, uri: "https://a.internal/pets", tlsConfig: {insecureSkipVerification: true}}`, "", "insecureSkipVerification lets any server answer"},
		{"verified by another name", "GET /pets", `{type: http_proxy, uri: "https://a.internal/pets", tlsConfig: {serverNameToVerify: b.internal}}`, "", "serverNameToVerify is not supported"},
		{"in a VPC", "GET /pets", `{type: http_proxy, connectionType: VPC_LINK, uri: "http://a.internal/pets"}`, "", "leads into a VPC"},
		{"a function", "GET /pets", `{type: aws_proxy, uri: "` + uri + `"}`, "", "names a function or a service of AWS"},
		{"a mock", "GET /pets", `{type: mock}`, "", "API Gateway itself answers"},
		{"an unknown type", "GET /pets", `{type: carrier-pigeon}`, "", "which is not known"},
		{"no type", "GET /pets", `{uri: "http://a.internal/pets"}`, "", "the integration has no type"},
		{"no integration", "GET /pets", `null`, "", "has no integration"},
		{"a URI that is not known", "GET /pets", `{type: http_proxy, uri: {Ref: Uri}}`, "", "write the server in upstreams of portcullis.yaml"},
	} {
		t.Run(test.name, func(t *testing.T) { checkUpstream(t, test.route, test.integration, test.want, test.note, false) })
	}
}

// An HTTP API sends the path of the request, or what overwrite:path makes of it.
func TestUpstreamsOfHTTP(t *testing.T) {
	const overwrite = `{type: http_proxy, httpMethod: ANY, payloadFormatVersion: "1.0", uri: "http://a.internal/x", requestParameters: {"overwrite:path": `
	for _, test := range []struct{ name, route, integration, want, note string }{
		{"a server", "GET /pets", `{type: http_proxy, httpMethod: GET, payloadFormatVersion: "1.0", uri: "http://a.internal/v1/pets"}`, "http://a.internal:80/v1", ""},
		{"a greedy parameter", "ANY /pets/{proxy+}", `{type: http_proxy, httpMethod: ANY, uri: "http://a.internal/pets/{proxy}"}`, "http://a.internal:80", ""},
		{"overwritten with the same path", "GET /pets", overwrite + `$request.path}}`, "http://a.internal:80", ""},
		{"overwritten below a prefix", "GET /pets", overwrite + `"/v1${request.path}"}}`, "http://a.internal:80/v1", ""},
		{"the default route with the same path", "$default", overwrite + `$request.path}}`, "http://a.internal:80", ""},
		{"the default route below a prefix", "$default", overwrite + `"/v1$request.path"}}`, "http://a.internal:80/v1", ""},
		{"overwritten by a header", "GET /pets", overwrite + `$request.header.x}}`, "", "of something else than the path of the request"},
		{"the default route", "$default", `{type: http_proxy, httpMethod: ANY, uri: "http://a.internal/"}`, "", "AWS does not document which path the default route sends"},
	} {
		t.Run(test.name, func(t *testing.T) { checkUpstream(t, test.route, test.integration, test.want, test.note, true) })
	}
}

// checkUpstream compares the upstream of the only route of a document. An empty want is a route that refuses every request.
func checkUpstream(t *testing.T, route, integration, want, note string, isHTTP bool) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	if key := strings.ToLower(method); path == "" {
		method, path = xAny, "/$default"
		integration += ", isDefaultRoute: true"
	} else if method = key; key == "any" {
		method = xAny
	}
	o := Options{HTTP: &isHTTP, StageVariables: map[string]string{"host": "b.internal"}, Upstreams: &Upstreams{TLSCA: "/ca.pem"}}
	r := read(t, "openapi: 3.0.1\npaths: {\""+path+"\": {"+method+": {x-amazon-apigateway-integration: "+integration+"}}}", o)
	routes := itemsOf(r.api.Get("routes"))
	if len(routes) != 1 {
		t.Fatalf("%d routes", len(routes))
	}
	got := ""
	if n := routes[0].Get("upstream"); n != nil {
		s := o.Upstreams.Servers.Get(n.Text)
		server := backend.Server{Address: s.Get("address").Text}
		for key, field := range map[string]*string{"tlsCa": &server.TLSCA, "pathPrefix": &server.PathPrefix} {
			if value := s.Get(key); value != nil {
				*field = value.Text
			}
		}
		got = server.String()
		if n.Text != server.Name() {
			t.Errorf("the upstream is named %s, want %s", n.Text, server.Name())
		}
	}
	var said []string
	for _, n := range r.notes {
		said = append(said, n.Message)
	}
	if all := strings.Join(said, "\n"); got != want || !strings.Contains(all, note) {
		t.Errorf("upstream %q, want %q; notes:\n%s\nwant %q", got, want, all, note)
	}
	if refused := routes[0].Get("unresolved") != nil; refused != (want == "") || refused != (r.said(portability.Refused) != "") {
		t.Errorf("the route is refused: %v; %s", refused, r.said(portability.Refused))
	}
}

func itemsOf(n *tree.Node) []*tree.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// Values name the upstream of one route, and the API's own upstream serves integrations without a server.
func TestUpstreamsBeside(t *testing.T) {
	const document = `openapi: 3.0.1
paths:
  /a: {get: {x-amazon-apigateway-integration: {type: mock}}}
  /b: {get: {x-amazon-apigateway-integration: {type: http_proxy, uri: "http://b.internal/elsewhere"}}}
  /c: {get: {x-amazon-apigateway-integration: {type: aws_proxy, uri: "` + uri + `"}}}`
	r := read(t, document, Options{HTTP: &no, Upstreams: &Upstreams{}, Values: map[string]string{"upstream GET /a": "one", "upstream GET /b": "two"}, Asked: map[string]bool{}})
	check(t, "by values", r, "GET /a: authorization NONE, upstream one\nGET /b: authorization NONE, upstream two\nGET /c: unresolved", "names a function")
	r = read(t, document, Options{HTTP: &no, Upstreams: &Upstreams{Default: true}})
	check(t, "by the API", r, "GET /a: authorization NONE\nGET /b: unresolved\nGET /c: authorization NONE", "which is another one")
}
