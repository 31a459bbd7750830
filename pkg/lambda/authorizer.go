package lambda

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

// Authorizer asks a function about requests. It is safe for concurrent use.
type Authorizer struct {
	name         string
	token, http  bool
	version      string
	simple       bool
	sources      int
	spelling     map[string]string
	ttl, timeout time.Duration
	function     string
	invoker      Invoker
	digest       [32]byte
	cache        *cache.Cache[*Answer]
	limits       Limits
	waits        *Waits
	now          func() time.Time
	last         atomic.Pointer[stageScope]
}

// stageScope is where the answers for one stage of an API lie in the cache.
type stageScope struct {
	api, stage string
	scope      [32]byte
	flushes    [][32]byte
}

// Call is one request for an authorizer.
type Call struct {
	API, Stage string
	// Identity are the values of the identity sources, in the configured order. Nothing of them is kept.
	Identity []string
	// Only is a method ARN if the answer is to be kept for it alone, and empty otherwise.
	Only string
	// Unkept says that the answer to this call must not be kept. An answer that is known already is used.
	Unkept bool
	// Event tells of the request. It is asked only if there is no answer yet.
	Event interface{ Event() *authz.Event }
}

// Authorize returns the function's answer to a request: what is known of an earlier request with the same identity, or what
// the function says now. The error is an *authz.Refusal, and the Answer nil then.
func (a *Authorizer) Authorize(ctx context.Context, c Call) (*Answer, error) {
	if len(c.Identity) != a.sources || slices.Contains(c.Identity, "") {
		return nil, a.internal("a request came without a value for each identity source")
	}
	if a.ttl == 0 {
		return a.ask(ctx, c)
	}
	scope := a.scope(c.API, c.Stage)
	key := cache.Key{Scope: scope.scope, FlushScopes: scope.flushes, Parts: c.keptUnder()}
	if answer, ok := a.cache.Get(key); ok && answer != nil {
		return answer, nil
	}
	if c.Unkept {
		return a.ask(ctx, c)
	}
	return a.askOnce(ctx, key, c)
}

// keptUnder are the values that an answer is kept under. An authorizer has a fixed number of identity sources, so that one value more
// cannot be another identity.
func (c *Call) keptUnder() []string {
	if c.Only == "" {
		return c.Identity
	}
	return append(slices.Clone(c.Identity), c.Only)
}

// FlushScope returns the scope to flush in the cache so that the answers for one stage of an API count no more: those of the authorizers
// of that name, now and as they were before, or where the name is empty of all.
func FlushScope(api, stage, authorizer string) [32]byte {
	kind := "authorizer"
	if authorizer == "" {
		kind = "stage"
	}
	return scopeOf(kind, api, stage, authorizer)
}

func scopeOf(parts ...string) [32]byte {
	b := make([]byte, 0, 256)
	for _, p := range parts {
		b = appendText(b, p)
	}
	return sha256.Sum256(b)
}

// scope is not made again while the same stage is asked about: an authorizer is one API's, which has few.
func (a *Authorizer) scope(api, stage string) *stageScope {
	if last := a.last.Load(); last != nil && last.api == api && last.stage == stage {
		return last
	}
	made := &stageScope{
		strings.Clone(api), strings.Clone(stage), scopeOf("answers", string(a.digest[:]), api, stage),
		[][32]byte{FlushScope(api, stage, ""), FlushScope(api, stage, a.name)},
	}
	a.last.Store(made)
	return made
}

// ask invokes the function for this request alone.
func (a *Authorizer) ask(ctx context.Context, c Call) (*Answer, error) {
	who := a.asker(c)
	event, place, err := a.enter(c, who)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	limited, cancel := context.WithTimeout(withAsker(ctx, who), a.timeout)
	defer cancel()
	answer, _, err := a.call(limited, event)
	if err != nil {
		return nil, a.refusal(ctx, err)
	}
	return answer.asFresh(), nil
}

// askOnce invokes the function for all requests that ask the same meanwhile, and keeps the answer.
func (a *Authorizer) askOnce(ctx context.Context, key cache.Key, c Call) (*Answer, error) {
	who := a.asker(c)
	event, place, err := a.enter(c, who)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	key.Asker = []bulkhead.ID{who.api, who.authorizer}
	parts := make([]string, len(key.Parts))
	for i, value := range key.Parts {
		parts[i] = strings.Clone(value)
	}
	key.Parts = parts
	answer, hit, err := a.cache.DoShared(ctx, key, a.timeout, a.again, func(ctx context.Context) (cache.Made[*Answer], error) {
		answer, data, err := a.call(withAsker(ctx, who), event)
		if err != nil {
			return cache.Made[*Answer]{}, a.refusal(context.Background(), err) //nolint:contextcheck // the flight is no caller's
		}
		return cache.Made[*Answer]{Value: answer, Bytes: answer.bytes, Expires: a.now().Add(a.ttl), Encoded: data}, nil
	})
	switch {
	case err != nil:
		return nil, a.refusal(ctx, err)
	case answer == nil:
		return nil, a.internal("there is neither an answer nor an error")
	case hit:
		return answer, nil
	}
	return answer.asFresh(), nil
}

// enter takes the places of a request that has to wait for the function, and builds its event. Without an error the caller leaves
// again.
func (a *Authorizer) enter(c Call, who asker) ([]byte, waiting, error) {
	place, ok := a.waits.enter(bulkhead.NewID(a.function), who)
	if !ok {
		return nil, waiting{}, a.overload("too many requests wait for functions: in all, for this API, this authorizer, this function or this caller")
	}
	event, err := a.event(c)
	if err != nil {
		place.leave()
		return nil, waiting{}, a.internal(err.Error())
	}
	return event, place, nil
}

// call invokes the function and reads its answer, which it returns as it came, too. A panic is an error like any other.
func (a *Authorizer) call(ctx context.Context, event []byte) (answer *Answer, data []byte, err error) {
	defer func() {
		if recover() != nil {
			answer, data, err = nil, nil, a.internal("panic while the function was asked")
		}
	}()
	if data, err = a.invoker.Invoke(ctx, a.function, event); err != nil {
		return nil, nil, err
	}
	answer, problem := a.read(data)
	if problem != "" {
		return nil, nil, a.malformed(problem)
	}
	return answer, data, nil
}

// again reads an answer that the function gave to another replica.
func (a *Authorizer) again(data []byte) (made cache.Made[*Answer], err error) {
	defer func() {
		if recover() != nil {
			made, err = cache.Made[*Answer]{}, a.internal("panic while an answer was read")
		}
	}()
	answer, problem := a.read(data)
	if problem != "" {
		return cache.Made[*Answer]{}, a.malformed(problem)
	}
	return cache.Made[*Answer]{Value: answer, Bytes: answer.bytes, Expires: a.now().Add(a.ttl)}, nil
}
