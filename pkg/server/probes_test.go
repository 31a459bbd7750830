package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/probe"
)

// Tokens of probes are given out to who has the admin token, a bounded number of them.
func TestProbesOnAdminPort(t *testing.T) {
	h := explaining(t, func(context.Context, []byte) ([]byte, error) { return nil, nil })
	ask := func(method, query, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/probes"+query, http.NoBody)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const token = "the-admin-token-of-tests"
	for _, tt := range []struct {
		method, query, token string
		status               int
	}{
		{"POST", "?count=2", token, 200}, {"POST", "?count=2", "", 401}, {"POST", "?count=2", "another-admin-token", 401}, {"GET", "?count=2", token, 405},
		{"POST", "", token, 400}, {"POST", "?count=0", token, 400}, {"POST", "?count=65", token, 400}, {"POST", "?count=x", token, 400},
	} {
		if w := ask(tt.method, tt.query, tt.token); w.Code != tt.status {
			t.Errorf("%+v: %d %s", tt, w.Code, w.Body)
		}
	}
	made := 2
	for {
		w := ask("POST", "?count=64", token)
		if w.Code == http.StatusTooManyRequests {
			break
		}
		var tokens []string
		if err := json.Unmarshal(w.Body.Bytes(), &tokens); err != nil || len(tokens) != 64 {
			t.Fatalf("%v, %s", err, w.Body)
		}
		if made += len(tokens); made > probe.MaxLive {
			t.Fatalf("%d tokens", made)
		}
	}
}
