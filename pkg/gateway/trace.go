package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Trace is how a request went through the steps. It holds no header, query value, body, token or signature.
type Trace struct {
	// Steps are those that ran, in their order.
	Steps []TraceStep
	// Routes are the routes whose resource matches the path, the most specific resource first.
	Routes []TraceRoute
	// BasePaths are those of the host, if the path has none of them.
	BasePaths []string
	// Evaluations are the policies that were asked, in their order. Combined names the rule that made one decision of them.
	Evaluations []Evaluation
	Combined    string

	questions []question
	offline   bool
}

// ExplainOptions change what Explain decides, for questions such as "what if".
type ExplainOptions struct {
	// As counts as the request's verified signer, if it is not nil.
	As *Signed
	// Offline denies at the step caller instead of asking a function.
	Offline bool
}

// TraceStep is one step of a decision.
type TraceStep struct {
	Name authz.Step
	// Outcome is "goes on", "denies", "answers" or "allows". Found says what the step found out; empty for nothing.
	Outcome, Found string
}

// TraceRoute is a route whose resource matches the path.
type TraceRoute struct {
	Route  string
	Chosen bool
	// Why says why the route was not chosen.
	Why string
}

// Evaluation is what the statements of some policies say about the request, for the caller whom they were asked about.
type Evaluation struct {
	Step authz.Step
	// Policies names what was asked, Caller whom about: an ARN or "anonymous". Resource is the method ARN.
	Policies, Caller, Resource string
	policy.Explanation
	// Values says for each condition key that a statement names what the request has for it.
	Values map[string]string
}

// question is a policy that was asked; nil for the signer's policies with the API's.
type question struct {
	step   authz.Step
	policy *policy.Policy
	caller *model.Signed
}

// Explain decides one request as Authorize does, and records the way. Only callers of this function start a trace: nothing in a request
// does.
func (g *Gateway) Explain(ctx context.Context, r *authz.Request, o ExplainOptions) (authz.Decision, *Trace) {
	in := g.take(r)
	in.trace, in.signed = &Trace{offline: o.Offline}, o.As
	d := in.decideAll(ctx)
	in.trace.complete(in)
	return d, in.trace
}

// evaluated notes that a policy was asked. Its statements are looked at after the decision, because that may read values which the decision
// did not need, and which are faults if they cannot be determined.
func (t *Trace) evaluated(in *invocation, p *policy.Policy) {
	if t != nil {
		t.questions = append(t.questions, question{in.step, p, in.asker.signed})
	}
}

// complete adds what is found out after the decision.
func (t *Trace) complete(in *invocation) {
	if in.stage == nil {
		t.BasePaths = in.gateway.BasePaths(in.host)
		return
	}
	if in.full.Text == "" {
		return
	}
	if slices.ContainsFunc(t.Steps, func(s TraceStep) bool { return s.Name == authz.StepRoute }) {
		t.Routes = routesFor(in)
	}
	for _, q := range t.questions {
		t.Evaluations = append(t.Evaluations, q.explain(in))
	}
	if len(t.questions) > 0 {
		t.Combined = combined(in)
	}
}

func (q *question) explain(in *invocation) Evaluation {
	request := in.policyRequest(q.caller)
	e := Evaluation{Step: q.step, Caller: "anonymous", Resource: request.Resource, Values: map[string]string{}}
	if q.caller != nil {
		e.Caller = q.caller.Principal.ARN
	}
	if q.policy != nil {
		e.Policies, e.Explanation = q.policy.Kind().String()+" "+q.policy.Name(), q.policy.Explain(request)
	} else {
		policies := in.signerPolicies()
		e.Policies, e.Explanation = "the policies of the caller and of the API", policy.Explain(&policies, request)
	}
	for _, s := range e.Statements {
		for _, condition := range s.Conditions {
			_, key, _ := strings.Cut(condition, " ")
			e.Values[key] = in.asker.describe(policy.NewKey(key))
		}
	}
	return e
}

// describe says what the request has for a condition key. The values of headers, tags and other texts that a client may choose are not
// shown.
func (a *asker) describe(key *policy.Key) string {
	value, ok := a.Lookup(key)
	if !ok {
		return "absent"
	}
	switch key.ID() {
	case policy.KeySourceIP, policy.KeyVpcSourceIP, policy.KeySourceVpc, policy.KeySourceVpce, policy.KeyCurrentTime, policy.KeyEpochTime,
		policy.KeySecureTransport, policy.KeyPrincipalArn, policy.KeyPrincipalAccount, policy.KeyPrincipalType, policy.KeySourcePrincipal,
		policy.KeyRequestedRegion, policy.KeyResourceAccount, policy.KeyMultiFactorAuthPresent, policy.KeyMultiFactorAuthAge,
		policy.KeyTokenIssueTime, policy.KeyUsername, policy.KeyUserID, policy.KeyPrincipalOrgID, policy.KeyPrincipalOrgPaths, policy.KeyViaAWSService:
		return value.String()
	default:
		return "present; its value is not shown"
	}
}

