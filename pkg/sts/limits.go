package sts

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// Shares of the rate of all calls. A client address has a half, because many workloads may share one; a caller has a tenth.
const (
	DefaultCallsPerSecond = 500
	addressShare          = 2
	callerShare           = 10
	// burst is for how many seconds of calls a bucket lasts that was full.
	burst = 2
)

// maxCalls is how many calls may be at work: each may hold a body, and wait for an issuer's keys.
const maxCalls = 256

// limits bound what calls cost the process, which has checks to answer: their number at a time and their rate. Both are divided
// among client addresses, and the rate among callers whose signature or token is verified.
type limits struct {
	places *bulkhead.Tree
	pace   atomic.Pointer[pace]
}

func newLimits() *limits {
	return &limits{places: bulkhead.New(bulkhead.Shares{Name: "sts_calls", Levels: []string{"client"}, Limit: maxCalls})}
}

// enter takes a place for a call from an address.
func (l *limits) enter(address string) (bulkhead.Place, bool) {
	return l.places.Enter(1, bulkhead.NewID("client", address))
}

// at returns the pace for a number of calls a second. A changed number begins with full buckets.
func (l *limits) at(callsPerSecond int) *pace {
	for {
		p := l.pace.Load()
		if p != nil && p.callsPerSecond == callsPerSecond {
			return p
		}
		if fresh := newPace(callsPerSecond); l.pace.CompareAndSwap(p, fresh) {
			return fresh
		}
	}
}

// pace limits the rate of calls.
type pace struct {
	callsPerSecond     int
	total              *rate.Limiter
	addresses, callers buckets
}

// buckets are the rates of a number of groups that is not known. Groups whose hash, which has a seed of the process, is the same
// share a bucket, so that memory does not depend on what clients send.
type buckets [1024]*rate.Limiter

func newPace(callsPerSecond int) *pace {
	p := &pace{callsPerSecond: callsPerSecond, total: limiter(callsPerSecond, 1)}
	for i := range p.addresses {
		p.addresses[i], p.callers[i] = limiter(callsPerSecond, addressShare), limiter(callsPerSecond, callerShare)
	}
	return p
}

func limiter(callsPerSecond, share int) *rate.Limiter {
	each := float64(callsPerSecond) / float64(share)
	return rate.NewLimiter(rate.Limit(each), max(1, int(each*burst)))
}

// call reports whether a call from an address is within the rate. The address comes first: a call that it may not make is not taken
// from what others have.
func (p *pace) call(address string, now time.Time) bool {
	return p.addresses.of("client", address).AllowN(now, 1) && p.total.AllowN(now, 1)
}

// caller reports whether a call of a verified caller is within the caller's rate.
func (p *pace) caller(kind, id string, now time.Time) bool {
	return p.callers.of(kind, id).AllowN(now, 1)
}

func (b *buckets) of(kind, id string) *rate.Limiter {
	return b[uint64(bulkhead.NewID(kind, id))%uint64(len(b))]
}
