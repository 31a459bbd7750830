package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// A secret's file is smaller than others that are named.
const maxSecretSize = 64 << 10

// signatures makes what makes verifiers of the accounts and access keys. Without any, they know nobody.
func (c *compiler) signatures(m *configv1.Iam) func(gateway.SignatureOptions) (gateway.Verify, error) {
	at := (*path)(nil).field("iam")
	builder := iam.NewBuilder()
	known := true
	for i, account := range m.GetAccounts() {
		known = c.account(builder, account, at.field("accounts").item(i)) && known
	}
	if !known {
		builder = nil // what keys stand for cannot be told
	}
	for i, source := range m.GetAccessKeys() {
		c.accessKeys(builder, source.GetFile(), at.field("accessKeys").item(i).field("file"))
	}
	if builder == nil {
		return refuseAll
	}
	if m.GetExplainSignatures() {
		c.warn(at.field("explainSignatures"), "clients are told what a signature that does not match was compared with: remove it once you know why")
	}
	authenticator := iam.New(iam.Config{
		Store: builder.Store(), SigningKeys: c.runtime.signingKeys, PublicKeys: c.runtime.publicKeys, Explain: m.GetExplainSignatures(),
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
		return signed(caller), nil
	}, nil
}

// refuseAll stands in for verifiers in a configuration that is at fault.
func refuseAll(gateway.SignatureOptions) (gateway.Verify, error) {
	return func(*authz.Request) (*gateway.Signed, error) { return nil, &authz.Refusal{} }, nil
}

func signatureOptions(m *configv1.Signatures) gateway.SignatureOptions {
	return gateway.SignatureOptions{
		MaxExpires: seconds(m.GetMaxExpires()), PlusLiteral: m.GetLiteralPlus(), HostAliases: m.GetHostAliases(),
		DisableSigV4A: m.GetDisableSigv4A(),
	}
}

func routeSignatures(m *configv1.RouteSignatures) gateway.RouteSignatures {
	return gateway.RouteSignatures{MaxExpires: seconds(m.GetMaxExpires()), UnsignedPayload: m.GetUnsignedPayload()}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func signed(c *iam.Caller) *gateway.Signed {
	return &gateway.Signed{
		Principal: c.Principal(), Policies: c.Policies(), Facts: c,
		AccessKey: c.AccessKeyID(), UserID: c.UserID(), OrganizationID: c.OrganizationID(),
		SpentHeaders: c.SpentHeaders(), SpentQuery: c.SpentQuery(),
	}
}

// account reads an account; false if it is at fault.
func (c *compiler) account(b *iam.Builder, m *configv1.IamAccount, at *path) bool {
	before := len(c.report.faults)
	organization := iam.Organization{ID: m.GetOrganizationId(), Paths: m.GetOrganizationPaths()}
	if organization.ID == "" && len(organization.Paths) > 0 {
		c.ifNew(at.field("organizationId"), "organizationPaths are those of an organization: write organizationId too")
	}
	for i, level := range m.GetServiceControlPolicies() {
		at := at.field("serviceControlPolicies").item(i)
		organization.ServiceControlPolicies = append(organization.ServiceControlPolicies, c.controlPolicies(level, at))
	}
	for _, export := range c.exports(m, at) {
		c.export(b, export, organization)
	}
	return len(c.report.faults) == before
}

func (c *compiler) controlPolicies(m *configv1.ServiceControlPolicyLevel, at *path) []*policy.Policy {
	if m.GetName() == "" {
		c.ifNew(at.field("name"), "the level has no name: write root, or the name of the organizational unit or account")
	}
	if len(m.GetPolicies()) == 0 {
		c.ifNew(at.field("policies"), "the level has no policy and would deny everything: write FullAWSAccess where AWS attaches it")
	}
	return c.policies(len(m.GetPolicies()), policy.Options{Name: "service-control-policy/" + m.GetName(), Kind: policy.SCP}, at.field("policies"))
}

// policies reads the policies of a list.
func (c *compiler) policies(n int, o policy.Options, at *path) []*policy.Policy {
	var read []*policy.Policy
	name, list := o.Name, find(c.root, at.String())
	for i := range n {
		o.Name = fmt.Sprintf("%s[%d]", name, i)
		p := c.attached(item(list, i), o, nil, at.item(i))
		if p == nil {
			c.report.mark(at.String())
		}
		read = append(read, p)
	}
	return read
}

// namedFile reads the file that stands at a path.
func (c *compiler) namedFile(text string, limit int64, at *path) (name string, data []byte, ok bool) {
	n := find(c.root, at.String())
	if n.Kind != yaml.ScalarNode || text == "" {
		c.ifNew(at, "file must be the name of a file, relative to the folder of this one")
		return "", nil, false
	}
	name, _ = c.named(n)
	data, err := c.files.read(name, limit)
	if err != nil {
		c.unreadable(at, text, err)
		return name, nil, false
	}
	return name, data, true
}

// unreadable reports a file that cannot be read. In a file of secrets, what was written for its name may be one.
func (c *compiler) unreadable(at *path, name string, err error) {
	if c.report.secrets {
		name = "the file that is named here"
	} else {
		name = quoted(name)
	}
	c.fault(at, "%s cannot be read: %v", name, err)
}

// accessKeys reads a file of access keys. Without a builder, keys are only read.
func (c *compiler) accessKeys(b *iam.Builder, file string, at *path) {
	name, _, ok := c.namedFile(file, maxConfigSize, at)
	if !ok {
		return
	}
	k := c.keyFiles[name]
	if k == nil {
		return
	}
	if k.used {
		c.fault(at, "the access key file %s is given twice: keep one", quoted(file))
		return
	}
	k.used = true
	if k.root != nil {
		m := &configv1.AccessKeys{}
		(&decoder{file: name, report: k.report}).message(k.root, m.ProtoReflect(), nil)
		for i, key := range m.GetAccessKeys() {
			k.accessKey(b, key, (*path)(nil).field("accessKeys").item(i))
		}
	}
	c.report.merge(k.report)
}

func (c *compiler) accessKey(b *iam.Builder, m *configv1.AccessKey, at *path) {
	if c.report.full() {
		c.report.more = true
		return
	}
	k := &iam.AccessKey{
		ID: m.GetId(), User: m.GetUser(), FederatedUser: m.GetFederatedUser(), Role: m.GetRole(), SessionName: m.GetSessionName(),
		Secret: c.secret(m.GetSecret(), at.field("secret")), SessionToken: c.secret(m.GetSessionToken(), at.field("sessionToken")),
		Expires: c.instant(m.GetExpires(), at.field("expires")), IssueTime: c.instant(m.GetIssueTime(), at.field("issueTime")),
		MFATime: c.instant(m.GetMfaTime(), at.field("mfaTime")), SessionTags: m.GetSessionTags(), SourceIdentity: m.GetSourceIdentity(),
		Inactive: c.inactive(m, at.field("status")),
	}
	options := policy.Options{Name: "session-policy/" + m.GetId(), Kind: policy.Session}
	k.SessionPolicies = c.policies(len(m.GetSessionPolicies()), options, at.field("sessionPolicies"))
	if b == nil {
		return
	}
	for _, f := range b.AddKey(k) {
		c.ifNew(at.field(f.Field), f.Message)
	}
}

// inactive reads a key's status.
func (c *compiler) inactive(m *configv1.AccessKey, at *path) bool {
	switch m.GetStatus() {
	case "", "Active":
		return false
	case "Inactive":
	default:
		c.ifNew(at, "status must be Active or Inactive")
	}
	return true
}

// instant reads a time, of which none is the zero time.
func (c *compiler) instant(text string, at *path) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.ifNew(at, at.label()+" must be a time such as 2027-01-01T00:00:00Z")
	}
	return t
}

