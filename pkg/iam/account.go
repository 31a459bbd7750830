package iam

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Organization describes an account's place in AWS Organizations. The zero value is an account outside any
// organization.
type Organization struct {
	// ID is aws:PrincipalOrgID, Paths are aws:PrincipalOrgPaths.
	ID    string
	Paths []string
	// ServiceControlPolicies are the levels from the organization's root down to the account.
	ServiceControlPolicies [][]*policy.Policy
}

// account is one account of a Store.
type account struct {
	id           string
	organization Organization
	// managed holds the managed policies that a session may name, by ARN.
	managed map[string]*storedPolicy
}

// principal is a user or a role.
type principal struct {
	account  *account
	kind     policy.PrincipalKind // User, or RoleSession for a role
	arn      string
	name, id string
	identity []*policy.Policy
	boundary *policy.Policy
	tags     map[string]string // by key in lower case
	// trust and maxSession are set for roles; a role without trust policy trusts nobody.
	trust      *storedPolicy
	maxSession time.Duration
}

// AddAccount reads an account as `aws iam get-account-authorization-details` prints it. After a fault that is not a
// warning, the Builder must not be used.
func (b *Builder) AddAccount(data []byte, o Organization) []fault.Fault {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	e := &export{reader: newReader(data)}
	e.read(e.response)
	if len(e.faults) == 0 {
		b.resolve(e, o)
	}
	return e.faults
}

// resolver links the parts of one export.
type resolver struct {
	*export
	partition string
	account   *account
	managed   map[string]*managedPolicy
	compiled  map[compiledPolicy]*policy.Policy
	ofGroups  map[string][]*policy.Policy
	// trusts holds the trust policies by text, which many roles share.
	trusts map[string]*storedPolicy
	// doubts are the warnings about trust policies, by message.
	doubts map[string]*doubt
}

// doubt is a warning that the trust policies of several roles share. It is reported once, at the first of them.
type doubt struct {
	at     document
	fault  fault.Fault
	others int
}

type compiledPolicy struct {
	arn  string
	kind policy.Kind
}

func (b *Builder) resolve(e *export, o Organization) {
	r := &resolver{
		export: e, account: &account{organization: o},
		managed: make(map[string]*managedPolicy, len(e.policies)), compiled: map[compiledPolicy]*policy.Policy{},
		ofGroups: make(map[string][]*policy.Policy, len(e.groups)), trusts: map[string]*storedPolicy{}, doubts: map[string]*doubt{},
	}
	r.checkAccount(b)
	for i := range e.policies {
		r.addManaged(&e.policies[i])
	}
	for i := range e.groups {
		r.addGroup(&e.groups[i])
	}
	for i := range e.users {
		r.addPrincipal(b, &e.users[i], policy.User)
	}
	for i := range e.roles {
		r.addPrincipal(b, &e.roles[i], policy.RoleSession)
	}
	r.reportDoubts()
	r.keepManaged(b)
}

// checkAccount finds the account of this export. All ARNs in it must agree.
func (r *resolver) checkAccount(b *Builder) {
	for _, list := range [][]entity{r.users, r.groups, r.roles} {
		for i := range list {
			if a, err := arn.Parse(list[i].arn); err == nil {
				r.partition, r.account.id = a.Partition, a.Account
				break
			}
		}
	}
	switch {
	case r.account.id == "":
		r.fault(0, "the export has no user, group or role: print it with aws iam get-account-authorization-details")
	case b.accounts[r.account.id] != nil:
		r.fault(0, "the account %s is given twice: keep one export of it", r.account.id)
	default:
		b.accounts[r.account.id] = r.account
		b.partitions[r.account.id] = r.partition
	}
}

// checkEntity compares an entity's ARN with its name, path and account.
func (r *resolver) checkEntity(t *entity) bool {
	before := len(r.faults)
	a, err := arn.Parse(t.arn)
	path, named := strings.CutPrefix(a.Resource, t.kind)
	path, ends := strings.CutSuffix(path, t.name)
	switch {
	case t.name == "" || t.id == "" || t.arn == "":
		r.fault(t.at, "the %s has no name, id or Arn", t.kind)
	case err != nil || a.Service != "iam" || a.Region != "" || !isAccount(a.Account):
		r.fault(t.at, "the %s %q has an Arn that does not belong to IAM", t.kind, t.name)
	case !named || !ends || !strings.HasPrefix(path, "/") || !strings.HasSuffix(path, "/") || t.hasPath && path != t.path:
		r.fault(t.at, "the %s %q has an Arn that does not fit its name and path", t.kind, t.name)
	case a.Account != r.account.id || a.Partition != r.partition:
		r.fault(t.at, "the %s %q belongs to another account than the export (%s): keep one account in a file", t.kind, t.name, r.account.id)
	}
	return len(r.faults) == before
}

func isAccount(text string) bool { return len(text) == 12 && strings.Trim(text, "0123456789") == "" }

func (r *resolver) addManaged(p *managedPolicy) {
	if p.arn == "" {
		r.fault(p.at, "the managed policy has no Arn")
		return
	}
	if r.managed[p.arn] != nil {
		r.fault(p.at, "the policy %s is given twice", p.arn)
	}
	r.managed[p.arn] = p
}

