package config

import (
	"cmp"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// resourcePolicy reads the resource policy of one of the APIs.
func (c *compiler) resourcePolicy(config *gateway.Config, i int, imported bool, at *fault.Place) *policy.Policy {
	api := &config.APIs[i]
	options := policy.Options{Name: "resource-policy", Kind: policy.Resource, ExpandPrefix: api.ARNPrefix(), Digest: c.Places}
	return c.Policy(at.Field("resourcePolicy"), options, func(p *policy.Policy) []fault.Fault {
		return c.allowed(p.Lint(api.PolicyTarget(config.VPCEndpoints)), imported, at)
	})
}

// allowed returns what is wrong with the policy of an API. A definition with unresolved: deny keeps a Deny that can never apply, as API
// Gateway does, and so does what is converted from one.
func (c *compiler) allowed(faults []fault.Fault, imported bool, at *fault.Place) []fault.Fault {
	definition := at.Field("definition")
	unresolved, _ := c.Doc.Text(definition.Field("unresolved"))
	for i := range faults {
		f := &faults[i]
		switch {
		case f.Warning:
		case c.Doc.Node(definition) == nil:
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
	return c.Policy(at.Field("policy"), options, func(p *policy.Policy) []fault.Fault { return p.Lint(e.PolicyTarget()) })
}

// gatherPolicies reads the policy files that the items of a list name.
func (c *compiler) gatherPolicies(list, field string) {
	for at := range c.Doc.Items(c.Doc.Root().Field(list)) {
		c.GatherFile(at.Field(field), reader.MaxNamedSize)
	}
}
