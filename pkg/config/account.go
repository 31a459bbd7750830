package config

import (
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/iam"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Accounts' exports are larger than other files that are named, and are not kept in memory: what is bounded is one of them,
// all of them, and how many there are in a folder.
const (
	maxAccountSize  = 128 << 20
	maxAccountsSize = 1 << 30
	maxAccounts     = 1000
)

// export is an account's export: its file, and where and as what the configuration names it.
type export struct {
	name  string
	at    *path
	given string
}

// exports lists the exports of an entry of iam.accounts.
func (c *compiler) exports(m *configv1.IamAccount, at *path) []export {
	field, text := "file", m.GetFile()
	if m.GetFolder() != "" {
		field, text = "folder", m.GetFolder()
	}
	n := find(c.root, at.field(field).String())
	switch {
	case m.GetFile() != "" && m.GetFolder() != "":
		c.ifNew(at, "an account has a file, or a folder of several: remove one of the two")
		return nil
	case text == "" || n.Kind != yaml.ScalarNode:
		c.ifNew(at.field("file"), "write file: and the name of an account's export, or folder: and that of a folder of exports")
		return nil
	}
	name, _ := c.named(n)
	at = at.field(field)
	if field == "file" {
		return []export{{name, at, text}}
	}
	files, err := c.files.list(name, ".json", maxAccounts)
	switch {
	case err != nil:
		c.fault(at, "%s cannot be read: %v", quoted(text), err)
	case len(files) == 0:
		c.fault(at, "%s has no file whose name ends in .json: put the accounts' exports there", quoted(text))
	}
	exports := make([]export, len(files))
	for i, file := range files {
		exports[i] = export{filepath.Join(name, file), at, filepath.Join(text, file)}
	}
	return exports
}

// export reads one account.
func (c *compiler) export(b *iam.Builder, e export, o iam.Organization) {
	if c.accounts[e.name] {
		c.fault(e.at, "the account of %s is given twice: keep one", quoted(e.given))
		return
	}
	if c.accounts == nil {
		c.accounts = map[string]bool{}
	}
	c.accounts[e.name] = true
	data, err := c.files.stream(e.name, maxAccountSize)
	if err != nil {
		c.fault(e.at, "%s cannot be read: %v", quoted(e.given), err)
		return
	}
	for _, f := range b.AddAccount(data, o) {
		c.report.add(Fault{File: e.name, Line: f.Line, Column: f.Column, Message: f.Message, Warning: f.Warning})
	}
}
