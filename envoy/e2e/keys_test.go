package e2e

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// jwtAPI is an API with an open route and one for each authorizer, all of which take the audience pets: by name, the authorizers'
// issuers.
func jwtAPI(issuers map[string]string, entries string) string {
	var authorizers, routes strings.Builder
	for name, issuer := range issuers {
		fmt.Fprintf(&authorizers, "      %s: {jwt: {issuer: %q, audiences: [pets]}}\n", name, issuer)
		fmt.Fprintf(&routes, "      - {route: GET /%s, authorizer: %s}\n", name, name)
	}
	if entries != "" {
		entries = "issuers:\n" + entries
	}
	return `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    authorizers:
` + authorizers.String() + `    routes:
      - {route: GET /open, authorization: NONE}
` + routes.String() + entries
}

// fetches counts the fetches of an issuer's keys by what came of them.
func (s *stack) fetches(t *testing.T, issuer string, results ...string) (n int) {
	t.Helper()
	for _, result := range results {
		n += int(s.metric(t, fmt.Sprintf("portcullis_jwks_fetches_total{issuer=%q,result=%q}", issuer, result)))
	}
	return n
}

// An issuer that is down when portcullis starts costs its own routes an answer, until it comes.
func TestIssuerIsDownAtFirst(t *testing.T) {
	t.Parallel()
	p := envoytest.StartOIDCProvider(t, "")
	token := p.Token(t, envoytest.TokenRequest{Audience: "pets"})
	own := newSigner(t)
	p.Kill()
	s := start(t, setup{
		config: jwtAPI(map[string]string{"late": p.Issuer, "own": ownIssuer}, fmt.Sprintf("  %q: {file: keys.json}\n", ownIssuer)),
		files:  map[string]string{"keys.json": own.set},
	})
	if log := s.portcullis.Stderr(); !strings.Contains(log, "cannot be fetched: its routes answer 500 until they are") || strings.Contains(log, "last good fetch") {
		t.Errorf("the log of an issuer that never answered:\n%s", log)
	}
	s.takes(t, ask("/open"))
	s.takes(t, ask("/own", bearer(own.sign(t, own.header, fmt.Sprintf(`{"iss":%q,"aud":"pets","exp":9999999999}`, ownIssuer)))))
	s.refuses(t, ask("/late", bearer(token)), 500, "AuthorizerFailureException", authorizerFailed)
	// What is the client's fault is no outage.
	for _, headers := range [][]string{nil, {bearer("x")}, {bearer(own.sign(t, own.header, "{}"))}} {
		s.isUnauthorized(t, ask("/late", headers...))
	}
	if age := s.metric(t, fmt.Sprintf("portcullis_jwks_keys{issuer=%q}", p.Issuer)); age != 0 {
		t.Errorf("%v keys", age)
	}
	p.Restart(t)
	eventually(t, "the keys have come", func() bool {
		a := s.get(t, "/late", bearer(token))
		if a.status != http.StatusOK {
			check(t, s, a, 500, "AuthorizerFailureException", authorizerFailed)
		}
		s.upstream.Take()
		return a.status == http.StatusOK
	})
	s.takes(t, ask("/late", bearer(token)))
}

