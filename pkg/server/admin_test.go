package server

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

func flush(t *testing.T, admin, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+admin+"/restapis/a1/stages/prod/cache/authorizers", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// An admin request that panics is answered, and what it panicked with is logged nowhere.
func TestAnAdminRequestThatPanics(t *testing.T) {
	const token = "0123456789abcdef-token"
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, token)
	r := serve(t, Config{AdminTokenFile: file, Load: func() (Loaded, error) {
		return Loaded{Authorizer: allowAs("v1"), Digest: "1", Flush: func(context.Context, string, string, string) (bool, error) {
			panic("the secret of a key")
		}}, nil
	}})
	if got := flush(t, r.admin, token); got != 500 {
		t.Errorf("answered with %d", got)
	}
	if text := r.log.String(); strings.Contains(text, "secret of") || !strings.Contains(text, "panicked") {
		t.Errorf("log: %s", text)
	}
}

// Who has no token cannot fill the log by asking.
func TestABadAdminTokenIsLoggedAtABoundedRate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "0123456789abcdef")
	r := serve(t, Config{AdminTokenFile: file, Load: func() (Loaded, error) {
		return Loaded{Authorizer: allowAs("v1"), Digest: "1"}, nil
	}})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 100 {
		if got := flush(t, r.admin, "x"); got != 401 {
			t.Fatalf("answered with %d", got)
		}
	}
	most := 2 + int(time.Since(start)/time.Second)
	if lines := strings.Count(r.log.String(), "the admin token cannot be used"); lines == 0 || lines > most {
		t.Errorf("%d lines, want 1 to %d", lines, most)
	}
}

// A token that cannot be used stops the start.
func TestAdminTokenAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for _, token := range []string{"missing", "", "short"} {
		if token != "missing" {
			write(t, file, token)
		}
		c := Config{AdminTokenFile: file, Listen: "127.0.0.1:0", Load: loads(allowAs("v1"))}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "--admin-token-file: ") {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// A configuration that panics when it is closed ends nothing else, and leaves the serving one alone.
func TestACloseThatPanics(t *testing.T) {
	var log logtest.Buffer
	r := &reloader{
		recorder: quiet(),
		gate:     &gate{max: 1}, metrics: newMetrics("", nil, nil, func() float64 { return 0 }), log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	r.read = func() (Loaded, error) {
		return Loaded{Authorizer: allowAs("1"), Digest: "1", Close: func() { panic("the secret of a key") }}, nil
	}
	if err := r.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	serving := r.gate.serving.Load()
	r.again(t.Context())
	if r.gate.serving.Load() != serving || r.refused.Load() != nil {
		t.Errorf("serves on: %v, refused: %v", r.gate.serving.Load() == serving, r.refused.Load())
	}
	if text := log.String(); strings.Contains(text, "secret of") || !strings.Contains(text, "closing a configuration panicked") {
		t.Errorf("log: %s", text)
	}
}
