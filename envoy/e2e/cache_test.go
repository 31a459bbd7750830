package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// remembered are two APIs, one of them with two stages and two authorizers, which all ask one function about one header.
const remembered = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
      - {name: beta, domains: [beta.example.com]}
    authorizers:
      first: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: TTL}}
      second: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 300s}}
      wide: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [method.request.header.Authorization, method.request.querystring.q], resultTtl: 300s}}
      never: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s}}
    routes:
      - {route: GET /a, authorizer: first}
      - {route: GET /b, authorizer: first}
      - {route: GET /second, authorizer: second}
      - {route: GET /wide, authorizer: wide}
      - {route: GET /never, authorizer: never}
      - {route: GET /open, authorization: NONE}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {IpAddress: {aws:SourceIp: 198.51.100.0/24}}}
  - id: c1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [cats.example.com]}]
    authorizers:
      first: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 300s}}
    routes:
      - {route: GET /a, authorizer: first}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:door": {url: "URL"}
`

// rememberedBy is the configuration of a function, with the TTL of the authorizer first.
func rememberedBy(url, ttl string) string {
	return strings.NewReplacer("TTL", ttl, "URL", url).Replace(remembered)
}

// onlyThis allows the very method that it is asked about, and leaves nothing else to chance.
func onlyThis(w http.ResponseWriter, token string, event map[string]any) {
	effect := "Deny"
	if strings.HasPrefix(token, "good") {
		effect = "Allow"
	}
	fmt.Fprint(w, policyFor(effect, arnOf(event)))
}

// TestAnAnswerOpensNothingElse asks for one thing, and then for all others with the same token.
func TestAnAnswerOpensNothingElse(t *testing.T) {
	t.Parallel()
	f := newCloud(t, onlyThis)
	s := start(t, setup{config: rememberedBy(f.URL, "300s"), edits: byHost("pets.example.com", "beta.example.com", "cats.example.com")})
	expect := func(calls int) {
		t.Helper()
		if n := f.take("good"); n != calls {
			t.Errorf("%d calls, want %d", n, calls)
		}
	}
	s.allowed(t, s.get(t, "/a", shows("good")))
	expect(1)
	s.allowed(t, s.get(t, "/a", shows("good")))
	s.allowed(t, s.get(t, "/a?x=1", shows("good"), "X-Other: 1"))
	for _, target := range []string{"/b", "/b/", "//b"} {
		check(t, s, s.get(t, target, shows("good")), 403, "AccessDeniedException", functionSilent)
	}
	expect(0)
	s.denied(t, s.get(t, "/a", shows("Good")), 403)
	s.denied(t, s.get(t, "/a", shows("bad")), 403)
	s.denied(t, s.get(t, "/a"), 401)
	for _, other := range []struct{ host, target string }{
		{"beta.example.com", "/a"}, {"cats.example.com", "/a"}, {"pets.example.com", "/second"}, {"pets.example.com", "/wide?q=1"}, {"pets.example.com", "/wide?q=2"},
		{"pets.example.com", "/wide?q=1&q=2"}, {"pets.example.com", "/wide?q=1%2C2"}, {"pets.example.com", "/never"}, {"pets.example.com", "/never"},
	} {
		s.allowed(t, s.at(t, other.host, other.target, shows("good")))
		expect(1)
	}
	// What was remembered first is still there.
	s.allowed(t, s.get(t, "/a", shows("good")))
	s.allowed(t, s.at(t, "cats.example.com", "/a", shows("good")))
	expect(0)
	// A refusal is remembered as an answer is.
	f.take("bad")
	s.denied(t, s.get(t, "/a", shows("bad")), 403)
	if n := f.take("bad"); n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

// TestAChangedAuthorizerFindsNothing reloads: what changes the authorizer, or what it is told, makes it ask again; nothing else
// does.
func TestAChangedAuthorizerFindsNothing(t *testing.T) {
	t.Parallel()
	f := newCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { fmt.Fprint(w, policyFor("Allow", "*")) })
	g := newCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { fmt.Fprint(w, policyFor("Deny", "*")) })
	base := rememberedBy(f.URL, "300s")
	s := start(t, setup{config: base})
	s.allowed(t, s.get(t, "/a", shows("good")))
	loads := 1.0
	reload := func(config string) {
		t.Helper()
		s.write(t, "portcullis.yaml", config)
		loads++
		eventually(t, "the configuration is read", func() bool { return s.metric(t, `portcullis_reloads_total{result="loaded"}`) >= loads })
	}
	for _, c := range []struct {
		name, config string
		calls        int
	}{
		{"another route", strings.Replace(base, "  - {route: GET /open, authorization: NONE}", "  - {route: GET /open, authorization: NONE}\n      - {route: GET /more, authorizer: first}", 1), 0},
		{"another TTL", rememberedBy(f.URL, "299s"), 1},
		{"a stage variable", strings.Replace(base, "name: prod, domains: [pets.example.com]", "name: prod, domains: [pets.example.com], variables: {alias: live}", 1), 1},
		{"a header for the function", strings.Replace(base, `url: "`+f.URL+`"`, `url: "`+f.URL+`", headers: {x-key: {value: v}}`, 1), 1},
		{"another function", strings.Replace(base, "type: TOKEN, function: \"arn:aws:lambda:eu-west-1:111122223333:function:door\", resultTtl: 300s", "type: TOKEN, function: \"arn:aws:lambda:eu-west-1:111122223333:function:door:live\", resultTtl: 300s", 1) +
			`  "arn:aws:lambda:eu-west-1:111122223333:function:door:live": {url: "` + f.URL + "\"}\n", 1},
	} {
		f.take("good")
		reload(c.config)
		s.allowed(t, s.get(t, "/a", shows("good")))
		if n := f.take("good"); n != c.calls {
			t.Errorf("%s: %d calls, want %d", c.name, n, c.calls)
		}
	}
	// The function's address leads to one that denies: nothing of the old one's Allow is left.
	reload(rememberedBy(g.URL, "300s"))
	for range 3 {
		s.denied(t, s.get(t, "/a", shows("good")), 403)
	}
	if n := g.take("good"); n != 1 {
		t.Errorf("%d calls of the new one, want 1", n)
	}
}

