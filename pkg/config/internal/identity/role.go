package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// roles adds the roles and users that portcullis.yaml writes. A nil builder means that an account is at fault: they are read and
// not added.
func (c *compiler) roles(b *iam.Builder, m *configv1.Iam, at *fault.Place) {
	for i, user := range m.GetUsers() {
		at := at.Field("users").Item(i)
		w := &iam.Written{Name: user.GetName(), Account: user.GetAccount(), ARN: user.GetArn(), ID: user.GetId(), Tags: user.GetTags()}
		c.writtenPolicies(w, "user", len(user.GetPolicies()), at)
		if b != nil {
			c.written(b.AddUser(w, at))
		}
	}
	for i, role := range m.GetRoles() {
		at := at.Field("roles").Item(i)
		w := &iam.Written{
			Name: role.GetName(), Account: role.GetAccount(), ARN: role.GetArn(), ID: role.GetId(), Tags: role.GetTags(),
			MaxSession: int(role.GetMaxSessionDuration()),
		}
		c.writtenPolicies(w, "role", len(role.GetPolicies()), at)
		w.Trust = c.Policy(at.Field("trustPolicy"), policy.Options{Name: iam.TrustPolicyName, Kind: policy.Trust}, func(p *policy.Policy) []fault.Fault {
			return b.Lint(w, p)
		})
		if c.Follows(at.Field("maxSessionDuration")) {
			w.MaxSession = 0
		}
		if b != nil {
			c.written(b.AddRole(w, at))
		}
	}
}

func (c *compiler) written(faults []fault.Fault) {
	for _, wrong := range faults {
		c.IfNew(wrong.At, wrong.Message)
	}
}

// writtenPolicies reads the policies and the permissions boundary of a user or role.
func (c *compiler) writtenPolicies(w *iam.Written, kind string, n int, at *fault.Place) {
	name := w.Name
	if w.ARN != "" {
		name = w.ARN
	}
	w.Policies = c.Policies(n, policy.Options{Name: "policy/" + kind + "/" + name, Kind: policy.Identity}, at.Field("policies"))
	w.Boundary = c.Policy(at.Field("permissionsBoundary"), policy.Options{Name: "permissions-boundary/" + kind + "/" + name, Kind: policy.Boundary}, nil)
}
