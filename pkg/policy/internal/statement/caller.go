package statement

import "github.com/portcullis-authz/portcullis/pkg/policy/condition"

// PrincipalKind says what kind of principal a request comes from.
type PrincipalKind uint8

const (
	// Anonymous is a caller without credentials. It is the zero value.
	Anonymous PrincipalKind = iota
	// User is an IAM user.
	User
	// RoleSession is an assumed role's session.
	RoleSession
	// FederatedUser is an AWS STS federated user session.
	FederatedUser
	// Root is an account's root user.
	Root
	// Service is an AWS service.
	Service
	// WebIdentity is somebody whom an identity provider vouches for, with a token and without an account.
	WebIdentity
)

// Principal is who makes a request. The zero value is the anonymous caller.
type Principal struct {
	Kind PrincipalKind
	// ARN is the user's, the session's, the federated user's or the root user's ARN, the service's name, or the
	// identity provider's ARN.
	ARN string
	// Account is the 12-digit id of the caller's account.
	Account string
	// ParentARN is the role's ARN, with its path, for a session, and the user's for a federated user. The session's own
	// ARN does not hold the path: it comes from the identity store.
	ParentARN string
	// ID is the short name of a web identity's provider (accounts.google.com), the unique id (AIDA…) of the user, ParentID that (AROA…, AIDA…) of the session's role or the federated user's
	// user: what AWS stores in a policy for a principal that was deleted.
	ID, ParentID string
	// Bounded says that the caller has a permissions boundary, for the evaluation of a resource-based policy alone.
	Bounded bool
}

// Request is the question that policies decide.
type Request struct {
	Principal Principal
	// Action as in execute-api:Invoke.
	Action string
	// Resource is the ARN of what is acted on.
	Resource string
	// Spellings are other spellings of the same resource. A Deny whose Resource names one of them holds, and an Allow whose
	// NotResource names one does not; Resource in an Allow and NotResource in a Deny are about Resource alone.
	Spellings []string
	// Readings are resources that some server takes Resource for; they are among Spellings, too. A wildcard that allows Resource must take
	// each of them in as well: "*.css" is not for /admin;.css, which may be served as /admin. So must the NotResource of a Deny that spares
	// Resource. A pattern that spells out the whole path is about Resource alone.
	Readings []string
	// ResourceAccount is the 12-digit id of the account that owns the resource.
	ResourceAccount string
	// Context holds the condition keys; nil has none.
	Context condition.Context
}

// Grant is the strongest way in which a resource-based policy's Allow names the caller.
type Grant uint8

// The grants, from none to the strongest.
const (
	GrantNone Grant = iota
	// GrantAccount names the caller's account: delegation to that account's policies.
	GrantAccount
	// GrantParent names the session's role or the federated user's user.
	GrantParent
	// GrantDirect names the caller itself.
	GrantDirect
	// GrantEveryone is Principal "*".
	GrantEveryone
)