// combined names the rule that made one decision of the policies.
func combined(in *invocation) string {
	switch {
	case in.step == authz.StepEndpoint || in.route == nil:
		return "the VPC endpoint's policy alone"
	case in.route.Guard == model.ByIAM && in.identity == nil:
		return ""
	case in.route.Guard == model.ByIAM && in.identity.Principal.Account == in.stage.API.Account:
		return "Table A: the caller is of the API's account; an Allow of the caller's policies or of the resource policy is enough, a Deny of either is final"
	case in.route.Guard == model.ByIAM:
		return "Table B: the caller is of another account; the caller's policies and the resource policy must both allow"
	case in.route.Guard == model.ByFunction:
		return "Table A with the function's policy: its Allow or that of the resource policy is enough, a Deny of either is final"
	case in.route.Guard == model.ByToken:
		return "the token must be valid, and the resource policy must allow, for which the caller is anonymous"
	default:
		return "the resource policy alone"
	}
}

// routesFor lists the routes whose resource matches the path.
func routesFor(in *invocation) (found []TraceRoute) {
	routes := &in.stage.API.Routes
	for _, r := range routes.Candidates(in.path) {
		t := TraceRoute{Route: r.Name, Chosen: r == in.route}
		switch {
		case t.Chosen:
		case r.Method != in.request.Method && r.HasMethod():
			t.Why = "its method is " + r.Method
		case in.route == nil:
			t.Why = "it does not match the method " + in.request.Method
		default:
			t.Why = "it is less specific than " + in.route.Name
		}
		found = append(found, t)
	}
	if len(found) > 0 {
		return found
	}
	for _, r := range routes.CandidatesInAnyCase(in.path) {
		found = append(found, TraceRoute{Route: r.Name, Why: "it differs in case from the path"})
	}
	return found
}

var outcomes = [...]string{denies: "denies", goesOn: "goes on", answers: "answers", allows: "allows"}

// passed records a step that ran.
func (t *Trace) passed(in *invocation, out outcome) {
	t.Steps = append(t.Steps, TraceStep{in.step, outcomes[out.verdict], found(in, out)})
}

// found says what a step found out.
func found(in *invocation, out outcome) string {
	if out.verdict == denies {
		if out.refusal == nil {
			return ""
		}
		return out.refusal.Reason.Detail
	}
	switch in.step {
	case authz.StepMethod:
		return in.request.Method
	case authz.StepPath:
		return in.full.Text
	case authz.StepHost:
		return in.host
	case authz.StepStage:
		return fmt.Sprintf("API %s, stage %s, path %s within it", in.stage.API.ID, in.stage.Name, in.path)
	case authz.StepArrival:
		return arrival(in)
	case authz.StepRoute:
		return routeFound(in)
	case authz.StepReadings:
		return strings.Join(in.readings, ", ")
	case authz.StepCaller:
		return callerFound(in)
	case authz.StepDecision:
		return decisionFound(&in.reason)
	case authz.StepAPIKey:
		if in.apiKey != nil {
			return "the API key " + in.apiKey.Label
		}
	case authz.StepUpstream:
		return fmt.Sprintf("%d headers set, %d removed", len(in.setHeaders), len(in.removeHeaders))
	default: // a step that finds nothing out
	}
	return ""
}

func arrival(in *invocation) string {
	if in.endpoint == nil {
		return ""
	}
	return "by the VPC endpoint " + in.endpoint.ID
}

var guardNames = [...]string{
	model.Unguarded: "no authorization, which denies", model.Open: "NONE", model.ByIAM: "AWS_IAM", model.ByFunction: "CUSTOM", model.ByToken: "a token",
	model.Unresolved: "unresolved, which denies",
}

func routeFound(in *invocation) string {
	if in.route == nil {
		return "none"
	}
	text := in.route.Name + ", guarded by " + guardNames[in.route.Guard]
	if in.route.Authorizer != nil {
		text += " of " + in.route.Authorizer.Name
	}
	if len(in.route.Scopes) > 0 {
		text += " with one of the scopes " + strings.Join(in.route.Scopes, ", ")
	}
	if in.route.APIKeyRequired {
		text += ", with an API key"
	}
	return text
}

func callerFound(in *invocation) string {
	text := in.caller.Principal
	switch {
	case in.route.Guard == model.ByIAM && in.caller.AccessKeyID == "":
		text += " by iam.principals"
	case in.route.Guard == model.ByIAM:
		text += " by the access key " + in.caller.AccessKeyID
	case in.route.Authorizer != nil:
		text += " by " + in.route.Authorizer.Name
	default:
		return "anonymous"
	}
	if in.cache != authz.CacheUnknown {
		text += ", cache " + in.cache.String()
	}
	return strings.TrimSpace(text)
}

func decisionFound(r *authz.Reason) string {
	if r.Statement == "" {
		return strings.TrimSpace(r.Code.String() + " " + r.Policy)
	}
	return r.Code.String() + " by " + r.Policy + " " + r.Statement
}

// isOffline reports whether no function may be asked.
func (t *Trace) isOffline() bool { return t != nil && t.offline }