// secret reads a secret from where it is. No fault tells any of it, nor what was written for the name of its file or variable, which
// may be the secret itself.
func (c *compiler) secret(m *configv1.Secret, at *path) string {
	if m == nil || c.report.follows(at.String()) {
		return ""
	}
	given := slices.DeleteFunc([]string{m.GetValue(), m.GetFile(), m.GetEnv()}, func(s string) bool { return s == "" })
	switch {
	case len(given) != 1:
		c.fault(at, "%s must have one of value, file and env", at.label())
	case m.GetFile() != "":
		if data, ok := c.secretFile(at.field("file")); ok {
			return c.notEmpty(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), at.field("file"), "the file is empty")
		}
		c.report.mark(at.String())
	case m.GetEnv() != "":
		return c.notEmpty(os.Getenv(m.GetEnv()), at.field("env"), "the environment variable that is named here is not set, or empty")
	}
	return m.GetValue()
}

// secretFile reads a secret's file.
func (c *compiler) secretFile(at *path) ([]byte, bool) {
	name, ok := c.named(find(c.root, at.String()))
	if !ok {
		c.ifNew(at, "file must be the name of a file, relative to the folder of this one")
		return nil, false
	}
	data, err := c.files.read(name, maxSecretSize)
	if err != nil {
		c.fault(at, "the file that is named here cannot be read: %v", err)
	}
	return data, err == nil
}

func (c *compiler) notEmpty(secret string, at *path, otherwise string) string {
	if secret == "" {
		c.fault(at, "%s", otherwise)
		c.report.mark(at.up.String())
	}
	return secret
}

// keyFile is an access key file, with a report of its own: its paths begin anew.
type keyFile struct {
	compiler
	used bool
}

// gatherIAM reads the files of access keys and service control policies, and those that access key files name. Accounts are
// read when they are compiled, one by one.
func (c *compiler) gatherIAM() {
	section := child(c.root, "iam")
	for n := range items(section, "accounts") {
		for level := range items(n, "serviceControlPolicies") {
			for p := range items(level, "policies") {
				c.gatherFile(p, maxNamedSize)
			}
		}
	}
	for n := range items(section, "accessKeys") {
		if file := child(n, "file"); file != nil {
			c.gatherKeys(file)
		}
	}
}

func (c *compiler) gatherKeys(file *yaml.Node) {
	name, ok := c.named(file)
	if !ok || c.keyFiles[name] != nil {
		return
	}
	data, err := c.files.read(name, maxConfigSize)
	if err != nil {
		return // said where it is used
	}
	k := &keyFile{compiler: compiler{file: name, files: c.files, report: newReport()}}
	k.report.secrets = true
	k.root = k.report.parse(name, data, "there are no access keys here: write accessKeys: with an id, a secret, and a user or a role")
	if c.keyFiles == nil {
		c.keyFiles = map[string]*keyFile{}
	}
	c.keyFiles[name] = k
	for key := range items(k.root, "accessKeys") {
		k.gatherFile(child(key, "secret"), maxSecretSize)
		k.gatherFile(child(key, "sessionToken"), maxSecretSize)
		for p := range items(key, "sessionPolicies") {
			k.gatherFile(p, maxNamedSize)
		}
	}
}
