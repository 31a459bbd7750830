package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/meter"
)

// Dashboards and alerts of others depend on these names.
func TestMetricNamesStay(t *testing.T) {
	r := serve(t, Config{Load: loads(allowAs("v1"))})
	check(t, r.client())
	_, text := r.get("/metrics")
	for _, name := range []string{
		"portcullis_build_info", "portcullis_check_duration_seconds_bucket", "portcullis_checks_in_flight", "portcullis_checks_total",
		"portcullis_config_apis", "portcullis_config_info", "portcullis_config_last_reload_successful",
		"portcullis_config_last_success_timestamp_seconds", "portcullis_config_routes", "portcullis_decision_log_dropped_total",
		"portcullis_reloads_total", "portcullis_tls_reloads_total", "portcullis_watch_errors_total", "portcullis_share_refused_total",
	} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("no %s in /metrics", name)
		}
	}
	for _, line := range []string{
		`portcullis_checks_total{decision="allow",reason="no_policy"} 1`,
		`portcullis_check_duration_seconds_bucket{le="+Inf"} 1`,
		`portcullis_check_duration_seconds_count 1`,
		`portcullis_config_last_refused_timestamp_seconds 0`,
	} {
		r.metric(line)
	}
}

// A decision counts in the Meter that the gateway names, and the others together.
func TestDecisionsCountOnce(t *testing.T) {
	meters := meter.New()
	mine := meters.Set().Meter(authz.MeterKey{API: "a1b2c3d4e5", Stage: "prod", Route: "GET /pets", Authorization: "NONE"})
	r := serve(t, Config{Meters: meters, Load: loads(func(context.Context, *authz.Request) authz.Decision {
		return authz.Decision{
			Allow: true, Reason: authz.Reason{Code: authz.CodeNoPolicy}, Meter: mine, SetHeaders: []authz.Field{{Name: "x-version", Value: "v1"}},
		}
	})})
	client := r.client()
	for range 3 {
		check(t, client)
	}
	r.metric(`portcullis_decisions_total{api="a1b2c3d4e5",authorization="NONE",authorizer="_none",decision="allow",reason="no_policy",route="GET /pets",stage="prod"} 3`)
	r.metric(`portcullis_checks_total{decision="allow",reason="no_policy"} 3`)
	r.metric(`portcullis_authorization_duration_seconds_count{authorization="NONE"} 3`)
}

// traces notes what it is told.
type traces struct {
	parents []string
	ended   []bool
}

func (c *traces) Start(ctx context.Context, traceparent string) (context.Context, func(*authz.Decision)) {
	c.parents = append(c.parents, traceparent)
	return ctx, func(d *authz.Decision) { c.ended = append(c.ended, d.Allow) }
}

// The Tracer gets the traceparent of Envoy's call, and none if there are several. Nothing in the request is one.
func TestTracerGetsEnvoysTraceparent(t *testing.T) {
	c := &traces{}
	r := serve(t, Config{Tracer: c, Load: loads(allowAs("v1"))})
	client := r.client()
	in := checkRequest()
	in.GetAttributes().GetRequest().GetHttp().Headers = map[string]string{"traceparent": "the client's"}
	for _, values := range [][]string{{"one"}, {"one", "two"}, nil} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		for _, v := range values {
			ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", v)
		}
		if _, err := client.Check(ctx, in); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if got := strings.Join(c.parents, "|"); got != "one||" || len(c.ended) != 3 || !c.ended[0] {
		t.Errorf("traceparents %q, ended %v", got, c.ended)
	}
}

// A Tracer that panics denies.
func TestATracerThatPanics(t *testing.T) {
	r := serve(t, Config{Tracer: panics{}, Load: loads(allowAs("v1"))})
	if got := check(t, r.client()); got != "500" {
		t.Errorf("answered %q", got)
	}
	if strings.Contains(r.log.String(), "secret") {
		t.Error("the log has what it panicked with")
	}
}

type panics struct{}

func (panics) Start(context.Context, string) (context.Context, func(*authz.Decision)) {
	panic("secret")
}
