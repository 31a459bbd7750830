package gateway

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// ask evaluates one policy, which decides alone about the caller. It returns a reason to allow, or a refusal.
func (in *invocation) ask(p *policy.Policy, caller *model.Signed) (authz.Reason, *authz.Refusal) {
	result := p.Evaluate(in.policyRequest(caller))
	in.trace.evaluated(in, p)
	return in.judge(p, result, p.Kind())
}

// policyRequest returns what policies are asked about a caller. It is valid until the next call.
func (in *invocation) policyRequest(caller *model.Signed) *policy.Request {
	in.buildARN()
	in.asker = asker{in, caller}
	in.question.Principal = policy.Principal{}
	if caller != nil {
		in.question.Principal = caller.Principal
	}
	in.question.Action, in.question.ResourceAccount = "execute-api:Invoke", in.stage.API.Account
	in.question.Context = &in.asker
	return &in.question
}

// judge turns the result for the asker into a reason to allow, or a refusal. asked is the policy that was asked, nil for the signer's policies
// with the API's. lacking is the kind of policy that the message names if no
// statement decided.
//
// 2026-11-23: X-Forwarded-For is read when a policy or a mapping asks for the client's address. If it cannot be read then, the
// request is denied (403 Forbidden), whatever the policy says. The same holds for Referer and User-Agent with several lines (400), and for
// a request without a time (500): a condition on an unknown value never decides.
func (in *invocation) judge(asked *policy.Policy, result policy.Result, lacking policy.Kind) (authz.Reason, *authz.Refusal) {
	if in.fault != nil {
		return authz.Reason{}, in.fault
	}
	reason := authz.Reason{Policy: result.Policy, Statement: result.Statement}
	if result.Decision != policy.Allow {
		in.denied = &denial{asked, result}
	}
	switch result.Decision {
	case policy.Allow:
		reason.Code = authz.CodeAllowed
		return reason, nil
	case policy.ExplicitDeny:
		reason.Code = authz.CodeExplicitDeny
		return authz.Reason{}, in.notAuthorized(in.asker.signed, reason, " with an explicit deny", " in "+withArticle(result.By))
	default:
		return authz.Reason{}, in.notAllowed(in.asker.signed, lacking, "no "+lacking.String()+" allows the request")
	}
}

// allowIf denies if there is a refusal. Otherwise it notes why the policies allow the request; later steps may still deny.
func (in *invocation) allowIf(reason authz.Reason, refusal *authz.Refusal) outcome {
	if refusal != nil {
		return deny(refusal)
	}
	in.reason = reason
	return goOn()
}

func withArticle(k policy.Kind) string {
	if k == policy.Identity {
		return "an " + k.String()
	}
	return "a " + k.String()
}

// notAllowed returns the denial of a caller whom no policy of a kind allows.
func (in *invocation) notAllowed(caller *model.Signed, by policy.Kind, detail string) *authz.Refusal {
	in.buildARN()
	reason := authz.Reason{Code: authz.CodeImplicitDeny, Detail: detail}
	return in.notAuthorized(caller, reason, "", " because no "+by.String()+" allows the execute-api:Invoke action")
}

// notAuthorized returns the denial of a caller. API Gateway added the second part of the text in 2025.
func (in *invocation) notAuthorized(caller *model.Signed, reason authz.Reason, how, since2025 string) *authz.Refusal {
	user := "anonymous"
	if caller != nil {
		user = caller.Principal.ARN
	}
	message := "User: " + user + " is not authorized to perform: execute-api:Invoke on resource: " + in.maskARN() + how
	if !in.stage.API.LegacyMessages {
		message += since2025
	}
	return &authz.Refusal{ResponseType: authz.ResponseAccessDenied, Message: message, Reason: reason}
}

// maxARN is the greatest length in bytes of a method ARN that is authorized ("Quotas": method ARN with authorization).
const maxARN = 1600

// arnLength returns the length of the invocation's method ARN.
func (in *invocation) arnLength() int {
	return len(in.stage.ARN) + len(in.request.Method) + len(in.path)
}

// buildARN sets the method ARN and its other spellings. Routing ignores trailing slashes, and servers read paths in other ways, so
// a Deny on …/GET/admin must hold for /admin/ and for /admin;x too. For a plain path the ARN and its spellings share one string.
//
// 2026-11-28: policies are asked about the path as it came. Its other readings, with and without a slash at the end, can only
// take access away:
//   - A Deny that matches one reading holds, and so does a NotResource in an Allow.
//   - A wildcard of an Allow must match each reading that has a route, with or without the slash at its end: "*.css" does not match
//     "/admin;.css", which a servlet container serves as "/admin". The same holds for the NotResource of a Deny.
//   - A Resource without a wildcard is about the path that it spells.
//   - Under strictPaths the readings are compared in lower case too: a Deny in lower case holds in any case.
func (in *invocation) buildARN() {
	if in.question.Resource != "" {
		return
	}
	in.question.Resource, in.question.Spellings = canon.Spell(in.stage.ARN, in.request.Method, in.path, in.spellingBuffer[:0])
	for _, reading := range in.readings {
		arn := in.spell(reading)
		if in.stage.API.Routes.Find(reading, in.request.Method) != nil {
			in.question.Readings = append(in.question.Readings, arn)
		}
	}
	if !in.stage.API.StrictPaths {
		return
	}
	for _, reading := range append(in.readings, in.path) {
		if folded := canon.FoldCase(reading); folded != reading {
			in.spell(folded)
		}
	}
}

