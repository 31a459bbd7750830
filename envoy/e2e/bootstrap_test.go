package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// everything is a configuration with all that Envoy has to be told: signed routes among open ones, base paths, two APIs on one
// host, the default endpoint, a private API.
const everything = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com, api.example.com/pets]}
      - {name: beta, domains: [api.example.com/pets/beta]}
    upstreamHeaders: {x-caller: $context.identity.userArn, x-route: $context.resourcePath, x-stage: $context.stage, x-api: $context.apiId}
    routes:
      - {route: GET /health, authorization: NONE}
      - {route: "GET /pets/{petId}", authorization: NONE}
      - {route: GET /pets/mine, authorization: AWS_IAM}
      - {route: "GET /pets/a@b", authorization: AWS_IAM}
      - {route: "ANY /pets/{petId}", authorization: AWS_IAM}
      - {route: "POST /uploads/{proxy+}", authorization: NONE}
      - {route: "ANY /{proxy+}", authorization: AWS_IAM}
  - id: "1234567890"
    account: "111122223333"
    region: eu-west-1
    executeApiEndpoint: true
    stages:
      - {name: "1", domains: [api.example.com, cats.example.com, "[::1]"]}
    upstreamHeaders: {x-api: $context.apiId}
    routes:
      - {route: GET /cats, authorization: NONE}
  - id: http000000
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    executeApiEndpoint: true
    stages:
      - {name: $default, domains: [http.example.com]}
      - {name: beta}
    upstreamHeaders: {x-api: $context.apiId, x-stage: $context.stage}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: $default, authorization: AWS_IAM}
  - id: prv0000000
    account: "111122223333"
    region: eu-west-1
    endpoint: PRIVATE
    executeApiEndpoint: true
    stages:
      - {name: prod, domains: [private.example.com]}
    upstreamHeaders: {x-vpce: $context.identity.vpceId, x-api: $context.apiId}
    routes:
      - {route: GET /pets, authorization: NONE}
      - {route: ANY /signed, authorization: AWS_IAM}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {StringNotEquals: {aws:SourceVpce: vpce-1a2b3c4d}}}
vpcEndpoints:
  - {id: vpce-1a2b3c4d, vpc: vpc-1a2b3c4d, networks: [10.1.0.0/16], listeners: [internal]}
iam:
  accounts: [{file: 111122223333.json}]
  accessKeys: [{file: access-keys.yaml}]
