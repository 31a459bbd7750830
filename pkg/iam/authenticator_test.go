package iam

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/sigv4"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

func TestVerify(t *testing.T) {
	b := mustBuilder(t)
	alice, deployer := aliceKey(), deployerKey()
	expired := &AccessKey{ID: "ASIAEXPIRED", Secret: secret, SessionToken: "token", User: alice.User, Expires: now}
	for _, k := range []*AccessKey{alice, deployer, expired} {
		mustAdd(t, b, k)
	}
	a := mustVerifier(t, b)
	header := func(s sigv4test.Signer) func(*authz.Request) { return s.Sign }
	query := func(s sigv4test.Signer) func(*authz.Request) { return s.Presign }
	signer := func(k *AccessKey, change func(*sigv4test.Signer)) sigv4test.Signer {
		s := signerOf(k)
		change(&s)
		return s
	}
	as := func(state authz.BodyState) func(*authz.Request) {
		return func(r *authz.Request) {
			signerOf(alice).Sign(r)
			r.SetBody(nil, state)
		}
	}
	for name, c := range map[string]struct {
		sign         func(*authz.Request)
		code         authz.Code // CodeAllowed stands for a caller
		responseType authz.ResponseType
	}{
		"in the header":        {header(signerOf(alice)), authz.CodeAllowed, ""},
		"in the query":         {query(signerOf(alice)), authz.CodeAllowed, ""},
		"temporary":            {header(signerOf(deployer)), authz.CodeAllowed, ""},
		"temporary, presigned": {query(signerOf(deployer)), authz.CodeAllowed, ""},
		"not signed":           {func(*authz.Request) {}, authz.CodeNotSigned, "MISSING_AUTHENTICATION_TOKEN"},
		"bearer":               {func(r *authz.Request) { r.SetHeaders([]authz.Field{{Name: "authorization", Value: "Bearer x"}}) }, authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"other secret":         {header(signer(alice, func(s *sigv4test.Signer) { s.Secret = "other" })), authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"unknown key":          {header(signer(alice, func(s *sigv4test.Signer) { s.KeyID = "AKIANOBODY" })), authz.CodeUnknownKey, "ACCESS_DENIED"},
		"no token":             {header(signer(deployer, func(s *sigv4test.Signer) { s.Token = "" })), authz.CodeUnknownKey, "ACCESS_DENIED"},
		"other token":          {header(signer(deployer, func(s *sigv4test.Signer) { s.Token = "tokens" })), authz.CodeUnknownKey, "ACCESS_DENIED"},
		"token of a user":      {header(signer(alice, func(s *sigv4test.Signer) { s.Token = "token" })), authz.CodeUnknownKey, "ACCESS_DENIED"},
		"expired":              {header(signerOf(expired)), authz.CodeExpiredToken, "EXPIRED_TOKEN"},
		"too old":              {header(signer(alice, func(s *sigv4test.Signer) { s.At = now.Add(-time.Hour) })), authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"other region":         {header(signer(alice, func(s *sigv4test.Signer) { s.Region = "us-east-1" })), authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"other service":        {header(signer(alice, func(s *sigv4test.Signer) { s.Service = "s3" })), authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"changed after":        {func(r *authz.Request) { signerOf(alice).Sign(r); r.Method = "DELETE" }, authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"body changed after":   {func(r *authz.Request) { signerOf(alice).Sign(r); r.SetBody([]byte("x"), authz.BodyComplete) }, authz.CodeBadSignature, "INVALID_SIGNATURE"},
		"unbuffered":           {as(authz.BodyUnknown), authz.CodeEnvoyConfig, ""},
		"partial":              {as(authz.BodyPartial), authz.CodeEnvoyConfig, ""},
		"altered":              {as(authz.BodyAltered), authz.CodeEnvoyConfig, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := request()
			c.sign(r)
			caller, err := a.Verify(r)
			if c.code == authz.CodeAllowed {
				if err != nil || caller == nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			refused, ok := errors.AsType[*authz.Refusal](err)
			if !ok || caller != nil {
				t.Fatalf("a caller %v and %v, want a refusal", caller, err)
			}
			if refused.Reason.Code != c.code || refused.ResponseType != c.responseType || refused.Reason.Detail == "" {
				t.Errorf("%+v, want %s and %s", refused, c.code, c.responseType)
			}
			authorization, _ := r.Header("authorization")
			if text := fmt.Sprintf("%+v", *refused); authorization != "" && strings.Contains(text, authorization) {
				t.Errorf("the refusal tells the Authorization header: %s", text)
			}
		})
	}
}

// An unbuffered body hides behind the hash that the client sends.
func TestUnbufferedBodyWithHash(t *testing.T) {
	b := mustBuilder(t)
	mustAdd(t, b, aliceKey())
	r := request()
	r.SetHeaders([]authz.Field{{Name: "x-amz-content-sha256", Value: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}})
	signerOf(aliceKey()).Sign(r)
	if _, err := mustVerifier(t, b).Verify(r); err != nil {
		t.Fatalf("with the body: %v", err)
	}
	r.SetBody(nil, authz.BodyUnknown)
	if c, err := mustVerifier(t, b).Verify(r); c != nil || err == nil {
		t.Errorf("verified without the body: %v, %v", c, err)
	}
}

// As text, a "!" in a header may represent unsigned bytes.
func TestHeadersAsText(t *testing.T) {
	b := mustBuilder(t)
	mustAdd(t, b, aliceKey())
	for _, test := range []struct {
		signed, unsigned string
		text, verified   bool
	}{
		{"a!b", "c", false, true}, {"a!b", "c", true, false}, {"ab", "c!", true, true}, {"!", "", true, false},
	} {
		r := request()
		r.SetHeaders([]authz.Field{{Name: "x-tag", Value: test.signed}})
		signerOf(aliceKey()).Sign(r)
		var lines []authz.Field
		for name, value := range r.Headers() {
			lines = append(lines, authz.Field{Name: name, Value: value})
		}
		r.SetHeaders(append(lines, authz.Field{Name: "user-agent", Value: test.unsigned}))
		r.TextHeaders = test.text
		c, err := mustVerifier(t, b).Verify(r)
		if (c != nil) != test.verified {
			t.Errorf("%+v: %v", test, err)
		}
		if refused, ok := errors.AsType[*authz.Refusal](err); !test.verified && (!ok || refused.Reason.Code != authz.CodeEnvoyConfig || !strings.Contains(refused.Reason.Detail, "encode_raw_headers")) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestSpent(t *testing.T) {
	b := mustBuilder(t)
	k := deployerKey()
	mustAdd(t, b, k)
	a := mustVerifier(t, b)
	r := request()
	signerOf(k).Sign(r)
	c, err := a.Verify(r)
	if err != nil || strings.Join(c.SpentHeaders(), " ") != "authorization x-amz-security-token" || c.SpentQuery() != nil {
		t.Errorf("header: %v, %v", c, err)
	}
	r = request()
	signerOf(k).Presign(r)
	if c, err = a.Verify(r); err != nil || c.SpentHeaders() != nil || len(c.SpentQuery()) != 7 {
		t.Errorf("query: %v, %v", c, err)
	}
}

// A rotated secret never matches, and the new one does, whatever was cached.
func TestRotatedSecret(t *testing.T) {
	store := func(s string) *Store {
		b := mustBuilder(t)
		k := aliceKey()
		k.Secret = s
		mustAdd(t, b, k)
		return b.Store()
	}
	a := mustVerifier(t, mustBuilder(t))
	a.signingKeys = mustCache[[32]byte](t)
	for _, held := range []string{"first", "second", "first"} {
		*a.store = *store(held) // the cache stays
		for _, used := range []string{"first", "second"} {
			r := request()
			s := signerOf(aliceKey())
			s.Secret = used
			s.Sign(r)
			_, err := a.Verify(r)
			if a.signingKeys.Wait(); (err == nil) != (used == held) {
				t.Errorf("the secret is %s, the signature of %s: %v", held, used, err)
			}
		}
	}
}

func TestZeroStoreRefuses(t *testing.T) {
	for _, s := range []*Store{nil, {}} {
		a := mustVerifierOf(t, s, Options{})
		r := request()
		signerOf(aliceKey()).Sign(r)
		if c, err := a.Verify(r); c != nil || err == nil {
			t.Errorf("a store without keys knows %v", c)
		}
	}
}

func TestNewRefusesBadRegions(t *testing.T) {
	if v, err := New(Config{Store: &Store{}}).Verifier(Options{}); v != nil || err == nil {
		t.Error("an empty region is taken")
	}
}

// The keys of Signature Version 4A come from the same secrets, and by the same versions.
func TestPublicKeys(t *testing.T) {
	a := mustVerifier(t, mustBuilder(t))
	a.publicKeys = mustCache[*ecdsa.PublicKey](t)
	for _, id := range []sigv4.PublicKeyID{{KeyID: "AKIAALICE", Version: 1}, {KeyID: "AKIAALICE", Version: 2}, {KeyID: "AKIABOB", Version: 1}} {
		secret := fmt.Sprint("secret", id.Version)
		for range 2 {
			got := a.publicKey(id, secret)
			if a.publicKeys.Wait(); !got.Equal(sigv4.DerivePublicKey(id, secret)) {
				t.Errorf("%+v: another key", id)
			}
		}
	}
}

// Derived keys are found by everything that they depend on: what lies under any other name is not used. A closed cache, and
// none, derive each time.
func TestSigningKeysByName(t *testing.T) {
	a := mustVerifier(t, mustBuilder(t))
	a.signingKeys = mustCache[[32]byte](t)
	base := sigv4.SigningKeyID{KeyID: "AKIAALICE", Version: 1, Date: "20261123", Region: "eu-west-1", Service: "execute-api"}
	ids := []sigv4.SigningKeyID{base}
	for _, change := range []func(*sigv4.SigningKeyID){
		func(id *sigv4.SigningKeyID) { id.KeyID = "AKIABOB" }, func(id *sigv4.SigningKeyID) { id.Version = 2 },
		func(id *sigv4.SigningKeyID) { id.Date = "20261124" }, func(id *sigv4.SigningKeyID) { id.Region = "us-east-1" },
		func(id *sigv4.SigningKeyID) { id.Service = "s3" },
	} {
		id := base
		change(&id)
		ids = append(ids, id)
	}
	seen := map[[32]byte]bool{}
	for range 2 {
		for i, id := range ids {
			want := sigv4.DeriveSigningKey(id, fmt.Sprint("secret", i))
			if got := a.signingKey(id, fmt.Sprint("secret", i)); got != want {
				t.Errorf("%+v: another key", id)
			}
			a.signingKeys.Wait()
			seen[want] = true
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("%d keys of %d", len(seen), len(ids))
	}
	if kept := a.signingKey(base, "not looked at"); kept != sigv4.DeriveSigningKey(base, "secret0") {
		t.Error("nothing is kept")
	}
	a.signingKeys.Close()
	for _, c := range []*SigningKeys{a.signingKeys, nil} {
		a.signingKeys = c
		if got := a.signingKey(base, "new"); got != sigv4.DeriveSigningKey(base, "new") {
			t.Error("derived wrongly without a cache")
		}
	}
}