// TestAnAnswerExpires counts calls past the TTL.
func TestAnAnswerExpires(t *testing.T) {
	t.Parallel()
	var allow atomic.Bool
	allow.Store(true)
	f := newCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
		fmt.Fprint(w, policyFor(map[bool]string{true: "Allow", false: "Deny"}[allow.Load()], "*"))
	})
	s := start(t, setup{config: rememberedBy(f.URL, "1s")})
	begun := time.Now()
	s.allowed(t, s.get(t, "/a", shows("good")))
	allow.Store(false)
	eventually(t, "what was remembered expires", func() bool { return s.get(t, "/a", shows("good")).status == 403 })
	if took := time.Since(begun); took < 900*time.Millisecond {
		t.Errorf("it was asked again after %v, want the TTL of 1s", took)
	}
	s.upstream.Take()
	for range 3 {
		s.denied(t, s.get(t, "/never", shows("good")), 403)
	}
	if n := f.take("good"); n != 2+3 {
		t.Errorf("%d calls, want 2, and 3 where nothing is remembered", n)
	}
}

// TestAThousandAtOnce has as many clients show one token for the first time.
func TestAThousandAtOnce(t *testing.T) {
	t.Parallel()
	const clients = 1000
	let := make(chan struct{})
	f := newCloud(t, func(w http.ResponseWriter, token string, e map[string]any) {
		<-let
		onlyThis(w, token, e)
	})
	s := start(t, setup{config: rememberedBy(f.URL, "300s")})
	var statuses [600]atomic.Int64
	var all sync.WaitGroup
	var sent atomic.Int64
	for i := range clients {
		// Half of them ask for what the answer does not allow.
		target := []string{"/a", "/b"}[i%2]
		if i == 0 {
			all.Go(func() { statuses[quick(s.addr, target, "good", &sent)].Add(1) })
			eventually(t, "the function is asked", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.calls["good"] == 1 })
			continue
		}
		all.Go(func() { statuses[quick(s.addr, target, "good", &sent)].Add(1) })
	}
	eventually(t, "all have asked", func() bool { return sent.Load() == clients })
	time.Sleep(200 * time.Millisecond) // on their way through Envoy
	close(let)
	all.Wait()
	if allowed, denied := statuses[200].Load(), statuses[403].Load(); allowed != clients/2 || denied != clients/2 {
		t.Errorf("%d were allowed and %d denied, want %d each", allowed, denied, clients/2)
	}
	if n := f.take("good"); n != 1 {
		t.Errorf("%d calls, want one", n)
	}
	if seen := s.upstream.Take(); len(seen) != clients/2 {
		t.Errorf("the upstream saw %d requests, want %d", len(seen), clients/2)
	}
}

// quick sends a GET request and returns the status of the answer, 0 where there is none.
func quick(addr, target, token string, sent *atomic.Int64) int {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		sent.Add(1)
		return 0
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c, request("GET", target, shows(token), "Connection: close"))
	sent.Add(1)
	if err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestARememberedAnswerAndAnAddress has a resource policy deny an address whose token is known, and never ask about it.
func TestARememberedAnswerAndAnAddress(t *testing.T) {
	t.Parallel()
	f := newCloud(t, onlyThis)
	trusted := "clientAddress: {trustedProxies: [" + strings.Join(append(ownAddresses(t), "127.0.0.0/8"), ", ") + "]}\n"
	s := start(t, setup{config: rememberedBy(f.URL, "300s") + trusted})
	const friend, foe = "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.7"
	s.allowed(t, s.get(t, "/a", shows("good"), friend))
	for _, token := range []string{"good", "good-and-new", "bad"} {
		a := s.get(t, "/a", shows(token), foe)
		s.denied(t, a, 403)
		if !strings.Contains(a.body, "with an explicit deny in a resource-based policy") {
			t.Errorf("body %s", a.body)
		}
	}
	s.allowed(t, s.get(t, "/a", shows("good"), friend))
	if good, others := f.take("good"), f.take("good-and-new")+f.take("bad"); good != 1 || others != 0 {
		t.Errorf("%d calls for the friend and %d for the foe, want one and none", good, others)
	}
}
