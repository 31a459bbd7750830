package variable

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// show writes a value in one line: what is not known as <?KEY>.
func show(n *tree.Node) string {
	var parts []string
	for _, p := range n.Pairs {
		parts = append(parts, p.Key+": "+show(p.Value))
	}
	for _, item := range n.Items {
		parts = append(parts, show(item))
	}
	switch all := strings.Join(parts, ", "); n.Kind {
	case tree.Map:
		return "{" + all + "}"
	case tree.List:
		return "[" + all + "]"
	case tree.Unresolved:
		return "<?" + n.Unknown.Key + ">"
	case tree.Text:
		return `"` + n.Text + `"`
	case tree.Null:
		return "null"
	case tree.Number, tree.Bool, tree.Reference:
	}
	return n.Text
}

func parse(t *testing.T, text string) *tree.Node {
	t.Helper()
	root, faults := tree.Parse("t.yaml", []byte(text))
	if root == nil {
		t.Fatal(faults)
	}
	return root
}

func TestFill(t *testing.T) {
	values := map[string]string{"${region}": "eu-west-1", "${self:custom.stage}": "prod", "${v}": "v1"}
	for _, test := range []struct{ text, want string }{
		{"a: 'x-${region}'", `{a: "x-eu-west-1"}`},
		{"a: '${region}${self:custom.stage}'", `{a: "eu-west-1prod"}`},
		{"a: '${other}'", "{a: <?${other}>}"},
		{"a: ['${file(x.txt)}', b]", `{a: [<?${file(x.txt)}>, "b"]}`},
		{"a: 'http://${stageVariables.url}/x'", `{a: "http://${stageVariables.url}/x"}`},
		{"a: '${aws:PrincipalTag/team}-${aws:username}-${*}'", `{a: "${aws:PrincipalTag/team}-${aws:username}-${*}"}`},
		{"a: '${aws:accountId}'", "{a: <?${aws:accountId}>}"},
		{"a: '$${region}'", `{a: "${region}"}`},
		{"a: '${AWS::Region}'", "{a: <?${AWS::Region}>}"},
		{"/${v}/pets: {a: b}", `{/v1/pets: {a: "b"}}`},
		{"paths: {'/${x}/pets': {a: b}, /b: {}}", "{paths: <?${x}>}"},
		{"{'${v}': a, v1: b}", "<?>"},
		{"a: 1\nb: null\nc: '$'", `{a: 1, b: null, c: "$"}`},
	} {
		if got := show(Fill(parse(t, test.text), values)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
	same := parse(t, "a: {b: [c]}")
	if Fill(same, values) != same {
		t.Error("a document without variables is copied")
	}
}
