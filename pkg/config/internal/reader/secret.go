package reader

import (
	"os"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Secret reads a secret from its source. No fault quotes the secret, nor the name of its file or variable, which may be
// the secret itself.
func (r *Reader) Secret(m *configv1.Secret, at *fault.Place) string {
	if m == nil || r.Follows(at) {
		return ""
	}
	given := slices.DeleteFunc([]string{m.GetValue(), m.GetFile(), m.GetEnv()}, func(s string) bool { return s == "" })
	switch {
	case len(given) != 1:
		r.Fault(at, "%s must have one of value, file and env", at.Label())
	case m.GetFile() != "":
		if data, ok := r.secretFile(at.Field("file")); ok {
			return r.notEmpty(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), at.Field("file"), "the file is empty")
		}
		r.Mark(at)
	case m.GetEnv() != "":
		return r.notEmpty(os.Getenv(m.GetEnv()), at.Field("env"), "the environment variable that is named here is not set, or empty")
	}
	return m.GetValue()
}

// secretFile reads a secret's file.
func (r *Reader) secretFile(at *fault.Place) ([]byte, bool) {
	name, ok := r.Named(at)
	if !ok {
		r.IfNew(at, "file must be the name of a file, relative to the folder of this one")
		return nil, false
	}
	data, err := r.Files.Read(name, MaxSecretSize)
	if err != nil {
		r.Fault(at, "the file that is named here cannot be read: %v", err)
	}
	return data, err == nil
}

func (r *Reader) notEmpty(secret string, at *fault.Place, otherwise string) string {
	if secret == "" {
		r.Fault(at, "%s", otherwise)
		r.Mark(at.Up())
	}
	return secret
}
