package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// KeyFiles are the access key files by name.
type KeyFiles map[string]*keyFile

// keyFile is an access key file. Its faults are reported where it is used.
type keyFile struct {
	*reader.Reader
	used bool
}

// Gather reads the access key files, the files that these name, and the service control policies. Accounts are read
// later, one by one, when they are compiled.
func Gather(r *reader.Reader) KeyFiles {
	keys := KeyFiles{}
	at := r.Doc.Root().Field("iam")
	for account := range r.Doc.Items(at.Field("accounts")) {
		for level := range r.Doc.Items(account.Field("serviceControlPolicies")) {
			for p := range r.Doc.Items(level.Field("policies")) {
				r.GatherFile(p, reader.MaxNamedSize)
			}
		}
	}
	for key := range r.Doc.Items(at.Field("sessions").Field("keys")) {
		r.GatherFile(key.Field("secret"), reader.MaxSecretSize)
	}
	gatherRoles(r, at)
	for source := range r.Doc.Items(at.Field("accessKeys")) {
		keys.gather(r, source.Field("file"))
	}
	return keys
}

// gather reads the access key file named at a place, and the files that it names.
func (keys KeyFiles) gather(r *reader.Reader, at *fault.Place) {
	name, ok := r.Named(at)
	if !ok || keys[name] != nil {
		return
	}
	data, err := r.Files.Read(name, reader.MaxConfigSize)
	if err != nil {
		return // reported where it is used
	}
	k := &keyFile{Reader: &reader.Reader{File: name, Files: r.Files, Report: fault.NewReport()}}
	k.Doc = source.Parse(source.File{
		Name: name, Data: data, Schema: reader.Schema, Secrets: true,
		Empty: "the file is empty: write accessKeys: with an id, a secret, and a user or a role",
	}, k.Report)
	keys[name] = k
	if k.Doc == nil {
		return
	}
	for key := range k.Doc.Items(k.Doc.Root().Field("accessKeys")) {
		k.GatherFile(key.Field("secret"), reader.MaxSecretSize)
		k.GatherFile(key.Field("sessionToken"), reader.MaxSecretSize)
		for p := range k.Doc.Items(key.Field("sessionPolicies")) {
			k.GatherFile(p, reader.MaxNamedSize)
		}
	}
}

// gatherRoles reads the files that roles and users name.
func gatherRoles(r *reader.Reader, at *fault.Place) {
	for _, list := range []string{"roles", "users"} {
		for entry := range r.Doc.Items(at.Field(list)) {
			r.GatherFile(entry.Field("trustPolicy"), reader.MaxNamedSize)
			r.GatherFile(entry.Field("permissionsBoundary"), reader.MaxNamedSize)
			for p := range r.Doc.Items(entry.Field("policies")) {
				r.GatherFile(p, reader.MaxNamedSize)
			}
		}
	}
}
