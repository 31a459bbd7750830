package openapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// FuzzRead: Read returns, and no operation that asks for a guard becomes an open route.
func FuzzRead(f *testing.F) {
	for _, op := range []string{"{}", "{security: [{token: []}]}", "{security: [{NONE: []}, {key: []}]}", "{security: [{bearer: []}]}", "{x-amazon-apigateway-auth: {type: AWS_IAM}}"} {
		f.Add([]byte(schemes+op), byte(0))
		f.Add([]byte(schemes+op), byte(1))
	}
	f.Add([]byte("openapi: 3.0.1\npaths:\n  /$default: {x-amazon-apigateway-any-method: {isDefaultRoute: true, security: [{a: []}]}}\n  /a/: {$ref: '#/x'}\nx: {GET: {security: [{b: []}]}}"), byte(2))
	f.Add([]byte("swagger: '2.0'\nsecurity: [{a: []}]\npaths: {a/{b+}: {get: {}, any: {}}}\nx-amazon-apigateway-policy: {Statement: '${a}'}\nx-amazon-apigateway-gateway-responses: {DEFAULT_4XX: {statusCode: 1}}"), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		root, faults := tree.Parse("f.yaml", data)
		if len(faults) > 0 {
			return
		}
		o := Options{Read: func(string) ([]byte, error) { return nil, errors.New("no file") }}
		if kind > 0 {
			isHTTP := kind == 1
			o.HTTP = &isHTTP
		}
		var report portability.Report
		api, faults := Read(root, o, &report)
		if (api == nil) != (len(faults) > 0) {
			t.Fatalf("API %v with faults %v", api, faults)
		}
		if api != nil {
			noneOpen(t, root, api)
		}
	})
}

// noneOpen checks that each operation that asks for a guard has a route that has one, and that each route says its guard.
func noneOpen(t *testing.T, root, api *tree.Node) {
	t.Helper()
	open := map[string]bool{}
	if routes := api.Get("routes"); routes != nil {
		for _, route := range routes.Items {
			authorization := show(route.Get("authorization"))
			if authorization == "null" && !route.Has("authorizer") && show(route.Get("unresolved")) == "" {
				t.Errorf("a route without a guard: %s", show(route))
			}
			open[show(route.Get("route"))] = authorization == "NONE" && !route.Has("apiKeyRequired")
		}
	}
	for _, path := range document.Pairs(root.Get("paths")) {
		for _, op := range document.Pairs(path.Value) {
			method := strings.ToUpper(op.Key)
			if op.Key == xAny {
				method = "ANY"
			}
			resource := "/" + strings.Trim(path.Key, "/")
			if asks(op.Value) && (open[method+" "+resource] || open[method+" "+path.Key] || method == "ANY" && strings.Contains(path.Key, "$default") && open["$default"]) {
				t.Errorf("%s %s asks for a guard and is open", op.Key, path.Key)
			}
		}
	}
}

// asks reports whether an operation asks for a guard: by -auth, or by a name in security, SAM's marker aside.
func asks(op *tree.Node) bool {
	if strings.EqualFold(show(op.Way(xAuth, "type")), "AWS_IAM") {
		return true
	}
	security := op.Get("security")
	if security == nil || !security.Is(tree.List) {
		return security != nil
	}
	for _, entry := range security.Items {
		for _, p := range document.Pairs(entry) {
			if p.Key != "NONE" {
				return true
			}
		}
	}
	return false
}