// defaultOne returns the default version of a managed policy, which is the effective one.
func (p *managedPolicy) defaultOne() (*version, error) {
	var found *version
	for i := range p.versions {
		v := &p.versions[i]
		if !v.isDefault {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the policy %s has two default versions", p.arn)
		}
		found = v
	}
	if found == nil || found.data == nil || p.defaultVersion != "" && found.id != p.defaultVersion {
		return nil, fmt.Errorf("the policy %s has no document for its default version in PolicyVersionList", p.arn)
	}
	return found, nil
}

const howToExport = "export the account again with aws iam get-account-authorization-details, without --filter, " +
	"or with --filter User Role Group LocalManagedPolicy AWSManagedPolicy"

// policy returns a managed policy, compiled once for each kind of use. After a fault it returns nil, which grants
// nothing.
func (r *resolver) policy(to *entity, ref reference, kind policy.Kind) *policy.Policy {
	key := compiledPolicy{ref.arn, kind}
	if p, done := r.compiled[key]; done {
		return p
	}
	managed := r.managed[ref.arn]
	if managed == nil {
		r.fault(ref.at, "the %s %q has the policy %q, which is not among the Policies of the export: %s", to.kind, to.name, ref.arn, howToExport)
		return nil
	}
	v, err := managed.defaultOne()
	if err != nil {
		r.fault(managed.at, "%v: %s", err, howToExport)
		r.compiled[key] = nil
		return nil
	}
	p := r.compile(v.document, policy.Options{Name: ref.arn, Kind: kind})
	r.compiled[key] = p
	return p
}

func (r *resolver) compile(d document, o policy.Options) *policy.Policy {
	if d.data == nil {
		r.fault(d.at, "the policy %q has no document", o.Name)
		return nil
	}
	o.Format = policy.FormatJSON
	p, faults := policy.Parse(d.data, o)
	for _, f := range faults {
		r.policyFault(d, o.Name, f)
	}
	return p
}

// identity compiles an entity's own policies.
func (r *resolver) identity(t *entity) []*policy.Policy {
	policies := make([]*policy.Policy, 0, len(t.inline)+len(t.attached))
	for i, p := range t.inline {
		if p.name == "" {
			r.fault(p.at, "the inline policy has no PolicyName")
		}
		for _, other := range t.inline[:i] {
			if other.name == p.name {
				r.fault(p.at, "the %s %q has the inline policy %q twice", t.kind, t.name, p.name)
			}
		}
		policies = append(policies, r.compile(p.document, policy.Options{
			Name: "inline/" + t.kind + "/" + t.name + "/" + p.name, Kind: policy.Identity,
		}))
	}
	for _, ref := range t.attached {
		policies = append(policies, r.policy(t, ref, policy.Identity))
	}
	return policies
}

func (r *resolver) addGroup(t *entity) {
	if !r.checkEntity(t) {
		return
	}
	if _, twice := r.ofGroups[t.name]; twice {
		r.fault(t.at, "the group %q is given twice", t.name)
	}
	r.ofGroups[t.name] = r.identity(t)
}

func (r *resolver) addPrincipal(b *Builder, t *entity, kind policy.PrincipalKind) {
	if !r.checkEntity(t) {
		return
	}
	if b.principals[t.arn] != nil {
		r.fault(t.at, "the %s %q is given twice", t.kind, t.name)
		return
	}
	p := &principal{account: r.account, kind: kind, arn: t.arn, name: t.name, id: t.id, identity: r.identity(t), tags: t.tags}
	for _, name := range t.groups {
		group, ok := r.ofGroups[name]
		if !ok {
			r.fault(t.at, "the user %q is in the group %q, which is not in the export: %s", t.name, name, howToExport)
			continue
		}
		p.identity = append(p.identity, group...)
	}
	if t.permissionsBounds {
		p.boundary = r.policy(t, t.boundary, policy.Boundary)
	}
	if kind == policy.RoleSession {
		p.trust, p.maxSession = r.trustPolicy(b, t), time.Duration(t.maxSession)*time.Second
	}
	b.principals[t.arn] = p
}

// trustPolicy checks the trust policy of a role. Roles with the same text share it.
func (r *resolver) trustPolicy(b *Builder, t *entity) *storedPolicy {
	if t.trust.data == nil {
		return nil
	}
	text := string(t.trust.data)
	if p, done := r.trusts[text]; done {
		return p
	}
	compiled := r.compile(t.trust, policy.Options{Name: TrustPolicyName, Kind: policy.Trust})
	for _, f := range b.lint(compiled, r.partition, r.account.id) {
		r.doubt(t.trust, f)
	}
	r.trusts[text] = &storedPolicy{name: TrustPolicyName, kind: policy.Trust, text: text}
	return r.trusts[text]
}

func (r *resolver) doubt(at document, f fault.Fault) {
	if same := r.doubts[f.Message]; same != nil {
		same.others++
		return
	}
	r.doubts[f.Message] = &doubt{at: at, fault: f}
}

func (r *resolver) reportDoubts() {
	for _, message := range slices.Sorted(maps.Keys(r.doubts)) {
		d := r.doubts[message]
		if d.others > 0 {
			d.fault.Message += fmt.Sprintf(" (%d more trust policies of the export do the same)", d.others)
		}
		r.policyFault(d.at, TrustPolicyName, d.fault)
	}
}
