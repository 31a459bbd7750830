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
	d := NewDump()
	for _, doc := range documents {
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Read("dump", strings.NewReader(string(data))); err != nil {
			t.Fatal(err)
		}
	}
	l := Live{URL: at, Transport: func(string) http.RoundTripper { return http.DefaultTransport },
		Tokens: func(_ context.Context, n int) ([]string, error) { return slices.Repeat([]string{"token"}, n), nil }}
	found, err := Probe(t.Context(), d, o, l, Examine(d, o))
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
		"it passes":       {func(*probe.Answer) int { return 200 }, []string{ruleProbePassed}},
		"another answers": {func(a *probe.Answer) int { a.Version = ""; return 403 }, []string{ruleProbePassed}},
		"refused":         {func(a *probe.Answer) int { a.Refused = "why"; return 403 }, []string{ruleProbeRefused}},
		"another API":     {func(a *probe.Answer) int { a.Extensions["portcullis.api"] = "b"; return 403 }, []string{ruleProbeAPI}},
		"another stage":   {func(a *probe.Answer) int { a.Extensions["portcullis.stage"] = "b"; return 403 }, []string{ruleProbeAPI}},
		"another base":    {func(a *probe.Answer) int { a.Extensions["portcullis.basePath"] = "/b"; return 403 }, []string{ruleProbeAPI}},
		"another body":    {func(a *probe.Answer) int { a.BodySHA256 = nil; return 403 }, []string{ruleProbeBody}},
		"another path":    {func(a *probe.Answer) int { a.Path = "/"; return 403 }, []string{ruleProbeRequest}},
		"another host":    {func(a *probe.Answer) int { a.Host = "a"; return 403 }, []string{ruleProbeRequest}},
		"another method":  {func(a *probe.Answer) int { a.Method = "PUT"; return 403 }, []string{ruleProbeRequest}},
		"no headers":      {func(a *probe.Answer) int { a.Headers = nil; return 403 }, []string{ruleProbeRequest}},
		"joined headers":  {func(a *probe.Answer) int { a.Headers, a.Raw = nil, false; return 403 }, nil},
		"a forged scheme": {func(a *probe.Answer) int { a.ForwardedProto = "https"; return 403 }, []string{ruleProbeRequest}},
	} {
		at, probes := answering(t, tc.change)
		listener, cluster := dump(t)
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
		`{authz: {failure_mode_allow: true}}`:        {ruleFailOpen, ruleNotProbed},
		`{authz: {allowed_headers: {patterns: []}}}`: {ruleHeaders, ruleNotProbed},
		`{wrap: true}`:                  {ruleConditional, ruleUnapplied, ruleNoAPI, ruleNotProbed},
		`{before: [` + lua + `]}`:       {ruleBefore, ruleNotProbed},
		onRoute + `{disabled: true}}}}`: {ruleRouteOff, ruleNotProbed},
		`{host: {domains: ["pets.*"]}}`: {ruleNotProbed},
		`{host: {routes: [` + one(`prefix: /a, query_parameters: [{name: a}]`) + `]}}`:                           {ruleNotProbed},
		`{host: {routes: [` + one(`safe_regex: {regex: a}`) + `]}}`:                                              {ruleNotProbed},
		`{host: {routes: [` + one(`path: /a, headers: [{name: ":method", string_match: {exact: POST}}]`) + `]}}`: {ruleNotProbed},
		`{host: {routes: [` + one(`path: /a, headers: [{name: x-a}]`) + `]}}`:                                    {ruleNotProbed},
	} {
		at, probes := answering(t, func(*probe.Answer) int { return 403 })
		listener, cluster := dump(t, patch)
		got, err := probedRules(t, at, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster}))
		if err != nil || probes.Load() != 0 {
			t.Errorf("%s: %v, %d probes", patch, err, probes.Load())
		}
		expectRules(t, patch, got, want...)
	}
	two, _ := dump(t, `{listener: {name: two}}`)
	listener, cluster := dump(t)
	at, _ := answering(t, func(*probe.Answer) int { return 403 })
	if _, err := probedRules(t, at, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"listener": two}, map[string]any{"cluster": cluster})); !errors.Is(err, ErrListener) {
		t.Errorf("%v", err)
	}
}

// one is a route with a match.
func one(match string) string {
	return `{match: {` + match + `}, route: {cluster: upstream}}`
}
