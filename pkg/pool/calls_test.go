package pool_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// calls notes the outside calls of checks.
type calls struct {
	mu         sync.Mutex
	begun, all []string
}

func (c *calls) StartCall(ctx context.Context, kind, target string) (context.Context, func(string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = append(c.begun, kind)
	return ctx, func(result string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, kind+" "+target+" "+result)
	}
}

// A trace shows every outside call that a check waited for, none for a cached answer, and nothing that the client sent.
func TestTracersSeeOutsideCalls(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}}`)
	}))
	defer server.Close()
	p, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	redis := `cache: {redis: {addresses: ["127.0.0.1:1"], password: {value: secret-password}, key: {value: "` + strings.Repeat("0123456789abcdef", 4) + "\"}}}\n"
	write(t, name, []byte(strings.ReplaceAll(bounded, "URL", server.URL)+redis))
	s, err := config.Load(name, p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Start(t.Context())
	segment := base64.RawURLEncoding.EncodeToString
	token := segment([]byte(`{"alg":"RS256","kid":"client-kid"}`)) + "." + segment([]byte(`{"iss":"https://id.example.com/","aud":"dogs","sub":"ann","exp":4102444800}`)) + "." + segment(make([]byte, 256))
	const arn = "arn:aws:lambda:eu-west-1:111122223333:function:"
	for _, tt := range []struct {
		host, target, token string
		want                []string
	}{
		{"cats.example.com", "/cats", "client-token", []string{"function " + arn + "well answered", "redis read failed"}},
		{"cats.example.com", "/cats", "client-token", nil},
		{"pets.example.com", "/pets", "client-token", []string{"function " + arn + "slow broken"}},
		{"dogs.example.com", "/dogs", token, []string{"issuer https://id.example.com/ no_keys"}},
		{"nobody.example.com", "/", "", nil},
	} {
		q := &authz.Request{Method: "GET", Target: tt.target, Host: tt.host, Protocol: "HTTP/1.1"}
		q.SetHeaders([]authz.Field{{Name: "authorization", Value: tt.token}})
		c := &calls{}
		s.Gateway.Authorize(authz.WithTracer(t.Context(), c), q)
		slices.Sort(c.all)
		got := slices.DeleteFunc(c.all, func(call string) bool { return tt.host == "pets.example.com" && strings.HasPrefix(call, "redis") })
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", tt.host, diff)
		}
		if len(c.begun) < len(got) {
			t.Errorf("%s: begun %v", tt.host, c.begun)
		}
	}
}