// The keys that were fetched stay in use, for every answer of the issuer and without one.
func TestIssuerFails(t *testing.T) {
	t.Parallel()
	p := envoytest.StartOIDCProvider(t, "")
	faults := map[string]envoytest.Fault{
		"error": envoytest.FaultError, "html": envoytest.FaultHTML, "large": envoytest.FaultLarge, "empty": envoytest.FaultEmpty,
		"without": envoytest.FaultWithout, "hang": envoytest.FaultHang, "slow": "", "redirect": envoytest.FaultRedirect,
	}
	names, entries := map[string]string{"found": p.Issuer}, ""
	for name := range faults {
		names[name] = "https://" + name + ".example.com"
		entries += fmt.Sprintf("  %q: {jwksUri: %q, timeout: 2s}\n", names[name], p.JWKS+"?"+name)
	}
	s := start(t, setup{config: jwtAPI(names, entries)})
	tokens := map[string]string{}
	for name, issuer := range names {
		tokens[name] = p.Token(t, envoytest.TokenRequest{Alg: "ES256", Audience: "pets", Claims: map[string]any{"iss": issuer}})
		eventually(t, "keys of "+name, func() bool { return s.get(t, "/"+name, bearer(tokens[name])).status == http.StatusOK })
	}
	s.upstream.Take()
	for name, fault := range faults {
		p.Misbehave(t, envoytest.AtKeys+"?"+name, fault)
	}
	p.Delay(t, envoytest.AtKeys+"?slow", time.Second)
	p.Misbehave(t, envoytest.AtDiscovery, envoytest.FaultOther)

	s.askForAnotherKey(t, p, names, tokens)
	for name, results := range map[string][]string{
		"found": {"refused"}, "error": {"refused"}, "html": {"refused"}, "large": {"refused"}, "empty": {"empty"}, "without": {"empty"},
		"hang": {"unreachable"}, "slow": {"unchanged"}, "redirect": {"unchanged"},
	} {
		if s.fetches(t, names[name], results...) == 0 {
			t.Errorf("%s: no fetch ended so: %v", name, results)
		}
	}
	p.Kill()
	for name := range names {
		s.takes(t, ask("/"+name, bearer(tokens[name])))
		second := withPayload(tokens[name], `{"iss":"`+names[name]+`","aud":"pets","exp":9999999999}`)
		s.refusesSoon(t, ask("/"+name, bearer(second)))
	}
}

// askForAnotherKey has every issuer's keys fetched, by tokens with keys that nobody knows, while good tokens keep passing.
func (s *stack) askForAnotherKey(t *testing.T, p *envoytest.OIDCProvider, names, tokens map[string]string) {
	t.Helper()
	var unknown []asked
	for name := range names {
		unknown = append(unknown, ask("/"+name, bearer(withHeader(t, tokens[name], map[string]any{"kid": "unknown"}, nil))))
	}
	done := make(chan struct{})
	var failures atomic.Int64
	var senders sync.WaitGroup
	for name := range names {
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(50 * time.Millisecond):
					if status := s.status("/"+name, tokens[name]); status != http.StatusOK {
						failures.Add(1)
					}
				}
			}
		})
	}
	var asking sync.WaitGroup
	for _, r := range unknown {
		asking.Go(func() {
			if c, err := net.Dial("tcp", s.addr); err == nil {
				if a, err := converse(c, r.wire()); err != nil || a.status != 401 {
					t.Errorf("%s: %d %s, %v", r.target, a.status, a.body, err)
				}
			}
		})
	}
	asking.Wait()
	close(done)
	senders.Wait()
	s.upstream.Take()
	if n := failures.Load(); n != 0 {
		t.Errorf("%d good tokens were refused", n)
	}
}

// refusesSoon fails unless a request is answered with 401.
func (s *stack) refusesSoon(t *testing.T, r asked) {
	t.Helper()
	check(t, s, s.send(t, r.wire()), 401, unauthorizedException, unauthorized)
}

// status asks with a token from any goroutine; 0 is a failure to ask.
func (s *stack) status(target, token string) int {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return 0
	}
	a, err := converse(c, ask(target, bearer(token)).wire())
	if err != nil {
		return 0
	}
	return a.status
}

// load is requests that never stop, each of which has to pass.
type load struct {
	token    atomic.Pointer[string]
	passed   atomic.Int64
	refused  atomic.Int64
	stop     context.Context
	cancel   context.CancelFunc
	requests sync.WaitGroup
}

