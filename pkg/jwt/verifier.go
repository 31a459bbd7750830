package jwt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

const (
	maxClockSkew     = 10 * time.Minute
	defaultMaxCached = time.Hour
)

// Cache remembers verified tokens.
type Cache = cache.Cache[*Token]

// VerifierConfig says which tokens a Verifier takes.
type VerifierConfig struct {
	// API is the id of the API whose share of the requests that wait for keys those of the Verifier are.
	API string
	// KeySets is the process's registry of keys.
	KeySets *KeySets
	// Sources are the issuers and where their keys are.
	Sources []Source
	// Algorithms are those that a token may be signed with.
	Algorithms []string
	// ClockSkew is by how much an issuer's clock may differ; 0 for not at all.
	ClockSkew time.Duration
	// Rendering is how claims are written.
	Rendering Rendering
	// Cache remembers verified tokens; nil for no memory. It may serve any number of verifiers.
	Cache *Cache
	// MaxCacheTime bounds how long a token is remembered; 0 stands for one hour. A token is never remembered longer than it is
	// valid, nor than its keys are.
	MaxCacheTime time.Duration
}

// Verifier tells whether a token is signed by one of its issuers, and valid now. It does not tell for whom the token is: audience,
// use and scopes are checked by who asks. It is safe for concurrent use.
type Verifier struct {
	algorithms map[string]algorithm
	keys       map[string]*KeySet // by issuer
	skew       int64
	rendering  Rendering
	cache      *Cache
	maxCached  time.Duration
	scope      [32]byte
	api        bulkhead.ID
}

// NewVerifier makes a Verifier. It has to be closed.
func NewVerifier(c VerifierConfig) (*Verifier, error) {
	v := &Verifier{
		keys: make(map[string]*KeySet, len(c.Sources)), skew: int64(c.ClockSkew), rendering: c.Rendering,
		cache: c.Cache, maxCached: c.MaxCacheTime, api: bulkhead.NewID(c.API),
	}
	if v.maxCached == 0 {
		v.maxCached = defaultMaxCached
	}
	var faults []error
	if c.ClockSkew < 0 || c.ClockSkew > maxClockSkew {
		faults = append(faults, fmt.Errorf("clockSkew: %v is not between 0s and %v", c.ClockSkew, maxClockSkew))
	}
	if v.maxCached < 0 {
		faults = append(faults, fmt.Errorf("the time that tokens are remembered: %v is negative; write 1h or the like", v.maxCached))
	}
	var err error
	if v.algorithms, err = compileAlgorithms(c.Algorithms); err != nil {
		faults = append(faults, err)
	}
	if err := v.use(c); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		v.Close()
		return nil, errors.Join(faults...)
	}
	v.scope = v.digest(c)
	return v, nil
}

// use takes a share in the keys of every issuer.
func (v *Verifier) use(c VerifierConfig) error {
	if c.KeySets == nil {
		return errors.New("no registry of key sets")
	}
	if len(c.Sources) == 0 {
		return errors.New("issuer: none; write a URL such as https://id.example.com/")
	}
	var faults []error
	for _, s := range c.Sources {
		if v.keys[s.Issuer] != nil {
			faults = append(faults, fmt.Errorf("issuer: %s is there twice; remove one", s.Issuer))
			continue
		}
		set, err := c.KeySets.Use(s)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		v.keys[s.Issuer] = set
	}
	return errors.Join(faults...)
}

// digest names everything that verification depends on but the token, the time and the generation of the keys. It is equal for
// verifiers that would say the same.
func (v *Verifier) digest(c VerifierConfig) [32]byte {
	h := sha256.New()
	part := func(b []byte) { h.Write(append(binary.AppendUvarint(nil, uint64(len(b))), b...)) }
	number := func(n int) { h.Write(binary.AppendVarint(nil, int64(n))) }
	part([]byte("verified token"))
	number(len(v.algorithms))
	for _, a := range algorithms {
		if _, ok := v.algorithms[a.name]; ok {
			part([]byte(a.name))
		}
	}
	number(int(v.skew))
	number(int(v.rendering))
	for _, s := range c.Sources {
		part([]byte(s.Issuer))
		part(v.keys[s.Issuer].id[:])
	}
	return [32]byte(h.Sum(nil))
}

// Start lets the keys be fetched. It returns at once.
func (v *Verifier) Start(ctx context.Context) {
	for _, set := range v.keys {
		set.Start(ctx)
	}
}

// WaitReady returns when there are keys of every issuer, or with an error when ctx ends before.
func (v *Verifier) WaitReady(ctx context.Context) error {
	for _, set := range v.keys {
		if err := set.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close gives the shares in the keys back.
func (v *Verifier) Close() {
	for _, set := range v.keys {
		set.Release()
	}
}

// Verify verifies what a caller shows: a token, or "Bearer", one blank and a token.
func (v *Verifier) Verify(ctx context.Context, shown string) (*Token, *Failure) {
	now := time.Now()
	token := bearer(shown)
	if t, ok := v.cache.Get(cache.Key{Scope: v.scope, Parts: []string{token}}); ok && t.current(now) {
		if failure := t.inTime(now.UnixNano(), v.skew); failure != nil {
			return nil, failure
		}
		return t, nil
	}
	if token == "" {
		return nil, failMissing
	}
	t, failure := v.verify(ctx, token)
	if failure != nil {
		return nil, failure
	}
	if failure := t.inTime(time.Now().UnixNano(), v.skew); failure != nil {
		return nil, failure
	}
	until := t.Expires()
	if latest := now.Add(v.maxCached); latest.Before(until) {
		until = latest
	}
	v.cache.Set(cache.Key{Scope: v.scope, Parts: []string{token}}, t, t.bytes, until)
	fresh := *t
	fresh.fresh = true
	return &fresh, nil
}

// current says whether the keys that a token was verified by are still the issuer's.
func (t *Token) current(now time.Time) bool {
	st := t.keys.usable(now)
	return st != nil && st.generation == t.generation
}

func (t *Token) inTime(now, skew int64) *Failure {
	switch {
	case now-skew >= t.expires:
		return failExpired.Of(t)
	case now+skew < t.notBefore, now+skew < t.issuedAt:
		return failEarly.Of(t)
	}
	return nil
}

// verify verifies a token of which nothing is known: its issuer picks the keys, alg and kid one of them.
func (v *Verifier) verify(ctx context.Context, token string) (*Token, *Failure) {
	p, failure := parse(token, v.rendering)
	if failure != nil {
		return nil, failure
	}
	alg, ok := v.algorithms[p.alg]
	if !ok {
		return nil, failAlg
	}
	set := v.keys[p.token.issuer]
	if set == nil {
		return nil, failIssuer
	}
	k, generation, err := set.key(ctx, v.api, keyID{p.kid, alg.name})
	switch {
	case errors.Is(err, errNoKeys):
		return nil, failNoKeys
	case errors.Is(err, errTooMany):
		return nil, failTooMany
	case err != nil:
		return nil, failKey
	}
	if alg.verify.Verify([]byte(p.signed), p.signature, k.public) != nil {
		return nil, failSign
	}
	p.token.keys, p.token.generation, p.token.keyID = set.keySet, generation, p.kid
	p.token.bytes += int64(len(p.kid))
	return p.token, nil
}
