package authz

import (
	"cmp"
	"net/netip"
)

// Decision is the answer to one request. Its zero value denies. A denial without a Response is answered as an internal
// error. Its strings and lists may be parts of the request: who keeps them after the check clones them, and nobody changes them.
type Decision struct {
	// Allow lets the request pass.
	Allow bool
	// Reason says why, for the operator.
	Reason Reason
	// Step is the step that ended the decision; empty if no API was asked, because the check could not be read or there was no room.
	Step Step
	// Caller is the caller, if it was found out. On a denial it may also be a caller whose token or key is known but does not suffice.
	Caller Caller
	// RequestID is the id in the client's answer and in the log.
	RequestID string
	// API, Stage and Route name what the request was for, as far as it was found out. Route is a route key, such as
	// "GET /pets/{petId}".
	API, Stage, Route string
	// Authorizer is the name of the route's authorizer; empty if the route has none.
	Authorizer string
	// Cache reports whether the function's answer, or the verified token, was in the cache.
	Cache CacheState
	// Method, Host and Path are those that were decided: Host in lower case without its port, Path the canonical path with base path or
	// stage name. Host and Path are empty if they have no canonical form.
	Method, Host, Path string
	// ClientAddress is the client's address as policies see it; the zero Addr if it cannot be determined.
	ClientAddress netip.Addr
	// NeededScopes are the route's scopes, of which a token must have one.
	NeededScopes []string
	// Meter counts the decision. It is nil if the decision is not for a stage of an API.
	Meter Meter
	// Claims are the claims of the caller's verified token; nil without one.
	Claims Claims

	// SetHeaders are headers for the upstream's request on Allow. Each replaces the client's of the same name.
	SetHeaders []Field
	// RemoveHeaders are request headers that must not reach the upstream on Allow. None of them is in SetHeaders.
	RemoveHeaders []string
	// Target replaces the request's target on Allow; empty for the request's own. It has the same path, byte for byte, and fewer query
	// parameters.
	Target string
	// Upstream tells Envoy which upstream gets the request on Allow, by its name and a digest of its settings; empty if Envoy's
	// configuration alone says it.
	Upstream string

	// ResponseHeaders are headers for the upstream's answer on Allow. Each replaces the upstream's of the same name; one without
	// a value does so only if the upstream sends the header. Vary is added to the upstream's.
	ResponseHeaders []Field

	// Denial is the client's answer if Allow is false.
	Denial Response
}

// Asked returns the method, host and path that a decision is about, for the operator: those that were decided on, or as received if they could
// not be read. The request may be nil.
func (d *Decision) Asked(r *Request) (method, host, path string) {
	if r == nil {
		return d.Method, d.Host, d.Path
	}
	return cmp.Or(d.Method, r.Method), cmp.Or(d.Host, r.Host), cmp.Or(d.Path, r.Path())
}

// Word returns a decision as logs, metrics and traces write it.
func Word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// Response is an answer to the client in place of the upstream's. A zero Status stands for 500.
type Response struct {
	Status  int
	Headers []Field
	Body    string
}

// Claims are the claims of a verified token.
type Claims interface {
	// Claim returns a claim as API Gateway renders it. It returns false if the token does not have the claim.
	Claim(name string) (string, bool)
}

// Caller is the caller of a request. The zero value is the anonymous caller.
type Caller struct {
	// Principal names the caller in logs and metadata: an ARN, a subject or a principalId; empty for the anonymous caller.
	Principal string
	// AccessKeyID is the id of the key that signed the request, or that the request claims to be signed by, if the key is known.
	AccessKeyID string
	// Issuer, ClientID, TokenKeyID, Audience and Scopes are the claims iss, client_id, aud and scope (or scp) of a verified token, and the
	// kid of its header.
	Issuer, ClientID, TokenKeyID string
	Audience, Scopes             []string
}

// CacheState says whether a decision used a cached value.
type CacheState uint8

// The states. The zero value means that no cache was asked, or that it is not known.
const (
	CacheUnknown CacheState = iota
	CacheHit
	CacheMiss
)

// String returns the state as in logs: "", "hit" or "miss".
func (s CacheState) String() string {
	switch s {
	case CacheHit:
		return "hit"
	case CacheMiss:
		return "miss"
	default:
		return ""
	}
}