func (s *stack) load(t *testing.T, target, token string) *load {
	t.Helper()
	l := &load{}
	l.stop, l.cancel = context.WithCancel(t.Context()) // which ends before Envoy is stopped
	t.Cleanup(l.cancel)
	l.token.Store(&token)
	l.requests.Go(func() {
		for {
			select {
			case <-l.stop.Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
			if s.status(target, *l.token.Load()) == http.StatusOK {
				l.passed.Add(1)
			} else {
				l.refused.Add(1)
			}
		}
	})
	return l
}

// next has the requests come with another token, and waits until some have.
func (l *load) next(t *testing.T, token string) {
	t.Helper()
	l.token.Store(&token)
	before := l.passed.Load()
	eventually(t, "requests pass", func() bool { return l.passed.Load() >= before+20 || l.refused.Load() > 0 })
}

func (l *load) end(t *testing.T) {
	t.Helper()
	l.cancel()
	l.requests.Wait()
	if n := l.refused.Load(); n != 0 {
		t.Errorf("%d of %d valid tokens were refused", n, n+l.passed.Load())
	}
}

// While keys rotate, no valid token is refused; and no token of a key that has left the set passes once that is known.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	p := envoytest.StartOIDCProvider(t, "")
	s := start(t, setup{config: jwtAPI(map[string]string{"pets": p.Issuer}, "")})
	request := func(alg string) envoytest.TokenRequest { return envoytest.TokenRequest{Alg: alg, Audience: "pets"} }
	old := map[string]string{"RS256": p.Token(t, request("RS256")), "ES256": p.Token(t, request("ES256"))}
	eventually(t, "the keys are there", func() bool { return s.status("/pets", old["RS256"]) == http.StatusOK })
	loads := map[string]*load{}
	for alg, token := range old {
		loads[alg] = s.load(t, "/pets", token)
	}
	for range 2 {
		p.Rotate(t)
		young := map[string]string{}
		for alg, l := range loads {
			l.next(t, old[alg]) // the old key is still in the set
			young[alg] = p.Token(t, request(alg))
			l.next(t, young[alg])
			if s.status("/pets", old[alg]) != http.StatusOK {
				t.Errorf("%s: the old key is still in the set, and its token is refused", alg)
			}
		}
		p.Retire(t)
		// It is answered when the next fetch has ended: from then on the set is known to lack the old keys.
		s.refusesInLoad(t, withHeader(t, old["ES256"], map[string]any{"kid": "unknown"}, nil))
		// Each waits for a fetch that could have brought its key back.
		var revoked sync.WaitGroup
		for alg := range loads {
			for range 10 {
				revoked.Go(func() { s.refusesInLoad(t, old[alg]) })
			}
		}
		revoked.Wait()
		old = young
	}
	for _, l := range loads {
		l.end(t)
	}
	if n := s.fetches(t, p.Issuer, "changed"); n < 5 {
		t.Errorf("the keys have changed %d times, want 5", n)
	}
	if keys := s.metric(t, fmt.Sprintf("portcullis_jwks_keys{issuer=%q}", p.Issuer)); keys != 4 {
		t.Errorf("%v keys, want 4", keys)
	}
}

