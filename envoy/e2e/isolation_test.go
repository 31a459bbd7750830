package e2e

import (
	"bufio"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// trouble is a configuration in which everything hangs that can, beside an API that is well.
type trouble struct {
	// functions and issuers are how many APIs have a function that hangs, and an issuer.
	functions, issuers int
	hanging            *httptest.Server
	redis              net.Listener
	key                *rsa.PrivateKey
}

// newTrouble starts what hangs until the test ends: functions, issuers that answer once, and a Redis that accepts connections.
func newTrouble(t *testing.T, functions, issuers int) *trouble {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &trouble{functions: functions, issuers: issuers, key: key}
	var mu sync.Mutex
	fetched := map[string]bool{}
	ended := make(chan struct{})
	c.hanging = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		first := !fetched[r.URL.Path]
		fetched[r.URL.Path] = true
		mu.Unlock()
		if first && strings.HasPrefix(r.URL.Path, "/keys/") {
			_, _ = io.WriteString(w, c.keySet())
			return
		}
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	t.Cleanup(c.hanging.Close)
	t.Cleanup(func() { close(ended) })
	if c.redis, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.redis.Close() })
	return c
}

func (c *trouble) keySet() string {
	n := base64.RawURLEncoding.EncodeToString(c.key.N.Bytes())
	return `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","e":"AQAB","n":"` + n + `"}]}`
}

// token is one of an issuer, signed by the issuer's key whatever its kid says.
func (c *trouble) token(t *testing.T, issuer, kid string) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now().Unix()
	text := part(map[string]any{"alg": "RS256", "kid": kid}) + "." +
		part(map[string]any{"iss": issuer, "aud": "pets", "sub": "ann", "iat": now - 60, "exp": now + 3600})
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, c.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// setup is the stack. The function at well answers at once.
func (c *trouble) setup(well string, flags ...string) setup {
	const api = "  - id: %s\n    account: \"111122223333\"\n    region: eu-west-1\n    stages: [{name: %s, domains: [%s.example.com]}]\n"
	var apis, functions, issuers strings.Builder
	fmt.Fprintf(&apis, api, "a1b2c3d4e5", "prod", "well")
	apis.WriteString(`    authorizers:
      partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:well"}}
      staff: {jwt: {issuers: [{issuer: "https://well.example.com/", audiences: [pets]}]}}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /function, authorizer: partners}
      - {route: GET /token, authorizer: staff}
      - {route: POST /signed, authorization: AWS_IAM}
`)
	fmt.Fprintf(&functions, "  \"arn:aws:lambda:eu-west-1:111122223333:function:well\": {url: %q}\n", well)
	issuers.WriteString("  \"https://well.example.com/\": {file: jwks.json}\n")
	for i := range c.functions {
		arn := fmt.Sprintf("arn:aws:lambda:eu-west-1:111122223333:function:hangs%d", i)
		name := fmt.Sprintf("rest%d", i)
		if i%2 == 0 {
			fmt.Fprintf(&apis, api, fmt.Sprintf("rest%06d", i), "prod", name)
			fmt.Fprintf(&apis, `    authorizers: {partners: {lambda: {type: TOKEN, function: %q, timeout: 20s, resultTtl: %ds}}}
    routes: [{route: GET /slow, authorizer: partners}, {route: POST /upload, authorizer: partners}, {route: POST /signed, authorization: AWS_IAM}]
`, arn, i%4*100)
		} else {
			name = fmt.Sprintf("http%d", i)
			fmt.Fprintf(&apis, api, fmt.Sprintf("http%06d", i), "$default", name)
			fmt.Fprintf(&apis, `    kind: HTTP
    authorizers: {partners: {lambda: {type: REQUEST, function: %q, timeout: 20s, identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0"}}}
    routes: [{route: GET /slow, authorizer: partners}]
`, arn)
		}
		fmt.Fprintf(&functions, "  %q: {url: \"%s/function/%d\"}\n", arn, c.hanging.URL, i)
	}
	for i := range c.issuers {
		fmt.Fprintf(&apis, api, fmt.Sprintf("keys%06d", i), "prod", fmt.Sprintf("keys%d", i))
		fmt.Fprintf(&apis, "    authorizers: {staff: {jwt: {issuers: [{issuer: \"%s\", audiences: [pets]}]}}}\n    routes: [{route: GET /token, authorizer: staff}]\n", issuerOf(i))
		fmt.Fprintf(&issuers, "  %q: {jwksUri: \"%s/keys/%d\", timeout: 20s}\n", issuerOf(i), c.hanging.URL, i)
	}
	config := "apis:\n" + apis.String() + "functions:\n" + functions.String() + "issuers:\n" + issuers.String() +
		"cache: {redis: {addresses: [\"" + c.redis.Addr().String() + "\"], key: {value: " + strings.Repeat("ab", 32) + "}}}\n" +
		"iam:\n  accounts: [{file: 111122223333.json}]\n  accessKeys: [{file: access-keys.yaml}]\n"
	return setup{
		config: config, printed: []string{"--timeout", "30s"}, flags: append(flags, "--decision-log=off"), change: roomy,
		files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys(), "jwks.json": c.keySet()},
	}
}

