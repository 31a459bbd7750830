package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// verify returns the signer of the request. The signature is verified once.
func (in *invocation) verify() (*model.Signed, error) {
	if in.signed != nil {
		return in.signed, nil
	}
	verify := in.stage.API.Verify
	if in.route != nil && in.route.Verify != nil {
		verify = in.route.Verify
	}
	if verify == nil {
		return nil, answer.Internal(authz.CodeInternal, "the API has no verifier of signatures")
	}
	signed, err := verify(in.request)
	switch {
	case err != nil:
		return nil, err
	case signed == nil || signed.Facts == nil || signed.Principal.Kind == policy.Anonymous:
		return nil, answer.Internal(authz.CodeInternal, "the verifier returned neither a signer nor an error")
	}
	if !in.signedForStage(signed.Host) {
		return nil, signedForAnother(signed.Host)
	}
	in.signed = signed
	return signed, nil
}

// identify returns the caller of a request without a signature, nil if it shows no identity.
//
// 2026-11-28: a request that claims a signature is decided by its signature alone, so that a wrong one never falls back to a token or a
// certificate. Trust policies see the request itself: its client's address, user agent and time.
func (in *invocation) identify(ctx context.Context) (*model.Signed, error) {
	if in.signed != nil || in.gateway.Identify == nil || in.route.Guard != model.ByIAM || claimsSignature(in.request) {
		return in.signed, nil
	}
	u := model.Unsigned{Request: in.request, At: in.time(), Region: in.stage.API.Region, TLS: in.secureTransport()}
	u.SourceIP, _ = in.clientAddress()
	u.UserAgent, _ = in.userAgent()
	if in.fault != nil {
		return nil, in.fault
	}
	found, err := in.gateway.Identify(ctx, &u)
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, nil
	case found.Facts == nil || found.Principal.Kind != policy.RoleSession:
		return nil, answer.Internal(authz.CodeInternal, "a caller without a signature is not a role session")
	}
	in.signed = found
	return found, nil
}

// signedForStage reports whether a signed host leads to the request's stage, or is an alias of its API that leads nowhere else.
//
// 2026-11-28: a signature counts if the host that was signed leads to the stage, or is an alias of its API. With a wildcard virtual host,
// as sidecars have, Envoy passes on any host, and a request that was signed for another service would pass here. The client is
// told that the signature does not match, as by API Gateway, which calculates it over its own host. A different answer would reveal
// which keys are good. An alias that leads to a stage of the API counts for that stage alone.
func (in *invocation) signedForStage(host string) bool {
	name := canon.Host(host)
	if l := in.gateway.Locate(name, in.full.Text); l.Stage != nil {
		return l.Stage == in.stage
	}
	return slices.Contains(in.stage.API.Aliases, name)
}

// mismatch is API Gateway's message about a signature that differs from the one that it calculates.
const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and " +
	"signing method. Consult the service documentation for details."

// signedForAnother returns the refusal of a signature for a host that does not lead to the stage.
func signedForAnother(host string) error {
	detail := fmt.Sprintf("the request is signed for the host %.100q, which does not lead to the stage: list it under the stage's domains, or under the API's signatures.hostAliases", host)
	return &authz.Refusal{ResponseType: authz.ResponseInvalidSignature, Message: mismatch, Reason: authz.Reason{Code: authz.CodeBadSignature, Detail: detail}}
}

// signer authenticates the caller of a method with authorization AWS_IAM.
func signer(in *invocation, ctx context.Context) outcome {
	signed, err := in.identify(ctx)
	if signed == nil && err == nil {
		signed, err = in.verify()
	}
	if err != nil {
		return denyFor(in.unmapped(err))
	}
	in.identity = signed
	in.caller = signed.Shown
	in.caller.Principal, in.caller.AccessKeyID = signed.Principal.ARN, signed.AccessKey
	return goOn()
}

// unmapped says for the operator of a request without a signature that its workload is not mapped. The client is told what it is told
// without a certificate.
func (in *invocation) unmapped(err error) error {
	r, ok := errors.AsType[*authz.Refusal](err)
	id := in.request.SourcePrincipal
	if !ok || r.Reason.Code != authz.CodeNotSigned || id == "" || in.gateway.Identify == nil {
		return err
	}
	said := *r // the authenticator's own stays as it is
	said.Reason.Detail = "the request is not signed, and iam.principals has no entry for the client's certificate " + id
	return &said
}

// byIAM is the flow "IAM authentication and resource policy": Table A if caller and API have one account, Table B otherwise. IAM's own
// evaluation gives the results of both.
//
// 2026-11-25: an HTTP API has no resource policy, so AWS_IAM means Tables A and B with a silent resource side. A caller of the API's own
// account needs an Allow of its policies (rows A2, A5, A8), a caller of another account is always denied
// (B2, B5, B8). The ARN's limit of 1600 bytes, documented for REST APIs, applies, with 414.
func (in *invocation) byIAM() outcome {
	policies := in.signerPolicies()
	result := policy.Evaluate(&policies, in.policyRequest(in.identity))
	in.trace.evaluated(in, nil)
	return in.allowIf(in.judge(nil, result, missing[result.Missing]))
}

// signerPolicies returns the policies of the caller's side and of the API's.
func (in *invocation) signerPolicies() policy.Policies {
	policies := in.identity.Policies
	policies.Resource = in.stage.API.Policy
	return policies
}

// missing maps the side that lacks an Allow in an implicit deny to the kind of policy that the message names. Table A names the caller's
// own side first.
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

// claimsSignature reports whether a request has a part of a signature of version 4 or 4A, in Authorization or in its query.
// In doubt it reports true: Envoy may have joined several lines of a header with commas, and names may be escaped.
func claimsSignature(r *authz.Request) bool {
	if signedInHeader(r) {
		return true
	}
	for name := range r.Query() {
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		switch canon.Lower(name) {
		case "x-amz-algorithm", "x-amz-credential", "x-amz-signature":
			return true
		}
	}
	return false
}

// signaturePrefix is the prefix of the names of the algorithms of version 4 and 4A, in lower case.
const signaturePrefix = "aws4-"

// signedInHeader is claimsSignature for Authorization alone.
func signedInHeader(r *authz.Request) bool {
	for line := range r.HeaderValues("authorization") {
		for value := range strings.SplitSeq(line, ",") {
			value = strings.Trim(value, " \t")
			if canon.Lower(value[:min(len(value), len(signaturePrefix))]) == signaturePrefix {
				return true
			}
		}
	}
	return false
}
