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
	"github.com/portcullis-authz/portcullis/pkg/meter"
	"github.com/portcullis-authz/portcullis/pkg/sts/awsidentity"
)

// Limits of the caches: verified tokens, at some 3 KiB each, the last 100,000 or so, and fewer if memory is short;
// signing keys, at some 400 bytes each, the last 80,000; public keys, at some 600 bytes each, the last 25,000; opened sessions, at some
// 4 KiB each, the last 16,000.
const (
	maxTokenBytes      = 352 << 20
	minTokenBytes      = 16 << 20
	maxSigningKeyBytes = 32 << 20
	maxPublicKeyBytes  = 16 << 20
	maxSessionBytes    = 64 << 20
)

// Pool has the parts of the process that outlive a configuration: the keys of issuers, functions, and caches of tokens, answers and derived
// keys. Its methods are safe for concurrent use.
type Pool struct {
	keys        *jwt.KeySets
	tokens      *jwt.Cache
	signingKeys *iam.SigningKeys
	publicKeys  *iam.PublicKeys
	sessions    *iam.Sessions
	aws         *awsidentity.Client
	functions   functions
	guards      lambda.Guards
	waits       *lambda.Waits
	memories    memories
	meters      *meter.Meters // nil if the configurations will not serve
}

// defaultChecks is the number of concurrent checks that a Pool expects before Bound, which is the default of
// --max-checks.
const defaultChecks = 4096

// tokenBytes returns the limit for verified tokens, given the memory of the process: a quarter, within bounds. Zero
// means unlimited memory. The largest cache holds 100,000 tokens of a user pool. A token that is dropped is verified
// again, at the cost of four checks, which is better than being killed for memory. Filling the cache takes as many
// valid tokens.
func tokenBytes(memory int64) int64 {
	if memory <= 0 {
		return maxTokenBytes
	}
	return min(max(memory/4, minTokenBytes), maxTokenBytes)
}

// New returns a Pool for a process with so many bytes of memory; zero means no limit. Close it after use.
func New(log *slog.Logger, memory int64) (*Pool, error) {
	tokens, err1 := cache.New[*jwt.Token](cache.Config{Name: "tokens", MaxBytes: tokenBytes(memory)})
	signing, err2 := cache.New[[32]byte](cache.Config{Name: "signing_keys", MaxBytes: maxSigningKeyBytes})
	public, err3 := cache.New[*ecdsa.PublicKey](cache.Config{Name: "public_keys", MaxBytes: maxPublicKeyBytes})
	sessions, err4 := iam.NewSessions(cache.Config{Name: "sessions", MaxBytes: maxSessionBytes})
	p := newPool(log)
	p.memories.remembers, p.meters = true, meter.New()
	p.tokens, p.signingKeys, p.publicKeys, p.sessions = tokens, signing, public, sessions
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Dry returns a Pool for configurations that are checked and do not serve. It caches nothing, logs nothing, and need
// not be closed.
func Dry() *Pool { return newPool(slog.New(slog.DiscardHandler)) }

func newPool(log *slog.Logger) *Pool {
	p := &Pool{
		keys: jwt.NewKeySets(log), aws: awsidentity.NewClient(), functions: functions{log: log}, waits: lambda.NewWaits(1),
		memories: memories{log: log, flights: cache.NewFlights(1)},
	}
	p.Bound(defaultChecks)
	return p
}

// Bound sets the number of concurrent checks. Of these, five eighths may wait for something remote, so a check that
// need not wait finds a place among the other three even if everything hangs. Half of the checks may wait for
// functions, and for the shared cache in front of them. An eighth may wait for keys, because a token with an unknown
// kid costs a client nothing. The limit on calls of functions equals the limit on waiting for them, because a call
// continues after its check gives up. Within each limit APIs, authorizers, functions, issuers and callers have their
// shares (package bulkhead).
func (p *Pool) Bound(checks int) {
	if checks <= 0 {
		checks = defaultChecks
	}
	most := int64(checks)
	p.waits.Bound(most / 2)
	p.keys.Bound(most / 8)
	p.memories.flights.Resize(most / 2)
}

// expect divides the limits among the parts of a configuration that is about to serve.
func (p *Pool) expect(l *Lease) {
	functions := map[string]bool{}
	for _, f := range l.asked {
		functions[f] = true
	}
	p.waits.Expect(len(l.asking), len(functions))
	p.memories.flights.Expect(len(l.asking))
	p.keys.Expect(len(l.keyed))
}

// KeySets returns the keys of issuers.
func (p *Pool) KeySets() *jwt.KeySets { return p.keys }

// Tokens returns the cache of verified tokens, or nil.
func (p *Pool) Tokens() *jwt.Cache { return p.tokens }

// SigningKeys returns the cache of signing keys derived from secrets, or nil.
func (p *Pool) SigningKeys() *iam.SigningKeys { return p.signingKeys }

// PublicKeys returns the cache of public keys derived from secrets, or nil.
func (p *Pool) PublicKeys() *iam.PublicKeys { return p.publicKeys }

// Sessions returns the cache of opened sessions, or nil.
func (p *Pool) Sessions() *iam.Sessions { return p.sessions }

// AWS returns what asks AWS's STS who a caller is.
func (p *Pool) AWS() *awsidentity.Client { return p.aws }

// Meters returns what counts the decisions of configurations, or nil.
func (p *Pool) Meters() *meter.Meters { return p.meters }

// Waits returns the limits on requests that wait for functions.
func (p *Pool) Waits() *lambda.Waits { return p.waits }

// Close stops everything. Call it when no configuration serves any more.
func (p *Pool) Close() {
	p.functions.closeAll()
	p.keys.Close()
	p.memories.closeAll()
	p.tokens.Close()
	p.signingKeys.Close()
	p.publicKeys.Close()
	p.sessions.Close()
	p.aws.Close()
}

// Samples returns the metrics of key sets, caches, functions, the guards before them, and of waiting.
func (p *Pool) Samples() []authz.Sample {
	return slices.Concat(p.keys.Samples(), p.tokens.Samples(), p.signingKeys.Samples(), p.publicKeys.Samples(), p.sessions.Samples(),
		p.memories.samples(), p.functions.samples(), p.guards.Samples(),
		p.waits.Samples(), p.keys.WaitSamples(), p.memories.flights.Samples(), p.aws.Samples())
}