// Code is the kind of a reason. The codes are few and fixed, so they can be labels of metrics.
type Code string

// The codes. The zero value is an internal error.
const (
	CodeInternal         Code = ""
	CodeNoPolicy         Code = "no_policy"          // allowed: nothing guards the route
	CodeAllowed          Code = "allowed"            // allowed: by a policy's statement, or an authorizer
	CodeExplicitDeny     Code = "explicit_deny"      // denied: by a policy's statement, or an authorizer
	CodeImplicitDeny     Code = "implicit_deny"      // denied: no statement allows
	CodeNotSigned        Code = "not_signed"         // denied: the request has no signature
	CodeBadSignature     Code = "bad_signature"      // denied: the signature cannot be read, or is not the request's
	CodeUnknownKey       Code = "unknown_key"        // denied: the access key is unknown, or has another session token
	CodeExpiredToken     Code = "expired_token"      // denied: the access key or the token has expired
	CodeUnauthorized     Code = "unauthorized"       // denied: no token, or one that is not valid
	CodeMissingScope     Code = "missing_scope"      // denied: the token is valid but has none of the route's scopes
	CodeAmbiguousCaller  Code = "ambiguous_caller"   // denied: the request shows more than one identity
	CodeUnmappedCaller   Code = "unmapped_caller"    // denied: no role is mapped to the verified token
	CodeUntrustedCaller  Code = "untrusted_caller"   // denied: no role's trust policy, and no entry of iam.awsIdentities, admits the caller
	CodeInvalidAPIKey    Code = "invalid_api_key"    // denied: no API key, or one that is not valid for the stage
	CodeUnresolved       Code = "unresolved_route"   // denied: the configuration does not know the route's guard
	CodeAuthorizerFailed Code = "authorizer_failed"  // denied: an authorizer, or the keys that it needs, cannot be reached
	CodeAuthorizerAnswer Code = "authorizer_answer"  // denied: the authorizer's answer, or error, is not a decision
	CodeUnknownHost      Code = "unknown_host"       // denied: no API has the host and base path
	CodeHostMismatch     Code = "host_mismatch"      // denied: the host belongs to another API than Envoy's configuration names
	CodeWrongEndpoint    Code = "wrong_endpoint"     // denied: a private API without its VPC endpoint, or another API by one
	CodeNoRoute          Code = "no_route"           // denied: the API has no route for path and method
	CodeBadPath          Code = "bad_path"           // denied: two parsers could read the path differently
	CodeBadRequest       Code = "bad_request"        // denied: the request cannot be decided
	CodeBadClientAddress Code = "bad_client_address" // denied: X-Forwarded-For cannot be read
	CodePreflight        Code = "preflight"          // answered: a CORS preflight, in place of the upstream
	CodeTooLong          Code = "uri_too_long"       // denied: the method ARN exceeds its limit
	CodeTooLarge         Code = "request_too_large"  // denied: the check is too large
	CodeEnvoyConfig      Code = "envoy_config"       // denied: with Envoy's configuration, the request cannot be decided
	CodeNotReady         Code = "not_ready"          // denied: no configuration is loaded
	CodeOverload         Code = "overload"           // denied: too many checks at once
	CodeUndecodable      Code = "undecodable"        // denied: the message is not a CheckRequest
	CodeCanceled         Code = "canceled"           // denied: the check was canceled, or its time ran out
	CodeProbe            Code = "probe"              // answered: a probe of portcullis doctor, with what arrived
	CodeUnrecorded       Code = "unrecorded"         // denied: the decision could not be recorded, and the audit is required
)

// String returns the code as in logs and metrics.
func (c Code) String() string {
	if c == CodeInternal {
		return "internal"
	}
	return string(c)
}

// Reason is why a request passes or not. It is for the operator and does not contain secrets.
type Reason struct {
	Code Code
	// Policy and Statement name the deciding statement: the policy's name, and the Sid or, without one, the position
	// ("Statement[2]").
	Policy, Statement string
	// Condition and ConditionKey name what decided within the statement of a denial: the operator and the key of the condition that
	// failed, or by which a Deny matched. They are empty if no condition took part.
	Condition, ConditionKey string
	// Detail is text for the operator, such as which setting of Envoy to change.
	Detail string
}
