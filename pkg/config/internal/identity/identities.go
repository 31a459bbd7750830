// Package identity compiles the section iam of a configuration: accounts, users, roles, keys and STS.
//
// Start with Compile in identities.go. account.go, role.go, accesskey.go and session.go read the identities and what
// they sign with, and signature.go turns them into verifiers of signatures. principal.go maps callers without a
// signature to roles. sts.go compiles STS, and awsidentity.go its exchange of identities of AWS.
package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/sts"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Identities are the section iam, compiled.
type Identities struct {
	// Signatures returns a verifier of the accounts and access keys for the options of an API or a route.
	Signatures func(gateway.SignatureOptions) (gateway.Verify, error)
	// Identify finds callers who do not sign; nil if there are none, or one is at fault.
	Identify gateway.Identify
	// Store has the access keys and their owners; nil if an account is at fault.
	Store *iam.Store

	compiler *compiler
	message  *configv1.Config
}

// Compile reads the section iam, and the accounts that it names.
func Compile(c Config, m *configv1.Config) *Identities {
	compiler := &compiler{Reader: c.Reader, pool: c.Pool, lease: c.Lease, issuers: c.Issuers, keyFiles: c.KeyFiles}
	i := &Identities{compiler: compiler, message: m}
	at := c.Reader.Doc.Root()
	i.Signatures = compiler.signatures(m.GetIam())
	compiler.web = compiler.webIdentities(m, at)
	i.Identify = compiler.principals(m, at)
	i.Store = compiler.keys
	return i
}

// STS returns what answers calls of STS; nil if the configuration issues no sessions, or is at fault.
func (i *Identities) STS(g *gateway.Gateway) *sts.Service { return i.compiler.sts(i.message, g) }
