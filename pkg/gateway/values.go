package gateway

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
)

// Value returns the value of a variable for the request. It returns false if the request has no such value. Mapped headers, gateway
// responses and identity sources all read their variables here.
func (in *invocation) Value(v answer.Variable) (string, bool) {
	switch v.Kind {
	case answer.Literal:
		return v.Name, true
	case answer.AccountID:
		return in.stage.API.Account, true
	case answer.APIID:
		return in.stage.API.ID, true
	case answer.RouteKey:
		return in.route.Name, true
	case answer.ResourcePath:
		return in.resourcePath()
	case answer.Stage:
		return in.stage.Name, true
	case answer.StageVariable:
		value, ok := in.stage.Variables[v.Name]
		return value, ok
	case answer.SourceIP:
		return in.sourceIPText()
	case answer.UserAgent:
		return in.userAgent()
	case answer.VPCID:
		return in.vpcID()
	case answer.VPCEndpointID:
		return in.vpceID()
	case answer.SignerAccessKey, answer.SignerAccount, answer.SignerUserID, answer.SignerOrganization, answer.SignerARN:
		return in.ofSigner(v.Kind)
	case answer.APIKey, answer.APIKeyID:
		return in.ofAPIKey(v.Kind)
	case answer.PrincipalID, answer.Claim, answer.AuthorizerContext:
		return in.saidByAuthorizer(v)
	case answer.Message:
		return answer.Text(in.refusal)
	case answer.MessageString:
		return answer.JSONText(in.refusal), true
	case answer.ResponseType:
		return string(in.refusal.ResponseType), true
	default:
		return in.ofRequest(v)
	}
}

// ofRequest returns the value of a variable that depends on the request alone.
func (in *invocation) ofRequest(v answer.Variable) (string, bool) {
	switch v.Kind {
	case answer.DomainName:
		return in.host, in.host != ""
	case answer.DomainPrefix:
		return in.domainPrefix()
	case answer.HTTPMethod:
		return in.request.Method, true
	case answer.Path:
		return in.full.Text, true
	case answer.Protocol:
		return in.request.Protocol, in.request.Protocol != ""
	case answer.RequestID:
		return in.requestID, true
	case answer.TraceID:
		value, lines := in.request.Header("x-amzn-trace-id")
		return value, lines == 1
	case answer.RequestTime:
		return in.request.Time.UTC().Format("02/Jan/2006:15:04:05 -0700"), !in.request.Time.IsZero()
	case answer.RequestTimeEpoch:
		return strconv.FormatInt(in.request.Time.UnixMilli(), 10), !in.request.Time.IsZero()
	case answer.Header:
		value, lines := in.request.Header(v.Name)
		return value, lines > 0
	case answer.SingleHeader:
		value, lines := in.request.Header(v.Name)
		return value, lines == 1
	case answer.Query:
		return in.queryParameter(v.Name)
	case answer.AllQuery:
		return in.queryParameters(v.Name)
	case answer.PathParameter:
		if in.route == nil {
			return "", false
		}
		return in.route.Parameter(v.Name, in.path)
	default:
		return "", false
	}
}

// saidByAuthorizer returns a value from a function's answer, or from a verified token.
func (in *invocation) saidByAuthorizer(v answer.Variable) (string, bool) {
	switch {
	case v.Kind == answer.Claim && in.token != nil:
		return in.token.Claim(v.Name)
	case v.Kind == answer.AuthorizerContext && in.answer != nil:
		return in.answer.ContextValue(v.Name)
	case v.Kind == answer.PrincipalID && in.answer != nil:
		id := in.answer.PrincipalID()
		return id, id != ""
	}
	return "", false
}

// ofSigner returns a value that only callers with a signature have.
func (in *invocation) ofSigner(kind answer.Kind) (string, bool) {
	if in.identity == nil {
		return "", false
	}
	text := ""
	switch kind {
	case answer.SignerAccessKey:
		text = in.identity.AccessKey
	case answer.SignerAccount:
		text = in.identity.Principal.Account
	case answer.SignerUserID:
		text = in.identity.UserID
	case answer.SignerOrganization:
		text = in.identity.OrganizationID
	case answer.SignerARN:
		text = in.identity.Principal.ARN
	default:
	}
	return text, text != ""
}

func (in *invocation) domainPrefix() (string, bool) {
	prefix, _, _ := strings.Cut(in.host, ".")
	return prefix, prefix != ""
}

func (in *invocation) sourceIPText() (string, bool) {
	addr, ok := in.clientAddress()
	if !ok {
		return "", false
	}
	return addr.String(), true
}

func (in *invocation) userAgent() (string, bool) { return in.singleHeader("user-agent") }

func (in *invocation) resourcePath() (string, bool) {
	if in.route == nil {
		return "", false
	}
	return in.route.Resource, true
}

// queryParameter returns the first value of a query parameter, decoded.
func (in *invocation) queryParameter(name string) (string, bool) {
	for n, v := range in.request.Query() {
		if decoded, err := url.QueryUnescape(n); err != nil || decoded != name {
			continue
		}
		value, err := url.QueryUnescape(v)
		return value, err == nil
	}
	return "", false
}

// queryParameters returns the values of a query parameter that identifies the caller, joined by a character that values must not contain.
//
// 2026-11-25: an identity source that is a header with several lines counts as missing, at any TTL. A query parameter of a REST API with
// several values identifies by all of them, because the function sees all of them and its answer is kept under them. On an HTTP API, an
// identity source is one text that the function sees, and such a parameter counts as missing.
func (in *invocation) queryParameters(name string) (string, bool) {
	all, found := "", 0
	for n, v := range in.request.Query() {
		if decoded, err := url.QueryUnescape(n); err != nil || decoded != name {
			continue
		}
		value, err := url.QueryUnescape(v)
		if err != nil || strings.Contains(value, "\x00") {
			return "", false
		}
		if found++; found > 1 {
			all += "\x00"
		}
		all += value
	}
	return all, found == 1 || found > 1 && !in.stage.API.HTTP && strings.Trim(all, "\x00") != ""
}

// vpcID and vpceID return $context.identity.vpcId and vpceId.
func (in *invocation) vpcID() (string, bool) {
	if in.endpoint == nil {
		return "", false
	}
	return in.endpoint.VPC, in.endpoint.VPC != ""
}

func (in *invocation) vpceID() (string, bool) {
	if in.endpoint == nil {
		return "", false
	}
	return in.endpoint.ID, in.endpoint.ID != ""
}
