package template

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/template/variable"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// sub resolves Fn::Sub.
func (s *resolver) sub(n *tree.Node, f *tree.Pair) *tree.Node {
	const want = "a text, or a list of a text and a map of variables"
	text, variables := f.Value, (*tree.Node)(nil)
	if f.Value.Is(tree.List) {
		if len(f.Value.Items) < 1 || len(f.Value.Items) > 2 {
			return s.misused(n, f, want)
		}
		text = f.Value.Items[0]
		if len(f.Value.Items) == 2 {
			variables = f.Value.Items[1]
		}
	}
	if !text.Is(tree.Text) { // a dynamic reference in a text may have variables
		text = s.value(text, nil)
	}
	switch {
	case text.Is(tree.Unresolved):
		return s.unresolved(n, f.Key, text.Unknown)
	case !text.Is(tree.Text), variables != nil && !variables.Is(tree.Map):
		return s.misused(n, f, want)
	}
	return s.substituted(n, text, variables, f.Key)
}

// substituted returns a text with values in the place of its variables.
func (s *resolver) substituted(n, text, variables *tree.Node, function string) *tree.Node {
	if one := s.onlyReference(n, text, variables, function); one != nil {
		return one
	}
	var out strings.Builder
	var why *tree.Unknown
	defaults := text.Defaults
	for rest := text.Text; rest != ""; {
		before, name, after, found := variable.Cut(rest)
		out.WriteString(before)
		rest = after
		if !found {
			break
		}
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			out.WriteString("${" + literal + "}")
			continue
		}
		v := s.variable(n, text, variables, strings.TrimSpace(name), function)
		part, u := s.partOf(v)
		if why == nil {
			why = u
		}
		if out.WriteString(part); !s.spend(n, len(part)) {
			return s.broken(n)
		}
		defaults = union(defaults, s.defaults(v))
	}
	if why != nil {
		return s.partial(n, function, out.String(), why)
	}
	return s.text(n, function, out.String(), defaults)
}

// onlyReference returns the reference to a resource that a text is, if it is nothing else, as in ${Api.RootResourceId}.
func (s *resolver) onlyReference(n, text, variables *tree.Node, function string) *tree.Node {
	before, name, after, found := variable.Cut(text.Text)
	if !found || before != "" || after != "" || strings.HasPrefix(name, "!") {
		return nil
	}
	v := s.variable(n, text, variables, strings.TrimSpace(name), function)
	if !v.Is(tree.Reference) {
		return nil
	}
	return with(s.placed(v, n.At, function), text.Defaults)
}

// variable returns the value of a variable in a text of Fn::Sub.
func (s *resolver) variable(n, text, variables *tree.Node, name, function string) *tree.Node {
	if v := variables.Get(name); v != nil {
		return s.value(v, nil)
	}
	return s.named(n, text, name, function)
}

// The beginning and the end of a dynamic reference, as in {{resolve:ssm:/path}}.
const (
	dynamicBegin = "{{resolve:"
	dynamicEnd   = "}}"
)

// dynamic returns a text with values in the place of dynamic references to SSM and Secrets Manager.
func (s *resolver) dynamic(n *tree.Node) *tree.Node {
	if !strings.Contains(n.Text, dynamicBegin) {
		return n
	}
	var out strings.Builder
	for rest := n.Text; ; {
		from := strings.Index(rest, dynamicBegin)
		to := strings.Index(rest[max(from, 0):], dynamicEnd)
		if from < 0 || to < 0 {
			out.WriteString(rest)
			break
		}
		key := rest[from : from+to+len(dynamicEnd)]
		text, given := s.given(key)
		if !given {
			made := s.notKnown(n, key, "a value of SSM or Secrets Manager is not known")
			made.Intrinsic = n.Intrinsic
			return made
		}
		out.WriteString(rest[:from] + text)
		if !s.spend(n, len(text)) {
			return s.broken(n)
		}
		rest = rest[from+len(key):]
	}
	made := *n
	made.Text = out.String()
	return &made
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
