package lambda

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

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
