package fault

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A fault is one line for people, and its position is not part of its message.
func TestFaultText(t *testing.T) {
	for _, tt := range []struct {
		fault        Fault
		text, string string
	}{
		{Fault{Message: "m"}, "m", "m"},
		{Fault{File: "f", Message: "m"}, "f: m", "f: m"},
		{Fault{File: "f", Line: 2, Column: 3, Message: "m"}, "f:2:3: m", "f:2:3: m"},
		{Fault{Line: 2, Column: 3, Statement: "s", Message: "m", Warning: true}, "2:3: s: m", "2:3: warning: s: m"},
		{Fault{File: "a\nb", Message: "m\r"}, "a\nb: m\r", "a b: m "},
	} {
		if got := tt.fault.Text(); got != tt.text {
			t.Errorf("%+v: text %q, want %q", tt.fault, got, tt.text)
		}
		if got := tt.fault.String(); got != tt.string {
			t.Errorf("%+v: string %q, want %q", tt.fault, got, tt.string)
		}
	}
	got, err := json.Marshal(Fault{At: Root(nil).Field("a"), Line: 2, Column: 3, Statement: "s", Message: "m"}.In("f"))
	if want := `{"file":"f","line":2,"column":3,"message":"s: m"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestPlaceText(t *testing.T) {
	root := Root(nil)
	for _, tt := range []struct {
		at          *Place
		text, label string
	}{
		{nil, "", "the configuration"},
		{root, "", "the configuration"},
		{root.Field("apis").Item(3).Field("gatewayResponses").Key("ACCESS_DENIED").Field("statusCode"), `apis[3].gatewayResponses["ACCESS_DENIED"].statusCode`, "statusCode"},
		{root.Field("issuers").Key(`a".[b`), `issuers["a\".[b"]`, `issuers["a\".[b"]`},
		{root.Field("issuers").Key("a").Name(), `issuers["a"]`, `issuers["a"]`},
		{(*Place)(nil).Field("id"), "id", "id"},
	} {
		if got := tt.at.String(); got != tt.text {
			t.Errorf("%q, want %q", got, tt.text)
		}
		if got := tt.at.Label(); got != tt.label {
			t.Errorf("%s: label %q, want %q", tt.text, got, tt.label)
		}
	}
}

// document is one in which everything stands where it is deep.
type document string

func (d document) Position(at *Place) (string, int, int) { return string(d), len(at.Steps()), 1 }

// Secret has secrets in every field of that name.
func (d document) Secret(at *Place) bool {
	return slices.Contains(at.Steps(), Step{Kind: Field, Name: "secret"})
}

// What follows from a fault is what stands at its Place or in it, in the same document.
func TestFollows(t *testing.T) {
	a, b := Root(document("a")), Root(document("b"))
	r := NewReport()
	r.Mark(a.Field("apis").Item(1).Field("stages"))
	r.Mark(a.Field("issuers").Key("x.y"))
	for _, tt := range []struct {
		at   *Place
		want bool
	}{
		{a.Field("apis").Item(1).Field("stages"), true},
		{a.Field("apis").Item(1).Field("stages").Item(0).Field("name"), true},
		{a.Field("issuers").Key("x.y").Field("file"), true},
		{a.Field("apis").Item(1), false},
		{a.Field("apis").Item(10).Field("stages"), false},
		{a.Field("apis").Item(1).Field("routes"), false},
		{a.Field("issuers").Key("x"), false},
		{b.Field("apis").Item(1).Field("stages"), false},
		{a, false},
		{nil, false},
	} {
		if got := r.Follows(tt.at); got != tt.want {
			t.Errorf("%s: %v", tt.at, got)
		}
	}
	r.Mark(a)
	if !r.Follows(a.Field("anything")) || r.Follows(b.Field("anything")) {
		t.Error("a fault at the root is one of all that is in its document, and of no other")
	}
}

// A fault that is reported has a position, and leads no longer to the document that it was found in.
func TestReportedFaultIsPlaced(t *testing.T) {
	at := Root(document("f")).Field("a").Field("b")
	r := NewReport()
	r.IfNew(at, "m")
	r.IfNew(at.Field("c"), "follows")
	r.Warn(at, "w")
	r.Add(Fault{At: at, Message: "m"})
	want := "f:2:1: m\nf:2:1: warning: w"
	result := r.Result([]string{"f"})
	if got := result.Error(); got != want || !result.Fatal() || r.Count() != 1 {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, f := range result {
		if f.At != nil {
			t.Errorf("%s holds its Place", f)
		}
	}
}

// A fault about a field of secrets quotes only ARNs, for every way to report it and every position in the field.
func TestNothingIsQuotedFromSecrets(t *testing.T) {
	root := Root(document("f"))
	at := root.Field("secret").Key("hunter2")
	r := NewReport()
	r.Fault(at, "%s is not like %s", at.Label(), Quoted("arn:aws:iam::1:user/a"))
	r.Warn(at.Name(), `"a \"hunter2\"" in "arn:hunter2=x"`)
	r.Add(Fault{At: at.Field("deeper"), File: "f", Line: 9, Column: 8, Message: `"hunter2" "hunter2"`})
	r.Fault(root.Key("secret"), `"shown"`)
	want := "f:1:1: \"shown\"\n" + `f:2:1: secret["…"] is not like "arn:aws:iam::1:user/a"` + "\n" + `f:3:1: warning: "…" in "…"` + "\n" + `f:9:8: "…" "…"`
	if got := r.Result([]string{"f"}).Error(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestQuoted(t *testing.T) {
	for _, name := range []string{"A=hunter2", "redis://:hunter2@localhost"} {
		if got := Quoted(name); got != `"…"` {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := Quoted(strings.Repeat("é", 90)); got != `"`+strings.Repeat("é", 80)+`…"` {
		t.Error(got)
	}
}
