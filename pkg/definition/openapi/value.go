package openapi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// intrinsic returns the CloudFormation function that a map stands for, if nobody has resolved it.
func intrinsic(n *tree.Node) string {
	if !n.Is(tree.Map) {
		return ""
	}
	for _, p := range n.Pairs {
		if strings.HasPrefix(p.Key, "Fn::") || p.Key == "Ref" && len(n.Pairs) == 1 && p.Value.Is(tree.Text) {
			return p.Key
		}
	}
	return ""
}

// unknown says why a value is not known, nil if it is. It looks at the value alone and not at what is in it.
func unknown(n *tree.Node) *trouble {
	switch {
	case n.Is(tree.Unresolved):
		return troubleAt(n.At, n.Unknown.Message)
	case n.Is(tree.Reference):
		return troubleAt(n.At, fmt.Sprintf("only CloudFormation knows the value of %s: write the value itself", fault.Quoted(strings.TrimSuffix(n.Resource+"."+n.Attribute, "."))))
	}
	if name := intrinsic(n); name != "" {
		return troubleAt(n.At, fmt.Sprintf("the value is made by %s, which CloudFormation replaces: name the template that includes this document, or write the value itself", name))
	}
	return nil
}

// unfilled matches what a tool was to replace: ${…} of Terraform, of Fn::Sub and of the Serverless Framework, %{…} of Terraform, and
// {{…}} of CloudFormation's dynamic references and of templates.
var unfilled = regexp.MustCompile(`\$\{[^}]*\}?|%\{[^}]*\}?|\{\{.*?(?:\}\}|$)`)

// stageVariable matches a stage variable in a text.
var stageVariable = regexp.MustCompile(`\$\{stageVariables\.([A-Za-z0-9_]+)\}`)

// variable matches what API Gateway replaces in a document ("AWS variables for OpenAPI import").
var variable = regexp.MustCompile(`\$\{AWS::(AccountId|Partition|Region)\}`)

// placeholder matches what a tool replaces before a document is imported.
var placeholder = regexp.MustCompile(`\$\{([^{}]*)\}`)

// fill replaces stage variables, what API Gateway replaces in a document, and what the reader's values replace.
func (r *reader) fill(text string) string {
	text = replace(placeholder, text, r.Values)
	text = replace(variable, text, map[string]string{"AccountId": r.Account, "Partition": r.partition(), "Region": r.Region})
	return replace(stageVariable, text, r.StageVariables)
}

// replace replaces the names that a pattern finds and that have a value.
func replace(pattern *regexp.Regexp, text string, values map[string]string) string {
	return pattern.ReplaceAllStringFunc(text, func(whole string) string {
		if value := values[pattern.FindStringSubmatch(whole)[1]]; value != "" {
			return value
		}
		return whole
	})
}

// partition is the partition of the API, or else the one that its region lies in.
func (r *reader) partition() string {
	switch {
	case r.Partition != "" || r.Region == "":
		return r.Partition
	case strings.HasPrefix(r.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(r.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// filled returns a value whose texts are filled. What an alias shares stays shared.
func (r *reader) filled(n *tree.Node, made map[*tree.Node]*tree.Node) *tree.Node {
	if before := made[n]; before != nil {
		return before
	}
	filled := *n
	if n.Is(tree.Text) {
		filled.Text = r.fill(n.Text)
	}
	filled.Pairs, filled.Items = nil, nil
	for _, p := range n.Pairs {
		filled.Pairs = append(filled.Pairs, tree.Pair{Key: r.fill(p.Key), At: p.At, Value: r.filled(p.Value, made)})
	}
	for _, item := range n.Items {
		filled.Items = append(filled.Items, r.filled(item, made))
	}
	made[n] = &filled
	return &filled
}

// text returns the text of a value, filled.
func (r *reader) text(n *tree.Node, what string) (string, *trouble) {
	if t := unknown(n); t != nil {
		return "", t
	}
	text, ok := n.Scalar()
	if !ok {
		return "", troubleAt(n.Position(), "the value must be text, and is "+kindOf(n))
	}
	text = r.fill(text)
	if t := notFilled(text, n.At); t != nil {
		return "", t
	}
	r.noteDefaults(n, what)
	return text, nil
}

// notFilled says what of a text nobody has replaced, nil if there is nothing of the kind.
func notFilled(text string, at tree.Position) *trouble {
	found := unfilled.FindString(text)
	if found == "" {
		return nil
	}
	if m := stageVariable.FindStringSubmatch(found); m != nil {
		return troubleAt(at, fmt.Sprintf("the stage variable %s has no value: write it under variables of the stage", m[1]))
	}
	name := strings.Trim(found, "${}% ")
	return troubleAt(at, fmt.Sprintf("%s is not replaced: give its value, as values: {%s: …}", fault.Quoted(found), fault.Quoted(name)))
}

func kindOf(n *tree.Node) string {
	if n == nil {
		return tree.Null.String()
	}
	return n.Kind.String()
}

// noteDefaults notes a value that the default of a parameter decided.
func (r *reader) noteDefaults(n *tree.Node, what string) {
	if n != nil && len(n.Defaults) > 0 {
		r.report.Approximate(n.At, what, "the value is decided by the default of the parameter "+strings.Join(n.Defaults, ", ")+": give the parameter to be sure")
	}
}

// texts returns the texts of a list, or the one text that stands in place of a list.
func (r *reader) texts(n *tree.Node, what string) ([]string, *trouble) {
	if t := unknown(n); t != nil {
		return nil, t
	}
	items := []*tree.Node{n}
	if n.Is(tree.List) {
		r.noteDefaults(n, what)
		items = n.Items
	}
	var all []string
	for _, item := range items {
		text, t := r.text(item, what)
		if t != nil {
			return nil, t
		}
		all = append(all, text)
	}
	return all, nil
}

// requiredText returns the text of a key that a map must have.
func (r *reader) requiredText(n *tree.Node, key, what string) (string, *trouble) {
	value := n.Get(key)
	if absent(value) {
		return "", troubleAt(n.Position(), key+" is missing: write it")
	}
	return r.text(value, what)
}

// requiredTexts returns the texts of a key that a map must have, at least one.
func (r *reader) requiredTexts(n *tree.Node, key, what string) ([]string, *trouble) {
	value := n.Get(key)
	if absent(value) {
		return nil, troubleAt(n.Position(), key+" is missing: write a list")
	}
	all, t := r.texts(value, what)
	if t == nil && len(all) == 0 {
		return nil, troubleAt(value.At, key+" is empty: write at least one")
	}
	return all, t
}

// list makes a list of texts that stand at one position.
func list(at tree.Position, texts []string) *tree.Node {
	n := tree.NewList(at)
	for _, text := range texts {
		n.Items = append(n.Items, tree.NewText(text, at))
	}
	return n
}

// absent reports whether a key is not there, or has no value.
func absent(n *tree.Node) bool { return n.Is(tree.Null) }

// empty reports whether a value is absent, or a text or list with nothing in it, as exports have them.
func empty(n *tree.Node) bool {
	text, isText := n.Scalar()
	return absent(n) || isText && text == "" || n.Is(tree.List) && len(n.Items) == 0
}
