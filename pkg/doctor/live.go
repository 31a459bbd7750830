package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/probe"
)

// maxProbes limits the probes of one run.
const maxProbes = 1000

// probeTime limits one probe.
const probeTime = 15 * time.Second

// Live says where probes are sent.
type Live struct {
	// URL is a listener of Envoy, http or https with host and port.
	URL *url.URL
	// Transport sends requests to a server name. It must not follow proxies of the environment.
	Transport func(serverName string) http.RoundTripper
	// Tokens returns up to n tokens of the admin port of the portcullis that answers.
	Tokens func(ctx context.Context, n int) ([]string, error)
}

// ErrListener is returned when no listener of the dump is the one of the URL.
var ErrListener = errors.New("no guarded listener of Envoy has the port of --live, and there is more than one: write the address of one of them")

// unsafe are the rules that keep a listener from getting probes: a probe could pass, or lose its token.
var unsafe = []string{ruleConditional, ruleEnabled, ruleMetadata, ruleOptional, ruleFailOpen, ruleShadow, ruleHeaders, ruleBefore, ruleHTTPService, ruleNoCluster, ruleUnhealthy}

// Probe sends a probe to each route of a listener that can be probed, and returns the findings with those of Examine.
func Probe(ctx context.Context, d *Dump, o Options, l Live, examined []Finding) ([]Finding, error) {
	e := &examination{Dump: d, options: o, expected: expect(o.Config)}
	e.all = d.everyManager()
	guarded, err := e.behind(l.URL)
	if err != nil {
		return nil, err
	}
	e.findings.all = slices.Clone(examined)
	var sent []sending
	done := map[string]bool{}
	for _, m := range guarded {
		if rule := blocked(examined, m); rule != "" {
			e.report(ruleNotProbed, m.where, m.path, "no route of the listener was probed, because of %s", rule)
			continue
		}
		for _, table := range m.tables {
			if !done[table.path] {
				sent = append(sent, e.sendings(m, table)...)
			}
			done[table.path] = true
		}
	}
	if len(sent) > maxProbes {
		e.report(ruleNotProbed, "envoy", "", "%d routes were not probed; a run sends %d probes", len(sent)-maxProbes, maxProbes)
		sent = sent[:maxProbes]
	}
	for batch := range slices.Chunk(sent, probe.MaxBatch) {
		tokens, err := l.Tokens(ctx, len(batch))
		if err != nil {
			return nil, err
		}
		if len(tokens) != len(batch) {
			return nil, errors.New("the admin port gave out another number of tokens")
		}
		for i, s := range batch {
			e.send(ctx, l, s, tokens[i])
		}
	}
	return e.sorted(), nil
}

// behind returns the guarded managers of the listener with the port of the URL, or of the only one.
func (e *examination) behind(at *url.URL) ([]*manager, error) {
	is := e.recognize(e.all)
	by, found := map[string][]*manager{}, ""
	for _, m := range e.all {
		if m.choose(is); len(m.ours) == 0 || m.listener.state == "draining" {
			continue
		}
		name := textAt(m.listener.tree, "name")
		by[name] = append(by[name], m)
		if port, ok := numberAt(m.listener.tree, "address", "socket_address", "port_value"); ok && fmt.Sprint(port) == at.Port() {
			found = name
		}
	}
	if names := sortedKeys(by); found == "" && len(names) == 1 {
		found = names[0]
	}
	if by[found] == nil {
		return nil, ErrListener
	}
	return by[found], nil
}

// blocked returns the rule that keeps a manager from getting probes, or "".
func blocked(examined []Finding, m *manager) string {
	for _, f := range examined {
		if slices.Contains(unsafe, f.Rule) && (strings.HasPrefix(f.Where, m.where) || slices.ContainsFunc(m.ours, func(our *filter) bool { return f.Where == "cluster "+clusterOf(our.extAuthz()) })) {
			return f.Rule
		}
	}
	return ""
}

// sending is a probe of a route.
type sending struct {
	manager            *manager
	route              route
	host, path, method string
	body               bool
}

