package config

import (
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// warnRemembered warns where an answer that is remembered of one request opens others that its owner may not have thought of. It
// is so on API Gateway too, which says nothing.
func (c *compiler) warnRemembered(m *configv1.LambdaAuthorizer, name string, api *gateway.API, at *path) {
	sources := m.GetIdentitySource()
	if !remembers(m, api.HTTP) || len(sources) == 0 || m.GetType() != configv1.LambdaType_REQUEST {
		return
	}
	if !slices.ContainsFunc(sources, isOfCaller) {
		c.warn(at.field("identitySource"), "no identity source is the caller's own: for resultTtl, what the function says of one caller counts for all; "+
			"add a header or a query parameter that callers are known by, or write resultTtl: 0s")
	}
	if m.GetEnableSimpleResponses() && routesOf(api, name) > 1 && !slices.Contains(sources, "$context.routeKey") {
		c.warn(at.field("identitySource"), "a simple response is remembered for all routes of the authorizer: what the function says of one route counts on the others, too; "+
			"add $context.routeKey, write resultTtl: 0s, or let the function answer with a policy")
	}
}

// remembers says whether answers are kept for some time.
func remembers(m *configv1.LambdaAuthorizer, http bool) bool {
	if m.GetResultTtl() == "" {
		return !http
	}
	ttl, err := time.ParseDuration(m.GetResultTtl())
	return err == nil && ttl > 0
}

// isOfCaller tells an identity source that differs between callers, or with each request.
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
