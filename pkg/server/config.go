package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/extauthz"
)

// Loaded is one configuration, compiled. It does not change.
type Loaded struct {
	// Authorizer decides by this configuration.
	Authorizer extauthz.Authorizer
	// Files are the files it was read from. With an error they are those that were found or missed, as far as known.
	Files []string
	// Digest tells one configuration from another.
	Digest string
	// APIs and Routes say how many there are.
	APIs, Routes int
	// Warnings are logged, a line each.
	Warnings []string
}

// Config is what a process is made of. The zero value of a field that has a default stands for it.
type Config struct {
	// Load reads and compiles the configuration. The text of its error is shown to operators, line by line.
	Load func() (Loaded, error)
	// Watch are files to watch whatever Load says: the configuration file itself.
	Watch []string
	// Reload makes the process read the configuration and the TLS files again (SIGHUP).
	Reload <-chan os.Signal

	// Listen is where checks are served: host:port, or unix:/path. A socket gets the permissions 0660: whoever may connect may
	// ask for decisions.
	Listen string
	// Admin is where /healthz, /readyz and /metrics are served: host:port. "" and "off" serve nothing.
	Admin string
	// TLS secures the gRPC port.
	TLS TLSFiles

	// MaxChecks bounds the checks at work at once; one more is denied. Default 4096.
	MaxChecks int
	// MaxStreams bounds the checks at once on one connection; Envoy then waits or opens another. Default 1024.
	MaxStreams int
	// MaxMessageBytes bounds one CheckRequest, the body included. Default 16 MiB.
	MaxMessageBytes int

	// GCPercent lets the heap grow by so many percent of what is live before it is collected. GOGC in the environment wins.
	// Default 400.
	GCPercent int
	// MemoryLimit in bytes makes the collector work harder near it. GOMEMLIMIT in the environment wins. Default: nine tenths
	// of the limit of the process's control group; none where there is none.
	MemoryLimit int64

	// DrainDelay is how long checks are accepted after the process has said that it is no longer ready.
	DrainDelay time.Duration
	// DrainTimeout is how long checks in flight may take to finish. Default 15 s.
	DrainTimeout time.Duration

	// DecisionLog says which decisions are logged. Default LogAll.
	DecisionLog DecisionLog
	// DecisionLogSample is the share of allowed requests that LogAll logs, above 0 and up to 1. Default 1.
	DecisionLogSample float64
	// Log gets everything. Default: nothing is logged.
	Log *slog.Logger
	// Stdout gets the bound addresses, a line each. Default: they are not printed.
	Stdout io.Writer
	// Version is what portcullis_build_info says.
	Version string
}

// TLSFiles name PEM files. They are read again when they change.
type TLSFiles struct {
	// Cert and Key are the server's certificate chain and private key. Without them the port speaks plain text.
	Cert, Key string
	// ClientCA makes clients prove who they are with a certificate of one of these authorities.
	ClientCA string
}

// DecisionLog says which decisions are logged.
type DecisionLog string

// Errors of Envoy's configuration and of portcullis itself are logged in each mode, beyond LogAll and LogDenied at a bounded
// rate.
const (
	LogAll    DecisionLog = "all"
	LogDenied DecisionLog = "denied"
	LogOff    DecisionLog = "off"
)

// Validate says what is wrong with c, all of it.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Load == nil, "nothing loads a configuration")
	refuse(c.Listen == "", "--listen: an address is needed, 127.0.0.1:9001 or unix:/path")
	refuse((c.TLS.Cert == "") != (c.TLS.Key == ""), "--tls-cert and --tls-key belong together")
	refuse(c.TLS.ClientCA != "" && c.TLS.Cert == "", "--tls-client-ca needs --tls-cert and --tls-key")
	refuse(c.MaxChecks < 0, "--max-checks: must not be negative")
	refuse(c.MaxStreams < 0, "--max-streams: must not be negative")
	refuse(c.MaxMessageBytes < 0, "--max-message-bytes: must not be negative")
	refuse(c.GCPercent < 0, "--gc-percent: must not be negative")
	refuse(c.MemoryLimit < 0, "--memory-limit: must not be negative")
	refuse(c.DrainDelay < 0, "--drain-delay: must not be negative")
	refuse(c.DrainTimeout < 0, "--drain-timeout: must not be negative")
	refuse(c.DecisionLogSample < 0 || c.DecisionLogSample > 1 || math.IsNaN(c.DecisionLogSample), "--decision-log-sample: must be above 0 and up to 1")
	switch c.DecisionLog {
	case "", LogAll, LogDenied, LogOff:
	default:
		refuse(true, "--decision-log: %q is none of all, denied, off", string(c.DecisionLog))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.MaxChecks = orDefault(c.MaxChecks, 4096)
	c.MaxStreams = orDefault(c.MaxStreams, 1024)
	c.MaxMessageBytes = orDefault(c.MaxMessageBytes, 16<<20)
	c.GCPercent = orDefault(c.GCPercent, 400)
	c.DrainTimeout = orDefault(c.DrainTimeout, 15*time.Second)
	c.DecisionLog = orDefault(c.DecisionLog, LogAll)
	c.DecisionLogSample = orDefault(c.DecisionLogSample, 1)
	c.Log = orDefault(c.Log, slog.New(slog.DiscardHandler))
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Admin == "off" {
		c.Admin = ""
	}
	return c
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
