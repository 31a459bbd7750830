package compile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// The authorizations that ask an authorizer.
const (
	// Custom is the authorization by a Lambda authorizer.
	Custom Authorization = "CUSTOM"
	// Cognito is the authorization of callers with a token of a Cognito user pool.
	Cognito Authorization = "COGNITO_USER_POOLS"
	// JWT is the authorization of callers with a JSON Web Token of an issuer.
	JWT Authorization = "JWT"
)

// Authorizer is one authorizer of an API.
type Authorizer struct {
	// At is where the authorizer's fields stand, such as identitySource. Nil stands for its entry in the API's authorizers. A fault of
	// the authorizer as a whole stands at its entry.
	At *fault.Place
	// Authorization is the authorization of the methods that the authorizer guards: CUSTOM, COGNITO_USER_POOLS or JWT.
	Authorization Authorization
	// IdentitySource names what the caller shows, in API Gateway's notation: method.request.header.Authorization on a REST API,
	// $request.header.Authorization on an HTTP API. A token stands in one place, Authorization if none is named. A function
	// may be shown several.
	IdentitySource []string
	// IdentityValidationExpression has to match the whole of what is shown before the function is called; empty for no check. It
	// belongs to a TOKEN authorizer; a user pool's expression is about the token's audience, and the token's own matter.
	IdentityValidationExpression string
	// Token checks what the caller shows (COGNITO_USER_POOLS, JWT). An error refuses, in the words of an *authz.Refusal.
	Token func(ctx context.Context, shown string, scopes []string) (model.Token, error)
	// Function asks the authorizer's function (CUSTOM). An error refuses, in the words of an *authz.Refusal.
	Function func(context.Context, model.LambdaCall) (model.LambdaAnswer, error)
	// TokenType says of a function's authorizer that it is one of type TOKEN: with a single identity source, Authorization if
	// none is named.
	TokenType bool
	// Timeout is how long the function may take, where the configuration says so. Function holds to it; Envoy has to wait longer.
	Timeout time.Duration
}

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
		f.add(at, "%q is no name of an authorizer; write letters, digits and ._-", name)
	}
	a := &model.Authorizer{Name: name, Token: c.Token, Function: c.Function}
	switch c.Authorization {
	case Custom:
		if c.Function == nil {
			f.add(at, "the authorizer has no function")
		}
	case Cognito, JWT:
		if c.Authorization == JWT {
			a.Challenge = "Bearer"
		}
		if c.Token == nil {
			f.add(at, "the authorizer checks no token")
		}
	default:
		f.add(at, "authorization %q asks no authorizer", string(c.Authorization))
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

// compileValidation compiles an identityValidationExpression. API Gateway does not say whether it has to match the whole value;
// here it has to, which is the reading that lets fewer through.
//
// 2026-11-25: identityValidationExpression has to match the whole value, and is no Java expression but one of Go's: what that
// cannot say (look-around, back-references) is a fault. So is a character class that both take and read differently: one within
// another, and &&.
func (f *faults) compileValidation(expression string, at *fault.Place) *regexp.Regexp {
	if expression == "" {
		return nil
	}
	compiled, err := authz.CompileExpression(expression)
	if err != nil {
		f.add(at.Field("identityValidationExpression"), "the expression cannot be used: %v", err)
	}
	return compiled
}

// routeAuthorizer finds the authorizer of a route, nil if it has none.
func (a *apiBuilder) routeAuthorizer(c *Route, at *fault.Place, f *faults) *model.Authorizer {
	asks := c.Authorization == Custom || c.Authorization == Cognito || c.Authorization == JWT
	named := a.authorizers[c.Authorizer]
	switch {
	case !asks && c.Authorizer != "":
		f.add(at.Field("authorizer"), "authorization %s asks no authorizer: remove one of the two", c.Authorization)
	case asks && c.Authorizer == "":
		f.add(at.Field("authorizer"), "authorization %s needs an authorizer: write its name", c.Authorization)
	case asks && named == nil:
		f.add(at.Field("authorizer"), "the API has no authorizer %q%s", c.Authorizer, oneOf(a.authorizers))
	case asks && a.kinds[c.Authorizer] != c.Authorization:
		f.add(at.Field("authorization"), "authorization is %s, and the authorizer %s is for %s: write authorization: %s, or remove it", c.Authorization, c.Authorizer, a.kinds[c.Authorizer], a.kinds[c.Authorizer])
	}
	if len(c.Scopes) > 0 && c.Authorization != Cognito && c.Authorization != JWT {
		f.add(at.Field("scopes"), "only a user pool's token, or a JWT, has scopes: remove them, or name such an authorizer")
	}
	f.checkScopes(c.Scopes, at)
	return named
}

func (f *faults) checkScopes(scopes []string, at *fault.Place) {
	for i, s := range scopes {
		if !scopeShape.MatchString(s) {
			f.add(at.Field("scopes").Item(i), "%q is no scope; write one without blanks, such as orders/read", s)
		}
	}
}

func oneOf(authorizers map[string]*model.Authorizer) string {
	if len(authorizers) == 0 {
		return "; write it under authorizers"
	}
	text := "; there is"
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

// IAM is the authorization of callers who sign their requests.
const IAM Authorization = "AWS_IAM"

// singleSource is the identity source of an authorizer that has one: the one that is written, or the Authorization header.
func (f *faults) singleSource(written []string, api *API, at *fault.Place) []string {
	switch {
	case len(written) > 1:
		f.add(at.Field("identitySource"), "such an authorizer has one identity source: write one")
	case len(written) == 0 && api.HTTP:
		return []string{"$request.header.Authorization"}
	case len(written) == 0:
		return []string{"method.request.header.Authorization"}
	case !api.HTTP && !strings.HasPrefix(written[0], "method.request.header."):
		f.add(at.Field("identitySource").Item(0), "%q: such an authorizer of a REST API looks at a header; write method.request.header.<name>", written[0])
		return nil
	case api.HTTP && !strings.HasPrefix(written[0], "$request."):
		f.add(at.Field("identitySource").Item(0), "%q: write $request.header.<name> or $request.querystring.<name>", written[0])
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
			f.warn(at, "no stage of the API has a variable %q: every caller gets a 401", variable)
		}
		if variable, ok := strings.CutPrefix(strings.TrimPrefix(text, "$"), "context."); ok && slices.Contains(unknownBefore, variable) {
			f.warn(at, "nobody whom an authorizer is asked about has %s: every caller gets a 401", text)
		}
		switch {
		case err != nil:
			f.add(at, "%v", err)
		case seen[text]:
			f.add(at, "the identity source %s is written twice", text)
		}
		seen[text] = true
		sources = append(sources, model.IdentitySource{Written: text, Value: value})
	}
	return sources
}

// unknownBefore are the variables that no request has before an authorizer is asked: those of callers who sign, those of API keys, and
// those that none has.
var unknownBefore = append([]string{
	"identity.accessKey", "identity.accountId", "identity.apiKey", "identity.apiKeyId", "identity.caller", "identity.principalOrgId", "identity.user", "identity.userArn",
}, absentVariables...)

// compileSource compiles an identity source: method.request.header.X, method.request.querystring.X, stageVariables.X and
// context.X on a REST API, the same with a dollar sign, and without "method.", on an HTTP API.
func compileSource(text string, api *API) (answer.Variable, error) {
	name := text
	if api.HTTP {
		var ok bool
		if name, ok = strings.CutPrefix(text, "$"); !ok {
			return answer.Variable{}, fmt.Errorf("%q: an identity source of an HTTP API begins with a dollar sign; write $request.header.<name>", text)
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
			return answer.Variable{}, fmt.Errorf("%q: an identity source is one parameter of the query; write one item of the list for each source", text)
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
	return answer.Variable{}, fmt.Errorf("%q is no identity source; write %s", text, form)
}

// sourceVariable is a variable as an identity source. Nothing of an authorizer's is known before it is asked.
func sourceVariable(name string, api *API) (answer.Variable, error) {
	if strings.HasPrefix(name, "context.authorizer") {
		return answer.Variable{}, fmt.Errorf("%q is what an authorizer says: it is not known before", name)
	}
	if variable, ok := strings.CutPrefix(name, "stageVariables."); ok {
		return answer.Variable{Kind: answer.StageVariable, Name: variable}, nil
	}
	return newScope(api).lookup(name)
}