// sendings returns the probes of a route table. A virtual host with a route that is not checked gets none, because a
// probe could take that route.
func (e *examination) sendings(m *manager, table entry) []sending {
	open := map[string]bool{}
	routesOf(table, func(r route) {
		if checks, _ := m.checks(&r); r.forwards() && len(checks) == 0 {
			open[r.levels[1].path] = true
		}
	})
	var all []sending
	seen := map[string]bool{}
	routesOf(table, func(r route) {
		if !r.forwards() || seen[r.levels[2].path] {
			return
		}
		seen[r.levels[2].path] = true
		s := sending{manager: m, route: r}
		why := "another route of its virtual host is not checked"
		if !open[r.levels[1].path] {
			why = s.address()
		}
		if why != "" {
			e.report(ruleNotProbed, r.where, r.path, "%s", why)
			return
		}
		checks, _ := m.checks(&r)
		s.body, _ = checks[0].buffered(checks[0].extAuthz())
		all = append(all, s)
	})
	return all
}

// probePart is a path segment of probes.
const probePart = "portcullis-probe"

// address finds a host, path and method that the route matches. It returns why there are none.
func (s *sending) address() string {
	for _, d := range listAt(s.route.host, "domains") {
		domain, _ := d.(string)
		switch {
		case domain == "*":
			s.host = probePart + ".invalid"
		case strings.HasPrefix(domain, "*"):
			s.host = probePart + domain[1:]
		case !strings.HasSuffix(domain, "*"):
			s.host = domain
		}
		if s.host != "" {
			break
		}
	}
	if s.host == "" {
		return "no probe can be made for the domains of its virtual host"
	}
	match := objectAt(s.route.own, "match")
	if why := s.methodOf(match); why != "" {
		return why
	}
	return s.pathOf(match)
}

// methodOf finds the method. Only methods that change nothing are used.
func (s *sending) methodOf(match node) string {
	s.method = http.MethodGet
	for name := range match {
		if !slices.Contains([]string{"prefix", "path", "path_separated_prefix", "pathSeparatedPrefix", "path_match_policy", "pathMatchPolicy", "case_sensitive", "caseSensitive", "headers"}, name) {
			return "it matches more than host, path and method: " + name
		}
	}
	for _, h := range listAt(match, "headers") {
		if textAt(h, "name") != ":method" || isTrue(h, "invert_match") {
			return "it matches the header " + textAt(h, "name")
		}
		s.method = textAt(h, "string_match", "exact")
	}
	if s.method != http.MethodGet && s.method != http.MethodOptions {
		return "it matches the method " + s.method + ", and probes use only GET and OPTIONS"
	}
	return ""
}

// pathOf finds the path.
func (s *sending) pathOf(match node) string {
	template := textAt(match, "path_match_policy", "typed_config", "path_template")
	switch {
	case textAt(match, "path") != "":
		s.path = textAt(match, "path")
	case textAt(match, "path_separated_prefix") != "":
		s.path = textAt(match, "path_separated_prefix") + "/" + probePart
	case textAt(match, "prefix") != "":
		s.path = textAt(match, "prefix") + probePart
	case template != "" && !strings.Contains(template, "{"):
		s.path = strings.ReplaceAll(strings.ReplaceAll(template, "**", probePart), "*", probePart)
	default:
		return "no probe can be made for what it matches"
	}
	// A slash that is encoded shows whether the path arrives as it was sent.
	if keeps := textAt(s.manager.tree, "path_with_escaped_slashes_action"); textAt(match, "path") == "" && template == "" && (keeps == "" || keeps == "KEEP_UNCHANGED") {
		s.path += "%2Fend"
	}
	if !strings.HasPrefix(s.path, "/") {
		return "its path does not begin with a slash"
	}
	return ""
}

// The headers of a probe that show how headers arrive.
var probeHeaders = map[string][]string{probe.Echo + "lines": {"a", "b"}, probe.Echo + "bytes": {"\xff\x80"}}

// probeBody is the body of a probe. It is not text.
func probeBody() []byte { return bytes.Repeat([]byte("portcullis \xff\x00\x80!"), 20) }

