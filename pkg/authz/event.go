package authz

// Event is what a Lambda authorizer's function is told of a request, before it is written in one of the event formats.
type Event struct {
	Request *Request
	// MethodARN is the ARN of the method, or of an HTTP API's route, with the path of this request.
	MethodARN string
	// API, Account and Stage name whose request it is.
	API, Account, Stage string
	// Route is the route key, such as "GET /pets/{petId}" or "$default"; Resource is the resource path alone.
	Route, Resource string
	// Path is the request's path, with a domain's base path and without a stage's name; FullPath has either. On REST APIs both
	// are as received, on HTTP APIs decoded.
	Path, FullPath string
	// PathParameters are the route's, in the order of the path and as it writes them; StageVariables the stage's.
	PathParameters []Field
	StageVariables map[string]string
	// RequestID is the id that the client is told.
	RequestID string
	// Domain is the host in lower case, without port; DomainPrefix its first label.
	Domain, DomainPrefix string
	// SourceIP and UserAgent are the client's; empty where unknown.
	SourceIP, UserAgent string
	// Identity are the values of the identity sources, in the configured order.
	Identity []string
}
