package answer

// Kind is what a Variable stands for. The zero value stands for nothing, and no request has it.
type Kind uint8

// The kinds. Those of a name have it in Variable.Name.
const (
	Absent Kind = iota
	// Literal is the text that is the name.
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
	ResourcePath
	RouteKey
	Stage
	// StageVariable is the stage variable of a name.
	StageVariable

	SourceIP
	UserAgent
	VPCID
	VPCEndpointID
	// SignerAccessKey and the others are of callers who sign.
	SignerAccessKey
	SignerAccount
	SignerUserID
	SignerOrganization
	SignerARN
	// APIKey and APIKeyID are of the API key that a route has asked for.
	APIKey
	APIKeyID

	// PrincipalID, Claim and AuthorizerContext are what an authorizer says: the caller, a claim of a token, a value of a function's context.
	PrincipalID
	Claim
	AuthorizerContext

	// Header, Query and PathParameter are the first value that a client sent under a name.
	Header
	Query
	PathParameter
	// SingleHeader is the value of a header with one line.
	SingleHeader
	// AllQuery are all values of a query parameter of a REST API, and the only one of an HTTP API.
	AllQuery

	// Message and the others are of the refusal: $context.error.
	Message
	MessageString
	ResponseType
)

// Variable is a value that a configuration names and a request has: data, which one switch in the flow reads.
type Variable struct {
	Kind Kind
	// Name is that of a header, a parameter, a stage variable, a claim or a context value, or a literal's text; empty for other kinds.
	Name string
}

// SaidByAuthorizer reports whether an authorizer says the value.
func (v Variable) SaidByAuthorizer() bool {
	return v.Kind == PrincipalID || v.Kind == Claim || v.Kind == AuthorizerContext
}

// Values are the values of one request. Value returns false where there is none.
type Values interface {
	Value(v Variable) (string, bool)
}

// MappedHeader is one header, of an answer or of the upstream's request, and where its value comes from.
type MappedHeader struct {
	Name  string
	Value Variable
}
