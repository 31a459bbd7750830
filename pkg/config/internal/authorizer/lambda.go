package authorizer

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const (
	maxFunctionTime = 30 * time.Second
	maxResultTTL    = time.Hour
)

// lambda compiles a Lambda authorizer.
func (c *Compiler) lambda(m *configv1.LambdaAuthorizer, name string, api *gateway.API, at *fault.Place) gateway.Authorizer {
	token := m.GetType() == configv1.LambdaType_TOKEN
	compiled := gateway.Authorizer{
		Authorization: gateway.Custom, IdentitySource: m.GetIdentitySource(), TokenType: token, Function: refuseCalls,
		IdentityValidationExpression: m.GetIdentityValidationExpression(),
	}
	if token && len(compiled.IdentitySource) == 0 && !api.HTTP {
		compiled.IdentitySource = []string{"method.request.header.Authorization"}
	}
	if !token && m.GetIdentityValidationExpression() != "" {
		c.IfNew(at.Field("identityValidationExpression"), "identityValidationExpression belongs to authorizers of type TOKEN: remove it")
	}
	config := lambda.Config{
		Name: name, Type: lambda.Type(m.GetType().String()), HTTP: api.HTTP,
		PayloadFormatVersion: m.GetPayloadFormatVersion(), EnableSimpleResponses: m.GetEnableSimpleResponses(),
		IdentitySource: compiled.IdentitySource, Function: m.GetFunction(),
		Timeout: c.Duration(m.GetTimeout(), at.Field("timeout"), reader.Span{Least: time.Millisecond, Most: maxFunctionTime}, 0),
		Cache:   c.lease.Answers(), Waits: c.pool.Waits(),
	}
	if m.GetResultTtl() != "" {
		ttl := c.Duration(m.GetResultTtl(), at.Field("resultTtl"), reader.Span{Most: maxResultTTL}, 0)
		config.TTL = &ttl
	}
	if m.GetType() == configv1.LambdaType_LAMBDA_TYPE_UNSPECIFIED {
		c.IfNew(at.Field("type"), "type must be TOKEN or REQUEST")
		config.Type = lambda.Request
	}
	compiled.Timeout = config.Timeout
	if config.Invoker, config.Digest = c.invoker(m, api, config.Timeout, at); config.Invoker == nil {
		return compiled
	}
	config.Digest = append(config.Digest, api.Account, api.Region, stageVariables(api))
	a, err := lambda.New(config)
	if err != nil {
		c.Faults(at, err)
		return compiled
	}
	c.flushable = append(c.flushable, flushable(api, name))
	compiled.Function = func(ctx context.Context, call gateway.LambdaCall) (gateway.LambdaAnswer, error) {
		answer, err := a.Authorize(ctx, lambda.Call(call))
		if err != nil {
			return nil, err // a nil *lambda.Answer in a LambdaAnswer would not be nil
		}
		return answer, nil
	}
	return compiled
}

// refuseCalls replaces an authorizer that is at fault.
func refuseCalls(context.Context, gateway.LambdaCall) (gateway.LambdaAnswer, error) {
	return nil, &authz.Refusal{}
}

// stageVariables returns, for each stage, the variables that the function receives, as one text.
func stageVariables(api *gateway.API) string {
	text, err := json.Marshal(api.Stages)
	if err != nil {
		panic(err) // texts always marshal
	}
	return string(text)
}

// WarnRemembered warns if a cached answer applies to more than its owner may intend: to more than one caller or, as a
// simple response, to more than one route. A cached policy is evaluated for each request, so its routes need no
// warning. API Gateway gives no such warning.
func (c *Compiler) WarnRemembered(m *configv1.LambdaAuthorizer, name string, api *gateway.API, at *fault.Place) {
	sources := m.GetIdentitySource()
	if !remembers(m, api.HTTP) || len(sources) == 0 || m.GetType() != configv1.LambdaType_REQUEST {
		return
	}
	if !slices.ContainsFunc(sources, isOfCaller) {
		c.Warn(at.Field("identitySource"), "no identity source identifies the caller: for resultTtl, the answer for one caller is used for all; "+
			"add a header or a query parameter that identifies callers, or write resultTtl: 0s")
	}
	if m.GetEnableSimpleResponses() && routesOf(api, name) > 1 && !slices.Contains(sources, "$context.routeKey") {
		c.Warn(at.Field("identitySource"), "a simple response is cached for all routes of the authorizer: the answer for one route is used for the others too; "+
			"add $context.routeKey, write resultTtl: 0s, or let the function answer with a policy")
	}
}

// remembers reports whether answers are cached.
func remembers(m *configv1.LambdaAuthorizer, http bool) bool {
	if m.GetResultTtl() == "" {
		return !http
	}
	ttl, err := time.ParseDuration(m.GetResultTtl())
	return err == nil && ttl > 0
}

// isOfCaller reports whether an identity source differs between callers or requests.
func isOfCaller(source string) bool {
	name := strings.TrimPrefix(source, "$")
	return name == "context.requestId" || !strings.HasPrefix(name, "stageVariables.") && (!strings.HasPrefix(name, "context.") || strings.HasPrefix(name, "context.identity."))
}

// routesOf counts the routes that an authorizer guards.
func routesOf(api *gateway.API, name string) (n int) {
	for _, r := range api.Routes {
		if r.Authorizer == name {
			n++
		}
	}
	return n
}
