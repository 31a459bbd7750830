package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/extauthz"
	"github.com/portcullis-authz/portcullis/pkg/meter"
	"github.com/portcullis-authz/portcullis/pkg/server/memory"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// Loaded is one configuration, compiled. It does not change.
type Loaded struct {
	// Authorizer decides by this configuration.
	Authorizer extauthz.Authorizer
	// Files are the files, and the folders of files, that it was read from. With an error they are those that were found or missed, as far as known.
	Files []string
	// Digest tells one configuration from another.
	Digest string
	// APIs and Routes say how many there are.
	APIs, Routes int
	// STS answers calls of STS by this configuration; nil if it issues no sessions.
	STS *sts.Service
	// NeedsBodies says that a check may need the body of its request.
	NeedsBodies bool
	// DecisionLog says where decisions are logged, and what of them; nil for Config.Log, as Config.DecisionLog says.
	DecisionLog *decisionlog.Config
	// Warnings are logged, a line each.
	Warnings []string
	// Start begins what the configuration needs from outside, and returns at once. It is called before the configuration serves; nil
	// for nothing.
	Start func(context.Context)
	// Wait returns once what Start began is there, has had its time, or ctx ends; nil for nothing. While a reload waits, the old
	// configuration serves.
	Wait func(context.Context)
	// Close ends what only this configuration needs, once no check uses it any more; nil for nothing. It is not called when the process
	// ends.
	Close func()
	// Flush makes the remembered answers of a stage's authorizers count no more: of one, or of all where its name is empty. found
	// says that there are such; it flushes whether or not there are. The text of its error is shown to the client that asked for it.
	// Nil: nothing is remembered.
	Flush func(ctx context.Context, api, stage, authorizer string) (found bool, err error)
	// Trouble says what is wrong without keeping the configuration from serving, a line each for /readyz; nil for nothing.
	Trouble func() []string
	// Explain answers a question of portcullis explain --against, in JSON; nil refuses such questions. Its error is for the asker.
	Explain func(ctx context.Context, question []byte) (report []byte, err error)

	// users are the checks that use it.
	users *users
}

// Config configures a server. The zero value of a field with a default means the default.
type Config struct {
	// Load reads and compiles the configuration. The text of its error is shown to operators, line by line.
	Load func() (Loaded, error)
	// Samples are numbers of other packages, for /metrics; nil for none.
	Samples func() []authz.Sample
	// Meters have what counts the decisions of the configurations. Default: Meters that count the decisions without a Meter.
	Meters *meter.Meters
	// Tracer traces checks; nil traces none.
	Tracer Tracer
	// Watch are files to watch whatever Load says: the configuration file itself.
	Watch []string
	// Reload makes the process read the configuration and the TLS files again (SIGHUP).
	Reload <-chan os.Signal

	// Listen is where checks are served: host:port, or unix:/path. A socket gets the permissions 0660: a process that may connect may
	// ask for decisions.
	Listen string
	// Admin is where /healthz, /readyz and /metrics are served: host:port. "" and "off" serve nothing.
	Admin string
	// AdminTokenFile names the file of the token that an admin request needs which changes anything. Without it there are none.
	AdminTokenFile string
	// STS is where AWS STS is served to clients: host:port. "" serves nothing.
	STS string
	// TLS secures the gRPC port and STS. Clients of STS need no certificate.
	TLS TLSFiles

	// MaxChecks bounds the checks at work at once; one more is denied. Default 4096.
	MaxChecks int
	// MaxStreams bounds the checks at once on one connection; Envoy then waits or opens another. Default 1024.
	MaxStreams int
	// MaxMessageBytes bounds one CheckRequest, the body included; a larger one is denied, and so is one of more than 11 MiB, or of more
	// than 1 MiB if the configuration needs no bodies. One four times as large, or of more than 32 MiB, ends as an error of gRPC.
	// Default 16 MiB.
	MaxMessageBytes int
	// MaxBodyBytes bounds the bodies of all checks at work; a check whose body does not fit is denied. It is at least
	// MaxMessageBytes. Default 256 MiB, or MaxMessageBytes if that is more.
	MaxBodyBytes int

	// GCPercent lets the heap grow by so many percent of what is live before it is collected. GOGC in the environment wins.
	// Default 400.
	GCPercent int
	// MemoryLimit in bytes makes the collector work harder near it. GOMEMLIMIT in the environment wins. Default: nine tenths
	// of the limit of the process's control group, or no limit if the group has none.
	MemoryLimit int64

	// DrainDelay is how long checks are accepted after the process has said that it is no longer ready.
	DrainDelay time.Duration
	// DrainTimeout is how long checks in flight may take to finish, at the end and when connections are ended because the client
	// CA has changed. Default 15 s.
	DrainTimeout time.Duration

	// maxConnectionAge is for tests. Default 10 minutes.
	maxConnectionAge time.Duration

	// DecisionLog says which decisions are logged. Default LogAll.
	DecisionLog DecisionLog
	// DecisionLogSample is the share of allowed requests that LogAll logs, above 0 and up to 1. Default 1.
	DecisionLogSample float64
	// Log gets everything. Default: nothing is logged.
	Log *slog.Logger
	// LogLines is where Log writes, if it writes JSON: decision lines go there as they are. Nil: they go through Log.
	LogLines io.Writer
	// Stdout gets the bound addresses, a line each, and decision lines if the configuration says so. Default: neither is printed.
	Stdout io.Writer
	// Version is the version in portcullis_build_info.
	Version string
}

