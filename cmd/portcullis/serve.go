package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/explain"
	"github.com/portcullis-authz/portcullis/pkg/lambda/runner"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/server"
	"github.com/portcullis-authz/portcullis/pkg/server/memory"
	"github.com/portcullis-authz/portcullis/pkg/tracing"
)

func serve(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	c := server.Config{Stdout: out, Version: versionText()}
	path := serveFlags(flags, &c)
	logger := logFlags(flags, &c)
	tracer := traceFlags(flags)
	if code, ok := cli.Parse(flags, args, out, errs); !ok {
		return code
	}
	if err := runner.Harden(); err != nil { // before a secret is read
		fmt.Fprintln(errs, "portcullis: cannot protect the memory of this process:", err)
		return cli.ExitNo
	}
	log, err := logger(errs)
	p, failed := pool.New(log, c.Memory())
	if failed != nil {
		fmt.Fprintln(errs, failed)
		return cli.ExitNo
	}
	defer p.Close()
	p.Bound(c.MaxChecks)
	c.Load, c.Watch, c.Samples, c.Meters, c.Log = load(p, *path), []string{*path}, p.Samples, p.Meters(), log
	if c.DecisionLogSample == 0 { // 0 means the default in a server.Config
		err = errors.Join(err, errors.New("--decision-log-sample: must be above 0; --decision-log=denied logs no allowed request"))
	}
	traces, failed := tracer(log)
	if err := errors.Join(err, failed, c.Validate()); err != nil {
		return cli.Wrong(errs, flags, err)
	}
	if traces != nil {
		defer traces.Close()
		c.Tracer, c.Samples = traces, func() []authz.Sample { return append(p.Samples(), traces.Samples()...) }
	}

	// Without this, Go ends the process when the reader of standard output or standard error has gone.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	c.Reload = hup
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first signal drains, a second ends the process at once
	if err := server.Run(ctx, c); err != nil {
		fmt.Fprintln(errs, err)
		return cli.ExitNo
	}
	return cli.ExitGood
}

func serveFlags(flags *flag.FlagSet, c *server.Config) (path *string) {
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:9001", "serve checks on `address`: host:port, or unix:/path (permissions 0660)")
	flags.StringVar(&c.Admin, "admin", "127.0.0.1:9002", "serve /healthz, /readyz and /metrics on `address`, or off")
	flags.StringVar(&c.STS, "sts", "", "serve AWS STS on `address`, for callers that exchange tokens or keys for session credentials; needs iam.sessions (default: off)")
	flags.StringVar(&c.AdminTokenFile, "admin-token-file", "", "`file` of the token for admin requests that change or explain something, at least 16 characters (default: refuse such requests)")
	flags.StringVar(&c.TLS.Cert, "tls-cert", "", "PEM `file` of the certificate chain of the gRPC port and of STS; read again when it changes")
	flags.StringVar(&c.TLS.Key, "tls-key", "", "PEM `file` of its private key")
	flags.StringVar(&c.TLS.ClientCA, "tls-client-ca", "", "PEM `file` of authorities for client certificates, which the gRPC port then requires; when it changes, clients must reconnect")
	flags.IntVar(&c.MaxChecks, "max-checks", 4096, "deny concurrent checks beyond this number; five eighths of them may wait for functions, issuers and caches")
	flags.IntVar(&c.MaxStreams, "max-streams", 1024, "maximum concurrent checks on one connection")
	flags.IntVar(&c.MaxMessageBytes, "max-message-bytes", 16<<20, "deny a check that is larger than this, including the buffered body; capped at 11 MiB (API Gateway accepts 10 MiB of payload), and at 1 MiB if no route has the authorization AWS_IAM")
	flags.IntVar(&c.MaxBodyBytes, "max-body-bytes", 0, "deny checks when buffered bodies together exceed this, or one API exceeds its share (default 256 MiB, or --max-message-bytes)")
	flags.IntVar(&c.GCPercent, "gc-percent", 400, "collect garbage when the heap has grown by this `percent`; GOGC in the environment overrides it")
	flags.Func("memory-limit", "collect garbage harder near this many `bytes`, such as 512MiB; GOMEMLIMIT in the environment overrides it (default 90% of the container's limit, if it has one)", func(s string) (err error) {
		c.MemoryLimit, err = memory.ParseBytes(s)
		return err
	})
	flags.DurationVar(&c.DrainDelay, "drain-delay", time.Second, "how long to accept checks after SIGTERM, when /readyz already fails")
	flags.DurationVar(&c.DrainTimeout, "drain-timeout", 15*time.Second, "how long checks in flight may take to finish after --drain-delay")
	flags.Func("decision-log", "log these `decisions`: all, denied or off (default all)", func(s string) error {
		c.DecisionLog = server.DecisionLog(s)
		return nil
	})
	flags.Float64Var(&c.DecisionLogSample, "decision-log-sample", 1, "`share` of allowed requests that --decision-log=all logs")
	return flags.String("config", "portcullis.yaml", "configuration `file`")
}

