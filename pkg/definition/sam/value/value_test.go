package value

import (
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

func parse(t *testing.T, text string) *tree.Node {
	t.Helper()
	n, faults := tree.Parse("value.yaml", []byte("value: "+text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return n.Get("value")
}

func TestTruthy(t *testing.T) {
	for text, want := range map[string]bool{
		`null`: false, `""`: false, `[]`: false, `{}`: false, `0`: false, `0.0`: false, `false`: false,
		`"false"`: true, `"0"`: true, `[null]`: true, `{Ref: AWS::NoValue}`: true, `-1`: true, `true`: true,
	} {
		if got := Truthy(parse(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if Truthy(nil) {
		t.Error("what is absent is true")
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{a: 1, b: [x]}`, `{b: [x], a: 1}`, true},
		{`{a: 1}`, `{a: 1, b: null}`, false},
		{`{a: null}`, `{b: null}`, false},
		{`[a, b]`, `[b, a]`, false},
		{`"true"`, `true`, false},
		{`"1"`, `1`, false},
	} {
		if got := Equal(parse(t, c.a), parse(t, c.b)); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// TestJSON compares with json.dumps(value, separators=(",", ":"), sort_keys=True) of Python.
func TestJSON(t *testing.T) {
	const text = `{b: [1, true, null], a: "x\"\\\n\té😀\x7f"}`
	const want = `{"a":"x\"\\\n\t\u00e9\ud83d\ude00\u007f","b":[1,true,null]}`
	if got := JSON(parse(t, text)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHash(t *testing.T) {
	if got := Hash("dev-1"); got != "d58b5e165f" {
		t.Error(got)
	}
	if got := HashOf(parse(t, `{Ref: Domain}`)); got != "ea39d68b43" {
		t.Error(got)
	}
	if got := HashOf(parse(t, `""`)); got != "" {
		t.Error(got)
	}
}

func TestBranches(t *testing.T) {
	for text, want := range map[string]int{
		`{a: b}`: 1, `{Fn::If: [C, {a: b}, {c: d}]}`: 2, `{Fn::If: [C, {a: b}, {Ref: AWS::NoValue}]}`: 1, `{Fn::If: [C]}`: 0,
	} {
		faults := &Faults{}
		if got := Branches(parse(t, text), faults); len(got) != want || len(faults.List()) > 0 {
			t.Errorf("%s: %d branches, %v", text, len(got), faults.List())
		}
	}
	faults := &Faults{}
	if got := Branches(parse(t, `{Fn::If: C}`), faults); len(got) != 0 || len(faults.List()) != 1 {
		t.Errorf("%d branches, %v", len(got), faults.List())
	}
}
