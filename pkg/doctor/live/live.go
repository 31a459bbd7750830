// Package live sends probes through an Envoy and compares what arrives at portcullis.
package live

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

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/stages"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
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

// unsafe are the rules that keep a listener from getting probes: a probe could pass, could lose its token, or could be
// checked twice, the second time without a token that is good.
var unsafe = []string{rulebook.Conditional, rulebook.Enabled, rulebook.Metadata, rulebook.Optional, rulebook.FailOpen, rulebook.Shadow, rulebook.Headers, rulebook.Before,
	rulebook.HTTPService, rulebook.NoCluster, rulebook.Unhealthy, rulebook.Retries, rulebook.Answers, rulebook.CheckFilter, rulebook.CheckTarget}

// open are the rules of filter chains that keep the whole listener from getting probes, because a probe could take them.
var open = []string{rulebook.NoFilter, rulebook.TCP, rulebook.Unseen}

// probing is one run of probes.
type probing struct {
	rulebook.Findings
	expected *stages.Hosts
	managers []*dump.Manager
}

// Probe sends a probe to each route of a listener that can be probed, and returns the findings with those of Examine.
func Probe(ctx context.Context, d *dump.Dump, config *gateway.Config, l Live, examined []rulebook.Finding) ([]rulebook.Finding, error) {
	p := &probing{expected: stages.Of(config), managers: d.Managers()}
	guarded, err := p.behind(l.URL)
	if err != nil {
		return nil, err
	}
	p.All = slices.Clone(examined)
	var sent []sending
	done := map[string]bool{}
	for _, m := range guarded {
		if rule := blocked(examined, m); rule != "" {
			p.Report(rulebook.NotProbed, m.Where, m.Path, "no route of the listener was probed, because of %s", rule)
			continue
		}
		for _, table := range m.Tables {
			if !done[table.Path] {
				sent = append(sent, p.sendings(m, table)...)
			}
			done[table.Path] = true
		}
	}
	if len(sent) > maxProbes {
		p.Report(rulebook.NotProbed, "envoy", "", "%d routes were not probed; a run sends %d probes", len(sent)-maxProbes, maxProbes)
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
			p.send(ctx, l, s, tokens[i])
		}
	}
	return p.Sorted(), nil
}

// behind returns the guarded managers of the listener with the port of the URL, or of the only one.
func (p *probing) behind(at *url.URL) ([]*dump.Manager, error) {
	by, found := map[string][]*dump.Manager{}, ""
	for _, m := range p.managers {
		udp := tree.TextAt(m.Listener.Tree, "address", "socket_address", "protocol") == "UDP" // HTTP/3
		if len(m.Ours) == 0 || m.Listener.State == "draining" || m.Upgrade != "" || udp {
			continue
		}
		name := m.Listener.Name()
		by[name] = append(by[name], m)
		if port, ok := tree.NumberAt(m.Listener.Tree, "address", "socket_address", "port_value"); ok && fmt.Sprint(port) == at.Port() {
			found = name
		}
	}
	if names := dump.SortedKeys(by); found == "" && len(names) == 1 {
		found = names[0]
	}
	if by[found] == nil {
		return nil, ErrListener
	}
	return by[found], nil
}

// blocked returns the rule that keeps a manager from getting probes, or "".
func blocked(examined []rulebook.Finding, m *dump.Manager) string {
	for _, f := range examined {
		asks := slices.ContainsFunc(m.Ours, func(our *dump.Filter) bool { return f.Where == "cluster "+dump.ClusterOf(our.ExtAuthz()) })
		switch {
		case slices.Contains(unsafe, f.Rule) && (strings.HasPrefix(f.Where, m.Where) || asks):
			return f.Rule
		case slices.Contains(open, f.Rule) && strings.HasPrefix(f.Where+" / ", "listener "+m.Listener.Name()+" / "):
			return f.Rule
		}
	}
	return ""
}

// sending is a probe of a route.
type sending struct {
	manager            *dump.Manager
	route              dump.Route
	host, path, method string
	body               bool
}

// sendings returns the probes of a route table. A virtual host with a route that is not checked gets none, because a
// probe could take that route.
func (p *probing) sendings(m *dump.Manager, table dump.Entry) []sending {
	open := map[string]bool{}
	dump.RoutesOf(table, func(r dump.Route) {
		checks, _ := m.Checks(&r)
		if r.Forwards() && (len(checks) == 0 || slices.ContainsFunc(checks, func(c dump.Check) bool { return c.AsksAnother() })) {
			open[r.Levels[1].Path] = true
		}
	})
	var all []sending
	seen := map[string]bool{}
	dump.RoutesOf(table, func(r dump.Route) {
		if !r.Forwards() || seen[r.Levels[2].Path] {
			return
		}
		seen[r.Levels[2].Path] = true
		s := sending{manager: m, route: r}
		why := "a route of its virtual host is not checked by portcullis"
		if !open[r.Levels[1].Path] {
			why = s.address()
		}
		if why != "" {
			p.Report(rulebook.NotProbed, r.Where, r.Path, "%s", why)
			return
		}
		checks, _ := m.Checks(&r)
		s.body, _ = checks[0].Buffered(checks[0].ExtAuthz())
		all = append(all, s)
	})
	return all
}

// probePart is a path segment of probes.
const probePart = "portcullis-probe"

