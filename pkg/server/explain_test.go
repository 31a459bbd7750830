package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explaining returns the admin handler of a process whose configuration explains so, and the header that lets in.
func explaining(t *testing.T, explain func(context.Context, []byte) ([]byte, error)) http.Handler {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the-admin-token-of-tests"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProcess(Config{AdminTokenFile: file, Log: slog.New(slog.DiscardHandler)})
	if explain != nil {
		p.gate.serving.Store(&Loaded{Explain: explain, users: &users{}})
	}
	return p.adminServer().Handler
}

func askToExplain(h http.Handler, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/explain", strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestExplainOnAdminPort(t *testing.T) {
	const token = "the-admin-token-of-tests"
	echo := explaining(t, func(_ context.Context, question []byte) ([]byte, error) {
		if string(question) == "bad" {
			return nil, errors.New("not a question")
		}
		return question, nil
	})
	for _, tt := range []struct {
		handler     http.Handler
		token, body string
		status      int
	}{
		{echo, token, "{}", 200},
		{echo, token, "bad", 400},
		{echo, "", "{}", 401},
		{echo, "another-admin-token", "{}", 401},
		{echo, token, strings.Repeat("x", maxQuestion+1), 413},
		{explaining(t, nil), token, "{}", 503},
	} {
		if w := askToExplain(tt.handler, tt.token, tt.body); w.Code != tt.status {
			t.Errorf("%d %s, want %d", w.Code, w.Body, tt.status)
		}
	}
}

func TestFewExplanationsAtOnce(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	h := explaining(t, func(context.Context, []byte) ([]byte, error) {
		begun <- struct{}{}
		<-end
		return nil, nil
	})
	done := make(chan struct{})
	for range maxExplanations {
		go func() {
			askToExplain(h, "the-admin-token-of-tests", "{}")
			done <- struct{}{}
		}()
		<-begun
	}
	if w := askToExplain(h, "the-admin-token-of-tests", "{}"); w.Code != http.StatusTooManyRequests {
		t.Errorf("one more is answered with %d", w.Code)
	}
	close(end)
	for range maxExplanations {
		<-done
	}
}
