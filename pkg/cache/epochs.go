package cache

import (
	"slices"
	"sync"
	"time"
)

// maxSeen is of how many scopes the newest epoch is remembered, at some 80 bytes each: more than a configuration of 10,000 APIs
// has stages and authorizers.
const maxSeen = 1 << 17

// seenEpochs are the newest epochs that were seen, by scope: an older one that turns up again was put there by somebody else.
type seenEpochs struct {
	mu     sync.Mutex
	newest map[[32]byte]int64
	// forgotten is the newest of those that are not remembered any more. Of a scope that is not known nothing older counts: it
	// may have been flushed since.
	forgotten int64
}

// next is when an epoch that begins now was begun: later than any that was seen.
func (s *seenEpochs) next(scope [32]byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Now().UnixNano(), s.of(scope)+1)
}

// known is the newest epoch of a scope that was seen; 0 if it is not remembered.
func (s *seenEpochs) known(scope [32]byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest[scope]
}

// isNewest refuses an epoch that is older than one that was seen.
func (s *seenEpochs) isNewest(scope [32]byte, created int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if created < s.of(scope) {
		return false
	}
	if s.newest == nil {
		s.newest = map[[32]byte]int64{}
	}
	s.newest[scope] = created
	if len(s.newest) > maxSeen {
		s.forget()
	}
	return true
}

// of is the newest epoch of a scope, or one that is at least as new.
func (s *seenEpochs) of(scope [32]byte) int64 {
	if seen, ok := s.newest[scope]; ok {
		return seen
	}
	return s.forgotten
}

// forget forgets the older half.
func (s *seenEpochs) forget() {
	created := make([]int64, 0, len(s.newest))
	for _, c := range s.newest {
		created = append(created, c)
	}
	slices.Sort(created)
	s.forgotten = max(s.forgotten, created[len(created)/2])
	for scope, c := range s.newest {
		if c <= s.forgotten && scope != everything { // without it nothing that is stored would count
			delete(s.newest, scope)
		}
	}
}
