package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/sync/errgroup"
)

const (
	issuer   = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Bench0001"
	userPool = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Bench0001"
	clientID = "4bench7clientid0example99"
	keyID    = "bench-key-1"
)

// pool issues tokens like a Cognito user pool, of some 1,000 bytes, signed with RS256.
type pool struct {
	key    *rsa.PrivateKey
	tokens []string
}

// newPool returns a pool, and writes its key set where configurations expect it.
func newPool(dir string) (*pool, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": keyID, "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
	}}})
	if err != nil {
		return nil, err
	}
	return &pool{key: key}, os.WriteFile(filepath.Join(dir, "jwks.json"), set, 0o600)
}

// issue issues tokens until there are so many.
func (p *pool) issue(n int) error {
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	from := len(p.tokens)
	p.tokens = append(p.tokens, make([]string, max(n-from, 0))...)
	for i := from; i < len(p.tokens); i++ {
		group.Go(func() (err error) {
			p.tokens[i], err = p.sign(i)
			return err
		})
	}
	return group.Wait()
}

func (p *pool) sign(i int) (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"sub": fmt.Sprintf("aaaaaaaa-bbbb-cccc-dddd-%012d", i), "iss": issuer, "aud": clientID, "token_use": "id",
		"origin_jti": fmt.Sprintf("11111111-2222-3333-4444-%012d", i), "jti": fmt.Sprintf("99999999-8888-7777-6666-%012d", i),
		"auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
		"cognito:username": fmt.Sprintf("user-%06d", i), "email": fmt.Sprintf("user-%06d@bench.example.com", i), "email_verified": true,
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"`+keyID+`","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// bearer sends the first n tokens in turn.
func (p *pool) bearer(n int) func(i int) *authv3.CheckRequest {
	return func(i int) *authv3.CheckRequest {
		in := request(host(0), i)
		in.Attributes.Request.Http.Headers["authorization"] = "Bearer " + p.tokens[i%n]
		return in
	}
}

// opaque sends one of 64 texts that only a function understands.
func opaque(i int) *authv3.CheckRequest {
	in := request(host(0), i)
	in.Attributes.Request.Http.Headers["authorization"] = fmt.Sprintf("opaque-token-%06d-0123456789abcdef0123456789abcdef", i%64)
	return in
}
