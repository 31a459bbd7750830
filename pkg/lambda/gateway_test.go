package lambda

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// behind is an API whose methods ask an authorizer.
func behind(t testing.TB, c Config) *gateway.Gateway {
	t.Helper()
	a := mustNew(t, c)
	g, faults := gateway.New(gateway.Config{
		APIs: []gateway.API{{
			ID: "abc123", Account: "123456789012", Region: "us-east-1", HTTP: c.HTTP,
			Stages: []gateway.Stage{{Name: "prod", Domains: []string{"pets.example.com"}}},
			Authorizers: map[string]gateway.Authorizer{"partners": {
				Authorization: gateway.Custom, TokenType: c.Type == Token, IdentitySource: c.IdentitySource,
				Function: func(ctx context.Context, call gateway.LambdaCall) (gateway.LambdaAnswer, error) {
					answer, err := a.Authorize(ctx, Call(call))
					if err != nil {
						return nil, err
					}
					return answer, nil
				},
			}},
			Routes: []gateway.Route{{Method: "GET", Resource: "/pets/{id}", Authorization: gateway.Custom, Authorizer: "partners"}},
		}},
		Signatures: func(gateway.SignatureOptions) (gateway.Verify, error) {
			return func(*authz.Request) (*gateway.Signed, error) { return nil, &authz.Refusal{} }, nil
		},
	})
	if g == nil {
		t.Fatal(faults)
	}
	return g
}

func ask(g *gateway.Gateway, path, token string) authz.Decision {
	return g.Authorize(context.Background(), petRequest(path, token))
}

func petRequest(path, token string) *authz.Request {
	r := &authz.Request{ID: "0f6d2f0e-9a3b-4c58-8d0a-5f0f5b1c2d3e", Method: "GET", Target: path, Host: "pets.example.com", Scheme: "https", Protocol: "HTTP/1.1", Time: time.Now(), Peer: netip.MustParseAddr("192.0.2.9")}
	r.SetHeaders([]authz.Field{{Name: "authorization", Value: token}, {Name: "user-agent", Value: "curl/8"}})
	return r
}

// TestThroughTheGateway has clients told what API Gateway tells them, by a function at an address.
func TestThroughTheGateway(t *testing.T) {
	const only1 = `{"principalId":"user","policyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/pets/1"}}}`
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		m := object(t, event)
		token, _ := m["authorizationToken"].(string)
		if list, ok := m["identitySource"].([]any); ok {
			token, _ = list[0].(string)
		}
		switch token {
		case "thrown":
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			fmt.Fprint(w, `{"errorMessage":"Unauthorized"}`)
		case "crash":
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			fmt.Fprint(w, `{"errorMessage":"s3cr3t"}`)
		case "away":
			w.WriteHeader(http.StatusBadGateway)
		case "yes":
			fmt.Fprint(w, `{"isAuthorized":true}`)
		case "no":
			fmt.Fprint(w, `{"isAuthorized":false}`)
		case "garbage":
			fmt.Fprint(w, `<html>`)
		default:
			fmt.Fprint(w, only1)
		}
	})
	u := mustURL(t, URLConfig{URL: s.URL})
	rest, http := tokenConfig(u), simpleConfig(u)
	rest.TTL, rest.Cache = nil, newCache(t)
	onREST, onHTTP := behind(t, rest), behind(t, http)
	for _, c := range []struct {
		g           *gateway.Gateway
		path, token string
		status      int
		body        string
		errorType   string
	}{
		{onREST, "/pets/1", "t", 200, "", ""},
		{onREST, "/pets/2", "t", 403, `{"Message":"User is not authorized to access this resource because no identity-based policy allows the execute-api:Invoke action"}`, "AccessDeniedException"},
		{onREST, "/pets/1", "t", 200, "", ""},
		{onREST, "/pets/1", "thrown", 401, `{"message":"Unauthorized"}`, "UnauthorizedException"},
		{onREST, "/pets/1", "crash", 500, `{"message":null}`, "AuthorizerConfigurationException"},
		{onREST, "/pets/1", "garbage", 500, `{"message":null}`, "AuthorizerConfigurationException"},
		{onREST, "/pets/1", "away", 500, `{"message":null}`, "AuthorizerFailureException"},
		{onREST, "/pets/1", "yes", 500, `{"message":null}`, "AuthorizerConfigurationException"},
		{onHTTP, "/pets/1", "yes", 200, "", ""},
		{onHTTP, "/pets/1", "no", 403, `{"message":"Forbidden"}`, ""},
		{onHTTP, "/pets/1", "thrown", 401, `{"message":"Unauthorized"}`, ""},
		{onHTTP, "/pets/1", "crash", 500, `{"message":"Internal Server Error"}`, ""},
		{onHTTP, "/pets/1", "away", 500, `{"message":"Internal Server Error"}`, ""},
		{onHTTP, "/pets/1", "t", 500, `{"message":"Internal Server Error"}`, ""},
	} {
		d := ask(c.g, c.path, c.token)
		if d.Allow != (c.status == 200) || !d.Allow && (d.Denial.Status != c.status || d.Denial.Body != c.body) {
			t.Errorf("%s %s: %+v", c.path, c.token, d)
		}
		i := slices.IndexFunc(d.Denial.Headers, func(f authz.Field) bool { return f.Name == "x-amzn-ErrorType" })
		if c.errorType != "" && (i < 0 || d.Denial.Headers[i].Value != c.errorType) {
			t.Errorf("%s %s: %v, want %s", c.path, c.token, d.Denial.Headers, c.errorType)
		}
	}
}

// BenchmarkCached is the path of an answer that is known: this package alone, and with the gateway around it.
func BenchmarkCached(b *testing.B) {
	config := tokenConfig(answers(allowAll))
	config.TTL, config.Cache = nil, newCache(b)
	a := mustNew(b, config)
	c := call("Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl")
	b.Run("authorizer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.Authorize(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
	g, r := behind(b, config), petRequest("/pets/1", "t")
	b.Run("gateway", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if d := g.Authorize(b.Context(), r); !d.Allow {
				b.Fatal(d.Reason)
			}
		}
	})
}

// BenchmarkMiss is the path of a request whose function has to be asked, without the function.
func BenchmarkMiss(b *testing.B) {
	for name, config := range map[string]Config{"token": tokenConfig(answers(allowAll)), "simple": simpleConfig(answers(`{"isAuthorized":true}`))} {
		a := mustNew(b, config)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authorize(b.Context(), call("t")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestCachedPathAllocatesLittle(t *testing.T) {
	config := tokenConfig(answers(allowAll))
	config.TTL, config.Cache = nil, newCache(t)
	a, c := mustNew(t, config), call("token")
	if n := testing.AllocsPerRun(100, func() {
		if answer, err := a.Authorize(t.Context(), c); err != nil || answer.Policy() == nil {
			t.Fatal(err)
		}
	}); n > 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
	// With the gateway around it: the way of the request, and its ARN.
	g, r := behind(t, config), petRequest("/pets/1", "token")
	if n := testing.AllocsPerRun(100, func() {
		if d := g.Authorize(t.Context(), r); !d.Allow {
			t.Fatal(d.Reason)
		}
	}); n > 2 && !raceEnabled {
		t.Errorf("%v allocations with the gateway, want 2", n)
	}
}
