package config

import "testing"

// A name that API Gateway uses for something leads to ours, and a misspelt one to what is close.
func TestSuggest(t *testing.T) {
	names := []string{"route", "authorization", "authorizer", "scopes", "resultTtl", "function"}
	for given, want := range map[string]string{
		"authorizationScopes": "scopes", "authorizerResultTtlInSeconds": "resultTtl", "AuthorizerUri": "function", "routeKey": "route",
		"authorizationType": "authorization", "authorizer_id": "authorizer", "path": "route", "Scopes": "scopes", "autorizer": "authorizer",
		"providerARNs": "", "colour": "",
	} {
		if got := suggest(given, names); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

// What is offered instead of AWS's names is there.
func TestElsewhere(t *testing.T) {
	for name, ours := range elsewhere {
		if name != letters(name) || name == letters(ours) {
			t.Errorf("%s: %s is never offered for it", name, ours)
		}
	}
}

func TestExamplesOfTimes(t *testing.T) {
	for within, want := range map[span]string{
		{0, maxResultTTL}: "100ms, 1s, 30s, 5m or 1h", {1e6, maxFunctionTime}: "100ms, 1s or 30s", {1e6, maxSharedWait}: "100ms or 1s",
	} {
		if got := within.examples(); got != want {
			t.Errorf("%v: %s", within, got)
		}
	}
}
