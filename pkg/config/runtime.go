package config

import (
	"log/slog"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// maxTokenBytes bounds what is remembered of verified tokens: at some 3 KiB each, the last 20,000 or so.
const maxTokenBytes = 64 << 20

// Runtime is what outlives a configuration: the keys of issuers, functions, and what was learned of tokens and answers. A
// configuration takes from it what it needs, so that a reload does not fetch or start again what has not changed.
type Runtime struct {
	keys      *jwt.KeySets
	tokens    *jwt.Cache // nil: nothing is remembered
	functions functions
	guards    lambda.Guards
	memories  memories
}

// NewRuntime makes a Runtime. It has to be closed.
func NewRuntime(log *slog.Logger) (*Runtime, error) {
	tokens, err := cache.New[*jwt.Token](cache.Config{Name: "tokens", MaxBytes: maxTokenBytes})
	if err != nil {
		return nil, err
	}
	r := newRuntime(log)
	r.tokens = tokens
	return r, nil
}

func newRuntime(log *slog.Logger) *Runtime {
	return &Runtime{keys: jwt.NewKeySets(log), functions: functions{log: log}, memories: memories{log: log}}
}

// Close ends everything that was begun for configurations.
func (r *Runtime) Close() {
	r.functions.closeAll()
	r.keys.Close()
	r.memories.closeAll()
	r.tokens.Close()
}

// Samples are the numbers that operators watch.
func (r *Runtime) Samples() []authz.Sample {
	return slices.Concat(r.keys.Samples(), r.tokens.Samples(), r.memories.samples(), r.functions.samples(), r.guards.Samples())
}
