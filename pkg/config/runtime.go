package config

import (
	"crypto/ecdsa"
	"errors"
	"log/slog"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// What is remembered is bounded: of verified tokens, at some 3 KiB each, the last 100,000 or so, and fewer where memory is short;
// of signing keys, at some 400 bytes each, the last 80,000, and of public keys, at some 600 bytes each, the last 25,000.
const (
	maxTokenBytes      = 352 << 20
	minTokenBytes      = 16 << 20
	maxSigningKeyBytes = 32 << 20
	maxPublicKeyBytes  = 16 << 20
)

// Runtime is what outlives a configuration: the keys of issuers, functions, what was learned of tokens and answers, and what was
// derived of secrets. A configuration takes from it what it needs, so that a reload does not fetch or start again what has not
// changed. Its caches are nil where nothing is remembered.
type Runtime struct {
	keys        *jwt.KeySets
	tokens      *jwt.Cache
	signingKeys *iam.SigningKeys
	publicKeys  *iam.PublicKeys
	functions   functions
	guards      lambda.Guards
	waits       *lambda.Waits
	memories    memories
}

// defaultChecks is how many checks at once a Runtime is made for that was not told: as many as the server's --max-checks without that flag.
const defaultChecks = 4096

// tokenBytes is what verified tokens may take of so much memory, zero for as much as there is: a quarter, within bounds.
func tokenBytes(memory int64) int64 {
	if memory <= 0 {
		return maxTokenBytes
	}
	return min(max(memory/4, minTokenBytes), maxTokenBytes)
}

// NewRuntime makes a Runtime for a process that is to use so much memory, in bytes; zero sets no bound. It has to be closed.
func NewRuntime(log *slog.Logger, memory int64) (*Runtime, error) {
	tokens, err1 := cache.New[*jwt.Token](cache.Config{Name: "tokens", MaxBytes: tokenBytes(memory)})
	signing, err2 := cache.New[[32]byte](cache.Config{Name: "signing_keys", MaxBytes: maxSigningKeyBytes})
	public, err3 := cache.New[*ecdsa.PublicKey](cache.Config{Name: "public_keys", MaxBytes: maxPublicKeyBytes})
	r := newRuntime(log)
	r.memories.remembers = true
	r.tokens, r.signingKeys, r.publicKeys = tokens, signing, public
	if err := errors.Join(err1, err2, err3); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func newRuntime(log *slog.Logger) *Runtime {
	r := &Runtime{
		keys: jwt.NewKeySets(log), functions: functions{log: log}, waits: lambda.NewWaits(1),
		memories: memories{log: log, flights: cache.NewFlights(1)},
	}
	r.Bound(defaultChecks)
	return r
}

// Bound says how many checks there may be at once, and with it how many of them may wait for something outside: five eighths. A check
// that need not wait finds a place among the other three, even if everything hangs. Half of the checks may wait for functions, and
// for a shared cache that is asked before one. An eighth may wait for keys: a token with an unknown kid costs a client nothing. As
// many calls may be under way as checks may wait for functions, for a call goes on when nobody waits for it any more. Within each bound
// APIs, authorizers, functions, issuers and callers have their shares (package bulkhead).
func (r *Runtime) Bound(checks int) {
	if checks <= 0 {
		checks = defaultChecks
	}
	most := int64(checks)
	r.waits.Bound(most / 2)
	r.keys.Bound(most / 8)
	r.memories.flights.Resize(most / 2)
}

// expect divides the bounds among what a configuration has, which is about to serve.
func (r *Runtime) expect(s *Snapshot) {
	functions := map[string]bool{}
	for _, f := range s.asked {
		functions[f] = true
	}
	r.waits.Expect(s.asking, len(functions))
	r.memories.flights.Expect(s.asking)
	r.keys.Expect(s.keyed)
}

// Close ends everything that was begun for configurations.
func (r *Runtime) Close() {
	r.functions.closeAll()
	r.keys.Close()
	r.memories.closeAll()
	r.tokens.Close()
	r.signingKeys.Close()
	r.publicKeys.Close()
}

// Samples are the numbers that operators watch.
func (r *Runtime) Samples() []authz.Sample {
	return slices.Concat(r.keys.Samples(), r.tokens.Samples(), r.signingKeys.Samples(), r.publicKeys.Samples(),
		r.memories.samples(), r.functions.samples(), r.guards.Samples(),
		r.waits.Samples(), r.keys.WaitSamples(), r.memories.flights.Samples())
}
