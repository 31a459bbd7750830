package config

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// resourcePolicy reads the resource policy of one of the APIs.
func (c *compiler) resourcePolicy(config *gateway.Config, i int, imported bool, at *fault.Place) *policy.Policy {
	api := &config.APIs[i]
	options := policy.Options{Name: "resource-policy", Kind: policy.Resource, ExpandPrefix: api.ARNPrefix(), Digest: c.Places}
	return c.attached(at.Field("resourcePolicy"), options, func(p *policy.Policy) []fault.Fault {
		return c.allowed(p.Lint(api.PolicyTarget(config.VPCEndpoints)), imported, at)
	})
}

// allowed returns what is wrong with the policy of an API. A definition with unresolved: deny keeps a Deny that can never apply, as API
// Gateway does, and so does what is converted from one.
func (c *compiler) allowed(faults []fault.Fault, imported bool, at *fault.Place) []fault.Fault {
	definition := at.Field("definition")
	unresolved, _ := c.doc.Text(definition.Field("unresolved"))
	for i := range faults {
		f := &faults[i]
		switch {
		case f.Warning:
		case c.doc.Node(definition) == nil:
			f.Warning = imported
		case unresolved == "deny":
			f.Warning = true
		default:
			f.Message += "; on AWS it does not apply either: correct the definition, give a resourcePolicy beside it with override, or write unresolved: deny to keep the statement as it is"
		}
	}
	return faults
}

// endpointPolicy reads a VPC endpoint policy.
func (c *compiler) endpointPolicy(e *gateway.VPCEndpoint, at *fault.Place) *policy.Policy {
	options := policy.Options{Name: "vpc-endpoint-policy/" + cmp.Or(e.ID, e.VPC), Kind: policy.VPCEndpoint}
	return c.attached(at.Field("policy"), options, func(p *policy.Policy) []fault.Fault { return p.Lint(e.PolicyTarget()) })
}

// attached reads the policy at a place, or in the file named there. It checks the policy against what it is attached
// to, if that is known.
func (r *reader) attached(at *fault.Place, o policy.Options, lint func(*policy.Policy) []fault.Fault) *policy.Policy {
	n := r.doc.Node(at)
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
func (r *reader) parsePolicy(n *yaml.Node, o policy.Options, at *fault.Place) (string, *policy.Policy, []fault.Fault) {
	file, inline := r.doc.Node(at.Field("file")), r.doc.Node(at.Field("inline"))
	switch {
	case (file != nil || inline != nil) && len(n.Content) != 2:
		r.Fault(at, "%s must have file: or inline: alone, or be the policy itself", at.Label())
		return r.doc.File(n), nil, nil
	case file != nil:
		return r.parsePolicyFile(at.Field("file"), o)
	case inline != nil:
		n = inline
	}
	if n.Kind == yaml.ScalarNode && !strings.HasPrefix(strings.TrimLeft(n.Value, "\" \t\r\n"), "{") {
		r.Fault(at, "%s must be {file: name}, or a policy, as fields or as JSON text", at.Label())
		return r.doc.File(n), nil, nil
	}
	p, faults := policy.ParseYAML(n, o)
	return r.doc.File(n), p, faults
}

func (r *reader) parsePolicyFile(at *fault.Place, o policy.Options) (string, *policy.Policy, []fault.Fault) {
	text, ok := r.doc.Text(at)
	if !ok {
		r.Fault(at, "file must be the name of a file, relative to the folder of this one")
		return r.file, nil, nil
	}
	name := r.relative(text)
	data, err := r.files.Read(name, maxNamedSize)
	if err != nil {
		r.unreadable(at, text, err)
		return r.file, nil, nil
	}
	if isJSON(name, data) {
		o.Format = policy.FormatJSON
		p, faults := policy.Parse(source.WithoutMark(data), o)
		return name, p, faults
	}
	doc := source.Parse(source.File{
		Name: name, Data: data, Empty: "the policy is empty: write Version and Statement", Secrets: r.doc.Secret(at),
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

// policies reads the policies of a list.
func (r *reader) policies(n int, o policy.Options, at *fault.Place) []*policy.Policy {
	var read []*policy.Policy
	name := o.Name
	for i := range n {
		o.Name = fmt.Sprintf("%s[%d]", name, i)
		p := r.attached(at.Item(i), o, nil)
		if p == nil {
			r.Mark(at)
		}
		read = append(read, p)
	}
	return read
}

// gatherPolicies reads the policy files that the items of a list name.
func (c *compiler) gatherPolicies(list, field string) {
	for at := range c.doc.Items(c.doc.Root().Field(list)) {
		c.gatherFile(at.Field(field), maxNamedSize)
	}
}
