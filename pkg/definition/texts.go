package definition

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// guardWords are texts that values cannot replace, as they say what guards a route: a definition is to be changed for that.
var guardWords = []string{"NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS", "JWT", "ALLOW", "DENY", "TRUE", "FALSE", "AWSSIGV4", "*"}

// checkValues refuses values that would replace what guards.
func (l *loader) checkValues() fault.List {
	var faults fault.List
	for _, key := range slices.Sorted(maps.Keys(l.Values)) {
		if slices.Contains(guardWords, strings.ToUpper(key)) || strings.HasPrefix(key, "AWS::") {
			faults = append(faults, fault.Fault{File: l.File, Message: "values: " + fault.Quoted(key) + " stands for what guards routes, and cannot be replaced by a value: change the definition, or write the routes' guards in portcullis.yaml with override"})
		}
	}
	return faults
}

// replaced returns a value with texts that Values name replaced: a text that is, as a whole, the key of a value, and a place in S3 that
// has the key s3://bucket/key. Keys of maps stay.
func (l *loader) replaced(root *tree.Node) *tree.Node {
	if len(l.Values) == 0 {
		return root
	}
	return l.replace(root, map[*tree.Node]*tree.Node{})
}

func (l *loader) replace(n *tree.Node, done map[*tree.Node]*tree.Node) *tree.Node {
	if n == nil || l.made[n] {
		return n
	}
	if had := done[n]; had != nil {
		return had
	}
	key, isText := n.Scalar()
	if n.Is(tree.Map) {
		key, isText = stored(n), true
	}
	value, given := l.Values[key]
	switch {
	case isText && given && key != "" && !n.Is(tree.Reference):
		done[n] = l.text(n, key, value)
	case n.Is(tree.Map), n.Is(tree.List):
		done[n] = l.replacedIn(n, done)
	default:
		return n
	}
	return done[n]
}

// text returns the text that a value puts in the place of another one.
func (l *loader) text(n *tree.Node, key, value string) *tree.Node {
	made := tree.NewText(value, n.At)
	made.Intrinsic = n.Intrinsic
	if n.Is(tree.Number) {
		made.Kind = tree.Number
	}
	if l.made == nil {
		l.made = map[*tree.Node]bool{}
	}
	l.made[made], l.asked[key] = true, true
	l.report.Approximate(n.At, "text "+fault.Quoted(key), "replaced by what values say")
	return made
}

// kept are keys of a template whose texts stay: those that name parts of it, and those that decide its conditions. What conditions compare
// may also come from outside of the template, where it stays, so that a text replaced on one side alone would turn the condition. A default
// or a mapping that a resource asks for is replaced there.
var kept = []string{"Ref", "Fn::GetAtt", "Condition", "DependsOn", "Fn::FindInMap", "Type", "Parameters", "Mappings", "Conditions", "Fn::Equals"}

// replacedIn returns a map or a list with its texts replaced. What has none to replace is returned as it is.
func (l *loader) replacedIn(n *tree.Node, done map[*tree.Node]*tree.Node) *tree.Node {
	made := *n
	made.Pairs, made.Items = slices.Clone(n.Pairs), slices.Clone(n.Items)
	same := true
	for i, p := range n.Pairs {
		if slices.Contains(kept, p.Key) {
			continue
		}
		made.Pairs[i].Value = l.replace(p.Value, done)
		same = same && made.Pairs[i].Value == p.Value
	}
	for i, item := range n.Items {
		made.Items[i] = l.replace(item, done)
		same = same && made.Items[i] == item
	}
	if same {
		return n
	}
	return &made
}

// stored returns the name of a place in S3, empty for another map.
func stored(n *tree.Node) string {
	bucket, is := n.Get("Bucket").Scalar()
	key, has := n.Get("Key").Scalar()
	if !is || !has {
		return ""
	}
	return "s3://" + bucket + "/" + key
}

// unasked returns the values that nothing asked for, each with the key that may be meant, or empty.
func (l *loader) unasked(root *tree.Node) map[string]string {
	if l.d.Node == nil {
		return nil // not all was read
	}
	var names []string
	found := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(l.Values)) {
		if l.asked[key] {
			continue
		}
		if names == nil {
			names = l.names(root)
		}
		found[key] = source.Suggest(key, slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == key })) // a text that stays
	}
	return found
}

// names are the keys that values may have.
func (l *loader) names(root *tree.Node) []string {
	const most = 200
	names := slices.Clone(l.missing)
	for n := range root.All() {
		if n.Is(tree.Text) && n.Text != "" && len(n.Text) < most {
			names = append(names, n.Text)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
