package config

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/identity"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// compiler builds a gateway's configuration from a message of config.proto and the document that it was read from.
type compiler struct {
	*reader.Reader
	Input

	// pool provides what outlives the configuration, and lease records what the configuration holds of it.
	pool  *pool.Pool
	lease *pool.Lease
	// issuers says where the keys of issuers are, and authorizers compiles the authorizers that use them.
	issuers     *issuer.Issuers
	authorizers *authorizer.Compiler
	// keyFiles are the access key files, and identities are the section iam, compiled. signs reports whether callers can have keys.
	keyFiles   identity.KeyFiles
	identities *identity.Identities
	signs      bool
	// defined are the APIs that definitions define.
	defined []*definition.Definition
	// log is the decision log; nil if the configuration does not mention it.
	log *decisionlog.Config
}
