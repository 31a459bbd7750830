package document

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
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

// Unknown says why a value is not known, nil if it is. It looks at the value alone and not at what is in it.
func Unknown(n *tree.Node) *Trouble {
	if u := n.Reason(); u != nil {
		return TroubleAt(n.At, u.Message)
	}
	if name := intrinsic(n); name != "" {
		return TroubleAt(n.At, fmt.Sprintf("the value is made by %s, which CloudFormation replaces: name the template that includes this document, or write the value itself", name))
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

// Given returns the value that the reader has for a key.
func (d *Document) Given(key string) (string, bool) {
	value, given := d.Values[key]
	if given && d.Asked != nil {
		d.Asked[key] = true
	}
	return value, given
}

// Fill replaces stage variables, what API Gateway replaces in a document, and what the reader's values replace.
func (d *Document) Fill(text string) string {
	text = placeholder.ReplaceAllStringFunc(text, func(whole string) string {
		if value, given := d.Given(whole); given {
			return value
		}
		return whole
	})
	text = replace(variable, text, map[string]string{"AccountId": d.Account, "Partition": d.partition(), "Region": d.Region})
	return replace(stageVariable, text, d.StageVariables)
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
func (d *Document) partition() string {
	if d.Partition != "" || d.Region == "" {
		return d.Partition
	}
	return arn.PartitionOf(d.Region)
}

// Filled returns a value whose texts are filled. What an alias shares stays shared.
func (d *Document) Filled(n *tree.Node, made map[*tree.Node]*tree.Node) *tree.Node {
	if before := made[n]; before != nil {
		return before
	}
	filled := *n
	if n.Is(tree.Text) {
		filled.Text = d.Fill(n.Text)
	}
	filled.Pairs, filled.Items = nil, nil
	for _, p := range n.Pairs {
		filled.Pairs = append(filled.Pairs, tree.Pair{Key: d.Fill(p.Key), At: p.At, Value: d.Filled(p.Value, made)})
	}
	for _, item := range n.Items {
		filled.Items = append(filled.Items, d.Filled(item, made))
	}
	made[n] = &filled
	return &filled
}

// Text returns the text of a value, filled.
func (d *Document) Text(n *tree.Node, what string) (string, *Trouble) {
	if t := Unknown(n); t != nil {
		return "", t
	}
	text, ok := n.Scalar()
	if !ok {
		return "", Unlike(n, n.Position(), "the value must be text")
	}
	text = d.Fill(text)
	if t := NotFilled(text, n.At); t != nil {
		return "", t
	}
	d.NoteDefaults(n, what)
	return text, nil
}

// NotFilled says what of a text nobody has replaced, nil if there is nothing of the kind.
func NotFilled(text string, at tree.Position) *Trouble {
	found := unfilled.FindString(text)
	if found == "" {
		return nil
	}
	if m := stageVariable.FindStringSubmatch(found); m != nil {
		return TroubleAt(at, fmt.Sprintf("the stage variable %s has no value: write it under variables of the stage", m[1]))
	}
	if !placeholder.MatchString(found) {
		return TroubleAt(at, fault.Quoted(found)+" is not replaced: bring the document that the tool makes of this one")
	}
	return TroubleAt(at, fault.Quoted(found)+" is not replaced: give it by "+tree.Remedy(found))
}

// Unlike says that a value is of another kind than must, a sentence's beginning, says. A text that nobody has replaced may stand for any
// kind.
func Unlike(n *tree.Node, at tree.Position, must string) *Trouble {
	if n.Is(tree.Text) {
		if t := NotFilled(n.Text, n.At); t != nil {
			return t
		}
	}
	kind := tree.Null
	if n != nil {
		kind = n.Kind
	}
	return TroubleAt(at, must+", and is "+kind.String())
}

// NoteDefaults notes a value that the default of a parameter decided.
func (d *Document) NoteDefaults(n *tree.Node, what string) {
	if n != nil && len(n.Defaults) > 0 {
		d.Report.Approximate(n.At, what, "the value is decided by the default of the parameter "+strings.Join(n.Defaults, ", ")+": give the parameter to be sure")
	}
}

// Texts returns the texts of a list, or the one text that stands in place of a list.
func (d *Document) Texts(n *tree.Node, what string) ([]string, *Trouble) {
	if t := Unknown(n); t != nil {
		return nil, t
	}
	items := []*tree.Node{n}
	if n.Is(tree.List) {
		d.NoteDefaults(n, what)
		items = n.Items
	}
	var all []string
	for _, item := range items {
		text, t := d.Text(item, what)
		if t != nil {
			return nil, t
		}
		all = append(all, text)
	}
	return all, nil
}

// RequiredText returns the text of a key that a map must have.
func (d *Document) RequiredText(n *tree.Node, key, what string) (string, *Trouble) {
	value := n.Get(key)
	if Absent(value) {
		return "", TroubleAt(n.Position(), key+" is missing: write it")
	}
	return d.Text(value, what)
}

// RequiredTexts returns the texts of a key that a map must have, at least one.
func (d *Document) RequiredTexts(n *tree.Node, key, what string) ([]string, *Trouble) {
	value := n.Get(key)
	if Absent(value) {
		return nil, TroubleAt(n.Position(), key+" is missing: write a list")
	}
	all, t := d.Texts(value, what)
	if t == nil && len(all) == 0 {
		return nil, TroubleAt(value.At, key+" is empty: write at least one")
	}
	return all, t
}

// List makes a list of texts that stand at one position.
func List(at tree.Position, texts []string) *tree.Node {
	n := tree.NewList(at)
	for _, text := range texts {
		n.Items = append(n.Items, tree.NewText(text, at))
	}
	return n
}

// Absent reports whether a key is not there, or has no value.
func Absent(n *tree.Node) bool { return n.Is(tree.Null) }

// Empty reports whether a value is absent, or a text or list with nothing in it, as exports have them.
func Empty(n *tree.Node) bool {
	text, isText := n.Scalar()
	return Absent(n) || isText && text == "" || n.Is(tree.List) && len(n.Items) == 0
}

// Pairs are the keys of a map with their values, none of another value.
func Pairs(n *tree.Node) []tree.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

// Instead says how to give another text in the place of one that cannot be right.
func Instead(text string) string {
	const most = 300
	if text == "" || len(text) > most || strings.ContainsAny(text, "'=\n") {
		return ""
	}
	return "; to replace the text, give another by " + tree.Remedy(text)
}