func issuerOf(i int) string { return fmt.Sprintf("https://keys%d.example.com/", i) }

// roomy lets Envoy have as many requests under way as there are, where what is printed sets no bound of its own: Envoy's is 1,024.
func roomy(_, bootstrap string) string {
	if strings.Contains(bootstrap, "circuit_breakers") {
		return bootstrap
	}
	return strings.ReplaceAll(bootstrap, "    connect_timeout: 1s\n",
		"    connect_timeout: 1s\n    circuit_breakers: {thresholds: [{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}]}\n")
}

// flood is many requests that wait, each on a connection of its own.
type flood struct {
	s     *stack
	conns []net.Conn
	all   sync.WaitGroup
	mu    sync.Mutex
	// statuses counts the answers by what was asked for.
	statuses map[string]map[int]int
	answered int
}

// send sends requests without waiting for their answers, in turns of each kind.
func (f *flood) send(t *testing.T, n int, kinds map[string]func(i int) string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(kinds))
	for i := range n {
		kind := names[i%len(names)]
		conn, err := net.Dial("tcp", f.s.addr)
		if err != nil {
			t.Fatal(err)
		}
		f.conns = append(f.conns, conn)
		f.all.Go(func() {
			if _, err := io.WriteString(conn, kinds[kind](i)); err != nil {
				return
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return // ended by the test
			}
			response.Body.Close()
			f.mu.Lock()
			defer f.mu.Unlock()
			f.answered++
			if f.statuses[kind] == nil {
				f.statuses[kind] = map[int]int{}
			}
			f.statuses[kind][response.StatusCode]++
		})
		if i%50 == 0 {
			time.Sleep(10 * time.Millisecond) // both ends of all connections have to share this machine with the probes
		}
	}
}

// waiting is how many have no answer yet.
func (f *flood) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns) - f.answered
}

// counted are the statuses so far, as text.
func (f *flood) counted() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.statuses)
}

func (f *flood) end() {
	for _, conn := range f.conns {
		conn.Close()
	}
	f.all.Wait()
}

