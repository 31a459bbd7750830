package config

import (
	"bytes"
	"cmp"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// resourcePolicy reads the resource policy of one of the APIs.
func (c *compiler) resourcePolicy(config *gateway.Config, i int, n *yaml.Node, at *path) *policy.Policy {
	api := &config.APIs[i]
	options := policy.Options{Name: "resource-policy", Kind: policy.Resource, ExpandPrefix: api.ARNPrefix()}
	return c.attached(n, options, func() policy.Target { return api.PolicyTarget(config.VPCEndpoints) }, at)
}

// endpointPolicy reads a VPC endpoint policy.
func (c *compiler) endpointPolicy(e *gateway.VPCEndpoint, n *yaml.Node, at *path) *policy.Policy {
	options := policy.Options{Name: "vpc-endpoint-policy/" + cmp.Or(e.ID, e.VPC), Kind: policy.VPCEndpoint}
	return c.attached(n, options, e.PolicyTarget, at)
}

// attached reads a policy, from its node or from the file that the node names, and checks it against what it is attached to,
// if that can be told.
func (c *compiler) attached(n *yaml.Node, o policy.Options, to func() policy.Target, at *path) *policy.Policy {
	if n == nil || isNull(n) { // null is refused as such
		return nil
	}
	name, p, faults := c.parsePolicy(n, o, at)
	switch {
	case p != nil && to != nil:
		faults = append(faults, p.Lint(to())...)
	case p == nil:
		c.report.mark(at.String())
	}
	for _, f := range faults {
		if c.report.refused[place{name, f.Line, f.Column}] {
			continue
		}
		c.report.add(Fault{File: name, Line: f.Line, Column: f.Column, Message: inStatement(f), Warning: f.Warning})
	}
	return p
}

// parsePolicy tells the forms of a policy apart: {file: …}, {inline: …}, or the policy itself. It returns the name of the
// file whose positions the faults have.
func (c *compiler) parsePolicy(n *yaml.Node, o policy.Options, at *path) (string, *policy.Policy, []policy.Fault) {
	file, inline := child(n, "file"), child(n, "inline")
	switch {
	case (file != nil || inline != nil) && len(n.Content) != 2:
		c.fault(at, "%s must have file: or inline: alone, or be the policy itself", at.label())
		return c.file, nil, nil
	case file != nil:
		return c.parsePolicyFile(file, o, at.field("file"))
	case inline != nil:
		n = inline
	}
	if n.Kind == yaml.ScalarNode && !strings.HasPrefix(strings.TrimSpace(n.Value), "{") {
		c.fault(at, "%s must be {file: name}, or a policy, as fields or as JSON text", at.label())
		return c.file, nil, nil
	}
	p, faults := policy.ParseYAML(n, o)
	return c.file, p, faults
}

func (c *compiler) parsePolicyFile(n *yaml.Node, o policy.Options, at *path) (string, *policy.Policy, []policy.Fault) {
	name, ok := c.named(n)
	if !ok {
		c.fault(at, "file must be the name of a file, relative to the folder of this one")
		return c.file, nil, nil
	}
	data, err := c.files.read(name, maxNamedSize)
	if err != nil {
		c.unreadable(at, n.Value, err)
		return c.file, nil, nil
	}
	if isJSON(name, data) {
		o.Format = policy.FormatJSON
		p, faults := policy.Parse(bytes.TrimPrefix(data, byteOrderMark), o)
		return name, p, faults
	}
	root := c.report.parse(name, data, "there is no policy here: write Version and Statement")
	if root == nil {
		return name, nil, nil
	}
	p, faults := policy.ParseYAML(root, o)
	return name, p, faults
}

// isJSON tells by a file's name, or else by how it begins.
func isJSON(name string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(data, byteOrderMark)), []byte("{"))
}

// named returns the name of the file that a node of the configuration names: relative to the configuration's folder.
func (c *compiler) named(n *yaml.Node) (name string, ok bool) {
	if n.Kind != yaml.ScalarNode || isNull(n) || n.Value == "" {
		return "", false
	}
	return c.relative(n.Value), true
}

// relative is the name of a file that the configuration names: relative to its folder.
func (c *compiler) relative(file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(filepath.Dir(c.file), file)
}

// gather reads the files that a configuration names, so that all are read before any is looked into.
func (c *compiler) gather() {
	c.gatherPolicies("apis", "resourcePolicy")
	c.gatherPolicies("vpcEndpoints", "policy")
	c.gatherIAM()
	c.gatherIssuers()
	c.gatherFunctions()
	c.gatherCache()
}

// gatherPolicies reads the policy files that the items of a list name.
func (c *compiler) gatherPolicies(list, field string) {
	for n := range items(c.root, list) {
		c.gatherFile(child(n, field), maxNamedSize)
	}
}

// gatherFile reads the file that a mapping names as its file.
func (c *compiler) gatherFile(n *yaml.Node, limit int64) {
	file := child(n, "file")
	if file == nil {
		return
	}
	if name, ok := c.named(file); ok {
		_, _ = c.files.read(name, limit) // what is wrong with it is said where it is used
	}
}

// inStatement is a policy fault's message with the statement that it is about.
func inStatement(f policy.Fault) string {
	if f.Statement == "" {
		return f.Message
	}
	return f.Statement + ": " + f.Message
}
