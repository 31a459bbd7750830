package lambda

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

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
