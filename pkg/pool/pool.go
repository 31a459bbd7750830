package pool

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

// Pool is what outlives a configuration: the keys of issuers, functions, what was learned of tokens and answers, and what was
// derived of secrets. Its methods may be called at the same time.
type Pool struct {
	keys        *jwt.KeySets
	tokens      *jwt.Cache
	signingKeys *iam.SigningKeys
	publicKeys  *iam.PublicKeys
	functions   functions
	guards      lambda.Guards
	waits       *lambda.Waits
	memories    memories
}

// defaultChecks is how many checks at once a Pool is made for that was not told: as many as the server's --max-checks without that flag.
const defaultChecks = 4096

// tokenBytes is what verified tokens may take of so much memory, zero for as much as there is: a quarter, within bounds. In the most,
// 100,000 tokens of a user pool lie. A token that is forgotten is verified again, at the cost of four checks; a process that is killed
// for its memory answers nobody. Nobody fills it without as many tokens of an issuer's.
func tokenBytes(memory int64) int64 {
	if memory <= 0 {
		return maxTokenBytes
	}
	return min(max(memory/4, minTokenBytes), maxTokenBytes)
}

// New makes a Pool for a process that is to use so much memory, in bytes; zero sets no bound. It has to be closed.
func New(log *slog.Logger, memory int64) (*Pool, error) {
	tokens, err1 := cache.New[*jwt.Token](cache.Config{Name: "tokens", MaxBytes: tokenBytes(memory)})
	signing, err2 := cache.New[[32]byte](cache.Config{Name: "signing_keys", MaxBytes: maxSigningKeyBytes})
	public, err3 := cache.New[*ecdsa.PublicKey](cache.Config{Name: "public_keys", MaxBytes: maxPublicKeyBytes})
	p := newPool(log)
	p.memories.remembers = true
	p.tokens, p.signingKeys, p.publicKeys = tokens, signing, public
	if err := errors.Join(err1, err2, err3); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Dry returns a Pool for configurations that are looked at and do not serve: it remembers nothing, logs nothing, and need not be
// closed.
func Dry() *Pool { return newPool(slog.New(slog.DiscardHandler)) }

func newPool(log *slog.Logger) *Pool {
	p := &Pool{
		keys: jwt.NewKeySets(log), functions: functions{log: log}, waits: lambda.NewWaits(1),
		memories: memories{log: log, flights: cache.NewFlights(1)},
	}
	p.Bound(defaultChecks)
	return p
}

// Bound says how many checks there may be at once, and with it how many of them may wait for something outside: five eighths. A check
// that need not wait finds a place among the other three, even if everything hangs. Half of the checks may wait for functions, and
// for a shared cache that is asked before one. An eighth may wait for keys: a token with an unknown kid costs a client nothing. As
// many calls may be under way as checks may wait for functions, for a call goes on when nobody waits for it any more. Within each bound
// APIs, authorizers, functions, issuers and callers have their shares (package bulkhead).
func (p *Pool) Bound(checks int) {
	if checks <= 0 {
		checks = defaultChecks
	}
	most := int64(checks)
	p.waits.Bound(most / 2)
	p.keys.Bound(most / 8)
	p.memories.flights.Resize(most / 2)
}

// expect divides the bounds among what a configuration has, which is about to serve.
func (p *Pool) expect(l *Lease) {
	functions := map[string]bool{}
	for _, f := range l.asked {
		functions[f] = true
	}
	p.waits.Expect(len(l.asking), len(functions))
	p.memories.flights.Expect(len(l.asking))
	p.keys.Expect(len(l.keyed))
}

// KeySets are the keys of issuers.
func (p *Pool) KeySets() *jwt.KeySets { return p.keys }

// Tokens are the verified tokens, nil where none are remembered.
func (p *Pool) Tokens() *jwt.Cache { return p.tokens }

// SigningKeys are those that were derived of secrets, nil where none are remembered.
func (p *Pool) SigningKeys() *iam.SigningKeys { return p.signingKeys }

// PublicKeys are those that were derived of secrets, nil where none are remembered.
func (p *Pool) PublicKeys() *iam.PublicKeys { return p.publicKeys }

// Waits are the requests that wait for functions.
func (p *Pool) Waits() *lambda.Waits { return p.waits }

// Close ends everything that was begun for configurations. It is called when none of them serves any more.
func (p *Pool) Close() {
	p.functions.closeAll()
	p.keys.Close()
	p.memories.closeAll()
	p.tokens.Close()
	p.signingKeys.Close()
	p.publicKeys.Close()
}

// Samples are the numbers that operators watch: of key sets, caches, functions, the guards before them, and who waits for all these.
func (p *Pool) Samples() []authz.Sample {
	return slices.Concat(p.keys.Samples(), p.tokens.Samples(), p.signingKeys.Samples(), p.publicKeys.Samples(),
		p.memories.samples(), p.functions.samples(), p.guards.Samples(),
		p.waits.Samples(), p.keys.WaitSamples(), p.memories.flights.Samples())
}
