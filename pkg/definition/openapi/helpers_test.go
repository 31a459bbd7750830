package openapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// result is the result of Read for a document.
type result struct {
	api   *tree.Node
	notes []portability.Note
}

// read reads a document without faults.
func read(t testing.TB, text string, o Options) result {
	t.Helper()
	root, faults := tree.Parse("api.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var report portability.Report
	api, faults := Read(root, o, &report)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, n := range report.Notes() {
		if n.At.Line < 1 || n.At.Column < 1 || n.At.File == "" || n.What == "" || n.Message == "" {
			t.Errorf("a note without a place or a message: %+v", n)
		}
	}
	return result{api, report.Notes()}
}

// show writes a value in one line.
func show(n *tree.Node) string {
	switch {
	case n.Is(tree.Map):
		var parts []string
		for _, p := range n.Pairs {
			parts = append(parts, p.Key+": "+show(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.Is(tree.List):
		var parts []string
		for _, v := range n.Items {
			parts = append(parts, show(v))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Is(tree.Null):
		return "null"
	}
	return n.Text
}

// routes are the routes in one line each, the reason of one that is refused left out.
func (r result) routes() []string {
	var lines []string
	routes := r.api.Get("routes")
	if routes == nil {
		return nil
	}
	for _, route := range routes.Items {
		var parts []string
		for _, p := range route.Pairs[1:] {
			if p.Key == "unresolved" {
				parts = append(parts, "unresolved")
				continue
			}
			parts = append(parts, p.Key+" "+show(p.Value))
		}
		lines = append(lines, route.Get("route").Text+": "+strings.Join(parts, ", "))
	}
	return lines
}

// refusals are the notes of what guards and is refused, as "line: message".
func (r result) refusals() string { return r.said(portability.Refused) }

// said are the notes of a verdict that are about what guards.
func (r result) said(v portability.Verdict) string {
	var lines []string
	for _, n := range r.notes {
		if n.Verdict == v && n.Guards {
			lines = append(lines, fmt.Sprintf("%d: %s: %s", n.At.Line, n.What, n.Message))
		}
	}
	return strings.Join(lines, "\n")
}

// check compares the routes, and looks for what the refusals or the approximations have to say. A want of "" is that nothing is refused.
func check(t *testing.T, name string, r result, routes string, want ...string) {
	t.Helper()
	if got := strings.Join(r.routes(), "\n"); got != strings.TrimSpace(routes) {
		t.Errorf("%s: routes:\n%s\nwant:\n%s", name, got, strings.TrimSpace(routes))
	}
	all := r.refusals() + "\n" + r.said(portability.Approximated)
	for _, text := range want {
		if text == "" && r.refusals() != "" || !strings.Contains(all, text) {
			t.Errorf("%s: notes:\n%s\nwant: %q", name, all, text)
		}
	}
	if refused := strings.Contains(routes, "unresolved"); refused != (r.refusals() != "") {
		t.Errorf("%s: refused routes %v, and refusals %q", name, refused, r.refusals())
	}
}

var (
	yes, no = true, false
	rest    = Options{HTTP: &no}
	http    = Options{HTTP: &yes}
)

const (
	uri   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:partners/invocations"
	aPool = "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"
)
