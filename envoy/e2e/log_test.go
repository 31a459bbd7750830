package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is one line of the access log that the shipped configuration writes.
type line struct {
	Path       string         `json:"path"`
	Status     int            `json:"status"`
	Flags      string         `json:"flags"`
	Details    string         `json:"details"`
	Portcullis map[string]any `json:"portcullis"`
}

func TestAccessLogSaysWhatWasDecided(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets})
	for _, tc := range []struct {
		target string
		want   line
	}{
		{"/pets/7", line{Status: 200, Details: "via_upstream", Portcullis: map[string]any{
			"decision": "allow", "api": "a1b2c3d4e5", "stage": "prod", "route": "GET /pets/{petId}", "reason": "allowed",
			"policy": "resource-policy", "statement": "Statement[0]"}}},
		{"/admin", line{Status: 403, Flags: "UAEX", Details: "ext_authz_denied", Portcullis: map[string]any{
			"decision": "deny", "api": "a1b2c3d4e5", "stage": "prod", "route": "ANY /admin", "reason": "explicit_deny",
			"policy": "resource-policy", "statement": "NoAdmin"}}},
		{"/nothing", line{Status: 403, Flags: "UAEX", Details: "ext_authz_denied", Portcullis: map[string]any{
			"decision": "deny", "api": "a1b2c3d4e5", "stage": "prod", "reason": "no_route"}}},
	} {
		t.Run(tc.target, func(t *testing.T) {
			a := s.get(t, tc.target)
			tc.want.Path = tc.target
			got := s.logged(t, tc.target)
			if id := a.header.Get("x-amzn-requestid"); id != "" && got.Portcullis["request_id"] != id {
				t.Errorf("request_id %v in the log, the client was told %s", got.Portcullis["request_id"], id)
			}
			if _, ok := got.Portcullis["duration_us"].(float64); !ok {
				t.Errorf("duration_us is %v", got.Portcullis["duration_us"])
			}
			for _, name := range []string{"duration_us", "request_id", "ext_authz_duration"} { // the last is Envoy's own
				delete(got.Portcullis, name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("access log (-want +got):\n%s", diff)
			}
		})
	}
}

// logged waits for the log line of a path.
func (s *stack) logged(t *testing.T, path string) line {
	t.Helper()
	var found line
	eventually(t, "the log has a line for "+path, func() bool {
		for text := range strings.Lines(s.envoy.Stdout()) {
			var l line
			if json.Unmarshal([]byte(text), &l) == nil && l.Path == path {
				found = l
				return true
			}
		}
		return false
	})
	if found.Flags == "-" {
		found.Flags = ""
	}
	return found
}