func logFlags(flags *flag.FlagSet, c *server.Config) func(io.Writer) (*slog.Logger, error) {
	format := flags.String("log-format", "json", "write the log as json or text")
	level := flags.String("log-level", "info", "minimum log `level`: debug, info, warn or error")
	return func(w io.Writer) (*slog.Logger, error) {
		var options slog.HandlerOptions
		var l slog.Level
		if err := l.UnmarshalText([]byte(*level)); err != nil {
			return nil, fmt.Errorf("--log-level: %q is not debug, info, warn or error", *level)
		}
		options.Level = l
		switch *format {
		case "json":
			c.LogLines = w
			options.ReplaceAttr = printable
			return slog.New(slog.NewJSONHandler(w, &options)), nil
		case "text":
			return slog.New(slog.NewTextHandler(w, &options)), nil
		default:
			return nil, fmt.Errorf("--log-format: %q is not json or text", *format)
		}
	}
}

// load connects the configuration to the server.
func load(p *pool.Pool, path string) func() (server.Loaded, error) {
	return func() (server.Loaded, error) {
		s, err := config.Load(path, p)
		var l server.Loaded
		if s != nil {
			l = server.Loaded{Files: s.Files, Digest: s.Digest, APIs: s.APIs, Routes: s.Routes, NeedsBodies: s.NeedsBodies}
			for _, w := range s.Warnings {
				l.Warnings = append(l.Warnings, w.String())
			}
		}
		if err == nil {
			s.Config.APIs = nil // not needed again, and there may be many
			l.DecisionLog = s.DecisionLog
			l.Authorizer, l.Start, l.Wait, l.Close, l.Flush, l.Trouble = s.Gateway, s.Start, s.Wait, s.Close, s.Flush, s.Trouble
			l.Explain, l.STS = explainer(s.Gateway, s.Signer), s.STS
		}
		return l, cli.OnlyFaults(err)
	}
}

// traceFlags defines the flags of traces. The result makes what they ask for: nil without --trace-endpoint.
func traceFlags(flags *flag.FlagSet) func(*slog.Logger) (*tracing.Tracer, error) {
	c := tracing.Config{Version: versionText()}
	flags.StringVar(&c.Endpoint, "trace-endpoint", "", "send OpenTelemetry traces to this `URL`: grpc://host:4317, or http://host:4318/v1/traces; grpcs and https use TLS (default: no traces)")
	flags.Float64Var(&c.Share, "trace-share", 0.01, "`share` of checks that are traced with --trace-endpoint")
	flags.Float64Var(&c.SampledShare, "trace-sampled-share", 0.1, "`share` of all checks that may be traced in addition because Envoy's traceparent is sampled, which a client may have asked for")
	return func(log *slog.Logger) (*tracing.Tracer, error) {
		if c.Endpoint == "" {
			return nil, nil //nolint:nilnil // no traces
		}
		c.Log = log
		t, err := tracing.New(c)
		if err != nil {
			return nil, fmt.Errorf("--trace-endpoint, --trace-share, --trace-sampled-share: %w", err)
		}
		return t, nil
	}
}

// printable escapes characters in an attribute that a terminal acts upon, such as those that change the direction of text. Lines in JSON
// would have them as they are. Lines as text do not.
func printable(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch value := a.Value.Any().(type) {
	case string:
		text = value
	case error:
		text = value.Error()
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
		a.Value = slog.StringValue(explain.Printable(text))
	}
	return a
}
