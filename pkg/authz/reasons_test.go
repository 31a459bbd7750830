package authz

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// declared returns the codes that decision.go declares, in their order.
func declared(t *testing.T) (codes []Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "decision.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, Code(text))
		}
		return true
	})
	return codes
}

func TestEveryCodeHasAMeaning(t *testing.T) {
	codes := declared(t)
	if len(codes) < 25 || len(codes) != len(Meanings()) {
		t.Fatalf("%d codes, and %d meanings", len(codes), len(Meanings()))
	}
	passes := map[Code]bool{CodeNoPolicy: true, CodeAllowed: true, CodePreflight: true}
	for i, code := range codes {
		m := Meanings()[i]
		if m.Code != code {
			t.Errorf("meaning %d is that of %q, want %q", i, m.Code, code)
		}
		if m.Cause == "" || strings.HasSuffix(m.Cause, ".") || (m.Remedy == "") != passes[code] || m.Remedy != "" && !strings.HasSuffix(m.Remedy, ".") {
			t.Errorf("%s: %q, %q", code, m.Cause, m.Remedy)
		}
		if code.Meaning() != m {
			t.Errorf("%s has the meaning %+v", code, code.Meaning())
		}
	}
	if m := Code("unheard_of").Meaning(); m != (Meaning{Code: "unheard_of"}) {
		t.Errorf("an unknown code means %+v", m)
	}
}
