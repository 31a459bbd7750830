package answer

// Kind is the kind of value that a Variable stands for. No request has a value for the zero Kind.
type Kind uint8

// The kinds. Some have a name, in Variable.Name.
const (
	Absent Kind = iota
	// Literal is the name itself, as a text.
	Literal

	AccountID
	APIID
	DomainName
	DomainPrefix
	HTTPMethod
	Path
	Protocol
	RequestID
	RequestTime
	RequestTimeEpoch
	// TraceID is X-Ray's id of the request, as the client sent it.
	TraceID
	ResourcePath
	RouteKey
	Stage
	// StageVariable is the stage variable with the name.
	StageVariable

	SourceIP
	UserAgent
	VPCID
	VPCEndpointID
	// SignerAccessKey and the next four are present for callers who sign.
	SignerAccessKey
	SignerAccount
	SignerUserID
	SignerOrganization
	SignerARN
	// APIKey and APIKeyID are of the API key that a route has asked for.
	APIKey
	APIKeyID

	// PrincipalID, Claim and AuthorizerContext are values of authorizers: the caller, a claim of a token, a value of a function's context.
	PrincipalID
	Claim
	AuthorizerContext

	// Header, Query and PathParameter are the first value that the client sent under the name.
	Header
	Query
	PathParameter
	// SingleHeader is the value of a header that has one line.
	SingleHeader
	// AllQuery is all values of a query parameter on a REST API, and the only value on an HTTP API.
	AllQuery

	// Message and the next two are values of a refusal: $context.error.
	Message
	MessageString
	ResponseType
)

// Variable names a value that a request may have. Values.Value returns it.
type Variable struct {
	Kind Kind
	// Name is the name of a header, a parameter, a stage variable, a claim or a context value, or a literal's text; empty for other kinds.
	Name string
}

// SaidByAuthorizer reports whether the value comes from an authorizer.
func (v Variable) SaidByAuthorizer() bool {
	return v.Kind == PrincipalID || v.Kind == Claim || v.Kind == AuthorizerContext
}

// Values returns the values of one request. Value returns false if the request does not have the value.
type Values interface {
	Value(v Variable) (string, bool)
}

// MappedHeader is one header of an answer or of the upstream's request, and its value.
type MappedHeader struct {
	Name  string
	Value Variable
}
