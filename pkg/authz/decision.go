package authz

// Decision is the answer to one request. Its zero value denies, and a denial without a Response is answered as an internal
// error.
type Decision struct {
	// Allow lets the request pass.
	Allow bool
	// Reason says why, for the operator.
	Reason Reason
	// Caller is who asked, as far as it was found out.
	Caller Caller
	// RequestID is the id that the client was told, and by which a log line can be found.
	RequestID string
	// API, Stage and Route name what the request was for, as far as it was found out. Route is a route key such as
	// "GET /pets/{petId}".
	API, Stage, Route string

	// SetHeaders are the upstream request's headers on Allow; each replaces whatever the client sent under its name.
	SetHeaders []Field
	// RemoveHeaders are request headers that must not reach the upstream on Allow. None of them is in SetHeaders.
	RemoveHeaders []string
	// Target is what the upstream gets on Allow in place of the request's target, from whose query something is removed; empty
	// for the request's own. The path is the same, byte for byte.
	Target string

	// ResponseHeaders are headers of the upstream's answer on Allow. Each replaces the upstream's own of its name; one without
	// a value does so only where the upstream sends it. Vary is added to the upstream's.
	ResponseHeaders []Field

	// Denial is what the client is told where Allow is false.
	Denial Response
}

// Response is an answer to the client in place of the upstream's. A Status of zero stands for 500.
type Response struct {
	Status  int
	Headers []Field
	Body    string
}

// Caller is who a request comes from. The zero value is the anonymous caller.
type Caller struct {
	// Principal names the caller in logs and metadata: an ARN, a subject, a principalId; "anonymous" is written "".
	Principal string
}

// Code is the kind of reason behind a decision: a fixed, small set, fit for a metric's label.
type Code string

// The codes. The zero value stands for an internal error.
const (
	CodeInternal         Code = ""
	CodeNoPolicy         Code = "no_policy"          // allowed: nothing guards the route
	CodeAllowed          Code = "allowed"            // allowed: a statement says so
	CodeExplicitDeny     Code = "explicit_deny"      // denied: a statement says so
	CodeImplicitDeny     Code = "implicit_deny"      // denied: no statement allows
	CodeNotSigned        Code = "not_signed"         // denied: the request has no signature
	CodeBadSignature     Code = "bad_signature"      // denied: a signature that cannot be read, or is not the request's
	CodeUnknownKey       Code = "unknown_key"        // denied: an access key that is not known, or not its session token
	CodeExpiredToken     Code = "expired_token"      // denied: an access key or a token that has expired
	CodeUnauthorized     Code = "unauthorized"       // denied: no token, or one that counts for nothing
	CodeMissingScope     Code = "missing_scope"      // denied: a good token without any of the route's scopes
	CodeInvalidAPIKey    Code = "invalid_api_key"    // denied: no API key, or one that does not count on the stage
	CodeUnresolved       Code = "unresolved_route"   // denied: the configuration does not know the route's guard
	CodeAuthorizerFailed Code = "authorizer_failed"  // denied: an authorizer, or the keys that it needs, could not be reached
	CodeAuthorizerAnswer Code = "authorizer_answer"  // denied: an authorizer's answer, or error, decides nothing
	CodeUnknownHost      Code = "unknown_host"       // denied: no API owns host and base path
	CodeHostMismatch     Code = "host_mismatch"      // denied: the host belongs to another API than Envoy names
	CodeWrongEndpoint    Code = "wrong_endpoint"     // denied: a private API, not by its VPC endpoint; another API by one
	CodeNoRoute          Code = "no_route"           // denied: the API has no such resource and method
	CodeBadPath          Code = "bad_path"           // denied: a path that two parsers could read differently
	CodeBadRequest       Code = "bad_request"        // denied: a request that cannot be judged
	CodeBadClientAddress Code = "bad_client_address" // denied: X-Forwarded-For cannot be read
	CodePreflight        Code = "preflight"          // answered: a CORS preflight, in place of an upstream
	CodeTooLong          Code = "uri_too_long"       // denied: the method ARN exceeds its limit
	CodeTooLarge         Code = "request_too_large"  // denied: a check that is larger than what is looked into
	CodeEnvoyConfig      Code = "envoy_config"       // denied: Envoy is set so that the request cannot be judged
	CodeNotReady         Code = "not_ready"          // denied: no configuration is loaded
	CodeOverload         Code = "overload"           // denied: too many checks at once
	CodeCanceled         Code = "canceled"           // denied: the check's time ran out
)

// String is the code as it stands in logs and metrics.
func (c Code) String() string {
	if c == CodeInternal {
		return "internal"
	}
	return string(c)
}

// Reason is why a decision is as it is. It is for the operator and holds no secret.
type Reason struct {
	Code Code
	// Policy and Statement name the deciding statement: the policy's name, and the Sid or, without one, the position
	// ("Statement[2]").
	Policy, Statement string
	// Detail is a sentence for the operator, such as which Envoy setting to change.
	Detail string
}