// A set may list one key under one kid once for each algorithm, from a file and by HTTP. A key is good for the algorithms that its
// entries name.
func TestOneKeyUnderSeveralAlgorithms(t *testing.T) {
	t.Parallel()
	own := newSigner(t)
	entry := strings.TrimSuffix(strings.TrimPrefix(own.set, `{"keys":[`), `]}`)
	says := func(alg string) string { return strings.Replace(entry, `"use"`, fmt.Sprintf(`"alg":%q,"use"`, alg), 1) }
	set := `{"keys":[` + says("RS256") + "," + says("RS384") + "," + says("RS512") + `]}`
	const another = "https://another.example.com/"
	jwks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, set) }))
	t.Cleanup(jwks.Close)
	s := start(t, setup{
		config: jwtAPI(map[string]string{"file": ownIssuer, "http": another, "one": "https://one.example.com/"},
			fmt.Sprintf("  %q: {file: keys.json}\n  %q: {jwksUri: %q}\n  %q: {file: one.json}\n", ownIssuer, another, jwks.URL, "https://one.example.com/")),
		files: map[string]string{"keys.json": set, "one.json": `{"keys":[` + says("RS384") + `]}`},
	})
	for _, c := range []struct{ route, issuer string }{{"/file", ownIssuer}, {"/http", another}, {"/one", "https://one.example.com/"}} {
		for alg, hash := range map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512} {
			token := own.signAs(t, hash, fmt.Sprintf(`{"alg":%q,"kid":"own"}`, alg), fmt.Sprintf(`{"iss":%q,"aud":"pets","exp":9999999999}`, c.issuer))
			want := 200
			if c.route == "/one" && alg != "RS384" {
				want = 401
			}
			if status := s.status(c.route, token); status != want {
				t.Errorf("%s, %s: status %d, want %d", c.route, alg, status, want)
			}
		}
	}
}

// refusesInLoad fails unless a token is answered with 401, from any goroutine.
func (s *stack) refusesInLoad(t *testing.T, token string) {
	t.Helper()
	if status := s.status("/pets", token); status != 401 {
		t.Errorf("status %d, want 401", status)
	}
}

// Waiting for keys ends in portcullis' own answer, which is there before Envoy gives up: 401 for a key that nobody knows, 500 where
// there are no keys at all.
func TestEnvoyIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	p, silent := envoytest.StartOIDCProvider(t, ""), envoytest.StartOIDCProvider(t, "https://silent.example.com")
	silent.Misbehave(t, envoytest.AtKeys, envoytest.FaultHang)
	s := start(t, setup{
		config:  jwtAPI(map[string]string{"pets": p.Issuer, "silent": silent.Issuer}, keysOf(silent.Issuer, silent.JWKS)),
		edits:   []envoytest.Edit{{Old: "{cluster_name: portcullis}\n                timeout: 1s", New: "{cluster_name: portcullis}\n                timeout: 2s"}},
		hurried: true,
	})
	token := p.Token(t, envoytest.TokenRequest{Audience: "pets"})
	eventually(t, "the keys are there", func() bool { return s.status("/pets", token) == http.StatusOK })
	unknown := withHeader(t, token, map[string]any{"kid": "unknown"}, nil)
	// On a machine that has other things to do Envoy gives up sometimes. It always would if portcullis waited to the end.
	waited := func(target, token string, want int) func() bool {
		return func() bool {
			begun := time.Now()
			return s.status(target, token) == want && time.Since(begun) > time.Second
		}
	}
	eventually(t, "a key that nobody knows was waited for, and is answered with 401", waited("/pets", unknown, 401))
	eventually(t, "the first keys were waited for, and are answered with 500", waited("/silent", silent.Token(t, envoytest.TokenRequest{Audience: "pets"}), 500))
	if seen := s.upstream.Take(); len(seen) != 1 {
		t.Errorf("the upstream saw %d requests, want the one with a known key", len(seen))
	}
}

