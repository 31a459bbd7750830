package reader

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Policy reads the policy at a place, or in the file named there. It checks the policy against what it is attached
// to, if that is known.
func (r *Reader) Policy(at *fault.Place, o policy.Options, lint func(*policy.Policy) []fault.Fault) *policy.Policy {
	n := r.Doc.Node(at)
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" { // the decoder refuses null
		return nil
	}
	name, p, faults := r.parsePolicy(n, o, at)
	switch {
	case p != nil && lint != nil:
		faults = append(faults, lint(p)...)
	case p == nil:
		r.Mark(at)
	}
	for _, f := range faults {
		if f = f.In(name); !r.Refused(f) {
			r.Add(f)
		}
	}
	return p
}

// parsePolicy distinguishes the forms of a policy: {file: …}, {inline: …}, or the policy itself. It returns the name of
// the file that positions of faults refer to.
func (r *Reader) parsePolicy(n *yaml.Node, o policy.Options, at *fault.Place) (string, *policy.Policy, []fault.Fault) {
	file, inline := r.Doc.Node(at.Field("file")), r.Doc.Node(at.Field("inline"))
	switch {
	case (file != nil || inline != nil) && len(n.Content) != 2:
		r.Fault(at, "%s must have file: or inline: alone, or be the policy itself", at.Label())
		return r.Doc.File(n), nil, nil
	case file != nil:
		return r.parsePolicyFile(at.Field("file"), o)
	case inline != nil:
		n = inline
	}
	if n.Kind == yaml.ScalarNode && !strings.HasPrefix(strings.TrimLeft(n.Value, "\" \t\r\n"), "{") {
		r.Fault(at, "%s must be {file: name}, or a policy, as fields or as JSON text", at.Label())
		return r.Doc.File(n), nil, nil
	}
	p, faults := policy.ParseYAML(n, o)
	return r.Doc.File(n), p, faults
}

func (r *Reader) parsePolicyFile(at *fault.Place, o policy.Options) (string, *policy.Policy, []fault.Fault) {
	text, ok := r.Doc.Text(at)
	if !ok {
		r.Fault(at, "file must be the name of a file, relative to the folder of this one")
		return r.File, nil, nil
	}
	name := r.Relative(text)
	data, err := r.Files.Read(name, MaxNamedSize)
	if err != nil {
		r.unreadable(at, text, err)
		return r.File, nil, nil
	}
	if isJSON(name, data) {
		o.Format = policy.FormatJSON
		p, faults := policy.Parse(source.WithoutMark(data), o)
		return name, p, faults
	}
	doc := source.Parse(source.File{
		Name: name, Data: data, Empty: "the policy is empty: write Version and Statement", Secrets: r.Doc.Secret(at),
	}, r.Report)
	if doc == nil {
		return name, nil, nil
	}
	p, faults := policy.ParseYAML(doc.Node(doc.Root()), o)
	return name, p, faults
}

// isJSON decides by a file's name, or else by its first bytes.
func isJSON(name string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return true
	case ".yaml", ".yml":
		return false
	}
	data = bytes.TrimSpace(source.WithoutMark(data))
	return bytes.HasPrefix(data, []byte("{")) || bytes.HasPrefix(data, []byte(`"{`))
}

// Policies reads the policies of a list.
func (r *Reader) Policies(n int, o policy.Options, at *fault.Place) []*policy.Policy {
	var read []*policy.Policy
	name := o.Name
	for i := range n {
		o.Name = fmt.Sprintf("%s[%d]", name, i)
		p := r.Policy(at.Item(i), o, nil)
		if p == nil {
			r.Mark(at)
		}
		read = append(read, p)
	}
	return read
}
