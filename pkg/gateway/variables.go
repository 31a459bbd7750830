package gateway

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// variable reads one value of an invocation; false where there is none.
type variable func(in *invocation) (string, bool)

// contextVariables are the $context variables that can be mapped ("$context variables for data models, authorizers, mapping
// templates, and CloudWatch access logging").
var contextVariables = map[string]variable{
	"accountId":               func(in *invocation) (string, bool) { return in.stage.api.account, true },
	"apiId":                   func(in *invocation) (string, bool) { return in.stage.api.id, true },
	"authorizer.principalId":  (*invocation).principalID,
	"domainName":              func(in *invocation) (string, bool) { return in.host, in.host != "" },
	"domainPrefix":            (*invocation).domainPrefix,
	"extendedRequestId":       func(in *invocation) (string, bool) { return in.requestID, true },
	"httpMethod":              func(in *invocation) (string, bool) { return in.request.Method, true },
	"identity.accessKey":      ofIdentity(func(s *Signed) string { return s.AccessKey }),
	"identity.accountId":      ofIdentity(func(s *Signed) string { return s.Principal.Account }),
	"identity.caller":         ofIdentity(func(s *Signed) string { return s.UserID }),
	"identity.principalOrgId": ofIdentity(func(s *Signed) string { return s.OrganizationID }),
	"identity.sourceIp":       (*invocation).sourceIPText,
	"identity.user":           ofIdentity(func(s *Signed) string { return s.UserID }),
	"identity.userArn":        ofIdentity(func(s *Signed) string { return s.Principal.ARN }),
	"identity.userAgent":      (*invocation).userAgent,
	"identity.vpcId":          (*invocation).vpcID,
	"identity.vpceId":         (*invocation).vpceID,
	"path":                    func(in *invocation) (string, bool) { return in.fullPath, true },
	"protocol":                func(in *invocation) (string, bool) { return in.request.Protocol, in.request.Protocol != "" },
	"requestId":               func(in *invocation) (string, bool) { return in.requestID, true },
	"requestTime":             (*invocation).requestTime,
	"requestTimeEpoch":        (*invocation).requestTimeEpoch,
	"resourcePath":            (*invocation).resourcePath,
	"routeKey":                func(in *invocation) (string, bool) { return in.route.key, true },
	"stage":                   func(in *invocation) (string, bool) { return in.stage.name, true },
}

// absentVariables are those that no request here has: there are neither API keys nor identities of a Cognito identity pool.
var absentVariables = []string{
	"identity.apiKey", "identity.apiKeyId", "identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType",
	"identity.cognitoIdentityId", "identity.cognitoIdentityPoolId",
}

func absent(*invocation) (string, bool) { return "", false }

// errorVariables are the $context.error variables, which only a gateway response has.
var errorVariables = map[string]variable{
	"error.message":       func(in *invocation) (string, bool) { return in.refusal.text() },
	"error.messageString": func(in *invocation) (string, bool) { return in.refusal.messageString(), true },
	"error.responseType":  func(in *invocation) (string, bool) { return gatewayResponses[in.refusal.kind].name, true },
	// A request validator's finding: portcullis validates no bodies.
	"error.validationErrorString": absent,
}

// principalID is the caller as a Lambda authorizer's function names it.
func (in *invocation) principalID() (string, bool) {
	if in.answer == nil {
		return "", false
	}
	id := in.answer.PrincipalID()
	return id, id != ""
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

func (in *invocation) requestTime() (string, bool) {
	return in.request.Time.UTC().Format("02/Jan/2006:15:04:05 -0700"), !in.request.Time.IsZero()
}

func (in *invocation) requestTimeEpoch() (string, bool) {
	return strconv.FormatInt(in.request.Time.UnixMilli(), 10), !in.request.Time.IsZero()
}

func (in *invocation) resourcePath() (string, bool) {
	if in.route == nil {
		return "", false
	}
	return in.route.Resource, true
}

// scope is where a variable is used: it decides which ones exist.
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
func (s scope) lookup(name string) (variable, error) {
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
		return nil, fmt.Errorf("$request variables hold what the client sent, which the upstream gets anyway: remove it; %s", s.known())
	}
	return nil, fmt.Errorf("unknown variable; %s", s.known())
}

