package pool

import (
	"context"
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// Lease is what one configuration holds of a Pool. Two configurations that need the same function or memory hold the same one, so
// that a reload does not start, fetch or forget what has not changed; what nobody holds ends.
type Lease struct {
	pool    *Pool
	holds   []Holding
	answers *heldAnswers
	// asked are the functions that may be asked, by ARN; guards forget all others.
	asked []string
	// asking are the ids of the APIs that ask functions, and keyed of those that need the keys of issuers.
	asking, keyed map[string]bool
}

// Holding is something that a configuration needs from outside.
type Holding interface {
	// Start begins to get it, and returns at once.
	Start(ctx context.Context)
	// WaitReady returns when it is there, or with an error when ctx ends before.
	WaitReady(ctx context.Context) error
	// Close gives it back.
	Close()
}

// Lease returns a Lease that holds nothing yet.
func (p *Pool) Lease() *Lease {
	return &Lease{pool: p, asking: map[string]bool{}, keyed: map[string]bool{}}
}

// Hold takes something that is started and closed with the Lease.
func (l *Lease) Hold(h Holding) { l.holds = append(l.holds, h) }

// Keys takes an authorizer of an API that needs the keys of issuers.
func (l *Lease) Keys(api string, authorizer Holding) {
	l.Hold(authorizer)
	l.keyed[api] = true
}

// Function takes a function that an API asks, and returns what invokes it within its limits.
func (l *Lease) Function(api string, s FunctionSpec) (lambda.Invoker, error) {
	f, err := l.pool.functions.use(s)
	if err != nil {
		return nil, err
	}
	l.Hold(f)
	l.asked, l.asking[api] = append(l.asked, s.ARN), true
	return l.pool.guards.Guard(s.ARN, f.invoker, s.limits())
}

// Remember takes the memory for answers that is shared by a Redis, or by none if the configuration is nil. The digest is equal for
// equal configurations, zero for none. It is called once.
func (l *Lease) Remember(c *cache.SharedConfig, digest [32]byte) error {
	held, err := l.pool.memories.use(c, digest)
	if err != nil {
		return err
	}
	l.answers = held
	l.Hold(held)
	return nil
}

// Answers are the answers that are remembered, nil where none are. Remember comes first.
func (l *Lease) Answers() *cache.Cache[*lambda.Answer] { return l.answers.cache }

// Start begins to get all that is held, and returns at once. The pool's bounds are divided among the APIs and functions of the Lease then.
func (l *Lease) Start(ctx context.Context) {
	for _, h := range l.holds {
		h.Start(ctx)
	}
	l.pool.guards.Retain(l.asked)
	l.pool.expect(l)
}

// Wait returns once all that is held is there, or when ctx ends: what is not there by then is tried further, and is the concern of the
// routes that need it alone.
func (l *Lease) Wait(ctx context.Context) {
	for _, h := range l.holds {
		_ = h.WaitReady(ctx) // what fetches logs why it fails
	}
}

// Close gives everything back. It is called when no request uses it any more, and may be called again.
func (l *Lease) Close() {
	for _, h := range l.holds {
		h.Close()
	}
}

// Flush makes the remembered answers for a stage of an API count no more, here and in the replicas that share them: those of one
// Lambda authorizer, or of all if its name is empty.
func (l *Lease) Flush(ctx context.Context, api, stage, authorizer string) error {
	if err := l.answers.cache.FlushShared(ctx, lambda.FlushScope(api, stage, authorizer)); err != nil {
		return fmt.Errorf("the answers are flushed here, and perhaps not in the other replicas: %w", err)
	}
	return nil
}

// Trouble says what may keep a flush in another replica from arriving here at once, a line each.
func (l *Lease) Trouble() []string { return l.answers.shared.Trouble() }
