package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// An Envoy that does not know shadow_mode does not start with it, as the README says.
func TestOldEnvoyRefusesCanary(t *testing.T) {
	t.Parallel()
	oldest, dir := envoytest.RequireOldest(t), t.TempDir()
	text := strings.Replace(edit(t, "iam.yaml"), "status_on_error: {code: ServiceUnavailable}", "shadow_mode: true", 1)
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := envoytest.Validate(t.Context(), oldest, file); err == nil || !strings.Contains(err.Error(), "shadow_mode") {
		t.Errorf("%v", err)
	}
}

// In a canary every request passes. What portcullis would deny does not bring the client's own values of the headers that it sets.
func TestCanary(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	remove := block(section(t, string(text), "A canary"), "yaml")
	for name, removes := range map[string]bool{"as the README says": true, "shadow_mode alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := strings.Replace(meshed, "{x-caller: $context.identity.userArn, x-stage: $context.stage}", "{x-caller: $context.identity.userArn}", 1)
			s := start(t, setup{
				config: config, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}, printed: []string{},
				change: func(_, bootstrap string) string {
					bootstrap = strings.Replace(bootstrap, "status_on_error: {code: ServiceUnavailable}", "shadow_mode: true", 1)
					if removes {
						const before = "          preserve_external_request_id: true\n"
						bootstrap = strings.Replace(bootstrap, before, before+remove, 1)
					}
					return bootstrap
				},
			})
			want := []string{"shadow-mode", "status-on-error"}
			if removes {
				want = append([]string{"early-mutation"}, want...)
			}
			finds(t, s.dir, want, "--envoy", s.envoy.Admin(), "--config", "portcullis.yaml")
			forged := []string{"X-Caller: forged", "x_caller: forged"}
			seen := s.allowed(t, s.get(t, "/pets/7", forged...))
			if got := len(seen.Header("x-caller")) + len(seen.Header("x_caller")); got > 0 == removes {
				t.Errorf("the upstream saw %q", seen.Headers)
			}
			alice := user(owner, grants)
			request := goClient().mustSign(t, by(alice, inHeader, "GET", "/pets/7"))
			s.passes(t, s.send11(t, request), request, alice)
			long := by(alice, inHeader, "POST", "/pets/7")
			long.Body = []byte(strings.Repeat("x", 1<<20+1))
			s.denied(t, s.send11(t, goClient().mustSign(t, long)), 413)
			s.portcullis.Kill()
			seen = s.allowed(t, s.get(t, "/health", forged...))
			if got := len(seen.Header("x-caller")) + len(seen.Header("x_caller")); got > 0 == removes {
				t.Errorf("without portcullis the upstream saw %q", seen.Headers)
			}
		})
	}
}
