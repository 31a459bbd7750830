package config

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// compiler builds a gateway's configuration from a message of config.proto and the document that it was read from.
type compiler struct {
	*reader.Reader
	Input
	// keyFiles are the access key files by name.
	keyFiles map[string]*keyFile
	// accounts are the exports that were read.
	accounts map[string]bool
	// signs reports whether there are access keys.
	signs bool

	// pool provides what outlives the configuration, and lease records what the configuration holds of it.
	pool  *pool.Pool
	lease *pool.Lease
	// issuers says where the keys of issuers are, and authorizers compiles the authorizers that use them.
	issuers     *issuer.Issuers
	authorizers *authorizer.Compiler
	// defined are the APIs that definitions define.
	defined []*definition.Definition
	// log is the decision log; nil if the configuration does not mention it.
	log *decisionlog.Config
	// web verifies the tokens that callers exchange for session credentials.
	web webIdentity
	// keys are the access keys and their owners.
	keys *iam.Store
	// ring seals and opens session tokens; nil if the configuration does not accept any.
	ring *session.Ring
}

// keyFile is an access key file. Its faults are reported where it is used.
type keyFile struct {
	*reader.Reader
	used bool
}
