package dump

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What is not a dump is an error that names the input, and shows nothing of it.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "not a config_dump",
		"secret: value":            "not JSON: a syntax error at byte",
		`{"configs": [`:            "not JSON: it ends too early",
		`{"kind": "Deployment"}`:   "not a config_dump",
		`"secret"`:                 "not a config_dump",
		`[1, 2]`:                   "not a config_dump",
		`{"configs": {}}`:          "not a config_dump",
		strings.Repeat("[", 20000): "not JSON",
	} {
		err := New().Read("a.json", strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), "a.json: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

// An admin interface that is off, that is another server, or that fails.
func TestAdmin(t *testing.T) {
	t.Parallel()
	off := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(off.URL, "http://")
	for what, want := range map[string]string{address: "not an admin interface of Envoy", "9901": "is not host:port"} {
		if err := New().ReadAdmin(t.Context(), what); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	off.Close()
	if err := New().ReadAdmin(t.Context(), address); err == nil || !strings.Contains(err.Error(), "is Envoy's admin interface on?") {
		t.Errorf("%v", err)
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer broken.Close()
	if err := New().ReadAdmin(t.Context(), strings.TrimPrefix(broken.URL, "http://")); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("%v", err)
	}
}
