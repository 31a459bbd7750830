package authz

// Meaning says what a reason code means.
type Meaning struct {
	Code Code
	// Cause is one clause that says what happened; Remedy is one sentence that says what to do. Both are about the code in general: a
	// Reason's Detail, policy and statement are about one request. Remedy is empty for the codes of requests that pass.
	Cause, Remedy string
}

// Meanings returns what each code means, in the order of the constants. Logs, metrics, explanations and the runbook use these codes and
// sentences.
func Meanings() []Meaning { return meanings[:] }

// Meaning returns what a code means. An unknown code has no cause and no remedy.
func (c Code) Meaning() Meaning {
	for i := range meanings {
		if meanings[i].Code == c {
			return meanings[i]
		}
	}
	return Meaning{Code: c}
}

var meanings = [...]Meaning{
	{CodeInternal, "portcullis has a fault, or a setting is missing that it needs", "Read the detail; report it if it names no setting."},
	{CodeNoPolicy, "the route has the authorization NONE and the API no resource policy", ""},
	{CodeAllowed, "a statement or the authorizer allows the request", ""},
	{CodeExplicitDeny, "a statement with the effect Deny matches, or the authorizer refuses the caller", "Read the deciding statement; narrow it if the request should pass."},
	{CodeImplicitDeny, "no statement allows the request", "Add an Allow for the method ARN to the policy that the detail names, or change the condition that failed."},
	{CodeNotSigned, "the route has the authorization AWS_IAM, and the request is not signed", "Let the client sign the request with Signature Version 4."},
	{CodeBadSignature, "the signature cannot be read, has expired, or is not the request's", "Compare the secret, the host, the path and the query that the client signs, and its clock."},
	{CodeUnknownKey, "the access key is unknown, inactive, or has another session token", "Add the access key to accessKeys, or let the client use a current one."},
	{CodeExpiredToken, "the token, or the temporary access key, has expired", "Let the client fetch a new one; compare the clocks if it is new."},
	{CodeUnauthorized, "the request has no token, or one that is not valid for the authorizer", "Compare the token's issuer, audience, use, algorithm and times with the authorizer's, and the header with its identitySource."},
	{CodeMissingScope, "the token is valid, and has none of the route's scopes", "Let the client ask its issuer for one of the route's scopes, or change the route's scopes."},
	{CodeAmbiguousCaller, "the request is not signed, and shows more than one identity", "Let the client send one Authorization header, and none if its certificate identifies it."},
	{CodeUnmappedCaller, "the token is valid, and iam.principals has no role for its claims", "Add the token's issuer and claims to iam.principals, or let the client use another token."},
	{CodeUntrustedCaller, "the role's trust policy, or the policies of the caller, do not admit the caller to the role", "Allow the caller in the policy that the detail names, or correct the entry of iam.principals or iam.awsIdentities."},
	{CodeInvalidAPIKey, "the API key is missing, unknown, disabled, or for other stages", "Let the client send a key of apiKeys that is enabled for the stage."},
	{CodeUnresolved, "the configuration does not say how the route is guarded", "Write the route's authorization; the detail says what is not known."},
	{CodeAuthorizerFailed, "the function, or the issuer of the keys, cannot be reached", "Check that the function or the issuer answers within its timeout."},
	{CodeAuthorizerAnswer, "the function failed, or its answer is not a decision", "Read the function's log, and correct its answer."},
	{CodeUnknownHost, "no API has the host and base path", "List the host, with its base path, under a stage's domains."},
	{CodeHostMismatch, "the host belongs to another API or stage than Envoy's configuration names", "Print Envoy's configuration again with portcullis envoy, and load it."},
	{CodeWrongEndpoint, "a private API was called without its VPC endpoint, or another API by one", "Call a private API by its VPC endpoint, and list the endpoint's networks, listener or principals under vpcEndpoints."},
	{CodeNoRoute, "the API has no route for the path and the method", "Add the route, or correct the client's path or method."},
	{CodeBadPath, "servers could read the path in different ways", "Let the client write the path without dot segments, backslashes, double encoding and other doubtful characters."},
	{CodeBadRequest, "the request cannot be decided: its method, a header that policies need, or a parameter of STS is not valid", "Correct the client; the detail names the part."},
	{CodeBadClientAddress, "X-Forwarded-For contains an entry that is not an address", "Correct the proxy that writes the header, and check trustedProxies."},
	{CodePreflight, "the API answers a CORS preflight itself", ""},
	{CodeTooLong, "the method ARN is longer than 1600 bytes", "Let the client shorten the path."},
	{CodeTooLarge, "the check is too large to be read", "Let the client send less, or buffer bodies only on routes with AWS_IAM."},
	{CodeEnvoyConfig, "no decision is possible with Envoy's configuration", "Change the Envoy setting that the detail names."},
	{CodeNotReady, "no configuration is loaded", "Read the log for the faults of the configuration, and correct them."},
	{CodeOverload, "too many checks are at work, or wait for the same function or issuer", "Find the level in portcullis_share_refused_total, and raise the limit or speed up what is waited for."},
	{CodeUndecodable, "the message is not a CheckRequest that can be read", "Check that nothing but Envoy calls the gRPC port, and compare Envoy's version with the tested ones."},
	{CodeCanceled, "Envoy gave up the check, or its time ran out", "Raise the timeout of the ext_authz filter above the authorizers' timeouts."},
	{CodeProbe, "portcullis doctor --live asked how a request arrives", "Nothing: the doctor reads the answer."},
	{CodeUnrecorded, "the audit is required, and the decision could not be written in time", "Make room on the disk, or let the reader of standard output keep up; portcullis_decision_log_dropped_total has the cause."},
}
