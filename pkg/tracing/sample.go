package tracing

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// burst is how many checks may be traced at once because their traceparent is sampled.
const burst = 10

// sampler decides which checks are traced.
type sampler struct {
	share, sampledShare float64

	mu sync.Mutex
	// credit is how many checks may be traced because their traceparent is sampled. Each check adds sampledShare.
	credit float64
}

func newSampler(share, sampledShare float64) (*sampler, error) {
	for name, value := range map[string]float64{"share": share, "sampled share": sampledShare} {
		if !(value >= 0 && value <= 1) {
			return nil, fmt.Errorf("the %s %v is not a number from 0 to 1", name, value)
		}
	}
	return &sampler{share: share, sampledShare: sampledShare}, nil
}

// sample reports whether to trace a check. A client may have chosen whether its traceparent is sampled.
func (s *sampler) sample(sampled bool) bool {
	byFlag := s.sampledShare > 0 && s.spend(sampled)
	return byFlag || s.share > 0 && rand.Float64() < s.share //nolint:gosec // which checks are traced is no secret
}

func (s *sampler) spend(sampled bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credit = min(s.credit+s.sampledShare, burst)
	if !sampled || s.credit < 1 {
		return false
	}
	s.credit--
	return true
}
