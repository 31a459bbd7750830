package envoytest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var errNoKey = errors.New("the set has no such key")

// keysAt reads a key set.
func keysAt(t *testing.T, url string) jwk.Set {
	t.Helper()
	body, err := get(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwk.Parse(body)
	if err != nil {
		t.Fatalf("%s: %v\n%s", url, err, body)
	}
	return set
}

// keyID is the header's kid.
func keyID(t *testing.T, token string) string {
	t.Helper()
	m, err := jws.ParseString(token)
	if err != nil {
		t.Fatal(err)
	}
	return m.Signatures()[0].ProtectedHeaders().KeyID()
}

// verify returns the claims of a token that a key of the set signed with an algorithm.
func verify(set jwk.Set, alg jwa.SignatureAlgorithm, token string) (map[string]any, error) {
	m, err := jws.ParseString(token)
	if err != nil {
		return nil, err
	}
	key, ok := set.LookupKeyID(m.Signatures()[0].ProtectedHeaders().KeyID())
	if !ok {
		return nil, errNoKey
	}
	payload, err := jws.Verify([]byte(token), jws.WithKey(alg, key))
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, json.Unmarshal(payload, &claims)
}

// mustVerify is verify for a token that has to be right. It logs the claims.
func mustVerify(t *testing.T, set jwk.Set, alg jwa.SignatureAlgorithm, token string) map[string]any {
	t.Helper()
	claims, err := verify(set, alg, token)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text)
	return claims
}
