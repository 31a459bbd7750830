package lambda

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"iter"
	"math/big"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// event writes what the function is told of a request.
func (a *Authorizer) event(c Call) ([]byte, error) {
	if c.Event == nil {
		return nil, errors.New("a request came without its event")
	}
	e := c.Event.Event()
	if e == nil || e.Request == nil {
		return nil, errors.New("a request came without its event")
	}
	switch {
	case a.token:
		return encode(tokenEvent{Type: string(Token), MethodARN: e.MethodARN, AuthorizationToken: c.Identity[0]})
	case a.version == version2:
		return encode(a.newEvent2(e, c.Identity))
	default:
		return encode(a.newEvent1(e, c.Identity))
	}
}

// tokenEvent is the event of a TOKEN authorizer.
type tokenEvent struct {
	Type               string `json:"type"`
	MethodARN          string `json:"methodArn"`
	AuthorizationToken string `json:"authorizationToken"`
}

// encode writes JSON. What is not UTF-8 becomes U+FFFD.
func encode(event any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		return nil, errors.New("the event cannot be written")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// headers yields the header lines with the host among them.
func headers(r *authz.Request) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if _, lines := r.Header("host"); lines == 0 && r.Host != "" && !yield("host", r.Host) {
			return
		}
		for name, value := range r.Headers() {
			if !yield(name, value) {
				return
			}
		}
	}
}

// spell gives a header's name the spelling that a client would have used.
func (a *Authorizer) spell(name string) string {
	if spelled, ok := a.spelling[name]; ok {
		return spelled
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// query yields the parameters of the query decoded.
func query(r *authz.Request) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, value := range r.Query() {
			if !yield(unescaped(name), unescaped(value)) {
				return
			}
		}
	}
}

func unescaped(s string) string {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		decoded = s
	}
	return clean(decoded)
}

// clean is needed for the keys of an object alone: two that are not UTF-8 must not become one.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func pathParameters(e *authz.Event) map[string]string {
	parameters := make(map[string]string, len(e.PathParameters))
	for _, p := range e.PathParameters {
		parameters[clean(p.Name)] = p.Value
	}
	return parameters
}

func stageVariables(e *authz.Event) map[string]string {
	variables := make(map[string]string, len(e.StageVariables))
	for name, value := range e.StageVariables {
		variables[clean(name)] = value
	}
	return variables
}

// requestTime is when the request came: the text of $context.requestTime, and milliseconds.
func (a *Authorizer) requestTime(e *authz.Event) (text string, epoch int64) {
	at := e.Request.Time
	if at.IsZero() {
		at = a.now()
	}
	return at.UTC().Format("02/Jan/2006:15:04:05 -0700"), at.UnixMilli()
}

// resourceID is the id of a resource, six characters as on API Gateway: nothing but the resource decides it.
func resourceID(e *authz.Event) string {
	sum := sha256.Sum256(appendText(appendText(nil, e.API), e.Resource))
	text := "00000" + new(big.Int).SetBytes(sum[:8]).Text(36)
	return text[len(text)-6:]
}

// orNil is a text that is null where it is empty.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// event1 is the event of a REQUEST authorizer of a REST API, and with its version payload format 1.0 of an HTTP API.
type event1 struct {
	Version            string `json:"version,omitempty"`
	Type               string `json:"type"`
	MethodARN          string `json:"methodArn"`
	IdentitySource     string `json:"identitySource,omitempty"`
	AuthorizationToken string `json:"authorizationToken,omitempty"`

	Resource   string `json:"resource"`
	Path       string `json:"path"`
	HTTPMethod string `json:"httpMethod"`

	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`

	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`

	PathParameters map[string]string `json:"pathParameters"`
	StageVariables map[string]string `json:"stageVariables"`
	RequestContext context1          `json:"requestContext"`
}

type context1 struct {
	ResourceID        string    `json:"resourceId"`
	ResourcePath      string    `json:"resourcePath"`
	HTTPMethod        string    `json:"httpMethod"`
	ExtendedRequestID string    `json:"extendedRequestId"`
	RequestTime       string    `json:"requestTime"`
	Path              string    `json:"path"`
	AccountID         string    `json:"accountId"`
	Protocol          string    `json:"protocol"`
	Stage             string    `json:"stage"`
	DomainPrefix      string    `json:"domainPrefix"`
	RequestTimeEpoch  int64     `json:"requestTimeEpoch"`
	RequestID         string    `json:"requestId"`
	Identity          identity1 `json:"identity"`
	DomainName        string    `json:"domainName"`
	APIID             string    `json:"apiId"`
}

// identity1 has nulls for what only signed requests have: those ask no function.
type identity1 struct {
	CognitoIdentityPoolID         *string `json:"cognitoIdentityPoolId"`
	AccountID                     *string `json:"accountId"`
	CognitoIdentityID             *string `json:"cognitoIdentityId"`
	Caller                        *string `json:"caller"`
	SourceIP                      *string `json:"sourceIp"`
	PrincipalOrgID                *string `json:"principalOrgId"`
	AccessKey                     *string `json:"accessKey"`
	CognitoAuthenticationType     *string `json:"cognitoAuthenticationType"`
	CognitoAuthenticationProvider *string `json:"cognitoAuthenticationProvider"`
	UserARN                       *string `json:"userArn"`
	UserAgent                     *string `json:"userAgent"`
	User                          *string `json:"user"`
}

