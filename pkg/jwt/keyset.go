package jwt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

const (
	// refetchEvery is the least time between two fetches of a set, whatever asks for them.
	refetchEvery = 3 * time.Second
	// emptyGrace is how long keys are used after their issuer has answered with an empty set.
	emptyGrace = 5 * time.Minute
	// answerTime is the part of the time for a check that a wait leaves, because the answer has to be there before Envoy gives up.
	answerTime = 250 * time.Millisecond

	firstRetry, lastRetry = time.Second, time.Minute
)

// keySet is the keys of one source.
type keySet struct {
	registry *KeySets
	source   Source
	digest   [32]byte
	id       [16]byte // names this set in cache keys, and no other ever
	share    bulkhead.ID
	fetch    func(context.Context) (found, error)
	limiter  *rate.Limiter
	begun    atomic.Int64 // when the set was started; 0 before
	state    atomic.Pointer[state]

	// The registry's lock guards these.
	holders int
	stop    context.CancelFunc

	// kick asks for a fetch before its time.
	kick chan struct{}

	mu             sync.Mutex
	started, ended uint64        // fetches
	landed         chan struct{} // closed when a fetch ends
	lastErr        error
	reported       bool // that fetches fail
	retry          time.Duration
}

// state is the state of a set at one time. It never changes.
type state struct {
	keys  map[keyID]*key
	count int
	// generation rises with every change of the keys.
	generation uint64
	content    [32]byte
	fetched    time.Time
	until      time.Time
	emptied    bool
}

// usable is the state unless it is too old, or there is none yet.
func (s *keySet) usable(now time.Time) *state {
	if st := s.state.Load(); st != nil && now.Before(st.until) {
		return st
	}
	return nil
}

func (s *keySet) age(now time.Time) time.Duration {
	if st := s.state.Load(); st != nil {
		return now.Sub(st.fetched)
	}
	return now.Sub(time.Unix(0, s.begun.Load()))
}