// probe asks the API that is well for everything that it has, over and over, and says how long each took. Any other answer than 200 fails.
func (c *trouble) probe(t *testing.T, s *stack, rounds int, name string) (took []time.Duration, wrong int) {
	t.Helper()
	signedBody := by(user(owner, grants), inHeader, "POST", "/signed")
	signedBody.URL = strings.Replace(signedBody.URL, "pets.example.com", "well.example.com", 1)
	signedBody.Body = []byte("x")
	post := to("well.example.com", goClient().mustSign(t, signedBody).wire())
	bearer := "Authorization: Bearer " + c.token(t, "https://well.example.com/", "k1")
	for i := range rounds {
		for _, raw := range []string{
			to("well.example.com", request("GET", "/open")),
			to("well.example.com", request("GET", "/function", shows(fmt.Sprint(name, i)))), // a caller who was not seen before
			to("well.example.com", request("GET", "/function", shows("seen before"))),
			to("well.example.com", request("GET", "/token", bearer)),
			post,
		} {
			begun := time.Now()
			a := s.send(t, raw)
			took = append(took, time.Since(begun))
			if a.status != 200 {
				wrong++
				t.Logf("%s: %d %s", strings.SplitN(raw, "\r\n", 2)[0], a.status, a.body)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	slices.Sort(took)
	return took, wrong
}

// percentile99 is what all but a hundredth took at most.
func percentile99(took []time.Duration) time.Duration { return took[len(took)*99/100-1] }

// TestTroubleIsItsOwn has functions, issuers and a Redis hang while thousands of requests wait for them, with garbage tokens, keys that
// nobody has, and uploads. An API that has nothing to do with it answers as if nothing were the matter.
func TestTroubleIsItsOwn(t *testing.T) {
	envoytest.Long(t)
	for _, tt := range []struct {
		name               string
		functions, issuers int
		checks             int
		flags              []string
	}{
		{"default limits", 5, 5, 4096, nil},
		{"a tenth of the limits, seventy of each", 70, 70, 410, []string{"--max-checks", "410", "--max-message-bytes", "1677721", "--max-body-bytes", "26843545"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			well := newCloud(t, func(w http.ResponseWriter, _ string, event map[string]any) {
				_, _ = io.WriteString(w, policyFor("Allow", arnOf(event)))
			})
			c := newTrouble(t, tt.functions, tt.issuers)
			s := start(t, c.setup(well.URL, tt.flags...))
			baseline, wrong := c.probe(t, s, 20, "before")
			if wrong > 0 {
				t.Fatalf("%d wrong answers before there is any trouble", wrong)
			}
			f := &flood{s: s, statuses: map[string]map[int]int{}}
			defer f.end()
			c.flood(t, f)
			held := c.held(t, s)
			if held > float64(tt.checks*5/8) || held < float64(tt.checks/8) || f.waiting() < tt.checks/8 {
				t.Errorf("%v checks wait of %d at once, %d requests have no answer: %v", held, tt.checks, f.waiting(), f.counted())
			}
			took, wrong := c.probe(t, s, 60, "during")
			// On a machine that has other things to do the probes are slow without any trouble, too.
			limit := 200*time.Millisecond + 3*percentile99(baseline)
			if got := percentile99(took); got > limit || wrong*100 > len(took) {
				t.Errorf("%d of %d probes were answered wrongly, 99 %% within %v, without trouble within %v", wrong, len(took), got, percentile99(baseline))
			}
			t.Logf("99 %% of the probes within %v, without trouble within %v; %v wait, %v", percentile99(took), percentile99(baseline), held, f.counted())
			if bytes := s.metric(t, `portcullis_share_held{share="body_bytes"}`); bytes > 0 {
				t.Errorf("%v bytes of bodies are held", bytes)
			}
			f.end()
			f.check(t)
			eventually(t, "nothing waits any more", func() bool { return c.held(t, s) == 0 })
		})
	}
}

// flood sends 5,000 requests.
func (c *trouble) flood(t *testing.T, f *flood) {
	t.Helper()
	body := strings.Repeat("x", 1<<20)
	upload := "POST /upload HTTP/1.1\r\nHost: rest0.example.com\r\nAuthorization: garbage\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	unknown := make([]string, c.issuers)
	for i := range unknown {
		unknown[i] = to(fmt.Sprintf("keys%d.example.com", i), request("GET", "/token", "Authorization: Bearer "+c.token(t, issuerOf(i), "unknown")))
	}
	slow := func(kind string, first int) func(int) string {
		return func(i int) string {
			n := first + 2*(i/3%((c.functions-first+1)/2)) // REST and HTTP APIs in turns
			token := "garbage"
			if i%2 == 0 {
				token += strconv.Itoa(i)
			}
			return to(fmt.Sprintf("%s%d.example.com", kind, n), request("GET", "/slow", shows(token)))
		}
	}
	f.send(t, 300, map[string]func(int) string{"upload": func(int) string { return upload }})
	f.send(t, 4700, map[string]func(int) string{
		"REST": slow("rest", 0), "HTTP": slow("http", 1),
		"keys": func(i int) string { return unknown[i/3%len(unknown)] },
	})
}

// held is how many checks wait.
func (c *trouble) held(t *testing.T, s *stack) float64 {
	t.Helper()
	return s.metric(t, `portcullis_share_held{share="waiting_for_functions"}`) + s.metric(t, `portcullis_share_held{share="waiting_for_keys"}`)
}

// check looks at what the flood was answered: nothing passed, and each kind has its own refusal.
func (f *flood) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for kind, want := range map[string][]int{"upload": {500}, "REST": {500}, "HTTP": {500, 503}, "keys": {401}} {
		for status, n := range f.statuses[kind] {
			if !slices.Contains(want, status) {
				t.Errorf("%s: %d answers with %d, want %v", kind, n, status, want)
			}
		}
		if last := want[len(want)-1]; f.statuses[kind][last] == 0 {
			t.Errorf("%s: nothing was refused at once with %d: %v", kind, last, f.statuses[kind])
		}
	}
}
