package gateway

import (
	"github.com/portcullis-authz/portcullis/pkg/gateway/compile"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// Gateway is a compiled Config. It is immutable and safe for concurrent use. Its zero value owns no host and denies.
type Gateway struct{ model *model.Gateway }

// noModel is that of the zero Gateway.
var noModel model.Gateway

// New compiles a configuration. It returns all faults at once; the Gateway is nil if one of them is not a warning.
func New(c Config) (*Gateway, []Fault) {
	m, faults := compile.New(c)
	if m == nil {
		return nil, faults
	}
	return &Gateway{m}, faults
}
