package config

import (
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/session"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Limits on what is read: the configuration, a file that it names, and a file with a secret.
const (
	// maxConfigSize is three times the size of 10,000 APIs with ten routes and a small policy each. For 64 MiB of
	// [a,a,a…, yaml/v3 uses 7 GB.
	maxConfigSize = 32 << 20
	maxNamedSize  = 1 << 20
	maxSecretSize = 64 << 10
)

// reader reads one document and the files that it names. The document is portcullis.yaml or a file of access keys.
type reader struct {
	file  string
	doc   *source.Document // nil if it cannot be read
	files *source.Files
	*fault.Report
}

// compiler builds a gateway's configuration from a message of config.proto and the document that it was read from.
type compiler struct {
	reader
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
	// sources says where the keys of issuers are, by issuer. used has the issuers that authorizers refer to.
	sources map[string]jwt.Source
	used    map[string]bool
	// audiences are those of the issuers, by the name of the identity provider.
	audiences map[string][]string
	// functions says where functions run, by ARN. called has the functions that authorizers call.
	functions map[string]*function
	called    map[string]bool
	// defined are the APIs that definitions define.
	defined []*definition.Definition
	// flushable are the authorizers whose answers are cached.
	flushable []flushable
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
	reader
	used bool
}

// function is an entry of functions.
type function struct {
	pool.FunctionSpec
	faulty bool
}

// flushable is an authorizer whose answers are cached. It holds no gateway.API, which would keep Places alive.
type flushable struct {
	// api is the id of the authorizer's API, and name is the authorizer's name.
	api, name string
	stages    []string
}

func newFlushable(api *gateway.API, name string) flushable {
	f := flushable{api: api.ID, name: name}
	for _, s := range api.Stages {
		f.stages = append(f.stages, s.Name)
	}
	return f
}

// faults reports all errors that another package found at a place. An error about one field begins with the field's
// name.
func (r *reader) faults(at *fault.Place, err error) {
	type finding struct {
		at      *fault.Place
		message string
	}
	var findings []finding
	for e := range leaves(err) {
		f := finding{at, at.Label() + ": " + e.Error()}
		if field, message, ok := strings.Cut(e.Error(), ": "); ok && !strings.Contains(field, " ") {
			f = finding{at.Field(field), field + ": " + message}
		}
		if !r.Follows(f.at) {
			findings = append(findings, f)
		}
	}
	for _, f := range findings {
		r.Fault(f.at, "%s", f.message)
	}
	r.Mark(at)
}

// leaves yields the errors inside errors.Join.
func leaves(err error) iter.Seq[error] {
	return func(yield func(error) bool) {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			yield(err)
			return
		}
		for _, e := range joined.Unwrap() {
			for leaf := range leaves(e) {
				if !yield(leaf) {
					return
				}
			}
		}
	}
}

// named returns the file name at a place.
func (r *reader) named(at *fault.Place) (name string, ok bool) {
	text, ok := r.doc.Text(at)
	if !ok {
		return "", false
	}
	return r.relative(text), true
}

// relative resolves a file name against the document's folder.
func (r *reader) relative(file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(filepath.Dir(r.file), file)
}

// namedFile reads the file named at a place.
func (r *reader) namedFile(text string, limit int64, at *fault.Place) (name string, data []byte, ok bool) {
	name, ok = r.named(at)
	if !ok || text == "" {
		r.IfNew(at, "file must be the name of a file, relative to the folder of this one")
		return "", nil, false
	}
	data, err := r.files.Read(name, limit)
	if err != nil {
		r.unreadable(at, text, err)
		return name, nil, false
	}
	return name, data, true
}

// unreadable reports a file that cannot be read. It does not quote the name in a file of secrets, because the name may
// be a secret.
func (r *reader) unreadable(at *fault.Place, name string, err error) {
	what := fault.Quoted(name)
	if r.doc.Secret(at) {
		what = "the file that is named here"
	}
	r.Fault(at, "%s cannot be read: %v", what, err)
}

func (r *reader) optionalFile(text string, at *fault.Place) []byte {
	if text == "" {
		return nil
	}
	_, data, _ := r.namedFile(text, maxNamedSize, at)
	return data
}

// gatherFile reads the file in the field file of a mapping.
func (r *reader) gatherFile(at *fault.Place, limit int64) {
	if name, ok := r.named(at.Field("file")); ok {
		_, _ = r.files.Read(name, limit) // errors are reported where it is used
	}
}

// gatherNamed reads the files in fields of a mapping.
func (r *reader) gatherNamed(at *fault.Place, fields ...string) {
	for _, field := range fields {
		if name, ok := r.named(at.Field(field)); ok {
			_, _ = r.files.Read(name, maxNamedSize) // errors are reported where it is used
		}
	}
}

// secret reads a secret from its source. No fault quotes the secret, nor the name of its file or variable, which may be
// the secret itself.
func (r *reader) secret(m *configv1.Secret, at *fault.Place) string {
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
func (r *reader) secretFile(at *fault.Place) ([]byte, bool) {
	name, ok := r.named(at)
	if !ok {
		r.IfNew(at, "file must be the name of a file, relative to the folder of this one")
		return nil, false
	}
	data, err := r.files.Read(name, maxSecretSize)
	if err != nil {
		r.Fault(at, "the file that is named here cannot be read: %v", err)
	}
	return data, err == nil
}

func (r *reader) notEmpty(secret string, at *fault.Place, otherwise string) string {
	if secret == "" {
		r.Fault(at, "%s", otherwise)
		r.Mark(at.Up())
	}
	return secret
}

// span is the range of allowed times.
type span struct{ least, most time.Duration }

// examples returns allowed times, as they are written.
func (s span) examples() string {
	var fit []string
	for _, text := range []string{"100ms", "1s", "30s", "5m", "1h"} {
		if d, err := time.ParseDuration(text); err == nil && s.least <= d && d <= s.most {
			fit = append(fit, text)
		}
	}
	return source.OneOf(fit)
}

// duration reads a time such as 300s. It returns otherwise if there is no value.
func (r *reader) duration(text string, at *fault.Place, within span, otherwise time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < within.least || d > within.most {
		r.IfNew(at, at.Label()+" must be a time from "+shortest(within.least)+" to "+shortest(within.most)+", with its unit, such as "+within.examples())
		return otherwise
	}
	return d
}

// shortest formats a time as people write it: 5m, not 5m0s.
func shortest(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// instant reads a point in time. It returns the zero time if there is no value.
func (r *reader) instant(text string, at *fault.Place) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.IfNew(at, at.Label()+" must be a time such as 2027-01-01T00:00:00Z")
	}
	return t
}
