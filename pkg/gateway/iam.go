package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// verify finds out who has signed the request.
func (in *invocation) verify() (*model.Signed, error) {
	if in.signed != nil {
		return in.signed, nil
	}
	verify := in.stage.API.Verify
	if in.route != nil && in.route.Verify != nil {
		verify = in.route.Verify
	}
	if verify == nil {
		return nil, answer.Internal(authz.CodeInternal, "there is nothing that verifies signatures")
	}
	signed, err := verify(in.request)
	switch {
	case err != nil:
		return nil, err
	case signed == nil || signed.Facts == nil || signed.Principal.Kind == policy.Anonymous:
		return nil, answer.Internal(authz.CodeInternal, "a signature was verified, and nobody is known to have signed")
	}
	if !in.signedForStage(signed.Host) {
		return nil, signedForAnother(signed.Host)
	}
	in.signed = signed
	return signed, nil
}

// signedForStage reports whether a host leads to the request's stage, or is an alias of its API that leads nowhere else.
//
// 2026-11-28: a signature counts if the host that was signed leads to the stage, or is an alias of its API. Envoy hands on any host where
// its virtual host has a wildcard, as sidecars have, and what was signed for another service would be good for this one. The client is
// told that the signature does not match, as API Gateway would, which calculates it over its own host: an answer of its own would tell
// who has a good key from who has none. An alias that leads to a stage of the API counts for that stage alone.
func (in *invocation) signedForStage(host string) bool {
	name := canon.Host(host)
	if l := in.gateway.Locate(name, in.full.Text); l.Stage != nil {
		return l.Stage == in.stage
	}
	return slices.Contains(in.stage.API.Aliases, name)
}

// mismatch is what API Gateway says of a signature that is not the one it calculates.
const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and " +
	"signing method. Consult the service documentation for details."

// signedForAnother refuses a signature for a host that is not the stage's. API Gateway calculates a signature over its own host, and
// never gets to see the host of another service: to it, this signature is one that does not match.
func signedForAnother(host string) error {
	detail := fmt.Sprintf("the request is signed for the host %.100q, which does not lead to the stage: list it under the stage's domains, or under the API's signatures.hostAliases", host)
	return &authz.Refusal{ResponseType: authz.ResponseInvalidSignature, Message: mismatch, Reason: authz.Reason{Code: authz.CodeBadSignature, Detail: detail}}
}

// signer authenticates the caller of a method with authorization AWS_IAM.
func signer(in *invocation, _ context.Context) outcome {
	signed, err := in.verify()
	if err != nil {
		return denyFor(err)
	}
	in.identity = signed
	in.caller.Principal = signed.Principal.ARN
	return goOn()
}

// byIAM is the flow "IAM authentication and resource policy": Table A where caller and API are of one account, Table B
// elsewhere. Both are what IAM's own evaluation comes to.
//
// 2026-11-25: an HTTP API has no resource policy, so that AWS_IAM is Tables A and B with a resource side that says nothing. A
// caller of the API's own account needs an Allow of its policies (rows A2, A5, A8), a caller of another account is always denied
// (B2, B5, B8). The ARN's limit of 1600 bytes, documented for REST APIs, holds, with 414.
func (in *invocation) byIAM() outcome {
	policies := in.identity.Policies
	policies.Resource = in.stage.API.Policy
	result := policy.Evaluate(&policies, in.policyRequest(in.identity.Principal))
	return in.allowIf(in.judge(result, missing[result.Missing]))
}

// missing are the policies that lack an Allow in an implicit deny. Table A calls the caller's own side first.
var missing = map[policy.Side]policy.Kind{
	policy.SideNone:        policy.Identity,
	policy.SideIdentity:    policy.Identity,
	policy.SideResource:    policy.Resource,
	policy.SideBoundary:    policy.Boundary,
	policy.SideSession:     policy.Session,
	policy.SideSCP:         policy.SCP,
	policy.SideRCP:         policy.RCP,
	policy.SideVPCEndpoint: policy.VPCEndpoint,
}

// principalKey is the value of a condition key that only signed requests have.
//
// 2026-11-23: aws:RequestedRegion and aws:ResourceAccount are there for signed requests only. API Gateway's list of keys for
// resource policies has neither; service control policies lean on the first.
func (in *invocation) principalKey(key *policy.Key) (policy.Value, bool) {
	if in.identity == nil {
		return policy.Value{}, false
	}
	switch key.ID() {
	case policy.KeyRequestedRegion:
		return policy.StringValue(in.stage.API.Region), true
	case policy.KeyResourceAccount:
		return policy.StringValue(in.stage.API.Account), true
	default:
		return in.identity.Facts.Lookup(key)
	}
}

// principalType is aws:PrincipalType, which anonymous callers have too.
func (in *invocation) principalType(key *policy.Key) (policy.Value, bool) {
	if in.identity == nil {
		return policy.StringValue("Anonymous"), true
	}
	return in.identity.Facts.Lookup(key)
}

// userName is how a denial calls the caller.
func (in *invocation) userName() string {
	if in.identity == nil {
		return "anonymous"
	}
	return in.identity.Principal.ARN
}

// removeSignature keeps a signature from the upstream: whoever reads it could repeat the request. Of one that nobody asked
// for, API Gateway drops the Authorization header ("Important notes for API Gateway REST APIs"), and so do we, with the token.
func (in *invocation) removeSignature() {
	if in.signed == nil {
		if signedInHeader(in.request) {
			in.removeHeader("authorization")
			in.removeHeader("x-amz-security-token")
		}
		return
	}
	for _, name := range in.signed.SpentHeaders {
		in.removeHeader(name)
	}
	if len(in.signed.SpentQuery) > 0 {
		in.target = withoutParameters(in.request, in.signed.SpentQuery)
	}
}

// withoutParameters is a request's target without the query parameters of some names, in whatever case and however they are
// escaped. What is left of the query stays as it is, byte for byte.
func withoutParameters(r *authz.Request, names []string) string {
	var b strings.Builder
	b.WriteString(r.Path())
	separator := byte('?')
	for pair := range strings.SplitSeq(r.RawQuery(), "&") {
		name, _, _ := strings.Cut(pair, "=")
		name = canon.Unescape(name)
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(pair)
		separator = '&'
	}
	return b.String()
}
