package policy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
	"pgregory.net/rapid"
)

// FuzzParse looks for documents that panic, that pass in spite of a fault, or that encoding/json reads otherwise.
func FuzzParse(f *testing.F) {
	f.Add([]byte(statementOf(Resource, allowAll)), uint8(Resource))
	f.Add([]byte("Statement:\n- Effect: Deny\n  NotAction: s3:*\n  Resource: '*'\n"), uint8(Identity))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		o := Options{Name: "p", Kind: Kind(kind % 9), ExpandPrefix: benchPrefix}
		p, faults := Parse(data, o)
		fatal := false
		for _, fault := range faults {
			fatal = fatal || !fault.Warning
			if lines := 2 + bytes.Count(data, []byte("\n")); fault.Line < 1 || fault.Column < 1 || fault.Message == "" || looksLikeJSON(data) && fault.Line > lines {
				t.Errorf("%+v", fault)
			}
		}
		if (p == nil) != fatal {
			t.Errorf("policy %v with faults %v", p, faults)
		}
		if p == nil {
			return
		}
		if looksLikeJSON(data) && !json.Valid(data) {
			t.Errorf("accepted what is not JSON")
		}
		for _, s := range p.statements {
			if s.Effect != statement.Allow && s.Effect != statement.Deny || len(s.Actions) == 0 || len(s.Resources) == 0 {
				t.Errorf("%+v", s)
			}
		}
		r := benchRequest()
		if got := Evaluate(&Policies{Resource: p}, r); got.Decision == Allow && !looksLikeJSON(data) && !bytes.Contains(data, []byte("Allow")) {
			t.Errorf("%+v without an Allow", got)
		}
		p.Explain(r)
		p.Lint(Target{ARNPrefix: benchPrefix, Routes: []TargetRoute{{Method: "GET", Resource: "/pets/{id}"}}})
	})
}

// FuzzJSON compares the JSON reader with encoding/json, which is laxer about UTF-8 and surrogates alone.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a": [1, -2.5e+3, true, null, "\u00e9\ud83d\ude00\\"]}`)
	f.Add(`{"a": 01}`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := document.JSON(text, Limits{Depth: 1000, Values: 100_000}, func(Position, string) {})
		if err == nil && !json.Valid([]byte(text)) {
			t.Fatalf("%q is not JSON", text)
		}
		if err != nil {
			if json.Valid([]byte(text)) && utf8.ValidString(text) && !bytes.Contains([]byte(text), []byte(`\u`)) {
				t.Fatalf("%q is JSON: %v", text, err)
			}
			return
		}
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			return // a number beyond float64
		}
		if s, ok := want.(string); ok && (n.Kind != document.Text || n.Text != s) {
			t.Errorf("%q, want %q", n.Text, s)
		}
		if m, ok := want.(map[string]any); ok && (n.Kind != document.Object || len(m) > len(n.Members)) {
			t.Errorf("%d members, want %d", len(n.Members), len(m))
		}
	})
}

// FuzzEvaluate steers the random policies of TestAgreesWithNaiveEvaluator by coverage.
func FuzzEvaluate(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		w := drawWorld(t)
		if got, want := w.evaluate(t), naiveDecision(w); got != want {
			t.Fatalf("%v, the naive evaluator says %v:\n%s", got, want, w)
		}
	}))
}

// TestCorpora sees to it that the committed inputs are there: without them the fuzz targets test next to nothing in a plain run.
func TestCorpora(t *testing.T) {
	for _, target := range []string{"FuzzParse", "FuzzJSON", "FuzzEvaluate"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) < 5 {
			t.Errorf("%s has %d inputs, want 5 at least (%v)", target, len(files), err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || info.Size() > 16<<10 {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
