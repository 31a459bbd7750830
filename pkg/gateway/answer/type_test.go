package answer

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestResponseTable(t *testing.T) {
	names := map[string]bool{}
	for kind, builtin := range builtins {
		if builtin.status < 400 || builtin.status > 599 || builtin.errorType == "" && kind != authz.ResponseURITooLong {
			t.Errorf("%s: %+v", kind, builtin)
		}
		name := string(kind)
		if strings.ToUpper(name) != name { // one of portcullis' own names
			name = ""
		}
		names[name] = true
		if builtin.use != fixed && name == "" {
			t.Errorf("%s cannot be customized but is said to be", kind)
		}
	}
	if len(builtins) != 24 {
		t.Errorf("%d types", len(builtins))
	}
	want := []string{
		"", "ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE", "BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS",
		"EXPIRED_TOKEN", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE", "MISSING_AUTHENTICATION_TOKEN",
		"QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND", "THROTTLED", "UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED",
	}
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if zero := (&authz.Refusal{}); builtins[zero.ResponseType].status != 500 || zero.Error() != "internal: " {
		t.Errorf("the zero refusal is %q", zero)
	}
	if body := defaultBody(&authz.Refusal{ResponseType: authz.ResponseAuthorizerFailure}, JSON); body != `{"message":null}` {
		t.Errorf("a type without a message answers %s", body)
	}
}
