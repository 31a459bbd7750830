package pool

import (
	"context"
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	"github.com/portcullis-authz/portcullis/pkg/meter"
)

// Lease is the part of a Pool that one configuration uses. Configurations that need the same function or cache share it, so a
// reload does not restart, fetch or forget what has not changed. What has no holder ends.
type Lease struct {
	pool    *Pool
	holds   []Holding
	answers *heldAnswers
	// asked are the functions in use, by ARN. Guards forget all others.
	asked []string
	// asking are the ids of the APIs that call functions, and keyed those that need the keys of issuers.
	asking, keyed map[string]bool
	// meters count the decisions; nil if the configuration will not serve.
	meters *meter.Set
}

// Holding is a remote resource of a configuration.
type Holding interface {
	// Start begins to get it and returns at once.
	Start(ctx context.Context)
	// WaitReady returns when it is there, or with an error if ctx ends first.
	WaitReady(ctx context.Context) error
	// Close releases it.
	Close()
}

// Lease returns an empty Lease.
func (p *Pool) Lease() *Lease {
	l := &Lease{pool: p, asking: map[string]bool{}, keyed: map[string]bool{}}
	if p.meters != nil {
		l.meters = p.meters.Set()
	}
	return l
}

// Meter returns a function that returns what counts the decisions of a route. It returns nil if nothing counts them.
func (l *Lease) Meter() func(authz.MeterKey) authz.Meter {
	if l.meters == nil {
		return nil
	}
	return l.meters.Meter
}

// Hold adds something that is started and closed with the Lease.
func (l *Lease) Hold(h Holding) { l.holds = append(l.holds, h) }

// Keys adds an authorizer of an API that needs the keys of issuers.
func (l *Lease) Keys(api string, authorizer Holding) {
	l.Hold(authorizer)
	l.keyed[api] = true
}

// Function adds a function that an API calls, and returns what invokes it within its limits.
func (l *Lease) Function(api string, s FunctionSpec) (lambda.Invoker, error) {
	f, err := l.pool.functions.use(s)
	if err != nil {
		return nil, err
	}
	l.Hold(f)
	l.asked, l.asking[api] = append(l.asked, s.ARN), true
	return l.pool.guards.Guard(s.ARN, f.invoker, s.limits())
}

// Remember adds the cache for answers, which is shared through Redis unless the configuration is nil. The digest is
// equal for equal configurations, zero for nil. It is called once.
func (l *Lease) Remember(c *cache.SharedConfig, digest [32]byte) error {
	held, err := l.pool.memories.use(c, digest)
	if err != nil {
		return err
	}
	l.answers = held
	l.Hold(held)
	return nil
}

// Answers returns the cache for answers, or nil. Call Remember first.
func (l *Lease) Answers() *cache.Cache[*lambda.Answer] { return l.answers.cache }

// Start begins to get everything that is held, and returns at once. From then on, the pool's limits are divided among
// the APIs and functions of the Lease.
func (l *Lease) Start(ctx context.Context) {
	for _, h := range l.holds {
		h.Start(ctx)
	}
	l.pool.guards.Retain(l.asked)
	l.pool.expect(l)
}

// Wait returns when everything that is held is there, or when ctx ends. Fetching continues after that, and only the
// routes that need a missing part are affected.
func (l *Lease) Wait(ctx context.Context) {
	for _, h := range l.holds {
		_ = h.WaitReady(ctx) // the fetcher logs the error
	}
}

// Close releases everything. Call it when no request uses the Lease any more. Further calls do nothing.
func (l *Lease) Close() {
	for _, h := range l.holds {
		h.Close()
	}
	if l.meters != nil {
		l.meters.Close()
	}
}

// Flush invalidates the cached answers for a stage of an API, here and in the replicas that share them. It covers one
// Lambda authorizer, or all of them if its name is empty.
func (l *Lease) Flush(ctx context.Context, api, stage, authorizer string) error {
	if err := l.answers.cache.FlushShared(ctx, lambda.FlushScope(api, stage, authorizer)); err != nil {
		return fmt.Errorf("the answers are flushed here, and perhaps not in the other replicas: %w", err)
	}
	return nil
}

// Trouble returns what may delay a flush between replicas, one problem a line.
func (l *Lease) Trouble() []string { return l.answers.shared.Trouble() }
