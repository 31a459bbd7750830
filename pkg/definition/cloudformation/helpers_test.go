package cloudformation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/template"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// result has the parts of an API that a test reads.
type result struct {
	api    *tree.Node
	report portability.Report
	faults fault.List
}

// read reads the API Api of a template. API Gateway's functions are resolved with the parameters.
func read(text string, parameters map[string]string) (r result) {
	root, faults := tree.Parse("t.yaml", []byte(text))
	if root == nil {
		r.faults = faults
		return r
	}
	in := template.Inputs{Account: "111122223333", Region: "eu-west-1", API: "Api", APIID: "a1b2c3d4e5", Parameters: parameters, Values: map[string]string{}}
	t, faults := template.Resolve(root, in, &r.report)
	if t == nil {
		r.faults = faults
		return r
	}
	o := openapi.Options{Account: in.Account, Region: in.Region}
	r.api, r.faults = Read(t, "Api", o, &r.report)
	r.faults = append(faults, r.faults...)
	return r
}

// routes are the routes, a line each: what a route says of its guard.
func (r result) routes() string {
	var lines []string
	for _, route := range itemsOf(r.api.Get("routes")) {
		var says []string
		for _, key := range []string{"authorization", "authorizer", "scopes", "apiKeyRequired", "unresolved"} {
			switch n := route.Get(key); {
			case n == nil:
			case key == "unresolved":
				says = append(says, key)
			default:
				says = append(says, strings.TrimSpace(key+" "+textOf(n)))
			}
		}
		lines = append(lines, textOf(route.Get("route"))+": "+strings.Join(says, ", "))
	}
	return strings.Join(lines, "\n")
}

// says are the faults and the refusals, a line each.
func (r result) says() string {
	lines := []string{}
	for _, f := range r.faults {
		lines = append(lines, fmt.Sprintf("%d: %s", f.Line, f.Message))
	}
	for _, n := range portability.Refusals(r.report.Notes()) {
		lines = append(lines, fmt.Sprintf("%d: %s: %s", n.At.Line, n.What, n.Message))
	}
	return strings.Join(lines, "\n")
}

func itemsOf(n *tree.Node) []*tree.Node {
	if !n.Is(tree.List) {
		return nil
	}
	return n.Items
}

func textOf(n *tree.Node) string {
	if n.Is(tree.List) {
		var texts []string
		for _, item := range n.Items {
			texts = append(texts, textOf(item))
		}
		return "[" + strings.Join(texts, " ") + "]"
	}
	text, _ := n.Scalar()
	return text
}

// check compares the routes, and looks for what must be said. Nothing must be said if want is empty.
func check(t *testing.T, name string, r result, routes, want string) {
	t.Helper()
	if got := r.routes(); got != routes {
		t.Errorf("%s: routes:\n%s\n\nwant:\n%s\n%s", name, got, routes, r.says())
	}
	if got := r.says(); want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("%s: says:\n%s\n\nwant: %s", name, got, want)
	}
}
