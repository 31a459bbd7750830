package trust

import (
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// assumption is a request for a role, with what the caller's own session passes on.
type assumption struct {
	*Request
	role *Role
	// tags and transitive are passed, by the request or the token; inherited are the transitive tags of the caller's session.
	tags       []session.Tag
	transitive []string
	inherited  []session.Tag
	// sourceIdentity is that of the new session.
	sourceIdentity string
	chained        bool
}

// Assume returns the session that a request amounts to. A nil role is one that does not exist. The error is a *Refused.
func Assume(role *Role, r *Request) (*session.Session, error) {
	if refused := r.check(); refused != nil {
		return nil, refused
	}
	a := &assumption{Request: r, role: role, sourceIdentity: r.newSourceIdentity()}
	a.tags, a.transitive = r.newTags()
	for _, step := range []func() *Refused{a.callerMayAssume, a.inherit, a.exists, a.trusts, a.authorize, a.lasts, a.narrowed} {
		if refused := step(); refused != nil {
			return nil, refused
		}
	}
	return a.session(), nil
}

// newTags returns the tags that the request or the token passes, and the keys of those that are transitive.
func (r *Request) newTags() ([]session.Tag, []string) {
	switch {
	case r.Web != nil:
		return r.Web.Tags, r.Web.TransitiveTagKeys
	case r.Workload != "":
		return []session.Tag{{Key: WorkloadTag, Value: r.Workload}}, nil
	}
	return r.Tags, r.TransitiveTagKeys
}

// newSourceIdentity returns the source identity that the request or the token sets.
func (r *Request) newSourceIdentity() string {
	if r.Web != nil {
		return r.Web.SourceIdentity
	}
	return r.SourceIdentity
}

// callerMayAssume refuses callers who may assume no role ("Compare AWS STS credentials", IAM User Guide).
func (a *assumption) callerMayAssume() *Refused {
	if a.Caller == nil {
		return nil
	}
	switch a.Caller.Principal().Kind {
	case policy.User, policy.RoleSession:
		return nil
	case policy.Root:
		return &Refused{Code: AccessDenied, Message: "Roles may not be assumed by root accounts."}
	case policy.FederatedUser:
		return a.denied("sts:AssumeRole", "a federated user may assume no role")
	default:
		return a.denied("sts:AssumeRole", "the caller is neither a user nor a role session")
	}
}

// inherit takes over from the caller's session: its source identity and its transitive tags, which cannot change.
func (a *assumption) inherit() *Refused {
	if a.Caller == nil {
		return nil
	}
	a.chained = a.Caller.Principal().Kind == policy.RoleSession
	if set, ok := a.Caller.Lookup(sourceIdentityKey); ok {
		if a.sourceIdentity != "" && a.sourceIdentity != set.String() {
			return a.denied("sts:SetSourceIdentity", "the source identity of the caller's session cannot change")
		}
		a.sourceIdentity = set.String()
	}
	a.inherited = a.Caller.TransitiveTags()
	for _, tag := range a.inherited {
		if hasTag(a.tags, tag.Key) {
			return invalid("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
	}
	if len(a.tags)+len(a.inherited) > maxTags {
		return invalid("The request has %d tags and inherits %d; a session has at most %d.", len(a.tags), len(a.inherited), maxTags)
	}
	return nil
}

var (
	sourceIdentityKey = policy.NewKey("aws:SourceIdentity")
	issueTimeKey      = policy.NewKey("aws:TokenIssueTime")
)

// operation is the action that the request needs.
func (a *assumption) operation() string {
	if a.Web != nil {
		return "sts:AssumeRoleWithWebIdentity"
	}
	return "sts:AssumeRole"
}

// exists refuses a role that does not exist.
func (a *assumption) exists() *Refused {
	switch {
	case a.role == nil:
		return a.denied(a.operation(), "no account has the role")
	case a.role.ARN != a.Role || a.role.ID == "" || a.role.Account == "" || a.role.Partition == "":
		return &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "the role is incomplete"}
	}
	return nil
}

// trusts refuses a role without a trust policy.
func (a *assumption) trusts() *Refused {
	switch {
	case a.role.Trust == nil:
		return a.denied(a.operation(), "the role has no trust policy")
	case a.role.Trust.Kind() != policy.Trust:
		return &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "the role's trust policy was read as another kind"}
	}
	return nil
}

// authorize asks the policies for each action of the request.
func (a *assumption) authorize() *Refused {
	actions := []string{a.operation()}
	if len(a.tags)+len(a.transitive)+len(a.inherited) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.sourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if refused := a.allows(action); refused != nil {
			return refused
		}
	}
	return nil
}

func (a *assumption) allows(action string) *Refused {
	request := policy.Request{
		Principal: a.principal(), Action: action, Resource: a.role.ARN, ResourceAccount: a.role.Account, Context: facts{a},
	}
	if a.chained && action == "sts:SetSourceIdentity" {
		request.ResourceAccount = "" // both sides have to allow, as across accounts
	}
	var policies policy.Policies
	if a.Caller != nil {
		policies = a.Caller.Policies()
	}
	policies.Resource = a.role.Trust
	result := policy.Evaluate(&policies, &request)
	if result.Decision == policy.Allow {
		return nil
	}
	return a.deniedBy(action, &policies, &request, result)
}