const (
	defaultMessage = 16 << 20
	// maxMessage is a fourth of what gRPC can send.
	maxMessage = 512 << 20
)

// Tracer traces checks.
type Tracer interface {
	// Start begins the trace of a check, which continues the trace of a traceparent header, or begins its own if that is empty or not
	// valid. It returns a nil end for a check that is not traced.
	Start(ctx context.Context, traceparent string) (_ context.Context, end func(*authz.Decision))
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
	refuse(c.AdminTokenFile != "" && c.adminToken() == "", "--admin-token-file: %q must be a readable file with at least %d characters", c.AdminTokenFile, minAdminToken)
	refuse(c.Listen == "", "--listen: an address is needed, 127.0.0.1:9001 or unix:/path")
	refuse((c.TLS.Cert == "") != (c.TLS.Key == ""), "--tls-cert and --tls-key must be set together")
	refuse(c.TLS.ClientCA != "" && c.TLS.Cert == "", "--tls-client-ca needs --tls-cert and --tls-key")
	refuse(c.MaxChecks < 0, "--max-checks: must not be negative")
	refuse(c.MaxStreams < 0, "--max-streams: must not be negative")
	refuse(c.MaxMessageBytes < 0, "--max-message-bytes: must not be negative")
	refuse(c.MaxMessageBytes > maxMessage, "--max-message-bytes: must be at most %d", maxMessage)
	refuse(c.MaxBodyBytes < 0, "--max-body-bytes: must not be negative")
	refuse(c.MaxBodyBytes > 0 && c.MaxBodyBytes < orDefault(c.MaxMessageBytes, defaultMessage),
		"--max-body-bytes: must be at least --max-message-bytes, or that body never fits")
	refuse(c.GCPercent < 0, "--gc-percent: must not be negative")
	refuse(c.MemoryLimit < 0, "--memory-limit: must not be negative")
	refuse(c.DrainDelay < 0, "--drain-delay: must not be negative")
	refuse(c.DrainTimeout < 0, "--drain-timeout: must not be negative")
	refuse(c.DecisionLogSample < 0 || c.DecisionLogSample > 1 || math.IsNaN(c.DecisionLogSample), "--decision-log-sample: must be above 0 and up to 1")
	switch c.DecisionLog {
	case "", LogAll, LogDenied, LogOff:
	default:
		refuse(true, "--decision-log: %q is not all, denied or off", string(c.DecisionLog))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.MaxChecks = orDefault(c.MaxChecks, 4096)
	c.MaxStreams = orDefault(c.MaxStreams, 1024)
	c.MaxMessageBytes = orDefault(c.MaxMessageBytes, defaultMessage)
	c.MaxBodyBytes = orDefault(c.MaxBodyBytes, max(256<<20, c.MaxMessageBytes))
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

// Memory returns how much memory the process is to use, in bytes; zero if nothing bounds it.
func (c *Config) Memory() int64 { return memory.Available(c.MemoryLimit) }