`

// upstreamsOfEverything give the stages that share a host upstreams of their own.
func upstreamsOfEverything() []string {
	return []string{"--upstream", "a1b2c3d4e5/beta=another", "--upstream", "1234567890=another", "--upstream", "http000000/beta=another"}
}

// fromEverything is a stack with what portcullis envoy prints for everything.
func fromEverything(flags ...string) setup {
	return setup{
		printed: slices.Concat([]string{"--private-listen", "127.0.0.1:0"}, upstreamsOfEverything(), flags), config: everything,
		files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
	}
}

// ownKeys are the access keys of the owner's principals.
func ownKeys() string {
	var b strings.Builder
	for line := range strings.Lines(accessKeys()) {
		if !strings.Contains(line, other) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// to is a request for another host.
func to(host, raw string) string { return strings.Replace(raw, "pets.example.com", host, 1) }

// from sends a GET request for a host.
func (s *stack) from(t *testing.T, host, target string) answer {
	t.Helper()
	return s.send(t, to(host, request("GET", target)))
}

// private is the stack seen from the listener of private APIs.
func (s *stack) private(t *testing.T) *stack {
	t.Helper()
	other := *s
	var err error
	if other.addr, err = s.envoy.Listener(t.Context(), "private"); err != nil {
		t.Fatal(err)
	}
	return &other
}

// sees fails unless the request is allowed, and the upstream was told each of the headers.
func (s *stack) sees(t *testing.T, a answer, headers ...string) envoytest.Seen {
	t.Helper()
	seen := s.allowed(t, a)
	for _, want := range headers {
		name, value, _ := strings.Cut(want, ": ")
		if got := strings.Join(seen.Header(name), ","); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	return seen
}

// seesPath is sees with the path that the upstream gets.
func (s *stack) seesPath(t *testing.T, target string, a answer, headers ...string) {
	t.Helper()
	if seen := s.sees(t, a, headers...); seen.Target != target {
		t.Errorf("the upstream saw %s, want %s", seen.Target, target)
	}
}

func TestPrintedBootstrap(t *testing.T) {
	t.Parallel()
	s := start(t, fromEverything())
	alice := user(owner, grants)
	t.Run("NONE", func(t *testing.T) {
		s.sees(t, s.get(t, "/health"), "x-api: a1b2c3d4e5", "x-stage: prod")
		s.seesPath(t, "/health", s.from(t, "api.example.com", "/pets/health"), "x-api: a1b2c3d4e5", "x-stage: prod")
		s.seesPath(t, "/health?x=/pets", s.from(t, "api.example.com", "/pets/beta/health?x=/pets"), "x-api: a1b2c3d4e5", "x-stage: beta")
		s.sees(t, s.from(t, "api.example.com:8080", "/cats"), "x-api: 1234567890")
		s.sees(t, s.from(t, "[::1]:8080", "/cats"), "x-api: 1234567890")
		s.sees(t, s.from(t, "Cats.EXAMPLE.com", "/cats"), "x-api: 1234567890")
		s.seesPath(t, "/cats", s.from(t, "1234567890.execute-api.eu-west-1.amazonaws.com", "/1/cats"), "x-api: 1234567890")
	})
	t.Run("no such place", func(t *testing.T) {
		for host, target := range map[string]string{
			"unknown.example.com": "/health", "private.example.com": "/pets", "api.example.com": "/petsx/health", "cats.example.com": "/health",
			"1234567890.execute-api.eu-west-1.amazonaws.com": "/2/cats", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com": "/prod/health", "pets.example.com.evil.example": "/health",
		} {
			s.denied(t, s.from(t, host, target), 403)
		}
		check(t, s, s.from(t, "1234567890.execute-api.eu-west-1.amazonaws.com", "/2/cats"), 403, "ForbiddenException", forbidden)
	})
	t.Run("HTTP API", func(t *testing.T) {
		const endpoint = "http000000.execute-api.eu-west-1.amazonaws.com"
		s.sees(t, s.from(t, "http.example.com", "/open"), "x-api: http000000", "x-stage: $default")
		s.sees(t, s.from(t, endpoint, "/open"), "x-api: http000000", "x-stage: $default")
		s.seesPath(t, "/open", s.from(t, endpoint, "/beta/open"), "x-api: http000000", "x-stage: beta")
		for _, target := range []string{"/other", "/beta/other"} {
			s.denied(t, s.from(t, endpoint, target), 403)
		}
	})
	t.Run("AWS_IAM", func(t *testing.T) {
		for _, m := range []mode{inHeader, presigned} {
			s.sees(t, s.send11(t, goClient().mustSign(t, by(alice, m, "GET", "/pets/mine"))), "x-caller: "+alice.arn, "x-route: /pets/mine")
			withBody := by(alice, m, "POST", "/pets/7")
			withBody.Body = everyByte()
			r := goClient().mustSign(t, withBody)
			if seen := s.sees(t, s.send11(t, r), "x-caller: "+alice.arn); seen.Body != string(withBody.Body) {
				t.Errorf("the upstream saw a body of %d bytes", len(seen.Body))
			}
			s.sees(t, s.send20(t, r), "x-caller: "+alice.arn)
			check(t, s, s.send11(t, r.body(strings.Repeat("x", 256))), 403, invalidSignature, mismatch)
		}
		for _, target := range []string{"/pets/mine", "/pets/mine/", "/pets/a@b", "/pets/a%40b", "/pets/a%40b/", "/", "/uploads", "/uploads/", "/elsewhere/7"} {
			a := s.get(t, target)
			s.denied(t, a, 403)
			if a.header.Get("x-amzn-ErrorType") != "MissingAuthenticationTokenException" {
				t.Errorf("%s: %+v", target, a)
			}
		}
	})
	t.Run("AWS_IAM below a base path", func(t *testing.T) {
		for _, m := range []mode{inHeader, presigned} {
			r := by(alice, m, "GET", "/pets/pets/mine")
			r.URL = strings.Replace(r.URL, "pets.example.com", "api.example.com", 1)
			seen := s.sees(t, s.send(t, to("api.example.com", goClient().mustSign(t, r).wire())), "x-caller: "+alice.arn, "x-route: /pets/mine")
			if path, _, _ := strings.Cut(seen.Target, "?"); path != "/pets/mine" || strings.Contains(strings.Join(append(seen.Headers, seen.Target), "\n"), "X-Amz-Signature") {
				t.Errorf("the upstream saw %+v", seen)
			}
		}
	})
	t.Run("every way to write a signed route is buffered", func(t *testing.T) {
		for _, r := range []*toSign{by(alice, inHeader, "GET", "/pets/a%40b"), by(alice, inHeader, "GET", "/pets/mine/"), by(alice, inHeader, "POST", "/uploads/"), by(alice, inHeader, "PUT", "/uploads/x")} {
			s.sees(t, s.send11(t, goClient().mustSign(t, r)), "x-caller: "+alice.arn)
		}
	})
	t.Run("a body that nobody signed", func(t *testing.T) {
		for _, target := range []string{"/pets/7", "/uploads", "/uploads/", "/pets/mine/"} {
			empty := goClient().mustSign(t, by(alice, inHeader, "POST", target))
			head, _, _ := strings.Cut(empty.without("Content-Length").with("Transfer-Encoding", "chunked").wire(), "\r\n\r\n")
			s.denied(t, s.send(t, head+"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 403)
		}
	})
	t.Run("bodies of any length where none is needed", func(t *testing.T) {
		long := strings.Repeat("x", 3<<20)
		for _, target := range []string{"/uploads/x", "/uploads/x/y/"} {
			raw := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: pets.example.com\r\nContent-Length: %d\r\n\r\n%s", target, len(long), long)
			if seen := s.allowed(t, s.send(t, raw)); seen.Body != long {
				t.Errorf("%s: %d bytes", target, len(seen.Body))
			}
			s.allowed(t, s.send(t, strings.Replace(to("api.example.com", raw), "/uploads/", "/pets/uploads/", 1)))
		}
	})
	t.Run("too long", func(t *testing.T) {
		r := by(alice, inHeader, "POST", "/pets/7")
		r.Body = bytes.Repeat([]byte("x"), 1<<20+1)
		s.denied(t, s.send11(t, goClient().mustSign(t, r)), 413)
	})
	t.Run("PRIVATE", func(t *testing.T) { testPrintedPrivate(t, s.private(t)) })
	s.logsNoSecret(t)
}

func testPrintedPrivate(t *testing.T, s *stack) {
	const endpoint = "prv0000000-vpce-1a2b3c4d.execute-api.eu-west-1.amazonaws.com"
	listed, other, none := s.behind(t, proxied("203.0.113.7", vpce(goodEndpoint))), s.behind(t, proxied("203.0.113.7", vpce("vpce-ffffffff"))), s.behind(t, proxied("203.0.113.7"))
	s.sees(t, listed.from(t, "private.example.com", "/pets"), "x-vpce: vpce-1a2b3c4d", "x-api: prv0000000")
	s.seesPath(t, "/pets", listed.from(t, endpoint, "/prod/pets"), "x-api: prv0000000")
	s.sees(t, listed.from(t, "prv0000000.execute-api.eu-west-1.amazonaws.com", "/prod/pets"), "x-api: prv0000000")
	s.denied(t, other.from(t, "private.example.com", "/pets"), 403)
	s.denied(t, other.from(t, endpoint, "/prod/pets"), 403)
	s.denied(t, none.from(t, "private.example.com", "/pets"), 403)
	s.denied(t, listed.from(t, "pets.example.com", "/health"), 403)
	s.denied(t, none.from(t, "pets.example.com", "/health"), 403)
	s.denied(t, s.behind(t, "").from(t, "private.example.com", "/pets"), 0)
	a := listed.from(t, "private.example.com", "/signed")
	check(t, s, a, 403, "MissingAuthenticationTokenException", noRoute)
}

// A request for a signed route is buffered for every set of routes: it is never answered 500.
func TestPrintedRoutesNeverLoseABody(t *testing.T) {
	t.Parallel()
	const apis = 24
	random := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	var config strings.Builder
	config.WriteString("apis:\n")
	for i := range apis {
		fmt.Fprintf(&config, "  - {id: api%d, account: %q, region: eu-west-1, stages: [{name: prod, domains: [pets.example.com/b%d]}], routes: [\n", i, owner, i)
		seen := map[string]bool{}
		for range 8 {
			path := ""
			for depth := range random.IntN(4) {
				path += "/" + one("a", "b", fmt.Sprintf("{x%d}", depth), "a@b")
			}
			key := one("GET", "POST", "ANY") + " " + path + one("/{p+}", "/{p+}", "")
			if key = strings.TrimSuffix(key, " ") + map[bool]string{true: " /"}[strings.HasSuffix(key, " ")]; !seen[key] {
				seen[key] = true
				fmt.Fprintf(&config, "      {route: %q, authorization: %s},\n", key, one("NONE", "AWS_IAM"))
			}
		}
		config.WriteString("    ]}\n")
	}
	config.WriteString("iam: {accounts: [{file: 111122223333.json}], accessKeys: [{file: access-keys.yaml}]}\n")
	s := start(t, setup{printed: []string{"--keep-base-path"}, config: config.String(), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
	answers := map[int]int{}
	for range 40 * apis {
		path := fmt.Sprintf("/b%d", random.IntN(apis))
		for range random.IntN(5) {
			path += "/" + one("a", "b", "c", "a@b", "a%40b", "a*b", "a%2Fb")
		}
		r := by(user(owner, grants), inHeader, one("GET", "POST"), path+one("", "/"))
		a := s.send11(t, goClient().mustSign(t, r))
		if answers[a.status]++; a.status != 200 && a.status != 403 && a.status != 400 { // 400: another reading of %2F leads elsewhere
			t.Errorf("%s %s: status %d, %s", r.Method, path, a.status, a.body)
		}
	}
	if answers[200] < 100 || answers[403] < 100 {
		t.Errorf("the answers are %v: the test looks at one kind", answers)
	}
}

// Where no load balancer speaks, the listener's name does.
func TestPrintedListenerName(t *testing.T) {
	t.Parallel()
	s := start(t, fromEverything("--vpc-endpoints", "listener:internal"))
	s.sees(t, s.private(t).from(t, "private.example.com", "/pets"), "x-vpce: vpce-1a2b3c4d", "x-api: prv0000000")
	s.denied(t, s.from(t, "private.example.com", "/pets"), 403)
	s.sees(t, s.get(t, "/health"), "x-api: a1b2c3d4e5")
}

// Envoy accepts every configuration that is printed.
func TestPrintedIsValid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	ca.issue(t, dir, "tls", "pets.example.com")
	for name, content := range map[string]string{"portcullis.yaml": everything, owner + ".json": export(owner), "access-keys.yaml": ownKeys()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	both := []string{"--private-listen", "127.0.0.1:0", "--upstream", "a1b2c3d4e5/beta=127.0.0.1:1", "--upstream", "1234567890=127.0.0.1:2", "--upstream", "http000000/beta=127.0.0.1:3"}
	certificates := []string{"--tls-cert", dir + "/tls.crt", "--tls-key", dir + "/tls.key"}
	mutual := []string{"--portcullis", "portcullis.internal:9001", "--portcullis-ca", dir + "/ca.crt", "--portcullis-cert", dir + "/tls.crt", "--portcullis-key", dir + "/tls.key"}
	texts := map[string]string{}
	for name, flags := range map[string][]string{
		"as it is":    both,
		"TLS":         append(certificates, both...),
		"mutual TLS":  append(mutual, both...),
		"unix socket": append(both, "--portcullis", "unix:/run/a b.sock", "--upstream", "unix:/run/{c}.sock"),
		"upstreams":   append(both, "--upstream", "pets.internal:80", "--upstream", "a1b2c3d4e5=[::1]:8081", "--timeout", "1500ms", "--max-request-bytes", "4096"),
		"networks":    append(both, "--vpc-endpoints", "networks", "--secure-transport", "x-forwarded-proto"),
	} {
		texts[name] = printed(t, dir, flags...)
	}
	texts["filter"] = around(t, texts["as it is"], printed(t, dir, slices.Concat(mutual, both[2:], []string{"--for", "filter"})...))
	eachEnvoy(t, func(t *testing.T, bin string) {
		for name, text := range texts {
			t.Run(name, func(t *testing.T) { valid(t, bin, text) })
		}
	})
}

// valid fails unless an Envoy takes a configuration.
func valid(t *testing.T, bin, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := envoytest.Validate(ctx, bin, file); err != nil {
		t.Fatal(err)
	}
}

// around is an Envoy of one's own with the parts that --for filter prints: its listeners have what a filter cannot bring along.
func around(t *testing.T, own, filter string) string {
	t.Helper()
	envoy, parts := mapping(t, tree(t, own)), mapping(t, tree(t, filter))
	static := mapping(t, envoy["static_resources"])
	listeners := static["listeners"].([]any)
	for i, part := range parts["listeners"].([]any) {
		part, listener := mapping(t, part), mapping(t, listeners[i])
		if filters, there := part["listener_filters"]; there {
			listener["listener_filters"] = filters
		} else {
			delete(listener, "listener_filters")
		}
		manager := mapping(t, mapping(t, mapping(t, listener["filter_chains"].([]any)[0])["filters"].([]any)[0])["typed_config"])
		router := manager["http_filters"].([]any)[1]
		for key, value := range mapping(t, part["http_connection_manager"]) {
			manager[key] = value
		}
		manager["http_filters"] = append(manager["http_filters"].([]any), router)
	}
	static["clusters"] = append(parts["clusters"].([]any), static["clusters"].([]any)[1:]...)
	text, err := yaml.Marshal(envoy)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mapping(t *testing.T, v any) map[string]any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%T is not a mapping", v)
	}
	return m
}
