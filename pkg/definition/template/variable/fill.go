// Package variable replaces ${…} in an OpenAPI file that another tool than CloudFormation fills in.
package variable

import (
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// filler fills in the variables of an OpenAPI file.
type filler struct {
	values   map[string]string
	done     map[*tree.Node]*tree.Node
	unknowns map[string]*tree.Unknown
}

// Fill returns an OpenAPI document with values in the place of `${…}`, which Terraform or another tool fills in. The keys of the values
// are "${…}", as they stand in the file. $${ stands for ${, as Terraform has it. Stage variables and the variables of IAM policies stay.
// A text with a variable that has no value is Unresolved; so is a map that has one in a key.
func Fill(root *tree.Node, values map[string]string) *tree.Node {
	f := filler{values, map[*tree.Node]*tree.Node{}, map[string]*tree.Unknown{}}
	return f.fill(root)
}

func (f *filler) fill(n *tree.Node) *tree.Node {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case tree.Text:
		return f.text(n)
	case tree.Map, tree.List:
	case tree.Null, tree.Number, tree.Bool, tree.Reference, tree.Unresolved:
		return n
	}
	if made := f.done[n]; made != nil {
		return made
	}
	made := f.container(n)
	f.done[n] = made
	return made
}

// container fills in a map or a list. What has no variables is returned as it is.
func (f *filler) container(n *tree.Node) *tree.Node {
	made := *n
	made.Pairs, made.Items = slices.Clone(n.Pairs), slices.Clone(n.Items)
	same, keys := true, make(map[string]bool, len(n.Pairs))
	for i, p := range n.Pairs {
		key, u := f.filled(p.Key)
		if u == nil && keys[key] {
			u = &tree.Unknown{Message: "the values of its variables make a key that is given twice"}
		}
		if u != nil {
			return &tree.Node{Kind: tree.Unresolved, At: p.At, Unknown: u}
		}
		keys[key] = true
		made.Pairs[i].Key, made.Pairs[i].Value = key, f.fill(p.Value)
		same = same && key == p.Key && made.Pairs[i].Value == p.Value
	}
	for i, item := range n.Items {
		made.Items[i] = f.fill(item)
		same = same && made.Items[i] == item
	}
	if same {
		return n
	}
	return &made
}

func (f *filler) text(n *tree.Node) *tree.Node {
	text, u := f.filled(n.Text)
	switch {
	case u != nil:
		return &tree.Node{Kind: tree.Unresolved, At: n.At, Unknown: u}
	case text == n.Text:
		return n
	}
	made := *n
	made.Text, made.Intrinsic = text, "${}"
	return &made
}

// filled returns a text with its variables filled in, or the first that has no value.
func (f *filler) filled(text string) (string, *tree.Unknown) {
	var out strings.Builder
	for {
		before, name, after, found := Cut(text)
		if !found {
			out.WriteString(before)
			return out.String(), nil
		}
		key := "${" + name + "}"
		value, given := f.values[key]
		switch {
		case strings.HasSuffix(before, "$"):
			value, before = key, before[:len(before)-1]
		case given:
		case stays(name):
			value = key
		default:
			return "", f.unknown(key)
		}
		out.WriteString(before + value)
		text = after
	}
}

func (f *filler) unknown(key string) *tree.Unknown {
	if f.unknowns[key] == nil {
		f.unknowns[key] = &tree.Unknown{Key: key, Message: "the value of " + key + " is not known: give it by " + tree.Remedy(key)}
	}
	return f.unknowns[key]
}

// policyVariable matches the variables of IAM policies, which AWS replaces in each request. The Serverless Framework has variables that
// look like them.
var policyVariable = regexp.MustCompile(`^(?:[*?$]|(?:aws|saml|ec2|s3|sts|iam|redshift|www\.amazon\.com|accounts\.google\.com|graph\.facebook\.com|cognito-identity\.amazonaws\.com):[A-Za-z][A-Za-z0-9/_.-]*)(?:, *'[^']*')?$`)

// stays reports whether a variable is API Gateway's or IAM's own.
func stays(name string) bool {
	switch {
	case strings.HasPrefix(name, "stageVariables."):
		return true
	case name == "aws:accountId", name == "aws:region":
		return false
	}
	return policyVariable.MatchString(name)
}

// Cut cuts a text around its first ${name}.
func Cut(text string) (before, name, after string, found bool) {
	from := strings.Index(text, "${")
	if from < 0 {
		return text, "", "", false
	}
	to := strings.IndexByte(text[from:], '}')
	if to < 0 {
		return text, "", "", false
	}
	return text[:from], text[from+2 : from+to], text[from+to+1:], true
}
