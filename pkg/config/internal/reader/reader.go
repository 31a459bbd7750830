package reader

import (
	"iter"
	"path/filepath"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Limits on what is read: the configuration, a file that it names, and a file with a secret.
const (
	// MaxConfigSize is three times the size of 10,000 APIs with ten routes and a small policy each. For 64 MiB of
	// [a,a,a…, yaml/v3 uses 7 GB.
	MaxConfigSize = 32 << 20
	MaxNamedSize  = 1 << 20
	MaxSecretSize = 64 << 10
)

// Reader reads one document and the files that it names. The document is portcullis.yaml or a file of access keys.
type Reader struct {
	File  string
	Doc   *source.Document // nil if it cannot be read
	Files *source.Files
	*fault.Report
}

// Faults reports all errors that another package found at a place. An error about one field begins with the field's
// name.
func (r *Reader) Faults(at *fault.Place, err error) {
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

// Named returns the file name at a place.
func (r *Reader) Named(at *fault.Place) (name string, ok bool) {
	text, ok := r.Doc.Text(at)
	if !ok {
		return "", false
	}
	return r.Relative(text), true
}

// Relative resolves a file name against the document's folder.
func (r *Reader) Relative(file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(filepath.Dir(r.File), file)
}

// NamedFile reads the file named at a place.
func (r *Reader) NamedFile(text string, limit int64, at *fault.Place) (name string, data []byte, ok bool) {
	name, ok = r.Named(at)
	if !ok || text == "" {
		r.IfNew(at, "file must be the name of a file, relative to the folder of this one")
		return "", nil, false
	}
	data, err := r.Files.Read(name, limit)
	if err != nil {
		r.unreadable(at, text, err)
		return name, nil, false
	}
	return name, data, true
}

// unreadable reports a file that cannot be read. It does not quote the name in a file of secrets, because the name may
// be a secret.
func (r *Reader) unreadable(at *fault.Place, name string, err error) {
	what := fault.Quoted(name)
	if r.Doc.Secret(at) {
		what = "the file that is named here"
	}
	r.Fault(at, "%s cannot be read: %v", what, err)
}

func (r *Reader) OptionalFile(text string, at *fault.Place) []byte {
	if text == "" {
		return nil
	}
	_, data, _ := r.NamedFile(text, MaxNamedSize, at)
	return data
}

// GatherFile reads the file in the field file of a mapping.
func (r *Reader) GatherFile(at *fault.Place, limit int64) {
	if name, ok := r.Named(at.Field("file")); ok {
		_, _ = r.Files.Read(name, limit) // errors are reported where it is used
	}
}

// GatherNamed reads the files in fields of a mapping.
func (r *Reader) GatherNamed(at *fault.Place, fields ...string) {
	for _, field := range fields {
		if name, ok := r.Named(at.Field(field)); ok {
			_, _ = r.Files.Read(name, MaxNamedSize) // errors are reported where it is used
		}
	}
}