// address finds a host, path and method that the route matches. It returns why there are none.
func (s *sending) address() string {
	for _, d := range tree.ListAt(s.route.Host, "domains") {
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
	match := tree.ObjectAt(s.route.Own, "match")
	if why := s.methodOf(match); why != "" {
		return why
	}
	return s.pathOf(match)
}

// methodOf finds the method. Only methods that change nothing are used.
func (s *sending) methodOf(match tree.Object) string {
	s.method = http.MethodGet
	for name := range match {
		if !slices.Contains([]string{"prefix", "path", "path_separated_prefix", "pathSeparatedPrefix", "path_match_policy", "pathMatchPolicy", "case_sensitive", "caseSensitive", "headers"}, name) {
			return "it matches more than host, path and method: " + name
		}
	}
	for _, h := range tree.ListAt(match, "headers") {
		if tree.TextAt(h, "name") != ":method" || tree.IsTrue(h, "invert_match") {
			return "it matches the header " + tree.TextAt(h, "name")
		}
		s.method = tree.TextAt(h, "string_match", "exact")
	}
	if s.method != http.MethodGet && s.method != http.MethodOptions {
		return "it matches the method " + s.method + ", and probes use only GET and OPTIONS"
	}
	return ""
}

// pathOf finds the path.
func (s *sending) pathOf(match tree.Object) string {
	template := tree.TextAt(match, "path_match_policy", "typed_config", "path_template")
	switch {
	case tree.TextAt(match, "path") != "":
		s.path = tree.TextAt(match, "path")
	case tree.TextAt(match, "path_separated_prefix") != "":
		s.path = tree.TextAt(match, "path_separated_prefix") + "/" + probePart
	case tree.TextAt(match, "prefix") != "":
		s.path = tree.TextAt(match, "prefix") + probePart
	case template != "" && !strings.Contains(template, "{"):
		s.path = strings.ReplaceAll(strings.ReplaceAll(template, "**", probePart), "*", probePart)
	default:
		return "no probe can be made for what it matches"
	}
	// A slash that is encoded shows whether the path arrives as it was sent.
	if keeps := tree.TextAt(s.manager.Tree, "path_with_escaped_slashes_action"); tree.TextAt(match, "path") == "" && template == "" && (keeps == "" || keeps == "KEEP_UNCHANGED") {
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
func (p *probing) send(ctx context.Context, l Live, s sending, token string) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var body io.Reader = http.NoBody
	if s.body {
		body = bytes.NewReader(probeBody())
	}
	request, err := http.NewRequestWithContext(ctx, s.method, l.URL.Scheme+"://"+l.URL.Host+s.path, body)
	if err != nil {
		p.Report(rulebook.NotProbed, s.route.Where, s.route.Path, "its path is not valid in a request")
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
		p.Report(rulebook.ProbePassed, s.route.Where, s.route.Path, "Envoy did not answer the probe of %s%s", s.host, s.path)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	var answer probe.Answer
	if err != nil || response.StatusCode != http.StatusForbidden || json.Unmarshal(text, &answer) != nil || answer.Version != probe.AnswerVersion {
		p.Report(rulebook.ProbePassed, s.route.Where, s.route.Path, "the probe of %s%s was answered with %d", s.host, s.path, response.StatusCode)
		return
	}
	p.compared(l, s, &answer)
}

// forged is a value of X-Forwarded-Proto that is not the scheme.
func forged(scheme string) string {
	if scheme == "https" {
		return "http"
	}
	return "https"
}

// compared compares the answer with the probe and with the configuration.
func (p *probing) compared(l Live, s sending, a *probe.Answer) {
	where, path := s.route.Where, s.route.Path
	if a.Refused != "" {
		p.Report(rulebook.ProbeRefused, where, path, "%s", a.Refused)
	}
	for _, pair := range [][3]string{{"the method", s.method, a.Method}, {"the path", s.path, a.Path}, {"the host", s.host, a.Host}} {
		if pair[1] != pair[2] {
			p.Report(rulebook.ProbeRequest, where, path, "%s arrived as %q, and was sent as %q", pair[0], pair[2], pair[1])
		}
	}
	for name, sent := range probeHeaders {
		if a.Raw && !sameLines(sent, a.Headers[name]) {
			p.Report(rulebook.ProbeRequest, where, path, "the header %s did not arrive as it was sent", name)
		}
	}
	if a.Extensions["portcullis.secureTransport"] == "x-forwarded-proto" && a.ForwardedProto == forged(l.URL.Scheme) {
		p.Report(rulebook.ProbeRequest, where, path, "portcullis.secureTransport is x-forwarded-proto, and the client's own X-Forwarded-Proto arrived")
	}
	if sum := sha256.Sum256(probeBody()); s.body && !bytes.Equal(sum[:], a.BodySHA256) {
		p.Report(rulebook.ProbeBody, where, path, "a body of %d bytes arrived as %d bytes (%s)", len(probeBody()), a.BodyBytes, a.Body)
	}
	p.comparedWithConfig(s, a)
}

func sameLines(sent []string, arrived [][]byte) bool {
	return slices.EqualFunc(sent, arrived, func(a string, b []byte) bool { return a == string(b) })
}

// comparedWithConfig compares the context extensions with the stage of portcullis.yaml that host and path lead to.
func (p *probing) comparedWithConfig(s sending, a *probe.Answer) {
	if p.expected == nil {
		return
	}
	for _, st := range p.expected.ByName[stages.HostOf(s.host)] {
		if st.Base != "" && s.path != st.Base && !strings.HasPrefix(s.path, st.Base+"/") {
			continue
		}
		want := map[string]string{"portcullis.api": st.API, "portcullis.stage": st.Name}
		if _, set := a.Extensions["portcullis.basePath"]; set {
			want["portcullis.basePath"] = st.BasePath()
		}
		for _, name := range dump.SortedKeys(want) {
			if got, set := a.Extensions[name]; set && got != want[name] {
				p.Report(rulebook.ProbeAPI, s.route.Where, s.route.Path, "%s is %q, and portcullis.yaml has %q for %s", name, got, want[name], s.host+st.Base)
			}
		}
		return
	}
}
