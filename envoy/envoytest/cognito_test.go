package envoytest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"
)

const (
	email    = "ann@example.com"
	password = "Correct-horse-9"
)

// signUp makes a pool with a client, and a confirmed user who is in a group.
func signUp(t *testing.T, c *Cognito, seconds int) (pool *UserPool, client string) {
	t.Helper()
	pool = c.CreateUserPool(t, "pets")
	client = pool.CreateClient(t, "shop", seconds)
	pool.SignUp(t, client, email, password, map[string]string{"custom:role": "vet"})
	if err := c.Call(t.Context(), "InitiateAuth", map[string]any{
		"ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": map[string]string{"USERNAME": email, "PASSWORD": password},
	}, nil); err == nil {
		t.Error("a user who is not confirmed signs in")
	}
	pool.Confirm(t, client, email)
	pool.CreateGroup(t, "staff")
	pool.AddToGroup(t, email, "staff")
	return pool, client
}

// checkTokens verifies tokens by the pool's keys, and looks at the claims that Cognito's authorizer depends on.
func checkTokens(t *testing.T, pool *UserPool, client string, tokens CognitoTokens, lifetime time.Duration) {
	t.Helper()
	keys := keysAt(t, pool.JWKS)
	id, access := mustVerify(t, keys, jwa.RS256, tokens.ID), mustVerify(t, keys, jwa.RS256, tokens.Access)
	groups := []any{"staff"}
	for _, tc := range []struct {
		name   string
		claims map[string]any
		want   map[string]any
	}{
		{"ID token", id, map[string]any{
			"iss": pool.Issuer, "token_use": "id", "aud": client, "client_id": nil, "scope": nil, "cognito:groups": groups, "email": email, "custom:role": "vet",
		}},
		{"access token", access, map[string]any{
			"iss": pool.Issuer, "token_use": "access", "aud": nil, "client_id": client, "scope": "aws.cognito.signin.user.admin", "cognito:groups": groups,
		}},
	} {
		got := map[string]any{}
		for name := range tc.want {
			got[name] = tc.claims[name]
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.name, diff)
		}
		issued, _ := tc.claims["iat"].(float64)
		expires, _ := tc.claims["exp"].(float64)
		if got := time.Duration(expires-issued) * time.Second; got != lifetime {
			t.Errorf("%s: valid for %v, want %v", tc.name, got, lifetime)
		}
	}
}

func TestCognitoLocal(t *testing.T) {
	t.Parallel()
	c := StartCognitoLocal(t, "")
	pool, client := signUp(t, c, 600)
	tokens := pool.SignIn(t, client, email, password)
	checkTokens(t, pool, client, tokens, 10*time.Minute)
	if want := c.URL + "/" + pool.ID; pool.Issuer != want {
		t.Errorf("issuer %s, want %s", pool.Issuer, want)
	}
	checkTokens(t, pool, client, pool.Refresh(t, client, tokens.Refresh), 10*time.Minute)

	c.Kill()
	if _, err := get(t.Context(), pool.JWKS); err == nil {
		t.Error("it answers though it was killed")
	}
	c.Restart(t)
	checkTokens(t, pool, client, pool.SignIn(t, client, email, password), 10*time.Minute)
}

func TestCognitoLocalNamesAnotherIssuer(t *testing.T) {
	t.Parallel()
	const issuer = "https://cognito-idp.eu-west-1.amazonaws.com"
	pool, client := signUp(t, StartCognitoLocal(t, issuer), 1)
	if want := issuer + "/" + pool.ID; pool.Issuer != want {
		t.Errorf("issuer %s, want %s", pool.Issuer, want)
	}
	checkTokens(t, pool, client, pool.SignIn(t, client, email, password), time.Second)
}

func TestMoto(t *testing.T) {
	t.Parallel()
	pool, client := signUp(t, StartMoto(t), 0)
	tokens := pool.SignIn(t, client, email, password)
	checkTokens(t, pool, client, tokens, time.Hour)
	checkTokens(t, pool, client, pool.Refresh(t, client, tokens.Refresh), time.Hour)
}
