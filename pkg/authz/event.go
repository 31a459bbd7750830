package authz

// Event describes a request to a Lambda authorizer's function, independent of the event format.
type Event struct {
	Request *Request
	// MethodARN is the ARN of the method, or of an HTTP API's route, with the path of this request.
	MethodARN string
	// API, Account and Stage name what the request is for.
	API, Account, Stage string
	// Route is the route key, such as "GET /pets/{petId}" or "$default"; Resource is the resource path alone.
	Route, Resource string
	// Path is the request's path with a domain's base path but without a stage's name; FullPath has both. On REST APIs the paths are as
	// received, on HTTP APIs decoded.
	Path, FullPath string
	// PathParameters has the route's parameters in the order and the form of Path. StageVariables has those of the stage.
	PathParameters []Field
	StageVariables map[string]string
	// RequestID is the id in the client's answer.
	RequestID string
	// Domain is the host in lower case, without port; DomainPrefix its first label.
	Domain, DomainPrefix string
	// SourceIP and UserAgent are those of the client; empty if unknown.
	SourceIP, UserAgent string
	// Identity has the values of the identity sources, in the configured order.
	Identity []string
}
