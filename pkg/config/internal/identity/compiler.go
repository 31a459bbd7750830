package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// Config says what Compile takes from the configuration around it.
type Config struct {
	Reader *reader.Reader
	// Pool provides what outlives the configuration, and Lease records what the configuration holds of it.
	Pool  *pool.Pool
	Lease *pool.Lease
	// Issuers says where the keys of issuers are.
	Issuers *issuer.Issuers
	// KeyFiles are the files that Gather read.
	KeyFiles KeyFiles
}

// compiler compiles the section iam.
type compiler struct {
	*reader.Reader
	pool     *pool.Pool
	lease    *pool.Lease
	issuers  *issuer.Issuers
	keyFiles KeyFiles
	// accounts are the exports that were read.
	accounts map[string]bool
	// web verifies the tokens that callers exchange for session credentials.
	web webIdentity
	// keys are the access keys and their owners.
	keys *iam.Store
	// ring seals and opens session tokens; nil if the configuration does not accept any.
	ring *session.Ring
}

// webIdentity verifies web identity tokens. Its zero value accepts none.
type webIdentity struct {
	tokens    *jwt.Verifier
	audiences map[string][]string
}
