package server

import (
	"math/rand/v2"
	"sync/atomic"
)

// users counts the checks that use a configuration. They are spread over several counters, each on cache lines of its own, for
// processors that count in one place wait for each other.
type users [16]struct {
	n atomic.Int64
	_ [120]byte
}

// place is one of the counters. Who enters there leaves there.
func (u *users) place() *atomic.Int64 {
	return &u[rand.Uint32()%uint32(len(u))].n //nolint:gosec // spreads load
}

// none tells whether nobody uses the configuration any more. It has to be out of service: see gate.use.
func (u *users) none() bool {
	for i := range u {
		if u[i].n.Load() != 0 {
			return false
		}
	}
	return true
}