// deniedBy is the refusal of an action by policies.
func (a *assumption) deniedBy(action string, policies *policy.Policies, request *policy.Request, result policy.Result) *Refused {
	refused := a.denied(action, reason(result))
	refused.Explicit, refused.Policy, refused.Statement = result.Decision == policy.ExplicitDeny, result.Policy, result.Statement
	refused.Condition, refused.ConditionKey = policies.DecidingCondition(request, result)
	if refused.ConditionKey != "" {
		refused.Detail += ", by the condition " + refused.Condition + " " + refused.ConditionKey
	}
	return refused
}

func (a *assumption) principal() policy.Principal {
	if a.Caller != nil {
		return a.Caller.Principal()
	}
	if a.Workload != "" {
		return policy.Principal{Kind: policy.Service, ARN: RolesAnywhere}
	}
	arn, short := a.role.provider(a.Web)
	return policy.Principal{Kind: policy.WebIdentity, ARN: arn, ID: short}
}

// denied is the refusal of an action. The message is STS's, and the same whether the role exists or not.
func (a *assumption) denied(action, detail string) *Refused {
	if a.Caller == nil {
		return &Refused{Code: AccessDenied, Message: "Not authorized to perform " + action, Detail: detail}
	}
	return &Refused{
		Code: AccessDenied, Detail: detail,
		Message: "User: " + a.Caller.Principal().ARN + " is not authorized to perform: " + action + " on resource: " + a.Role,
	}
}

// reason says which policy denies, or which side does not allow.
func reason(r policy.Result) string {
	if r.Decision == policy.ExplicitDeny {
		return r.Statement + " of " + r.Policy + " (" + r.By.String() + ") denies"
	}
	switch r.Missing {
	case policy.SideResource:
		return "the role's trust policy does not allow"
	case policy.SideIdentity:
		return "no identity-based policy of the caller allows"
	case policy.SideBoundary:
		return "the caller's permissions boundary does not allow"
	case policy.SideSession:
		return "no session policy of the caller allows"
	case policy.SideSCP:
		return "no service control policy allows"
	default:
		return "no policy allows"
	}
}

// lasts limits the duration by the role and, for chained roles, to an hour.
func (a *assumption) lasts() *Refused {
	switch {
	case a.chained && a.Duration > chainedDuration:
		return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case a.duration() > max(a.role.MaxDuration, DefaultDuration):
		return invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}

// duration is how long the session lasts.
func (r *Request) duration() time.Duration {
	if r.Duration == 0 {
		return DefaultDuration
	}
	return r.Duration
}

// narrowed checks the session policies, which have to be readable when the session is used.
func (a *assumption) narrowed() *Refused {
	if a.Policy != "" {
		_, faults := policy.Parse([]byte(a.Policy), policy.Options{Name: "session-policy", Kind: policy.Session, Format: policy.FormatJSON})
		for _, f := range faults {
			if !f.Warning {
				return &Refused{Code: MalformedPolicyDocument, Message: "The session policy is not valid: " + f.Text()}
			}
		}
	}
	for _, arn := range a.PolicyARNs {
		if a.role.Managed == nil || a.role.Managed(arn) == nil {
			return invalid("PolicyArn %s does not exist or is not attachable.", arn)
		}
	}
	return nil
}

func (a *assumption) session() *session.Session {
	s := &session.Session{
		Role: a.role.ARN, RoleID: a.role.ID, Name: a.SessionName, Issued: a.issued(), Expires: seconds(a.At).Add(a.duration()),
		Policy: a.Policy, PolicyARNs: slices.Clone(a.PolicyARNs),
		Tags: slices.Concat(a.inherited, a.tags), SourceIdentity: a.sourceIdentity,
	}
	for _, tag := range a.inherited {
		s.TransitiveTagKeys = append(s.TransitiveTagKeys, tag.Key)
	}
	for _, key := range a.transitive {
		if !slices.Contains(s.TransitiveTagKeys, key) {
			s.TransitiveTagKeys = append(s.TransitiveTagKeys, key)
		}
	}
	if a.Web != nil {
		provider, short := a.role.provider(a.Web)
		if s.FederatedProvider = provider; short != "" {
			s.FederatedProvider = short
		}
	}
	return s
}

// issued returns aws:TokenIssueTime of the session. A caller whose own time is not known gets none that is newer: a policy that revokes
// older sessions would miss the new one otherwise.
func (a *assumption) issued() time.Time {
	if a.Caller == nil {
		return seconds(a.At)
	}
	if own, ok := a.Caller.Lookup(issueTimeKey); ok && own.String() == policy.TimeValue(time.Unix(0, 0)).String() {
		return time.Unix(0, 0).UTC()
	}
	return seconds(a.At)
}
