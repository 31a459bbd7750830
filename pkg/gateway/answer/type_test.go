package answer

import (
	"maps"
	"slices"
	"testing"
)

func TestResponseTable(t *testing.T) {
	names := map[string]bool{}
	for kind, builtin := range builtins {
		if builtin.status < 400 || builtin.status > 599 || builtin.errorType == "" && Type(kind) != URITooLong {
			t.Errorf("%d: %+v", kind, builtin)
		}
		if builtin.name != "" && names[builtin.name] {
			t.Errorf("%s is there twice", builtin.name)
		}
		names[builtin.name] = true
		if builtin.emitted && builtin.name == "" {
			t.Errorf("%d cannot be customized but is said to be", kind)
		}
	}
	want := []string{
		"", "ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE", "BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS",
		"EXPIRED_TOKEN", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE", "MISSING_AUTHENTICATION_TOKEN",
		"QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND", "THROTTLED", "UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED",
	}
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if zero := (&Refusal{}); builtins[zero.Type].status != 500 || zero.Error() != "internal: " {
		t.Errorf("the zero refusal is %q", zero)
	}
	if body := (&Refusal{Type: AuthorizerFailure}).defaultBody(JSON); body != `{"message":null}` {
		t.Errorf("a type without a message answers %s", body)
	}
}
