package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/live"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/probe"
)

// answering is an Envoy and a portcullis that answer probes with what arrived, after a change.
func answering(t *testing.T, change func(*probe.Answer) (status int)) (_ *url.URL, probes *atomic.Int64) {
	t.Helper()
	probes = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probes.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get(probe.Header) != "token" || r.Method != http.MethodGet {
			t.Errorf("%v: %s %v", err, r.Method, r.Header)
		}
		sum := sha256.Sum256(body)
		a := probe.Answer{Version: probe.AnswerVersion, Method: r.Method, Path: r.RequestURI, Host: r.Host, ForwardedProto: "http", Raw: true, BodyBytes: len(body), BodySHA256: sum[:],
			Extensions: map[string]string{"portcullis.api": "a1b2c3d4e5", "portcullis.stage": "prod", "portcullis.basePath": "/", "portcullis.secureTransport": "x-forwarded-proto"},
			Headers:    map[string][][]byte{}}
		for name, values := range r.Header {
			for _, v := range values {
				if name = strings.ToLower(name); strings.HasPrefix(name, probe.Echo) {
					a.Headers[name] = append(a.Headers[name], []byte(v))
				}
			}
		}
		w.WriteHeader(change(&a))
		_ = json.NewEncoder(w).Encode(a)
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return at, probes
}

func probedRules(t *testing.T, at *url.URL, o Options, documents ...any) ([]string, error) {
	t.Helper()
	d := dump.New()
	for _, doc := range documents {
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Read("dump", strings.NewReader(string(data))); err != nil {
			t.Fatal(err)
		}
	}
	l := live.Live{URL: at, Transport: func(string) http.RoundTripper { return http.DefaultTransport },
		Tokens: func(_ context.Context, n int) ([]string, error) { return slices.Repeat([]string{"token"}, n), nil }}
	found, err := live.Probe(t.Context(), d, o.Config, l, Examine(d, o))
	var rules []string
	for _, f := range found {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules, err
}

// Each route gets a probe, and each way in which it can arrive wrongly is found.
func TestProbes(t *testing.T) {
	t.Parallel()
	config := &gateway.Config{APIs: []gateway.API{{ID: "a1b2c3d4e5", Account: "111122223333", Region: "eu-west-1",
		Stages: []gateway.Stage{{Name: "prod", Domains: []string{"pets.example.com"}}},
		Routes: []gateway.Route{{Method: "GET", Resource: "/open", Authorization: gateway.None}, {Method: "ANY", Resource: "/{proxy+}", Authorization: gateway.IAM}}}}}
	for what, tc := range map[string]struct {
		change func(*probe.Answer) int
		want   []string
	}{
		"as it was sent":  {func(*probe.Answer) int { return 403 }, nil},
		"it passes":       {func(*probe.Answer) int { return 200 }, []string{rulebook.ProbePassed}},
		"another answers": {func(a *probe.Answer) int { a.Version = ""; return 403 }, []string{rulebook.ProbePassed}},
		"refused":         {func(a *probe.Answer) int { a.Refused = "why"; return 403 }, []string{rulebook.ProbeRefused}},
		"another API":     {func(a *probe.Answer) int { a.Extensions["portcullis.api"] = "b"; return 403 }, []string{rulebook.ProbeAPI}},
		"another stage":   {func(a *probe.Answer) int { a.Extensions["portcullis.stage"] = "b"; return 403 }, []string{rulebook.ProbeAPI}},
		"another base":    {func(a *probe.Answer) int { a.Extensions["portcullis.basePath"] = "/b"; return 403 }, []string{rulebook.ProbeAPI}},
		"another body":    {func(a *probe.Answer) int { a.BodySHA256 = nil; return 403 }, []string{rulebook.ProbeBody}},
		"another path":    {func(a *probe.Answer) int { a.Path = "/"; return 403 }, []string{rulebook.ProbeRequest}},
		"another host":    {func(a *probe.Answer) int { a.Host = "a"; return 403 }, []string{rulebook.ProbeRequest}},
		"another method":  {func(a *probe.Answer) int { a.Method = "PUT"; return 403 }, []string{rulebook.ProbeRequest}},
		"no headers":      {func(a *probe.Answer) int { a.Headers = nil; return 403 }, []string{rulebook.ProbeRequest}},
		"joined headers":  {func(a *probe.Answer) int { a.Headers, a.Raw = nil, false; return 403 }, nil},
		"a forged scheme": {func(a *probe.Answer) int { a.ForwardedProto = "https"; return 403 }, []string{rulebook.ProbeRequest}},
	} {
		at, probes := answering(t, tc.change)
		listener, cluster := oneListener(t)
		got, err := probedRules(t, at, Options{Config: config}, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster}))
		if err != nil || probes.Load() != 2 { // GET /open and the rest
			t.Errorf("%s: %v, %d probes", what, err, probes.Load())
		}
		expectRules(t, what, got, tc.want...)
	}
}

