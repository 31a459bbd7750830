package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// accessKeys reads a file of access keys into its message of config.proto; pkg/iam checks them. A key of a user or role
// that no account has is a fault, so removing a user requires removing its keys. A nil builder means that an account is
// at fault: keys are read and not looked up.
func (c *compiler) accessKeys(b *iam.Builder, file string, at *fault.Place) {
	name, _, ok := c.NamedFile(file, reader.MaxConfigSize, at)
	if !ok {
		return
	}
	k := c.keyFiles[name]
	if k == nil {
		return
	}
	if k.used {
		c.Fault(at, "the access key file %s is given twice: keep one", fault.Quoted(file))
		return
	}
	k.used = true
	if k.Doc != nil {
		m := &configv1.AccessKeys{}
		k.Doc.Decode(m, k.Report)
		for i, key := range m.GetAccessKeys() {
			k.accessKey(b, key, k.Doc.Root().Field("accessKeys").Item(i))
		}
	}
	c.Merge(k.Report)
}

func (f *keyFile) accessKey(b *iam.Builder, m *configv1.AccessKey, at *fault.Place) {
	if f.Full() {
		f.Overflow()
		return
	}
	k := &iam.AccessKey{
		ID: m.GetId(), User: m.GetUser(), FederatedUser: m.GetFederatedUser(), Role: m.GetRole(), SessionName: m.GetSessionName(),
		Secret: f.Secret(m.GetSecret(), at.Field("secret")), SessionToken: f.Secret(m.GetSessionToken(), at.Field("sessionToken")),
		Expires: f.Instant(m.GetExpires(), at.Field("expires")), IssueTime: f.Instant(m.GetIssueTime(), at.Field("issueTime")),
		MFATime: f.Instant(m.GetMfaTime(), at.Field("mfaTime")), SessionTags: m.GetSessionTags(), SourceIdentity: m.GetSourceIdentity(),
		Inactive: f.inactive(m, at.Field("status")),
	}
	options := policy.Options{Name: "session-policy/" + m.GetId(), Kind: policy.Session}
	k.SessionPolicies = f.Policies(len(m.GetSessionPolicies()), options, at.Field("sessionPolicies"))
	if b == nil {
		return
	}
	for _, wrong := range b.AddKey(k, at) {
		f.IfNew(wrong.At, wrong.Message)
	}
}

// inactive reads a key's status.
func (f *keyFile) inactive(m *configv1.AccessKey, at *fault.Place) bool {
	switch m.GetStatus() {
	case "", "Active":
		return false
	case "Inactive":
	default:
		f.IfNew(at, "status must be Active or Inactive")
	}
	return true
}