func (a *Authorizer) newEvent1(e *authz.Event, identity []string) *event1 {
	event := &event1{
		Version: a.version, Type: string(Request), MethodARN: e.MethodARN,
		Resource: e.Resource, Path: e.Path, HTTPMethod: e.Request.Method,
		Headers: map[string]string{}, MultiValueHeaders: map[string][]string{},
		QueryStringParameters: map[string]string{}, MultiValueQueryStringParameters: map[string][]string{},
		PathParameters: pathParameters(e), StageVariables: stageVariables(e),
		RequestContext: a.newContext1(e),
	}
	if a.http {
		event.IdentitySource = strings.Join(identity, ",")
		event.AuthorizationToken = event.IdentitySource
	}
	for name, value := range headers(e.Request) {
		name = a.spell(name)
		event.Headers[name] = value
		event.MultiValueHeaders[name] = append(event.MultiValueHeaders[name], value)
	}
	for name, value := range query(e.Request) {
		event.QueryStringParameters[name] = value
		event.MultiValueQueryStringParameters[name] = append(event.MultiValueQueryStringParameters[name], value)
	}
	return event
}

func (a *Authorizer) newContext1(e *authz.Event) context1 {
	text, epoch := a.requestTime(e)
	resource := e.Route // so it is in events of HTTP APIs
	if !a.http {
		resource = resourceID(e)
	}
	return context1{
		ResourceID: resource, ResourcePath: e.Resource, HTTPMethod: e.Request.Method, ExtendedRequestID: e.RequestID,
		RequestTime: text, Path: e.FullPath, AccountID: e.Account, Protocol: e.Request.Protocol, Stage: e.Stage,
		DomainPrefix: e.DomainPrefix, RequestTimeEpoch: epoch, RequestID: e.RequestID,
		Identity:   identity1{SourceIP: orNil(e.SourceIP), UserAgent: orNil(e.UserAgent)},
		DomainName: e.Domain, APIID: e.API,
	}
}

// event2 is payload format 2.0.
type event2 struct {
	Version        string   `json:"version"`
	Type           string   `json:"type"`
	RouteARN       string   `json:"routeArn"`
	IdentitySource []string `json:"identitySource"`
	RouteKey       string   `json:"routeKey"`
	RawPath        string   `json:"rawPath"`
	RawQueryString string   `json:"rawQueryString"`
	Cookies        []string `json:"cookies,omitempty"`

	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        context2          `json:"requestContext"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	StageVariables        map[string]string `json:"stageVariables,omitempty"`
}

type context2 struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

func (a *Authorizer) newEvent2(e *authz.Event, identity []string) *event2 {
	event := &event2{
		Version: version2, Type: string(Request), RouteARN: e.MethodARN, IdentitySource: identity, RouteKey: e.Route,
		RawPath: e.FullPath, RawQueryString: e.Request.RawQuery(),
		RequestContext: a.newContext2(e), PathParameters: pathParameters(e), StageVariables: stageVariables(e),
	}
	if event.IdentitySource == nil {
		event.IdentitySource = []string{}
	}
	lines, parameters := map[string][]string{}, map[string][]string{}
	for name, value := range headers(e.Request) {
		if name == "cookie" {
			event.Cookies = appendCookies(event.Cookies, value)
			continue
		}
		lines[name] = append(lines[name], value)
	}
	for name, value := range query(e.Request) {
		parameters[name] = append(parameters[name], value)
	}
	event.Headers, event.QueryStringParameters = joined(lines), joined(parameters)
	return event
}

func (a *Authorizer) newContext2(e *authz.Event) context2 {
	text, epoch := a.requestTime(e)
	return context2{
		AccountID: e.Account, APIID: e.API, DomainName: e.Domain, DomainPrefix: e.DomainPrefix,
		HTTP: httpContext{
			Method: e.Request.Method, Path: e.FullPath, Protocol: e.Request.Protocol, SourceIP: e.SourceIP, UserAgent: e.UserAgent,
		},
		RequestID: e.RequestID, RouteKey: e.Route, Stage: e.Stage, Time: text, TimeEpoch: epoch,
	}
}

// joined has all values of a name, with commas between.
func joined(values map[string][]string) map[string]string {
	m := make(map[string]string, len(values))
	for name, all := range values {
		m[name] = strings.Join(all, ",")
	}
	return m
}

func appendCookies(cookies []string, line string) []string {
	for cookie := range strings.SplitSeq(line, ";") {
		if cookie = strings.Trim(cookie, " \t"); cookie != "" {
			cookies = append(cookies, cookie)
		}
	}
	return cookies
}
