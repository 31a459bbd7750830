package policy

import "github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"

// Policies are the policies that apply to a request. A nil Boundary or Resource means that there is none.
type Policies struct {
	Identity []*Policy
	Boundary *Policy
	// Session are the session policies, of which one has to allow; none do not limit.
	Session []*Policy
	// Resource may be the trust policy of the role that the request is about.
	Resource *Policy
	// SCP and RCP are levels, from the organization's root down to the account: on each level one policy has to allow.
	SCP, RCP    [][]*Policy
	VPCEndpoint *Policy
	// RootNeedsAllow takes away the root user's allowance to do everything in its account.
	RootNeedsAllow bool
}

// Decision is the outcome of an evaluation. Its zero value denies.
type Decision uint8

const (
	// ImplicitDeny means that no statement allows. It is the zero value.
	ImplicitDeny Decision = iota
	// ExplicitDeny means that a statement denies.
	ExplicitDeny
	// Allow means that the request is allowed.
	Allow
)

// String is the outcome as IAM's policy simulator calls it.
func (d Decision) String() string {
	switch d {
	case Allow:
		return "allowed"
	case ExplicitDeny:
		return "explicitDeny"
	case ImplicitDeny:
	}
	return "implicitDeny"
}

// Side names the kind of policy that lacks an Allow.
type Side uint8

// The sides. SideNone is for decisions that are not implicit denies.
const (
	SideNone Side = iota
	SideIdentity
	SideResource
	SideBoundary
	SideSession
	SideSCP
	SideRCP
	SideVPCEndpoint
)

// Result is a decision and why it is so.
type Result struct {
	Decision Decision
	// Policy and Statement name the deciding policy, and its statement by Sid or position ("Statement[2]").
	Policy, Statement string
	// By is the deciding policy's kind; it means nothing in an implicit deny.
	By Kind
	// Missing is the side that lacks an Allow, in an implicit deny.
	Missing Side
	// Grant is how a resource-based policy's Allow names the caller; set by Policy.Evaluate and, if it was asked, Evaluate.
	Grant Grant
}

// What a request is; package statement uses it to find the statements that apply.
type (
	// Request is the question that policies decide.
	Request = statement.Request
	// Principal is who makes a request. The zero value is the anonymous caller.
	Principal = statement.Principal
	// PrincipalKind says what kind of principal a request comes from.
	PrincipalKind = statement.PrincipalKind
	// Grant is the strongest way in which a resource-based policy's Allow names the caller.
	Grant = statement.Grant
)

// The kinds of principals.
const (
	Anonymous     = statement.Anonymous
	User          = statement.User
	RoleSession   = statement.RoleSession
	FederatedUser = statement.FederatedUser
	Root          = statement.Root
	Service       = statement.Service
	WebIdentity   = statement.WebIdentity
)

// The grants, from none to the strongest.
const (
	GrantNone     = statement.GrantNone
	GrantAccount  = statement.GrantAccount
	GrantParent   = statement.GrantParent
	GrantDirect   = statement.GrantDirect
	GrantEveryone = statement.GrantEveryone
)
