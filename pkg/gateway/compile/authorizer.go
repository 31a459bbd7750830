package compile

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

func (a *apiBuilder) compileAuthorizers(c *API, at *fault.Place, f *faults) {
	a.authorizers, a.kinds = make(map[string]*model.Authorizer, len(c.Authorizers)), make(map[string]Authorization, len(c.Authorizers))
	for _, name := range slices.Sorted(maps.Keys(c.Authorizers)) {
		authorizer := c.Authorizers[name]
		a.kinds[name] = authorizer.Authorization
		a.authorizers[name] = compileAuthorizer(&authorizer, c, name, at.Field("authorizers").Key(name), f)
	}
}

func compileAuthorizer(c *Authorizer, api *API, name string, at *fault.Place, f *faults) *model.Authorizer {
	if !authorizerShape.MatchString(name) {
		f.add(at, "%q is not a name of an authorizer; write 1 to 128 letters, digits and ._-", name)
	}
	a := &model.Authorizer{Name: name, Token: c.Token, Function: c.Function}
	switch c.Authorization {
	case Custom:
		if c.Function == nil {
			f.add(at, "the authorizer does not have a function; write one")
		}
	case Cognito, JWT:
		if c.Authorization == JWT {
			a.Challenge = "Bearer"
		}
		if c.Token == nil {
			f.add(at, "the authorizer does not check tokens; write what it checks them by")
		}
	default:
		f.add(at, "authorization %q is not one for authorizers; write CUSTOM, COGNITO_USER_POOLS or JWT", string(c.Authorization))
	}
	at = cmp.Or(c.At, at)
	sources := c.IdentitySource
	if single := c.Authorization != Custom || c.TokenType; single {
		sources = f.singleSource(sources, api, at)
	}
	a.Sources = f.compileSources(sources, api, at)
	a.Validation = f.compileValidation(c.IdentityValidationExpression, at)
	return a
}

// compileValidation compiles an identityValidationExpression.
//
// 2026-11-25: an identityValidationExpression must match the whole value. API Gateway does not document whether it must; this reading
// accepts fewer callers. The syntax is Go's, not Java's. What Go does not support (look-around, back-references) is a fault. So are
// character classes that Go and Java read differently: nested ones, and &&.
func (f *faults) compileValidation(expression string, at *fault.Place) *regexp.Regexp {
	if expression == "" {
		return nil
	}
	compiled, err := authz.CompileExpression(expression)
	if err != nil {
		f.add(at.Field("identityValidationExpression"), "identityValidationExpression: %v", err)
	}
	return compiled
}

// routeAuthorizer returns the authorizer of a route, nil if it does not have one.
func (a *apiBuilder) routeAuthorizer(c *Route, at *fault.Place, f *faults) *model.Authorizer {
	asks := c.Authorization == Custom || c.Authorization == Cognito || c.Authorization == JWT
	named := a.authorizers[c.Authorizer]
	switch {
	case !asks && c.Authorizer != "":
		f.add(at.Field("authorizer"), "authorization %s does not use an authorizer; remove one of the two", c.Authorization)
	case asks && c.Authorizer == "":
		f.add(at.Field("authorizer"), "authorization %s needs an authorizer; write its name", c.Authorization)
	case asks && named == nil:
		f.add(at.Field("authorizer"), "the API does not have an authorizer %q; %s", c.Authorizer, oneOf(a.authorizers))
	case asks && a.kinds[c.Authorizer] != c.Authorization:
		f.add(at.Field("authorization"), "authorization is %s, but the authorizer %s is for %s; write authorization: %s, or remove it", c.Authorization, c.Authorizer, a.kinds[c.Authorizer], a.kinds[c.Authorizer])
	}
	if len(c.Scopes) > 0 && c.Authorization != Cognito && c.Authorization != JWT {
		f.add(at.Field("scopes"), "only the tokens of user pools and JWTs have scopes; remove them, or name an authorizer for such tokens")
	}
	f.checkScopes(c.Scopes, at)
	return named
}

func (f *faults) checkScopes(scopes []string, at *fault.Place) {
	for i, s := range scopes {
		if !scopeShape.MatchString(s) {
			f.add(at.Field("scopes").Item(i), "%q is not a scope; write one without blanks, such as orders/read", s)
		}
	}
}

// oneOf says which authorizers can be named.
func oneOf(authorizers map[string]*model.Authorizer) string {
	if len(authorizers) == 0 {
		return "write it under authorizers"
	}
	text := "write one of"
	for i, name := range slices.Sorted(maps.Keys(authorizers)) {
		if i > 0 {
			text += ","
		}
		text += " " + name
	}
	return text
}

var (
	authorizerShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	// scopeShape is a scope-token (RFC 6749, section 3.3).
	scopeShape = regexp.MustCompile(`^[!#-\[\]-~]{1,256}$`)
)