// The issuer is gone, and comes back to a portcullis that has started meanwhile from nothing: without keys nothing passes.
func TestPortcullisRestartsWithoutTheIssuer(t *testing.T) {
	t.Parallel()
	p := envoytest.StartOIDCProvider(t, "")
	s := start(t, setup{config: jwtAPI(map[string]string{"pets": p.Issuer}, "")})
	token := p.Token(t, envoytest.TokenRequest{Audience: "pets"})
	eventually(t, "the keys are there", func() bool { return s.status("/pets", token) == http.StatusOK })
	p.Kill()
	s.upstream.Take()
	s.takes(t, ask("/pets", bearer(token)))

	s.portcullis.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	back, err := envoytest.StartPortcullis(ctx, portcullis(t), filepath.Join(s.dir, "portcullis.yaml"), s.portcullis.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	s.portcullis = back
	eventually(t, "Envoy is connected again", func() bool { return s.get(t, "/open").status == http.StatusOK })
	s.upstream.Take()
	s.refuses(t, ask("/pets", bearer(token)), 500, "AuthorizerFailureException", authorizerFailed)
}

// A configuration that changes an authorizer stops the tokens that it no longer takes with the first request after it. Keys of an
// issuer that stays are not fetched again.
func TestAuthorizerChanges(t *testing.T) {
	t.Parallel()
	p := envoytest.StartOIDCProvider(t, "")
	config := func(audience, pool string) string {
		return fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    authorizers:
      staff: {jwt: {issuer: %q, audiences: [%s]}}
      shop: {cognito: {userPools: [%q]}}
    routes:
      - {route: GET /staff, authorizer: staff}
      - {route: GET /shop, authorizer: shop}
issuers:
  "%[4]s/%[5]s": {jwksUri: "%[6]s?shop"}
  "%[4]s/%[7]s": {jwksUri: "%[6]s?other"}
`, p.Issuer, audience, poolARN(pool), poolIssuers, shopPool, p.JWKS, otherPool)
	}
	s := start(t, setup{config: config("pets", shopPool)})
	staff := p.Token(t, envoytest.TokenRequest{Audience: "pets"})
	token := func(pool string) string {
		return p.Token(t, envoytest.TokenRequest{Audience: "client", Claims: map[string]any{"iss": poolIssuers + "/" + pool, "token_use": "id"}})
	}
	shop, other := token(shopPool), token(otherPool)
	eventually(t, "the keys are there", func() bool {
		return s.status("/staff", staff) == http.StatusOK && s.status("/shop", shop) == http.StatusOK
	})
	s.upstream.Take()
	reload := func(audience, pool string) {
		t.Helper()
		before := s.metric(t, `portcullis_reloads_total{result="loaded"}`)
		s.write(t, "portcullis.yaml", config(audience, pool))
		eventually(t, "the configuration is read", func() bool { return s.metric(t, `portcullis_reloads_total{result="loaded"}`) == before+1 })
	}
	s.takes(t, ask("/staff", bearer(staff)))
	if hits := s.metric(t, `portcullis_cache_hits_total{cache="tokens"}`); hits == 0 {
		t.Error("no token was remembered")
	}
	_, fetched := p.Fetches(t)

	reload("cats", shopPool)
	s.isUnauthorized(t, ask("/staff", bearer(staff)))
	s.takes(t, ask("/shop", bearer(shop)))
	s.takes(t, ask("/staff", bearer(p.Token(t, envoytest.TokenRequest{Audience: "cats"}))))
	if _, keys := p.Fetches(t); keys != fetched {
		t.Errorf("the keys were fetched %d times more", keys-fetched)
	}

	reload("pets", otherPool)
	s.isUnauthorized(t, ask("/shop", bearer(shop)))
	s.takes(t, ask("/staff", bearer(staff)))
	eventually(t, "the other pool's keys are there", func() bool { return s.status("/shop", other) == http.StatusOK })
	s.upstream.Take()
	s.isUnauthorized(t, ask("/shop", bearer(shop)))
	if _, keys := p.Fetches(t); keys != fetched+1 {
		t.Errorf("the keys were fetched %d times more, want once", keys-fetched)
	}
	s.unknownMetricsAreNotThere(t)
}

// unknownMetricsAreNotThere keeps the tests honest that read a number of what has not happened.
func (s *stack) unknownMetricsAreNotThere(t *testing.T) {
	t.Helper()
	resp, err := http.Get("http://" + s.portcullis.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"portcullis_jwks_age_seconds", "portcullis_jwks_keys", "portcullis_jwks_fetches_total", `portcullis_cache_hits_total{cache="tokens"}`} {
		if !strings.Contains(string(text), "\n"+name) {
			t.Errorf("there is no metric %s", name)
		}
	}
}
