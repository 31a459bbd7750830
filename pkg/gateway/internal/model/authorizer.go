package model

import (
	"context"
	"net/netip"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Token is a verified token.
type Token interface {
	// Caller returns the token's caller, whose Principal is the claim sub.
	Caller() authz.Caller
	// Cache reports whether the token was in the cache.
	Cache() authz.CacheState
	// Claim returns a claim as API Gateway renders it. It returns false if the token does not have the claim.
	Claim(name string) (string, bool)
}

// LambdaCall is one question to a Lambda authorizer.
type LambdaCall struct {
	API, Stage string
	// Identity has the values of the identity sources, in the configured order. The callee must copy them to keep them.
	Identity []string
	// Only is the method ARN if the answer may be kept for that ARN alone; empty if it may be kept for the whole stage.
	Only string
	// Unkept says that the answer to this question must not be kept for other requests.
	Unkept bool
	// Event returns what the function is told. It is called only if the function is called.
	Event interface{ Event() *authz.Event }
}

// LambdaAnswer is the answer of a Lambda authorizer's function. It does not change.
type LambdaAnswer interface {
	// PrincipalID returns the function's name for the caller; empty in a simple response.
	PrincipalID() string
	// Policy returns the policy of the answer; nil for a simple response.
	Policy() *policy.Policy
	// Allowed returns isAuthorized of a simple response.
	Allowed() bool
	// UsageIdentifierKey returns the value of the API key that the function found for the caller; empty for none.
	UsageIdentifierKey() string
	// ContextValue returns a value of the answer's context, rendered. It returns false if the context does not have the value.
	ContextValue(name string) (string, bool)
	// Cache reports whether the answer was in the cache.
	Cache() authz.CacheState
}

// Signed is the verified signer of a request.
type Signed struct {
	Principal policy.Principal
	// Policies has the policies of the caller's side: identity-based, permissions boundary, session and service control policies.
	Policies policy.Policies
	// Facts has the condition keys about the principal.
	Facts policy.Context
	// Shown describes, for the log, the token of a caller without a signature.
	Shown authz.Caller
	// AccessKey is the id of the signing key, UserID the caller's aws:userid, OrganizationID the id of the organization of the caller's
	// account; empty for none.
	AccessKey, UserID, OrganizationID string
	// Host is the signed host, as it was signed.
	Host string
	// SpentHeaders and SpentQuery name the headers and query parameters of the signature, which must not reach an upstream.
	SpentHeaders, SpentQuery []string
}

// RouteSignatures are the options of one route about signatures.
type RouteSignatures struct {
	// MaxExpires replaces the API's unless it is zero.
	MaxExpires time.Duration
	// UnsignedPayload accepts UNSIGNED-PAYLOAD, a signature that does not cover the body.
	UnsignedPayload bool
}

// Unsigned is a request without a signature, and what trust policies may ask about it.
type Unsigned struct {
	*authz.Request
	At        time.Time
	SourceIP  netip.Addr
	UserAgent string
	Region    string
	TLS       bool
}

// Identify returns the caller of a request without a signature, nil if the request shows no identity. An error denies; an *authz.Refusal says
// how.
type Identify func(ctx context.Context, r *Unsigned) (*Signed, error)

// Verify returns the signer of a request. An error denies; an *authz.Refusal says how.
type Verify func(r *authz.Request) (*Signed, error)