// singleSource returns the identity source of an authorizer that has exactly one. Without a written one it is the Authorization header.
func (f *faults) singleSource(written []string, api *API, at *fault.Place) []string {
	switch {
	case len(written) > 1:
		f.add(at.Field("identitySource"), "an authorizer of this type has one identity source; remove the others")
	case len(written) == 0 && api.HTTP:
		return []string{"$request.header.Authorization"}
	case len(written) == 0:
		return []string{"method.request.header.Authorization"}
	case !api.HTTP && !strings.HasPrefix(written[0], "method.request.header."):
		f.add(at.Field("identitySource").Item(0), "%q is not a header, which an authorizer of this type reads on a REST API; write method.request.header.<name>", written[0])
		return nil
	case api.HTTP && !strings.HasPrefix(written[0], "$request."):
		f.add(at.Field("identitySource").Item(0), "%q is not a header or a query parameter; write $request.header.<name> or $request.querystring.<name>", written[0])
		return nil
	}
	return written
}

func (f *faults) compileSources(written []string, api *API, at *fault.Place) []model.IdentitySource {
	var sources []model.IdentitySource
	seen := map[string]bool{}
	for i, text := range written {
		at := at.Field("identitySource").Item(i)
		value, err := compileSource(text, api)
		if variable, ok := strings.CutPrefix(strings.TrimPrefix(text, "$"), "stageVariables."); ok && !api.hasStageVariable(variable) {
			f.warn(at, "stage variable %q is unknown, so every caller gets a 401; write it under the variables of the API's stages", variable)
		}
		if variable, ok := strings.CutPrefix(strings.TrimPrefix(text, "$"), "context."); ok && slices.Contains(unknownBefore, variable) {
			f.warn(at, "%s is not known before an authorizer is asked, so every caller gets a 401; write another identity source", text)
		}
		switch {
		case err != nil && api.Imported && isContext(text):
			f.warn(at, "%s has no value in portcullis, so every caller gets a 401; write another identity source", text)
		case err != nil:
			f.add(at, "%v", err)
		case seen[text]:
			f.add(at, "the identity source %s is given twice; remove one", text)
		}
		seen[text] = true
		sources = append(sources, model.IdentitySource{Written: text, Value: value})
	}
	return sources
}

// isContext reports whether an identity source is a $context variable.
func isContext(source string) bool {
	return strings.HasPrefix(strings.TrimPrefix(source, "$"), "context.")
}

// unknownBefore lists the variables that are absent before an authorizer is asked: those of callers who sign, those of API keys, and those
// that are always absent.
var unknownBefore = append([]string{
	"identity.accessKey", "identity.accountId", "identity.apiKey", "identity.apiKeyId", "identity.caller", "identity.principalOrgId", "identity.user", "identity.userArn",
}, absentVariables...)

// compileSource compiles an identity source: method.request.header.X, method.request.querystring.X, stageVariables.X or context.X on a
// REST API; $request.header.X, $request.querystring.X, $stageVariables.X or $context.X on an HTTP API.
func compileSource(text string, api *API) (answer.Variable, error) {
	name := text
	if api.HTTP {
		var ok bool
		if name, ok = strings.CutPrefix(text, "$"); !ok {
			return answer.Variable{}, fmt.Errorf("%q is not an identity source of an HTTP API, which begins with a dollar sign; write one such as $request.header.<name>", text)
		}
		if strings.HasPrefix(name, "request.") {
			name = "method." + name
		}
	}
	if header, ok := strings.CutPrefix(name, "method.request.header."); ok && authz.IsToken(header) {
		return answer.Variable{Kind: answer.SingleHeader, Name: canon.Lower(header)}, nil
	}
	if query, ok := strings.CutPrefix(name, "method.request.querystring."); ok && query != "" {
		if strings.ContainsAny(query, ", ") {
			return answer.Variable{}, fmt.Errorf("%q is not the name of one query parameter; write one item of the list for each identity source", text)
		}
		return answer.Variable{Kind: answer.AllQuery, Name: query}, nil
	}
	if strings.HasPrefix(name, "context.") || strings.HasPrefix(name, "stageVariables.") {
		return sourceVariable(name, api)
	}
	form := "method.request.header.<name>, method.request.querystring.<name>, stageVariables.<name> or context.<name>"
	if api.HTTP {
		form = "$request.header.<name>, $request.querystring.<name>, $stageVariables.<name> or $context.<name>"
	}
	return answer.Variable{}, fmt.Errorf("%q is not an identity source; write %s", text, form)
}

// sourceVariable returns a variable as an identity source. An authorizer's own values are not known before it is asked.
func sourceVariable(name string, api *API) (answer.Variable, error) {
	if strings.HasPrefix(name, "context.authorizer") {
		return answer.Variable{}, fmt.Errorf("%q is a value of the authorizer's answer, which is not known before; write another identity source", name)
	}
	if variable, ok := strings.CutPrefix(name, "stageVariables."); ok {
		return answer.Variable{Kind: answer.StageVariable, Name: variable}, nil
	}
	return newScope(api).lookup(name)
}
