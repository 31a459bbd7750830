package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// contextVariables has the $context variables that can be mapped ("$context variables for data models, authorizers, mapping
// templates, and CloudWatch access logging").
var contextVariables = map[string]answer.Kind{
	"accountId":               answer.AccountID,
	"apiId":                   answer.APIID,
	"authorizer.principalId":  answer.PrincipalID,
	"domainName":              answer.DomainName,
	"domainPrefix":            answer.DomainPrefix,
	"extendedRequestId":       answer.RequestID,
	"httpMethod":              answer.HTTPMethod,
	"identity.accessKey":      answer.SignerAccessKey,
	"identity.accountId":      answer.SignerAccount,
	"identity.apiKey":         answer.APIKey,
	"identity.apiKeyId":       answer.APIKeyID,
	"identity.caller":         answer.SignerUserID,
	"identity.principalOrgId": answer.SignerOrganization,
	"identity.sourceIp":       answer.SourceIP,
	"identity.user":           answer.SignerUserID,
	"identity.userArn":        answer.SignerARN,
	"identity.userAgent":      answer.UserAgent,
	"identity.vpcId":          answer.VPCID,
	"identity.vpceId":         answer.VPCEndpointID,
	"path":                    answer.Path,
	"protocol":                answer.Protocol,
	"requestId":               answer.RequestID,
	"requestTime":             answer.RequestTime,
	"requestTimeEpoch":        answer.RequestTimeEpoch,
	"resourcePath":            answer.ResourcePath,
	"routeKey":                answer.RouteKey,
	"stage":                   answer.Stage,
	"xrayTraceId":             answer.TraceID,
}

// absentVariables lists the variables that no request has, because portcullis does not support Cognito identity pools.
var absentVariables = []string{
	"identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType", "identity.cognitoIdentityId", "identity.cognitoIdentityPoolId",
}

// errorVariables has the $context.error variables, which can only be used in gateway responses.
var errorVariables = map[string]answer.Kind{
	"error.message":       answer.Message,
	"error.messageString": answer.MessageString,
	"error.responseType":  answer.ResponseType,
	// The finding of a request validator, which portcullis does not have.
	"error.validationErrorString": answer.Absent,
}

// scope is where a variable is used, which decides which ones exist.
type scope struct {
	api *API
	// response allows context.error and method.request, as in a gateway response.
	response bool
}

func newScope(api *API) scope { return scope{api: api} }

func (s scope) inResponse() scope {
	s.response = true
	return s
}

// lookup returns the variable of a name such as "context.requestId" (without the dollar sign).
func (s scope) lookup(name string) (answer.Variable, error) {
	kind, rest, _ := strings.Cut(name, ".")
	switch {
	case kind == "context":
		return s.contextVariable(rest)
	case kind == "stageVariables":
		return s.stageVariable(rest)
	case kind == "method" && s.response:
		return methodVariable(rest)
	}
	if kind == "request" {
		return answer.Variable{}, fmt.Errorf("$request variables cannot be mapped, because the upstream gets them from the client; remove it; %s", s.known())
	}
	return answer.Variable{}, fmt.Errorf("unknown variable; %s", s.known())
}

func (s scope) contextVariable(name string) (answer.Variable, error) {
	v, ok := contextVariables[name]
	if !ok && s.response {
		v, ok = errorVariables[name]
	}
	if rest, is := strings.CutPrefix(name, "authorizer."); is && !ok {
		return s.authorizerVariable(rest)
	}
	if !ok && slices.Contains(absentVariables, name) {
		v, ok = answer.Absent, true
	}
	if !ok || !s.offers(name) {
		return answer.Variable{}, fmt.Errorf("unknown variable context.%s; %s", name, s.known())
	}
	return answer.Variable{Kind: v}, nil
}

// authorizerVariable returns a claim of the caller's token, written claims.<name> or claims['<name>'], or a value of the context that an
// authorizer's function returns.
func (s scope) authorizerVariable(name string) (answer.Variable, error) {
	claim, ok := strings.CutPrefix(name, "claims.")
	if quoted, is := strings.CutPrefix(name, "claims['"); is {
		claim, ok = strings.CutSuffix(quoted, "']")
	}
	switch {
	case ok && claim != "" && !s.hasAuthorizer(Cognito, JWT):
		return answer.Variable{}, fmt.Errorf("context.authorizer.%s is a claim of a token; write an authorizer for the tokens of user pools or for JWTs", name)
	case ok && claim != "":
		return answer.Variable{Kind: answer.Claim, Name: claim}, nil
	case ok || strings.HasPrefix(name, "claims"):
		return answer.Variable{}, fmt.Errorf("context.authorizer.%s is not a single value; write context.authorizer.claims.<name> or context.authorizer.claims['<name>']", name)
	case name == "" || !s.hasAuthorizer(Custom):
		return answer.Variable{}, fmt.Errorf("context.authorizer.%s is a value of a Lambda authorizer's answer; write such an authorizer", name)
	}
	return answer.Variable{Kind: answer.AuthorizerContext, Name: name}, nil
}

func (s scope) hasAuthorizer(kinds ...Authorization) bool {
	for _, a := range s.api.Authorizers {
		if slices.Contains(kinds, a.Authorization) {
			return true
		}
	}
	return false
}

// ContextVariables returns the $context variables that can be mapped on the API, such as "context.requestId". Those of authorizers are not
// among them.
func (a *API) ContextVariables() []string {
	names := make([]string, 0, len(contextVariables))
	for name := range contextVariables {
		if newScope(a).offers(name) {
			names = append(names, "context."+name)
		}
	}
	slices.Sort(names)
	return names
}

func (s scope) known() string {
	return "write one of " + strings.Join(s.api.ContextVariables(), ", ") + ", context.authorizer.<name>, context.authorizer.claims.<name> and stageVariables.<name>"
}

// offers reports whether APIs of the scope's kind have a $context variable ("Customize HTTP API access logs").
func (s scope) offers(name string) bool {
	switch name {
	case "routeKey":
		return s.api.HTTP
	case "identity.accessKey", "identity.apiKey", "identity.apiKeyId", "identity.vpcId", "identity.vpceId", "resourcePath", "xrayTraceId":
		return !s.api.HTTP
	default:
		return true
	}
}

func (s scope) stageVariable(name string) (answer.Variable, error) {
	if !s.api.hasStageVariable(name) {
		return answer.Variable{}, fmt.Errorf("stage variable %q is unknown; write it under the variables of the API's stages", name)
	}
	return answer.Variable{Kind: answer.StageVariable, Name: name}, nil
}

// methodVariable returns a part of the request: request.header.<name>, request.querystring.<name> or request.path.<name>.
func methodVariable(name string) (answer.Variable, error) {
	if header, ok := strings.CutPrefix(name, "request.header."); ok && authz.IsToken(header) {
		return answer.Variable{Kind: answer.Header, Name: canon.Lower(header)}, nil
	}
	if query, ok := strings.CutPrefix(name, "request.querystring."); ok && query != "" {
		return answer.Variable{Kind: answer.Query, Name: query}, nil
	}
	if parameter, ok := strings.CutPrefix(name, "request.path."); ok && parameter != "" {
		return answer.Variable{Kind: answer.PathParameter, Name: parameter}, nil
	}
	return answer.Variable{}, fmt.Errorf("unknown variable method.%s; write method.request.header.<name>, method.request.querystring.<name> or method.request.path.<name>", name)
}
