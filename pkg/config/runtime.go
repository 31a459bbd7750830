package config

import (
	"log/slog"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
)

// maxTokenBytes bounds what is remembered of verified tokens: at some 3 KiB each, the last 20,000 or so.
const maxTokenBytes = 64 << 20

// Runtime is what outlives a configuration: the keys of issuers, and what was learned of tokens. A configuration takes from it
// what it needs, so that a reload does not fetch again what has not changed. Its caches are nil where nothing is remembered.
type Runtime struct {
	keys   *jwt.KeySets
	tokens *jwt.Cache
}

// NewRuntime makes a Runtime. It has to be closed.
func NewRuntime(log *slog.Logger) (*Runtime, error) {
	tokens, err := cache.New[*jwt.Token](cache.Config{Name: "tokens", MaxBytes: maxTokenBytes})
	if err != nil {
		return nil, err
	}
	return &Runtime{keys: jwt.NewKeySets(log), tokens: tokens}, nil
}

// Close ends everything that was begun for configurations.
func (r *Runtime) Close() {
	r.keys.Close()
	r.tokens.Close()
}

// Samples are the numbers that operators watch.
func (r *Runtime) Samples() []authz.Sample {
	return append(r.keys.Samples(), r.tokens.Samples()...)
}
