package identity

import (
	"path/filepath"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Exports of accounts may be larger than other named files, and their bytes are not kept. The limits are on one export,
// on all of them together, and on the number of exports in a folder.
const (
	maxAccountSize  = 128 << 20
	maxAccountsSize = 1 << 30
	maxAccounts     = 1000
)

// account reads an account. It returns false if the account is at fault.
func (c *compiler) account(b *iam.Builder, m *configv1.IamAccount, at *fault.Place) bool {
	before := c.Count()
	organization := iam.Organization{ID: m.GetOrganizationId(), Paths: m.GetOrganizationPaths()}
	if organization.ID == "" && len(organization.Paths) > 0 {
		c.IfNew(at.Field("organizationId"), "organizationPaths requires an organization: write organizationId too")
	}
	for i, level := range m.GetServiceControlPolicies() {
		at := at.Field("serviceControlPolicies").Item(i)
		organization.ServiceControlPolicies = append(organization.ServiceControlPolicies, c.controlPolicies(level, at))
	}
	for _, export := range c.exports(m, at) {
		c.export(b, export, organization)
	}
	return c.Count() == before
}

func (c *compiler) controlPolicies(m *configv1.ServiceControlPolicyLevel, at *fault.Place) []*policy.Policy {
	if m.GetName() == "" {
		c.IfNew(at.Field("name"), "the level has no name: write root, or the name of the organizational unit or account")
	}
	if len(m.GetPolicies()) == 0 {
		c.IfNew(at.Field("policies"), "the level has no policy and would deny everything: write FullAWSAccess where AWS attaches it")
	}
	return c.Policies(len(m.GetPolicies()), policy.Options{Name: "service-control-policy/" + m.GetName(), Kind: policy.SCP}, at.Field("policies"))
}

// export is an account's export: its file, where the configuration names it, and the name given there.
type export struct {
	name  string
	at    *fault.Place
	given string
}

// exports lists the exports of an entry of iam.accounts.
func (c *compiler) exports(m *configv1.IamAccount, at *fault.Place) []export {
	field, text := "file", m.GetFile()
	if m.GetFolder() != "" {
		field, text = "folder", m.GetFolder()
	}
	name, ok := c.Named(at.Field(field))
	switch {
	case m.GetFile() != "" && m.GetFolder() != "":
		c.IfNew(at, "file and folder exclude each other: remove one of the two")
		return nil
	case !ok || text == "":
		c.IfNew(at.Field("file"), "write file: with the name of an account's export, or folder: with the name of a folder of exports")
		return nil
	}
	at = at.Field(field)
	if field == "file" {
		return []export{{name, at, text}}
	}
	files, err := c.Files.List(name, ".json", maxAccounts)
	switch {
	case err != nil:
		c.Fault(at, "%s cannot be read: %v", fault.Quoted(text), err)
	case len(files) == 0:
		c.Fault(at, "%s has no file whose name ends in .json: put the accounts' exports there", fault.Quoted(text))
	}
	exports := make([]export, len(files))
	for i, file := range files {
		exports[i] = export{filepath.Join(name, file), at, filepath.Join(text, file)}
	}
	return exports
}

// export reads one account and drops its bytes, which may be much larger than what is kept. Accounts are read one after
// the other while the configuration is compiled, so the check that no file has changed comes after compiling.
func (c *compiler) export(b *iam.Builder, e export, o iam.Organization) {
	if c.accounts[e.name] {
		c.Fault(e.at, "the account of %s is given twice: keep one", fault.Quoted(e.given))
		return
	}
	if c.accounts == nil {
		c.accounts = map[string]bool{}
	}
	c.accounts[e.name] = true
	data, err := c.Files.Stream(e.name, maxAccountSize, maxAccountsSize)
	if err != nil {
		c.Fault(e.at, "%s cannot be read: %v", fault.Quoted(e.given), err)
		return
	}
	for _, f := range b.AddAccount(data, o) {
		c.Add(f.In(e.name))
	}
}
