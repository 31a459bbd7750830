package source

import "testing"

// A name that API Gateway uses for something leads to ours, and a misspelt one to what is close.
func TestSuggest(t *testing.T) {
	names := []string{"route", "authorization", "authorizer", "scopes", "resultTtl", "function"}
	schema := &Schema{Elsewhere: map[string]string{
		"authorizationscopes": "scopes", "authorizerresultttlinseconds": "resultTtl", "authorizeruri": "function", "routekey": "route",
		"authorizationtype": "authorization", "authorizerid": "authorizer", "path": "route", "providerarns": "userPools",
	}}
	for given, want := range map[string]string{
		"authorizationScopes": "scopes", "authorizerResultTtlInSeconds": "resultTtl", "AuthorizerUri": "function", "routeKey": "route",
		"authorizationType": "authorization", "authorizer_id": "authorizer", "path": "route", "Scopes": "scopes", "autorizer": "authorizer",
		"providerARNs": "", "colour": "",
	} {
		if got := schema.suggest(given, names); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}