// A route that is not surely checked, or that a probe cannot reach harmlessly, gets none.
func TestNotProbed(t *testing.T) {
	t.Parallel()
	for patch, want := range map[string][]string{
		`{authz: {failure_mode_allow: true}}`:        {rulebook.FailOpen, rulebook.NotProbed},
		`{authz: {allowed_headers: {patterns: []}}}`: {rulebook.Headers, rulebook.NotProbed},
		`{wrap: true}`:                                              {rulebook.Conditional, rulebook.Unapplied, rulebook.NoAPI, rulebook.NotProbed},
		`{before: [` + lua + `]}`:                                   {rulebook.Before, rulebook.NotProbed},
		onRoute + `{disabled: true}}}}`:                             {rulebook.RouteOff, rulebook.NotProbed},
		`{host: {domains: ["pets.*"]}}`:                             {rulebook.NotProbed},
		`{authz: {grpc_service: {retry_policy: {num_retries: 1}}}}`: {rulebook.Retries, rulebook.NotProbed},
		`{manager: {local_reply_config: {mappers: [{filter: {not_health_check_filter: {}}, status_code: 200}]}}}`:                    {rulebook.Answers, rulebook.NotProbed},
		onRoute + `{check_settings: {grpc_service: {envoy_grpc: {cluster_name: other}, timeout: 1s}}}}}}`:                            {rulebook.OtherService, rulebook.NotProbed},
		`{listener: {default_filter_chain: {filters: [` + network + `tcp_proxy.v3.TcpProxy, stat_prefix: a, cluster: upstream}}]}}}`: {rulebook.TCP, rulebook.NotProbed},
		`{listener: {fcds_config: {name: a}}}`:                                                                   {rulebook.Unseen, rulebook.NotProbed},
		`{host: {routes: [` + one(`prefix: /a, query_parameters: [{name: a}]`) + `]}}`:                           {rulebook.NotProbed},
		`{host: {routes: [` + one(`safe_regex: {regex: a}`) + `]}}`:                                              {rulebook.NotProbed},
		`{host: {routes: [` + one(`path: /a, headers: [{name: ":method", string_match: {exact: POST}}]`) + `]}}`: {rulebook.NotProbed},
		`{host: {routes: [` + one(`path: /a, headers: [{name: x-a}]`) + `]}}`:                                    {rulebook.NotProbed},
	} {
		at, probes := answering(t, func(*probe.Answer) int { return 403 })
		listener, cluster := oneListener(t, patch)
		got, err := probedRules(t, at, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster}))
		if err != nil || probes.Load() != 0 {
			t.Errorf("%s: %v, %d probes", patch, err, probes.Load())
		}
		expectRules(t, patch, got, want...)
	}
	// Nothing is sent to a listener of which only an upgrade is checked.
	upgrade, _ := oneListener(t, `{drop: true, manager: {upgrade_configs: [{upgrade_type: websocket, filters: [AUTHZFILTER, `+router+`]}]}}`)
	if _, err := probedRules(t, &url.URL{Host: "127.0.0.1:1"}, Options{}, configs(map[string]any{"listener": upgrade})); !errors.Is(err, live.ErrListener) {
		t.Errorf("%v", err)
	}
	two, _ := oneListener(t, `{listener: {name: two}}`)
	listener, cluster := oneListener(t)
	at, _ := answering(t, func(*probe.Answer) int { return 403 })
	if _, err := probedRules(t, at, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"listener": two}, map[string]any{"cluster": cluster})); !errors.Is(err, live.ErrListener) {
		t.Errorf("%v", err)
	}
}

// one is a route with a match.
func one(match string) string {
	return `{match: {` + match + `}, route: {cluster: upstream}}`
}
