package openapi

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// vector is one row of testdata/apigateway.jsonl: what API Gateway is documented to make of a document.
type vector struct {
	ID, Area string
	Given    struct {
		Scheme, Operation map[string]any
		OperationSecurity []map[string][]string `json:"operation.security"`
		RootSecurity      []map[string][]string
		GatewayResponses  map[string]any
	}
	Expected struct {
		MethodAuthorizationType string
		AuthorizationScopes     []string
		Authorizer              struct {
			Type, IdentitySource string
			IdentitySources      []string
			TTL                  int
		}
	}
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/apigateway.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range bytes.Lines(data) {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		t.Run(v.ID, v.run)
		ran++
	}
	if ran != 10 {
		t.Errorf("ran %d vectors, want 10", ran)
	}
}

func (v *vector) run(t *testing.T) {
	text, err := json.Marshal(v.document())
	if err != nil {
		t.Fatal(err)
	}
	// The rows leave out what they are not about.
	text = bytes.ReplaceAll(text, []byte(`"authorizerUri":"…"`), []byte(`"authorizerUri":"`+uri+`"`))
	text = bytes.ReplaceAll(text, []byte(`"arn:…"`), []byte(`"`+aPool+`"`))
	r := read(t, string(text), rest)
	if r.refusals() != "" {
		t.Fatal(r.refusals())
	}
	if v.Area == "gateway response" {
		if diff := cmp.Diff(v.Given.GatewayResponses, plain(t, r.api.Get("gatewayResponses"))); diff != "" {
			t.Error(diff)
		}
		return
	}
	v.checkRoute(t, r)
	v.checkAuthorizer(t, r)
}

// document is the document of a row. Its scheme is called it, unless an operation names another.
func (v *vector) document() map[string]any {
	name := "it"
	operation := map[string]any{}
	for key, value := range v.Given.Operation {
		operation[key] = value
	}
	if len(v.Given.OperationSecurity) > 0 {
		operation["security"] = v.Given.OperationSecurity
		for name = range v.Given.OperationSecurity[0] {
		}
	} else if v.Given.Scheme != nil {
		operation["security"] = []map[string][]string{{name: {}}}
	}
	if x, ok := v.Given.Scheme[xAuthorizer].(map[string]any); ok && x["type"] == "request" {
		x["authorizerUri"] = "…"
	}
	document := map[string]any{"openapi": "3.0.1", "paths": map[string]any{"/a": map[string]any{"get": operation}}}
	if v.Given.Scheme != nil {
		document["components"] = map[string]any{"securitySchemes": map[string]any{name: v.Given.Scheme}}
	}
	if v.Given.RootSecurity != nil { // API Gateway applies that of OpenAPI 3: see the Decisions of the package
		delete(document, "openapi")
		document["swagger"], document["security"] = "2.0", v.Given.RootSecurity
	}
	if v.Given.GatewayResponses != nil {
		document[xResponses] = v.Given.GatewayResponses
	}
	return document
}

func (v *vector) checkRoute(t *testing.T, r result) {
	route := r.api.Get("routes").Items[0]
	got := show(route.Get("authorization"))
	if name := route.Get("authorizer"); name != nil {
		kinds := map[string]string{"lambda": "CUSTOM", "cognito": "COGNITO_USER_POOLS", "jwt": "JWT"}
		got = kinds[r.api.Way("authorizers", name.Text).Pairs[0].Key]
	}
	if want := v.Expected.MethodAuthorizationType; want != "" && got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := v.Expected.AuthorizationScopes; want != nil && show(route.Get("scopes")) != "["+strings.Join(want, ", ")+"]" {
		t.Errorf("got %s, want %s", show(route.Get("scopes")), want)
	}
}

func (v *vector) checkAuthorizer(t *testing.T, r result) {
	want := v.Expected.Authorizer
	if want.Type == "" {
		return
	}
	var sources []string
	for _, source := range want.IdentitySources {
		sources = append(sources, "method.request."+strings.ReplaceAll(source, " ", "."))
	}
	if want.IdentitySource != "" {
		sources = []string{want.IdentitySource}
	}
	made := r.api.Way("authorizers", "it", "lambda")
	if got := show(made.Get("type")); got != want.Type {
		t.Errorf("got %s, want %s", got, want.Type)
	}
	if got := show(made.Get("identitySource")); got != "["+strings.Join(sources, ", ")+"]" {
		t.Errorf("got %s, want %s", got, sources)
	}
	if got := show(made.Get("resultTtl")); want.TTL != 0 && got != "60s" {
		t.Errorf("got %s, want 60s", got)
	}
}

// plain is a value as encoding/json reads it.
func plain(t *testing.T, n *tree.Node) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(AsJSON(t, n)), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// AsJSON writes a value as JSON, which is YAML too.
func AsJSON(t *testing.T, n *tree.Node) string {
	t.Helper()
	quoted := func(text string) string {
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var parts []string
	switch {
	case n.Is(tree.Map):
		for _, p := range n.Pairs {
			parts = append(parts, quoted(p.Key)+": "+AsJSON(t, p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.Is(tree.List):
		for _, item := range n.Items {
			parts = append(parts, AsJSON(t, item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Is(tree.Text):
		return quoted(n.Text)
	}
	return n.Text
}
