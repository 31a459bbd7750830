package decisionlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog/internal/stream"
)

// Config says what is logged, and where. The zero value logs nothing.
type Config struct {
	// Log is the process's own log, on standard error.
	Log bool
	// Stdout is standard output.
	Stdout bool
	// File is a file; nil for none.
	File *File
	// OTLP is an OpenTelemetry collector; nil for none.
	OTLP *OTLP

	Fields   Fields
	Sampling Sampling
	// Required makes a decision count only if its line is written to each of Stdout and File. There is no sampling then.
	Required bool
}

// File is a file that is rotated.
type File = stream.File

// Fields are the parts of a request that are logged besides the schema's. Header names are lower-case.
type Fields struct {
	Headers, Query, Claims []string
}

// Sampling has the share of the decisions that is logged, from 0 to 1, for each kind. A negative share stands for that of the flags.
type Sampling struct {
	Allowed, Denied, Errors float64
}

// Or returns s with the shares of other in place of negative ones.
func (s Sampling) Or(other Sampling) Sampling {
	or := func(share, otherwise float64) float64 {
		if share < 0 {
			return otherwise
		}
		return share
	}
	return Sampling{or(s.Allowed, other.Allowed), or(s.Denied, other.Denied), or(s.Errors, other.Errors)}
}

// Limits of the choices.
const (
	maxNames   = 16
	maxNameLen = 64
)

// Validate reports everything that is wrong with the names. Each error begins with the field of config.proto that it is about.
func (f *Fields) Validate() error {
	var errs []error
	check := func(field string, names []string, header bool) {
		if len(names) > maxNames {
			errs = append(errs, fmt.Errorf("%s: it has %d names; write at most %d", field, len(names), maxNames))
		}
		for i, name := range names {
			if err := chosen(name, header); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", field, err))
			} else if slices.Contains(names[:i], name) {
				errs = append(errs, fmt.Errorf("%s: %q is there twice; remove one", field, name))
			}
		}
	}
	check("requestHeaders", f.Headers, true)
	check("queryParameters", f.Query, false)
	check("claims", f.Claims, false)
	return errors.Join(errs...)
}

// Validate reports everything that is wrong with c but for its Fields. Each error begins with the field of config.proto that it is about.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(wrong bool, message string) {
		if wrong {
			errs = append(errs, errors.New(message))
		}
	}
	refuse(c.Required && c.OTLP != nil, "otlp: a required audit cannot go to a collector, which may lose lines; remove otlp, or audit")
	refuse(c.Required && !c.Stdout && c.File == nil, "audit: REQUIRED needs stdout or a file; write one of them")
	refuse(c.File != nil && c.File.Path == "", "file: it has no path; write path")
	if c.OTLP != nil {
		errs = append(errs, c.OTLP.validate()...)
	}
	return errors.Join(errs...)
}

func chosen(name string, header bool) error {
	switch {
	case name == "":
		return errors.New("one name is empty; remove it")
	case len(name) > maxNameLen:
		return fmt.Errorf("a name has more than %d bytes; remove it", maxNameLen)
	case header && !authz.IsToken(name):
		return fmt.Errorf("%q is not the name of a header", name)
	case CarriesCredentials(name):
		return fmt.Errorf("%q carries credentials, which are never logged; remove it", name)
	}
	return nil
}

// secretWords are parts of the names of headers, parameters and claims that carry credentials, without their hyphens.
var secretWords = []string{
	"authorization", "authentication", "cookie", "token", "secret", "passw", "passphrase", "credential", "signature", "apikey", "accesskey", "jwt", "session",
	"assertion", "oidc", "dpop", "bearer", "privatekey", "clientcert", "authkey", "samlre", "otp",
}

// secretNames are whole names, without their hyphens.
var secretNames = []string{"auth", "xauth", "code", "sig", "key", "xkey", "pin", "pass", "pwd", "sid", "nonce", "state", "codeverifier", "ticket", "hmac", "xhmac", "cert"}

// CarriesCredentials reports whether a header, parameter or claim with such a name usually carries credentials. Case and
// punctuation do not matter.
func CarriesCredentials(name string) bool {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
	return slices.Contains(secretNames, plain) ||
		slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(plain, word) })
}