// send sends a probe and compares what arrived.
func (e *examination) send(ctx context.Context, l Live, s sending, token string) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var body io.Reader = http.NoBody
	if s.body {
		body = bytes.NewReader(probeBody())
	}
	request, err := http.NewRequestWithContext(ctx, s.method, l.URL.Scheme+"://"+l.URL.Host+s.path, body)
	if err != nil {
		e.report(ruleNotProbed, s.route.where, s.route.path, "its path is not valid in a request")
		return
	}
	request.Host = s.host
	request.Header.Set(probe.Header, token)
	for name, values := range probeHeaders {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set("X-Forwarded-Proto", forged(l.URL.Scheme))
	host, _, err := net.SplitHostPort(s.host)
	if err != nil {
		host = s.host
	}
	response, err := l.Transport(host).RoundTrip(request)
	if err != nil {
		e.report(ruleProbePassed, s.route.where, s.route.path, "Envoy did not answer the probe of %s%s", s.host, s.path)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	var answer probe.Answer
	if err != nil || response.StatusCode != http.StatusForbidden || json.Unmarshal(text, &answer) != nil || answer.Version != probe.AnswerVersion {
		e.report(ruleProbePassed, s.route.where, s.route.path, "the probe of %s%s was answered with %d", s.host, s.path, response.StatusCode)
		return
	}
	e.compared(l, s, &answer)
}

// forged is a value of X-Forwarded-Proto that is not the scheme.
func forged(scheme string) string {
	if scheme == "https" {
		return "http"
	}
	return "https"
}

// compared compares the answer with the probe and with the configuration.
func (e *examination) compared(l Live, s sending, a *probe.Answer) {
	where, path := s.route.where, s.route.path
	if a.Refused != "" {
		e.report(ruleProbeRefused, where, path, "%s", a.Refused)
	}
	for _, pair := range [][3]string{{"the method", s.method, a.Method}, {"the path", s.path, a.Path}, {"the host", s.host, a.Host}} {
		if pair[1] != pair[2] {
			e.report(ruleProbeRequest, where, path, "%s arrived as %q, and was sent as %q", pair[0], pair[2], pair[1])
		}
	}
	for name, sent := range probeHeaders {
		if a.Raw && !sameLines(sent, a.Headers[name]) {
			e.report(ruleProbeRequest, where, path, "the header %s did not arrive as it was sent", name)
		}
	}
	if a.Extensions["portcullis.secureTransport"] == "x-forwarded-proto" && a.ForwardedProto == forged(l.URL.Scheme) {
		e.report(ruleProbeRequest, where, path, "portcullis.secureTransport is x-forwarded-proto, and the client's own X-Forwarded-Proto arrived")
	}
	if sum := sha256.Sum256(probeBody()); s.body && !bytes.Equal(sum[:], a.BodySHA256) {
		e.report(ruleProbeBody, where, path, "a body of %d bytes arrived as %d bytes (%s)", len(probeBody()), a.BodyBytes, a.Body)
	}
	e.comparedWithConfig(s, a)
}

func sameLines(sent []string, arrived [][]byte) bool {
	return slices.EqualFunc(sent, arrived, func(a string, b []byte) bool { return a == string(b) })
}

// comparedWithConfig compares the context extensions with the stage of portcullis.yaml that host and path lead to.
func (e *examination) comparedWithConfig(s sending, a *probe.Answer) {
	if e.expected == nil {
		return
	}
	for _, st := range e.expected.hosts[hostOf(s.host)] {
		if st.base != "" && s.path != st.base && !strings.HasPrefix(s.path, st.base+"/") {
			continue
		}
		want := map[string]string{"portcullis.api": st.api, "portcullis.stage": st.name}
		if _, set := a.Extensions["portcullis.basePath"]; set {
			want["portcullis.basePath"] = st.basePath()
		}
		for _, name := range sortedKeys(want) {
			if got, set := a.Extensions[name]; set && got != want[name] {
				e.report(ruleProbeAPI, s.route.where, s.route.path, "%s is %q, and portcullis.yaml has %q for %s", name, got, want[name], s.host+st.base)
			}
		}
		return
	}
}

// basePath returns the value of portcullis.basePath.
func (s *stage) basePath() string {
	if s.base == "" {
		return "/"
	}
	return s.base
}
