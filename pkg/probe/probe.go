// Package probe has the tokens and answers of probes: requests of portcullis doctor that portcullis answers with what
// arrived, and never allows.
//
// # Decisions
//
// 2026-11-28: a probe is a request with a token that the admin port has given out. A token counts once, for 30 seconds,
// and few exist at a time. Without a live token the header is a header like any other, so no client can make portcullis
// answer a probe.
//
// 2026-11-28: an answer repeats only what the probe itself sent, the context extensions of portcullis, and the form in
// which headers and body arrived. Other headers may have been added by a filter and be secret.
package probe

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Header is the name of the header that holds a token.
	Header = "x-portcullis-probe"
	// Echo begins the names of the headers that an answer repeats.
	Echo = Header + "-"
	// Lifetime is how long a token can be used.
	Lifetime = 30 * time.Second
	// MaxLive limits the tokens that can be used at a time, and MaxBatch those that are made at once.
	MaxLive, MaxBatch = 256, 64
)

// ErrTooMany is returned when more tokens than MaxLive would exist.
var ErrTooMany = errors.New("too many probes wait for their answers; ask again in 30 seconds")

// Tokens are the tokens that can be used. The zero value has none.
type Tokens struct {
	mu   sync.Mutex
	live map[[sha256.Size]byte]time.Time // until when, by the token's hash
	n    atomic.Int64
}

// Make returns n new tokens.
func (t *Tokens) Make(n int) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for hash, until := range t.live {
		if now.After(until) {
			delete(t.live, hash)
		}
	}
	defer func() { t.n.Store(int64(len(t.live))) }()
	if n < 1 || n > MaxBatch || len(t.live)+n > MaxLive {
		return nil, ErrTooMany
	}
	if t.live == nil {
		t.live = map[[sha256.Size]byte]time.Time{}
	}
	tokens := make([]string, n)
	for i := range tokens {
		var random [32]byte
		_, _ = rand.Read(random[:]) // which never fails
		tokens[i] = base64.RawURLEncoding.EncodeToString(random[:])
		t.live[sha256.Sum256([]byte(tokens[i]))] = now.Add(Lifetime)
	}
	return tokens, nil
}

// Any reports whether there are tokens at all. It costs little.
func (t *Tokens) Any() bool { return t != nil && t.n.Load() > 0 }

// Use reports whether a token can be used. From then on it cannot.
func (t *Tokens) Use(token string) bool {
	hash := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	until, found := t.live[hash]
	delete(t.live, hash)
	t.n.Store(int64(len(t.live)))
	return found && !time.Now().After(until)
}

// Answer is the answer to a probe, in JSON.
type Answer struct {
	// Version is AnswerVersion. It tells the answer of portcullis from others.
	Version string `json:"portcullisProbe"`

	Method string `json:"method"`
	Path   string `json:"path"`
	Host   string `json:"host"`
	// ForwardedProto is http or https, other for another value, or empty.
	ForwardedProto string `json:"forwardedProto,omitempty"`
	// Extensions are the context extensions of portcullis.
	Extensions map[string]string `json:"contextExtensions"`
	// Headers are the lines of the headers whose names begin with Echo, and Raw reports whether Envoy sent lines, not
	// joined text.
	Headers map[string][][]byte `json:"headers"`
	Raw     bool                `json:"rawHeaders"`
	// Body is the form of the body: bytes, text or none; BodyBytes and BodySHA256 describe it.
	Body       string `json:"body"`
	BodyBytes  int    `json:"bodyBytes"`
	BodySHA256 []byte `json:"bodySha256"`
	// Refused says why portcullis cannot decide the request; empty if it can.
	Refused string `json:"refused,omitempty"`
}

// AnswerVersion is the Version of an Answer.
const AnswerVersion = "1"
