package envoyconf

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Envoy's own answers are a REST API's, or an HTTP API's if there are no others, and leave portcullis' alone.
func TestReplies(t *testing.T) {
	http := api("http000000", on("http.example.com"), "GET /pets")
	http.HTTP = true
	rest := api("a1b2c3d4e5", on("pets.example.com"), "GET /pets")
	for want, c := range map[string]*gateway.Config{
		"Request Too Long x-amzn-RequestId x-amzn-ErrorType": config(http, rest),
		"Request Entity Too Large apigw-requestid":           config(http),
	} {
		for _, target := range []Target{Bootstrap, Filter} {
			for _, manager := range managers(t, target, mustGenerate(t, c, Options{Target: target})) {
				mappers := at(t, manager, "local_reply_config", "mappers").([]any)
				got := at(t, mappers, 0, "body_format_override", "text_format_source", "inline_string").(string)
				for _, h := range at(t, mappers, 0, "headers_to_add").([]any) {
					got += at(t, h, "header", "key").(string) + " "
				}
				if strings.TrimSpace(strings.NewReplacer(`{"message":"`, "", `"}`, " ").Replace(got)) != want {
					t.Errorf("%q, want %q", got, want)
				}
				for _, m := range mappers {
					if text := at(t, m, "filter", "extension_filter", "typed_config", "expression").(string); !strings.HasSuffix(text, ` && response.code_details != "ext_authz_denied"`) {
						t.Errorf("%s", text)
					}
				}
			}
		}
	}
}

// A time limit that a function does not fit in is told of.
func TestNoteOfAShortTimeout(t *testing.T) {
	open := config(api("a1b2c3d4e5", on("pets.example.com"), "GET /pets"))
	function := api("a1b2c3d4e5", on("pets.example.com"), "GET /pets")
	function.Routes[0].Authorization, function.Routes[0].Authorizer = gateway.Custom, "door"
	function.Authorizers = map[string]gateway.Authorizer{"door": {Timeout: 3 * time.Second}}
	for _, tc := range []struct {
		c       *gateway.Config
		timeout time.Duration
		notes   int
	}{{open, 100 * time.Millisecond, 0}, {config(function), 100 * time.Millisecond, 1}, {config(function), 3 * time.Second, 1}, {config(function), 4 * time.Second, 0}, {config(function), 0, 0}} {
		out, err := Generate(tc.c, Options{Timeout: tc.timeout})
		if err != nil || len(out.Notes) != tc.notes || tc.notes > 0 && !strings.Contains(out.Notes[0], "less than the 4s that the authorizers may need") {
			t.Errorf("%v: %v, %q", tc.timeout, err, out.Notes)
		}
	}
}