// run fetches until ctx ends.
func (s *keySet) run(ctx context.Context) {
	for {
		if s.limiter.Wait(ctx) != nil {
			return
		}
		again := time.NewTimer(s.round(ctx))
		select {
		case <-again.C:
		case <-s.kick:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// round fetches once and says when to fetch again.
func (s *keySet) round(ctx context.Context) time.Duration {
	s.mu.Lock()
	s.started++
	s.mu.Unlock()

	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, s.source.HTTP.Timeout)
	defer cancel()
	f, err := s.protected(bounded)
	result := resultOf(err)
	if err == nil {
		result = s.accept(f, time.Now())
	}
	if ctx.Err() != nil {
		result = ""
	}
	return s.end(err, result, time.Since(begun))
}

// protected makes an error of a panic: an answer that breaks the library must not break the process.
func (s *keySet) protected(ctx context.Context) (f found, err error) {
	defer func() {
		if recover() != nil {
			f, err = found{}, refusedSet("the key set cannot be read")
		}
	}()
	return s.fetch(ctx)
}

func resultOf(err error) string {
	if _, ok := errors.AsType[refusedSet](err); ok {
		return "refused"
	}
	return "unreachable"
}

// accept takes over what was fetched.
func (s *keySet) accept(f found, now time.Time) string {
	old := s.state.Load()
	if len(f.keys) == 0 {
		if old == nil || old.emptied {
			return "empty"
		}
		emptied := *old
		emptied.emptied = true
		if until := now.Add(emptyGrace); until.Before(old.until) {
			emptied.until = until
		}
		s.state.Store(&emptied)
		return "empty"
	}
	next := &state{keys: f.keys, count: f.count, content: f.content, generation: 1, fetched: now, until: now.Add(s.source.MaxAge)}
	result := "changed"
	if old != nil {
		next.generation = old.generation
		if old.content == f.content {
			next.keys, result = old.keys, "unchanged"
		} else {
			next.generation++
		}
	}
	s.state.Store(next)
	return result
}

// end tells those who wait, and the operator, how a fetch went.
func (s *keySet) end(err error, result string, took time.Duration) time.Duration {
	if result != "" {
		s.registry.count(s.source.Issuer, result, took)
		s.report(err, result)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	close(s.landed)
	s.landed = make(chan struct{})
	s.lastErr = err
	if err == nil && result == "empty" {
		s.lastErr = errEmpty
	}
	if s.lastErr == nil {
		s.retry = 0
		return s.source.Interval
	}
	s.retry = min(max(2*s.retry, firstRetry), lastRetry, s.source.Interval)
	return s.retry
}

var errEmpty = errors.New("the issuer has no key that can be used")

func (s *keySet) report(err error, result string) {
	s.mu.Lock()
	changed := s.reported != (result != "changed" && result != "unchanged")
	if changed {
		s.reported = !s.reported
	}
	s.mu.Unlock()
	if err == nil && result == "empty" {
		err = errEmpty
	}
	switch log := s.registry.logger.With("issuer", s.source.Issuer); {
	case changed && err != nil && s.state.Load() == nil:
		log.Error("the keys of an issuer cannot be fetched: its routes answer 500 until they are", "error", err.Error())
	case changed && err != nil:
		log.Error("the keys of an issuer cannot be fetched: those of the last good fetch are used until they are too old", "error", err.Error())
	case changed:
		log.Info("the keys of an issuer are fetched again")
	case result == "changed":
		log.Info("the keys of an issuer have changed")
	}
}

// WaitReady returns when the set has keys that can be used; with an error that says why it has none when ctx ends before.
func (s *keySet) WaitReady(ctx context.Context) error {
	for {
		s.mu.Lock()
		landed, last := s.landed, s.lastErr
		s.mu.Unlock()
		if s.usable(time.Now()) != nil {
			return nil
		}
		select {
		case <-landed:
		case <-ctx.Done():
			if last == nil {
				last = ctx.Err()
			}
			return fmt.Errorf("issuer %s: no keys: %w", s.source.Issuer, last)
		}
	}
}

// Issuer is whose keys they are.
func (s *keySet) Issuer() string { return s.source.Issuer }

var (
	errTooMany    = errors.New("too many requests wait for keys: in all, for this API or for this issuer")
	errNoKeys     = errors.New("the issuer's keys are not there, or too old to be used")
	errUnknownKey = errors.New("the issuer has no such key")
)

// inTime ends somewhat before ctx does.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(answerTime, time.Until(deadline)/4)))
}

// key finds a key for a request of an API, and the generation that it belongs to. A key that is not known may be new: it is waited
// for, no longer than the next fetch takes, and ctx leaves time for an answer. A request that finds no place to wait is told at once
// what is known: that there is no such key or, if the issuer has no keys at all, that too many wait for them.
func (s *keySet) key(ctx context.Context, api bulkhead.ID, id keyID) (*key, uint64, error) {
	k, generation, err := s.known(id)
	if err == nil || s.begun.Load() == 0 {
		return k, generation, err
	}
	place, ok := s.registry.waiting.Enter(1, api, s.share)
	switch {
	case !ok && errors.Is(err, errNoKeys):
		return nil, 0, errTooMany
	case !ok:
		return nil, 0, err
	}
	defer place.Leave()
	ctx, cancel := inTime(ctx)
	defer cancel()
	ctx, end := authz.StartCall(ctx, authz.CallIssuer, s.source.Issuer)
	k, generation, err = s.await(ctx, id, err)
	end(resultOfWait(err))
	return k, generation, err
}

// resultOfWait names what came of waiting for a key.
func resultOfWait(err error) string {
	switch {
	case err == nil:
		return "found"
	case errors.Is(err, errNoKeys):
		return "no_keys"
	default:
		return "unknown_key"
	}
}

// await waits for a key that is not known, for the reason that err is.
func (s *keySet) await(ctx context.Context, id keyID, err error) (k *key, generation uint64, _ error) {
	s.mu.Lock()
	landed, wanted := s.landed, s.started+1
	s.mu.Unlock()
	if errors.Is(err, errNoKeys) {
		wanted-- // the first fetch, if it is under way
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
	for {
		s.mu.Lock()
		done := s.ended >= wanted
		s.mu.Unlock()
		if k, generation, err = s.known(id); err == nil || done {
			return k, generation, err
		}
		select {
		case <-landed:
			s.mu.Lock()
			landed = s.landed
			s.mu.Unlock()
		case <-ctx.Done():
			return nil, 0, err
		}
	}
}

// known finds a key among those that are there.
func (s *keySet) known(id keyID) (*key, uint64, error) {
	st := s.usable(time.Now())
	if st == nil {
		return nil, 0, errNoKeys
	}
	k := st.keys[id]
	if k == nil {
		return nil, 0, errUnknownKey
	}
	return k, st.generation, nil
}
