package tree

import (
	"fmt"
	"strings"
	"testing"
)

// show writes a value in one line, with its kinds.
func show(n *Node) string {
	switch n.kind() {
	case Null:
		return "null"
	case Text:
		return fmt.Sprintf("%q", n.Text)
	case Map:
		var parts []string
		for _, p := range n.Pairs {
			parts = append(parts, p.Key+": "+show(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case List:
		var parts []string
		for _, v := range n.Items {
			parts = append(parts, show(v))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return n.Text
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"short tags", "a: !Ref B\nb: !GetAtt C.D.E\nc: !Sub ['${x}', {x: !Ref Y}]", `{a: {Ref: "B"}, b: {Fn::GetAtt: ["C", "D.E"]}, c: {Fn::Sub: ["${x}", {x: {Ref: "Y"}}]}}`},
		{"a condition by name", "a: !If [Prod, !Condition Other, !Ref 'AWS::NoValue']", `{a: {Fn::If: ["Prod", {Condition: "Other"}, {Ref: "AWS::NoValue"}]}}`},
		{"numbers as written", "a: 012345678901\nb: 2.0\nc: 1e3", `{a: 012345678901, b: 2.0, c: 1e3}`},
		{"a date is text", "Version: 2012-10-17", `{Version: "2012-10-17"}`},
		{"old truth values", `{a: yes, b: "yes", c: Off, d: True}`, `{a: true, b: "yes", c: false, d: true}`},
		{"aliases and merges", "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x", `{x: {a: 1, b: 2}, y: {b: 3, a: 1}, z: {a: 1, b: 2}}`},
		{"the first merged wins", "x: &x {a: 1}\ny: &y {a: 2}\nz: {<<: [*x, *y]}", `{x: {a: 1}, y: {a: 2}, z: {a: 1}}`},
		{"JSON", `{"a": ["b", null]}`, `{a: ["b", null]}`},
	} {
		n, faults := Parse("t.yaml", []byte(test.text))
		if len(faults) > 0 {
			t.Errorf("%s: %v", test.name, faults)
		} else if got := show(n); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 9; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for _, test := range []struct{ name, text, want string }{
		{"a duplicate key", "a: 1\nb: 2\na: 3", "t.yaml:3:1: \"a\" is given twice, first in line 1: keep one"},
		{"a duplicate key in JSON", `{"a": 1, "a": 2}`, "t.yaml:1:10: \"a\" is given twice"},
		{"another tag", "a: !Python x", "t.yaml:1:4: the tag \"!Python\" is not one of CloudFormation's"},
		{"a value in itself", "a: &a [*a]", "holds itself"},
		{"billion laughs", laughs, "more than 2000000 values"},
		{"too deep", strings.Repeat("[", 300) + strings.Repeat("]", 300), "more than 200 deep"},
		{"a merge of text", "a: {<<: x}", "must name a map"},
		{"nothing", "", "the file is empty"},
		{"UTF-16", "\xff\xfea\x00", "not UTF-8"},
		{"a tab", "a:\n\tb: 1", "indent with spaces"},
		{"two documents", "a: 1\n---\na: 2", "a second YAML document"},
	} {
		n, faults := Parse("t.yaml", []byte(test.text))
		if n != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, %v, want %s", test.name, show(n), faults, test.want)
		}
	}
}

func TestPositions(t *testing.T) {
	n, faults := Parse("t.yaml", []byte("x: &x\n  a: 1\ny: *x\nz: !Sub hello"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := n.Way("y", "a").Position().String(); got != "t.yaml:2:6" {
		t.Errorf("an alias: got %s, want t.yaml:2:6", got)
	}
	if got := n.Way("z", "Fn::Sub").Position().String(); got != "t.yaml:4:4" {
		t.Errorf("a tagged value: got %s, want t.yaml:4:4", got)
	}
}

func TestNilNode(t *testing.T) {
	var n *Node
	if _, ok := n.Scalar(); ok || n.Has("a") || n.Way("a", "b") != nil || !n.Is(Null) || !n.Known() || n.Position() != (Position{}) {
		t.Error("a nil Node is not Null")
	}
}
