package pool

import "github.com/portcullis-authz/portcullis/pkg/lambda"

// Held tells what there is, and how often it is held.
func (p *Pool) Held() (functions, functionHolders, memories int) {
	for _, f := range p.functions.known {
		functionHolders += f.holders
	}
	return len(p.functions.known), functionHolders, len(p.memories.known)
}

// Memory is the one memory for answers that there is, and how often it is held.
func (p *Pool) Memory() (digest [32]byte, holders int) {
	for digest, a := range p.memories.known {
		return digest, a.holders
	}
	return digest, 0
}

// Limits are those that a function is guarded by.
func Limits(s *FunctionSpec) lambda.GuardLimits { return s.limits() }
