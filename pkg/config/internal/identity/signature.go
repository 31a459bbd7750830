package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// signatures returns a factory for verifiers of the accounts and access keys. Without accounts and keys, they verify
// nobody.
func (c *compiler) signatures(m *configv1.Iam) func(gateway.SignatureOptions) (gateway.Verify, error) {
	at := c.Doc.Root().Field("iam")
	builder := iam.NewBuilder()
	c.sessionKeys(builder, m.GetSessions(), at.Field("sessions"))
	if m.GetSessions() != nil || len(m.GetRoles()) > 0 || len(m.GetPrincipals()) > 0 { // otherwise, nobody assumes a role
		builder.LintTrust(c.issuers.Audiences())
	}
	known := true
	for i, account := range m.GetAccounts() {
		known = c.account(builder, account, at.Field("accounts").Item(i)) && known
	}
	if !known {
		builder = nil // the owners of keys are unknown
	}
	c.roles(builder, m, at)
	for i, source := range m.GetAccessKeys() {
		c.accessKeys(builder, source.GetFile(), at.Field("accessKeys").Item(i).Field("file"))
	}
	if builder == nil {
		return refuseAll
	}
	if m.GetExplainSignatures() {
		c.Warn(at.Field("explainSignatures"), "clients see what a signature that does not match was compared with: remove it when you are done debugging")
	}
	c.keys = builder.Store()
	authenticator := iam.New(iam.Config{
		Store: c.keys, SigningKeys: c.pool.SigningKeys(), PublicKeys: c.pool.PublicKeys(), Sessions: c.pool.Sessions(),
		Explain: m.GetExplainSignatures(),
	})
	return func(o gateway.SignatureOptions) (gateway.Verify, error) { return verifier(authenticator, o) }
}

func verifier(a *iam.Authenticator, o gateway.SignatureOptions) (gateway.Verify, error) {
	v, err := a.Verifier(iam.Options{
		Region: o.Region, MaxExpires: o.MaxExpires, PlusLiteral: o.PlusLiteral, HostAliases: o.HostAliases,
		DisableSigV4A: o.DisableSigV4A, AllowUnsignedPayload: o.UnsignedPayload,
	})
	if err != nil {
		return nil, err
	}
	return func(r *authz.Request) (*gateway.Signed, error) {
		caller, err := v.Verify(r)
		if err != nil {
			return nil, err
		}
		return Signed(caller), nil
	}, nil
}

// refuseAll replaces the verifiers of a configuration that is at fault.
func refuseAll(gateway.SignatureOptions) (gateway.Verify, error) {
	return func(*authz.Request) (*gateway.Signed, error) { return nil, &authz.Refusal{} }, nil
}

// Signed returns what the gateway decides by of a caller who signed.
func Signed(c *iam.Caller) *gateway.Signed {
	return &gateway.Signed{
		Principal: c.Principal(), Policies: c.Policies(), Facts: c,
		AccessKey: c.AccessKeyID(), UserID: c.UserID(), OrganizationID: c.OrganizationID(),
		Host: c.SignedHost(), SpentHeaders: c.SpentHeaders(), SpentQuery: c.SpentQuery(),
	}
}
