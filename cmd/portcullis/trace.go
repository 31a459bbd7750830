package main

import (
	"flag"
	"fmt"
	"log/slog"

	"github.com/portcullis-authz/portcullis/pkg/tracing"
)

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