func (s scope) contextVariable(name string) (variable, error) {
	v, ok := contextVariables[name]
	if !ok && s.response {
		v, ok = errorVariables[name]
	}
	if rest, is := strings.CutPrefix(name, "authorizer."); is && !ok {
		return s.authorizerVariable(rest)
	}
	if !ok && slices.Contains(absentVariables, name) {
		v, ok = absent, true
	}
	if !ok || !s.offers(name) {
		return nil, fmt.Errorf("unknown variable context.%s; %s", name, s.known())
	}
	return v, nil
}

// authorizerVariable is a claim of the caller's token, as claims.<name> or claims['<name>'], or a value of the context that an
// authorizer's function returns.
func (s scope) authorizerVariable(name string) (variable, error) {
	claim, ok := strings.CutPrefix(name, "claims.")
	if quoted, is := strings.CutPrefix(name, "claims['"); is {
		claim, ok = strings.CutSuffix(quoted, "']")
	}
	switch {
	case ok && claim != "" && !s.hasAuthorizer(Cognito, JWT):
		return nil, fmt.Errorf("context.authorizer.%s needs a token: the API has no authorizer for a user pool's tokens or JWTs", name)
	case ok && claim != "":
		return func(in *invocation) (string, bool) {
			if in.token == nil {
				return "", false
			}
			return in.token.Claim(claim)
		}, nil
	case ok || strings.HasPrefix(name, "claims"):
		return nil, fmt.Errorf("context.authorizer.%s is no single value; write context.authorizer.claims.<name> or context.authorizer.claims['<name>']", name)
	case name == "" || !s.hasAuthorizer(Custom):
		return nil, fmt.Errorf("context.authorizer.%s is what a Lambda authorizer returns, and the API has none", name)
	}
	return func(in *invocation) (string, bool) {
		if in.answer == nil {
			return "", false
		}
		return in.answer.ContextValue(name)
	}, nil
}

func (s scope) hasAuthorizer(kinds ...Authorization) bool {
	for _, a := range s.api.Authorizers {
		if slices.Contains(kinds, a.Authorization) {
			return true
		}
	}
	return false
}

func (s scope) known() string {
	names := make([]string, 0, len(contextVariables))
	for name := range contextVariables {
		if s.offers(name) {
			names = append(names, "context."+name)
		}
	}
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ") + ", context.authorizer.<name>, context.authorizer.claims.<name> and stageVariables.<name>"
}

// offers reports whether an API of the scope's kind has a $context variable ("Customize HTTP API access logs").
func (s scope) offers(name string) bool {
	switch name {
	case "routeKey":
		return s.api.HTTP
	case "identity.accessKey", "identity.apiKey", "identity.apiKeyId", "identity.vpcId", "identity.vpceId", "resourcePath":
		return !s.api.HTTP
	default:
		return true
	}
}

func (s scope) stageVariable(name string) (variable, error) {
	if !s.api.hasStageVariable(name) {
		return nil, fmt.Errorf("no stage of the API has a variable %q", name)
	}
	return stageVariable(name), nil
}

func (a *API) hasStageVariable(name string) bool {
	return slices.ContainsFunc(a.Stages, func(s Stage) bool { _, ok := s.Variables[name]; return ok })
}

func stageVariable(name string) variable {
	return func(in *invocation) (string, bool) {
		value, ok := in.stage.variables[name]
		return value, ok
	}
}

// methodVariable reads a part of the request: request.header.<name>, request.querystring.<name> or request.path.<name>.
func methodVariable(name string) (variable, error) {
	if header, ok := strings.CutPrefix(name, "request.header."); ok && authz.IsToken(header) {
		header = canon.Lower(header)
		return func(in *invocation) (string, bool) {
			value, lines := in.request.Header(header)
			return value, lines > 0
		}, nil
	}
	if query, ok := strings.CutPrefix(name, "request.querystring."); ok && query != "" {
		return func(in *invocation) (string, bool) { return in.queryParameter(query) }, nil
	}
	if parameter, ok := strings.CutPrefix(name, "request.path."); ok && parameter != "" {
		return func(in *invocation) (string, bool) {
			if in.route == nil {
				return "", false
			}
			return in.route.Parameter(parameter, in.path)
		}, nil
	}
	return nil, fmt.Errorf("unknown variable method.%s; write method.request.header.<name>, method.request.querystring.<name> or method.request.path.<name>", name)
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
