package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// echoed are APIs whose function denies /admin and allows everything else in a policy that names the very method it is asked about. The
// answers are kept.
const echoed = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      door: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 300s}}
    defaultAuthorizer: door
    routes: [{route: "ANY /{proxy+}"}, {route: ANY /admin}, {route: "ANY /things/{id}"}]
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages: [{name: $default, domains: [first.example.com]}]
    authorizers:
      door: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "1.0", resultTtl: 300s}}
    defaultAuthorizer: door
    routes: [{route: $default}, {route: ANY /admin}, {route: "ANY /things/{id}"}]
  - id: c1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages: [{name: $default, domains: [second.example.com]}]
    authorizers:
      door: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0", resultTtl: 300s}}
    defaultAuthorizer: door
    routes: [{route: $default}, {route: ANY /admin}, {route: "ANY /things/{id}"}]
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:door": {url: "URL"}
`

// pathOf is the path that an event tells, in any of its formats.
func pathOf(event map[string]any) string {
	for _, name := range []string{"rawPath", "path"} {
		if path, ok := event[name].(string); ok {
			return path
		}
	}
	parts := strings.SplitN(fmt.Sprint(arnOf(event)), "/", 4)
	return "/" + parts[len(parts)-1]
}

// echoes answers with the ARN that it is asked about. A token with "rebuilt" in it has the function put the ARN together from its parts.
func echoes(w http.ResponseWriter, token string, event map[string]any) {
	arn, effect := fmt.Sprint(arnOf(event)), "Allow"
	if strings.HasSuffix(arn, "/admin") {
		effect = "Deny"
	}
	if strings.Contains(token, "rebuilt") {
		parts := strings.SplitN(arn, "/", 4)
		arn = strings.Join(parts[:3], "/") + pathOf(event)
	}
	if strings.Contains(token, "split") {
		arn = strings.Join(strings.Split(arn, ":")[:6], ":")
	}
	if strings.Contains(token, "cut") {
		arn, _, _ = strings.Cut(arn, ";")
	}
	fmt.Fprint(w, policyFor(effect, arn))
}

// TestAPathThatAFunctionSplitsOpensNoOther has a client send paths that a function cuts off, so that the policy names /admin.
func TestAPathThatAFunctionSplitsOpensNoOther(t *testing.T) {
	t.Parallel()
	f := newCloud(t, echoes)
	hosts := []string{"pets.example.com", "first.example.com", "second.example.com"}
	s := start(t, setup{config: strings.ReplaceAll(echoed, "URL", f.URL), edits: byHost(hosts...)})
	for _, host := range hosts {
		for target, token := range map[string]string{
			"/admin:x": "split-1", "/admin%3Ax": "split-2", "/admin:/x/y": "split-3", "/admin;x": "cut-1", "/admin%3Bx": "cut-2",
		} {
			s.denied(t, s.at(t, host, target, shows(token)), 403)
			s.denied(t, s.at(t, host, "/admin", shows(token)), 403)
		}
		s.allowed(t, s.at(t, host, "/things/7:8", shows("copied-colon")))
		s.allowed(t, s.at(t, host, "/things/7:8", shows("copied-colon")))
		s.allowed(t, s.at(t, host, "/things/7:9", shows("copied-colon")))
	}
}

// TestAClientWritesNoPattern has a client name wildcards and policy variables, for which the function returns a policy, and then ask for
// what the function denies.
func TestAClientWritesNoPattern(t *testing.T) {
	t.Parallel()
	f := newCloud(t, echoes)
	hosts := []string{"pets.example.com", "first.example.com", "second.example.com"}
	s := start(t, setup{config: strings.ReplaceAll(echoed, "URL", f.URL), edits: byHost(hosts...)})
	for _, host := range hosts {
		for i, target := range []string{
			"/*", "/%2A", "/%2a", "/%252A", "/admi%3F", "/adm%3Fn", "/admi%253F", "/ad*", "/things/*", "/things/%2A",
			"/%24%7Baws:UserAgent%7D", "/${aws:UserAgent}", "/$%7Baws:Referer%7D", "/%24{aws:Referer}", "/%2524%257Baws:Referer%257D", "/${*}",
		} {
			for _, how := range []string{"copied", "rebuilt"} {
				headers := []string{shows(fmt.Sprintf("%s-%d", how, i)), "User-Agent: admin", "Referer: admin"}
				s.denied(t, s.at(t, host, target, headers...), 400)
				s.denied(t, s.at(t, host, "/admin", headers...), 403)
			}
		}
		for i, verb := range []string{"*", "G*", "D${aws:UserAgent}E", "DEL%45TE", "DELET$"} {
			token := fmt.Sprintf("copied-method-%d", i)
			fields := h2(verb, host, "/things/1", "authorization", token)
			if a := s.send2(t, fields); a.status == 200 {
				t.Errorf("%s: the method %s passes", host, verb)
			}
			if a := s.send(t, strings.Replace(request(verb, "/things/1", shows(token)), "pets.example.com", host, 1)); a.status == 200 {
				t.Errorf("%s: the method %s passes over HTTP/1.1", host, verb)
			}
			s.upstream.Take()
			s.denied(t, s.at(t, host, "/admin", shows(token)), 403)
		}
		s.passesWithItsOwnPolicy(t, host)
	}
}

// passesWithItsOwnPolicy checks that nothing above is denied by accident: a policy holds for what it names, with a token of its own.
func (s *stack) passesWithItsOwnPolicy(t *testing.T, host string) {
	t.Helper()
	s.allowed(t, s.at(t, host, "/things/1", shows("copied-good")))
	s.allowed(t, s.at(t, host, "/things/1?q=*", shows("copied-good")))
	s.denied(t, s.at(t, host, "/things/2", shows("copied-good")), 403)
	if a := s.send2(t, append(h2("DELETE", host, "/things/1"), hpack.HeaderField{Name: "authorization", Value: "copied-good"})); a.status != 403 {
		t.Errorf("DELETE /things/1 with the policy of GET: %d", a.status)
	}
}