// spell adds the spellings of a path that a server may read the request's as, and returns its method ARN.
func (in *invocation) spell(path string) string {
	var arn string
	arn, in.question.Spellings = canon.Spell(in.stage.ARN, in.request.Method, path, in.question.Spellings)
	in.question.Spellings = append(in.question.Spellings, arn)
	return arn
}

// maskARN hides the first eight digits of the account, as API Gateway does in its answers.
func (in *invocation) maskARN() string {
	return in.stage.MaskedARN + in.question.Resource[len(in.stage.ARN):]
}

// Lookup returns the value of a condition key. It returns false if the key is absent. Policies call it during evaluation, for the keys
// that they name.
//
// 2026-11-25: portcullis:SourcePrincipal is the one condition key that AWS does not have: the SPIFFE id of the workload that connected to
// Envoy. A CheckRequest names the peer of any certificate, also of one that Envoy accepts unverified. So the key is present only if
// Envoy's configuration attests it (portcullis.sourcePrincipal: verified). Headers do not affect it. Because any key can be absent,
// policies must allow by StringEquals or StringLike, or deny by StringNotEquals, and never deny by StringEquals alone.
func (a *asker) Lookup(key *policy.Key) (policy.Value, bool) {
	in := a.in
	switch key.ID() {
	case policy.KeyCurrentTime:
		return policy.TimeValue(in.time()), true
	case policy.KeyEpochTime:
		return policy.NumberValue(in.time().Unix()), true
	case policy.KeySecureTransport:
		return policy.BoolValue(in.secureTransport()), true
	case policy.KeySourceIP:
		if in.endpoint != nil {
			return policy.Value{}, false
		}
		addr, ok := in.clientAddress()
		return policy.AddrValue(addr), ok
	case policy.KeySourceVpc, policy.KeySourceVpce, policy.KeyVpcSourceIP:
		return in.endpointKey(key.ID())
	case policy.KeySourcePrincipal:
		return policy.StringValue(in.request.SourcePrincipal), in.request.SourcePrincipal != ""
	case policy.KeyReferer:
		value, ok := in.singleHeader("referer")
		return policy.StringValue(value), ok
	case policy.KeyUserAgent:
		value, ok := in.singleHeader("user-agent")
		return policy.StringValue(value), ok
	case policy.KeyViaAWSService:
		return policy.BoolValue(false), true
	default:
		return a.principalKey(key)
	}
}

// principalKey returns the value of a condition key about the caller. Only signed requests have such keys, except for
// aws:PrincipalType, which anonymous callers have too.
//
// 2026-11-23: aws:RequestedRegion and aws:ResourceAccount are present for signed requests only. API Gateway's list of keys for
// resource policies has neither; service control policies rely on the first.
func (a *asker) principalKey(key *policy.Key) (policy.Value, bool) {
	if a.signed == nil {
		if key.ID() == policy.KeyPrincipalType {
			return policy.StringValue("Anonymous"), true
		}
		return policy.Value{}, false
	}
	switch key.ID() {
	case policy.KeyRequestedRegion:
		return policy.StringValue(a.in.stage.API.Region), true
	case policy.KeyResourceAccount:
		return policy.StringValue(a.in.stage.API.Account), true
	default:
		return a.signed.Facts.Lookup(key)
	}
}

// endpointKey returns the value of a condition key about the VPC endpoint. Without an endpoint these keys are absent.
func (in *invocation) endpointKey(key policy.KeyID) (policy.Value, bool) {
	if in.endpoint == nil {
		return policy.Value{}, false
	}
	switch key {
	case policy.KeySourceVpc:
		return policy.StringValue(in.endpoint.VPC), in.endpoint.VPC != ""
	case policy.KeySourceVpce:
		return policy.StringValue(in.endpoint.ID), in.endpoint.ID != ""
	case policy.KeyVpcSourceIP:
		addr, ok := in.clientAddress()
		return policy.AddrValue(addr), ok
	default:
		return policy.Value{}, false
	}
}

// time returns when the request came.
func (in *invocation) time() time.Time {
	if in.request.Time.IsZero() {
		in.fail(answer.Internal(authz.CodeInternal, "the request has no time"))
	}
	return in.request.Time
}

// secureTransport reports whether the client's connection is encrypted. Envoy's configuration attests it; if it does not, the server
// name of the TLS session decides, because a CheckRequest has nothing else about TLS.
func (in *invocation) secureTransport() bool {
	switch in.request.Transport {
	case authz.TransportSecure:
		return true
	case authz.TransportForwardedProto:
		proto, lines := in.request.Header("x-forwarded-proto")
		return lines == 1 && proto == "https"
	case authz.TransportUnstated:
		return in.request.ServerName != ""
	default:
		return false
	}
}

// decidingCondition returns the operator and the key of the condition that decided a denial by policies. It is called after the decision, so
// that a value that cannot be determined does not change it.
func (in *invocation) decidingCondition() (operator, key string) {
	if in.denied == nil {
		return "", ""
	}
	question := in.policyRequest(in.asker.signed)
	if in.denied.by != nil {
		return in.denied.by.DecidingCondition(question, in.denied.result)
	}
	policies := in.signerPolicies()
	return policies.DecidingCondition(question, in.denied.result)
}
