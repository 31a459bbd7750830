package model

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Token is a verified token.
type Token interface {
	// Subject is the claim sub.
	Subject() string
	// Claim is a claim as API Gateway renders it; false where the token has none of the name.
	Claim(name string) (string, bool)
}

// LambdaCall is one request for a Lambda authorizer.
type LambdaCall struct {
	API, Stage string
	// Identity are the values of the identity sources, in the configured order. They are not to be kept without a copy.
	Identity []string
	// Only is the method ARN if the answer may be kept for it alone; empty if it may be kept for the whole stage.
	Only string
	// Event tells what the function gets to see. It is asked where the function is called, and not where its answer is known.
	Event interface{ Event() *authz.Event }
}

// LambdaAnswer is the answer of a Lambda authorizer's function. It does not change.
type LambdaAnswer interface {
	// PrincipalID is the caller as the function names it; empty in a simple response.
	PrincipalID() string
	// Policy is the policy that the function has returned; nil for a simple response.
	Policy() *policy.Policy
	// Allowed is a simple response's isAuthorized.
	Allowed() bool
	// UsageIdentifierKey is the value of the API key that the function found for the caller; empty for none.
	UsageIdentifierKey() string
	// ContextValue is a value of the answer's context, rendered; false where there is none of the name.
	ContextValue(name string) (string, bool)
}

// Signed is who has signed a request, as the caller's account knows them.
type Signed struct {
	Principal policy.Principal
	// Policies are those of the caller's side: identity-based, permissions boundary, session and service control policies.
	Policies policy.Policies
	// Facts are the condition keys about the principal.
	Facts policy.Context
	// AccessKey is the id of the key that has signed, UserID the caller's aws:userid, OrganizationID the id of the
	// organization that the caller's account is in; empty for none.
	AccessKey, UserID, OrganizationID string
	// Host is the host that was signed, as it was signed.
	Host string
	// SpentHeaders and SpentQuery name what holds the signature and must not reach an upstream.
	SpentHeaders, SpentQuery []string
}

// RouteSignatures are the options of one route.
type RouteSignatures struct {
	// MaxExpires takes the place of the API's, unless it is zero.
	MaxExpires time.Duration
	// UnsignedPayload accepts UNSIGNED-PAYLOAD: the signature then says nothing of the body.
	UnsignedPayload bool
}

// Verify says who has signed a request. An error refuses it, in the words of an *authz.Refusal.
type Verify func(r *authz.Request) (*Signed, error)
