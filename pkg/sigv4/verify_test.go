package sigv4

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	now   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	alice = signer{keyID: "AKIDALICE", secret: "alice/secret+key", region: "eu-west-1", at: now}
	temp  = signer{keyID: "ASIDTEMP", secret: "temporary/secret", token: "Tok//en+with=signs==", region: "eu-west-1", at: now}
)

const testHost = "pets.example.com:8443"

// testConfig knows alice and temp, and a key without a secret.
func testConfig() Config {
	keys := map[string]Key{
		alice.keyID: {Secret: alice.secret, Version: 7},
		temp.keyID:  {Secret: temp.secret, Token: temp.token, Expires: now.Add(time.Hour)},
		"AKIDEMPTY": {},
	}
	return Config{
		Regions: []string{"us-east-1", "eu-west-1"}, Now: func() time.Time { return now },
		Key: func(id, _ string) (Key, bool) { k, ok := keys[id]; return k, ok },
	}
}

func with(change func(*Config)) Config {
	c := testConfig()
	change(&c)
	return c
}

// signed is a request signed in the header.
func (s signer) request(method, target string, headers [][2]string, body string) *Request {
	return newRequest(method, target, s.sign(method, target, testHost, headers, []byte(body)), []byte(body))
}

// presigned is a request signed in the query; it expires after a minute unless the signer says otherwise.
func (s signer) presigned(method, target string, headers [][2]string, body string) *Request {
	if s.expires == 0 {
		s.expires = 60
	}
	target = s.presign(method, target, testHost, headers, []byte(body))
	return newRequest(method, target, append([][2]string{{"Host", testHost}}, headers...), []byte(body))
}

func kindOf(t *testing.T, c Config, r *Request) Kind {
	t.Helper()
	result, err := newVerifier(t, c).Verify(r)
	var fault *Error
	if !errors.As(err, &fault) || result != (Result{}) {
		t.Fatalf("accepted: %+v", result)
	}
	return fault.Kind
}

func TestRoundTrip(t *testing.T) {
	headers := [][2]string{
		{"Content-Type", "application/json"}, {"X-Many", "b"}, {"X-Many", ""}, {"X-Many", "a  c"}, {"X-Empty", ""}, {"X-Amz-Meta", "m"},
	}
	for _, target := range []string{
		"/", "/prod/pets", "/a%20b/%E1%88%B4/c%2Fd", "/x/?b=2&a=1&a=0&&=v&flag", "/p?q=a+b%2B&c=%7E%3d", "/a/./b/../c//d/", "/a/..", "?x=1",
	} {
		for _, s := range []signer{alice, temp} {
			for _, regions := range []string{"", "*", "us-*,eu-west-1"} {
				s.regionSet = regions
				for form, r := range map[Form]*Request{
					FormHeader: s.request("PUT", target, headers, `{"name":"Rex"}`),
					FormQuery:  s.presigned("PUT", target, headers, `{"name":"Rex"}`),
				} {
					checkResult(t, s, form, r)
				}
			}
		}
	}
}

func checkResult(t *testing.T, s signer, form Form, r *Request) {
	t.Helper()
	got, err := newVerifier(t, testConfig()).Verify(r)
	if err != nil {
		t.Errorf("%s, form %d: %v", r.Target, form, err)
		return
	}
	want := Result{
		KeyID: s.keyID, Form: form, Algorithm: s.algorithm(), Host: testHost, SignedAt: now, hasToken: s.token != "",
		SignedHeaders: "content-type;host;x-amz-meta;x-empty;x-many",
	}
	if form == FormHeader {
		want.SignedHeaders = "content-type;host;x-amz-date;x-amz-meta;x-empty;x-many"
		for _, name := range []string{"x-amz-region-set", "x-amz-security-token"} {
			if (name == "x-amz-region-set" && s.regionSet != "") || (name == "x-amz-security-token" && s.token != "") {
				want.SignedHeaders = strings.Replace(want.SignedHeaders, ";x-empty", ";"+name+";x-empty", 1)
			}
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Result{})); diff != "" {
		t.Errorf("%s, form %d: %s", r.Target, form, diff)
	}
}

// TestClientsOwnWays takes what clients differ in and what is always accepted.
func TestClientsOwnWays(t *testing.T) {
	tabs, authority := alice, alice
	tabs.spacesOnly, authority.authority = true, true
	headers := [][2]string{{"X-App", "a\tb  c"}, {"X-App", "d"}}
	dated := alice.request("GET", "/", [][2]string{{"Date", alice.date()}}, "")
	for name, r := range map[string]*Request{
		"first line empty":       alice.request("GET", "/", [][2]string{{"X-App", ""}, {"X-App", "a"}}, ""),
		"tabs collapsed":         alice.request("GET", "/", headers, ""),
		"tabs kept":              tabs.request("GET", "/", headers, ""),
		"tabs kept, presigned":   tabs.presigned("GET", "/", headers, ""),
		":authority":             authority.request("GET", "/", nil, ""),
		":authority, presigned":  authority.presigned("GET", "/", nil, ""),
		"no spaces after commas": edit(alice.request("GET", "/", nil, ""), "authorization", ", ", ","),
		"both dates":             dated,
		"CloudFront's id":        add(alice.request("GET", "/", nil, ""), "x-amz-cf-id", "abc=="),
		"a tracing header":       add(alice.request("GET", "/", nil, ""), "x-amzn-trace-id", "Root=1"),
		"without a host line":    {Method: "GET", Target: "/", Host: testHost, Headers: without(alice.request("GET", "/", nil, ""), "host"), BodyComplete: true},
	} {
		if _, err := newVerifier(t, testConfig()).Verify(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []signer{alice, tabs} {
		if !refuses(newVerifier(t, everyOption(testConfig())), edit(s.request("GET", "/", headers, ""), "x-app", "b", "B")) {
			t.Error("a changed value with a tab passes")
		}
	}
}

func TestDefaults(t *testing.T) {
	s := alice
	s.at = time.Now()
	v4a := s
	v4a.regionSet = "*"
	c := testConfig()
	v := newVerifier(t, Config{Regions: c.Regions, Key: c.Key})
	for _, r := range []*Request{s.request("GET", "/", nil, ""), v4a.request("GET", "/", nil, "")} {
		if _, err := v.Verify(r); err != nil {
			t.Error(err)
		}
	}
}

func TestSpent(t *testing.T) {
	for _, test := range []struct {
		result         Result
		headers, query string
	}{
		{Result{}, "", ""},
		{Result{Form: FormHeader}, "authorization", ""},
		{Result{Form: FormHeader, hasToken: true}, "authorization x-amz-security-token", ""},
		{Result{Form: FormQuery}, "", "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-SignedHeaders X-Amz-Signature"},
		{
			Result{Form: FormQuery, hasToken: true, Algorithm: AlgorithmV4A}, "",
			"X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-SignedHeaders X-Amz-Signature X-Amz-Security-Token X-Amz-Region-Set",
		},
	} {
		if got := strings.Join(test.result.SpentHeaders(), " "); got != test.headers {
			t.Errorf("%+v: headers %s", test.result, got)
		}
		if got := strings.Join(test.result.SpentQuery(), " "); got != test.query {
			t.Errorf("%+v: query %s", test.result, got)
		}
	}
}

// TestOptions takes each request with the option as it is by default, and as it is when set.
func TestOptions(t *testing.T) {
	v4a := alice
	v4a.regionSet = "*"
	week, soon := alice, alice
	week.expires, soon.expires = 604800, 60
	unsigned := alice
	unsigned.payload = "UNSIGNED-PAYLOAD"
	behind := alice.request("GET", "/", nil, "")
	behind.Host = "inner.local"
	behind.Headers = without(behind, "host")
	for _, test := range []struct {
		name       string
		request    *Request
		set        func(*Config)
		byDefault  bool
		afterwards bool
	}{
		{"4A", v4a.request("GET", "/", nil, ""), func(c *Config) { c.DisableSigV4A = true }, true, false},
		{"presigned 4A", v4a.presigned("GET", "/", nil, ""), func(c *Config) { c.DisableSigV4A = true }, true, false},
		{"a week", week.presigned("GET", "/", nil, ""), func(c *Config) { c.MaxExpires = time.Hour }, true, true},
		{"a minute", soon.presigned("GET", "/", nil, ""), func(c *Config) { c.MaxExpires = time.Minute }, true, true},
		{"unsigned payload", unsigned.request("PUT", "/", [][2]string{{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}}, "body"),
			func(c *Config) { c.AllowUnsignedPayload = true }, false, true},
		{"streaming payload", alice.request("PUT", "/", [][2]string{{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}}, "b"),
			func(c *Config) { c.AllowUnsignedPayload = true }, false, false},
		{"plus for an escaped space", swap(alice.request("GET", "/?q=a%20b", nil, ""), "%20", "+"),
			func(c *Config) { c.PlusLiteral = true }, true, false},
		{"plus for an escaped plus", swap(alice.request("GET", "/?q=a%2Bb", nil, ""), "%2B", "+"),
			func(c *Config) { c.PlusLiteral = true }, false, true},
		{"escaped plus for a plus", swap(alice.request("GET", "/?q=a+b", nil, ""), "+", "%2B"),
			func(c *Config) { c.PlusLiteral = true }, false, false},
		{"host behind a load balancer", behind, func(c *Config) { c.HostAliases = []string{"other", testHost} }, false, true},
		{"region", alice.request("GET", "/", nil, ""), func(c *Config) { c.Regions = []string{"eu-west-2"} }, true, false},
		{"service", alice.request("GET", "/", nil, ""), func(c *Config) { c.Service = "lambda" }, true, false},
	} {
		for set, want := range map[bool]bool{false: test.byDefault, true: test.afterwards} {
			c := testConfig()
			if set {
				test.set(&c)
			}
			result, err := newVerifier(t, c).Verify(test.request)
			if (err == nil) != want {
				t.Errorf("%s, option set: %t: %v", test.name, set, err)
			}
			if err == nil && result.Host != testHost {
				t.Errorf("%s: signed for %q", test.name, result.Host)
			}
		}
	}
}

// TestLifetime is how long presigned requests are good for, by X-Amz-Expires (0: without one) and MaxExpires.
func TestLifetime(t *testing.T) {
	for _, c := range []struct {
		expires int
		most    time.Duration
		want    time.Duration
	}{
		{0, 0, 300 * time.Second}, {0, time.Minute, time.Minute}, {0, time.Hour, 300 * time.Second},
		{60, 0, time.Minute}, {300, 0, 300 * time.Second}, {86400, 0, 300 * time.Second}, {604800, 0, 300 * time.Second},
		{86400, time.Hour, time.Hour}, {60, time.Hour, time.Minute}, {86400, 604800 * time.Second, 24 * time.Hour}, {604800, time.Second, time.Second},
	} {
		s := alice
		if s.expires = c.expires; c.expires == 0 {
			s.expires = -1
		}
		r := s.presigned("GET", "/pets?a=1", nil, "")
		for late, want := range map[time.Duration]bool{-5 * time.Minute: true, 0: true, c.want: true, c.want + time.Second: false, -5*time.Minute - time.Second: false} {
			config := testConfig()
			signedAt := config.Now()
			config.MaxExpires, config.Now = c.most, func() time.Time { return signedAt.Add(late) }
			if _, err := newVerifier(t, config).Verify(r); (err == nil) != want {
				t.Errorf("X-Amz-Expires %d, at most %v, %v later: %v", c.expires, c.most, late, err)
			}
		}
	}
}

// swap changes the target after signing.
func swap(r *Request, from, to string) *Request {
	r.Target = strings.Replace(r.Target, from, to, 1)
	return r
}

func fieldsOf(r *Request) []line {
	var fields []line
	for name, value := range r.Headers {
		fields = append(fields, line{name: name, value: value})
	}
	return fields
}

func without(r *Request, name string) func(func(string, string) bool) {
	return sequence(slices.DeleteFunc(fieldsOf(r), func(l line) bool { return l.name == name }))
}

// add appends a header line after signing.
func add(r *Request, name, value string) *Request {
	r.Headers = sequence(append(fieldsOf(r), line{name: name, value: value}))
	return r
}

// edit replaces text in the value of a header after signing.
func edit(r *Request, name, from, to string) *Request {
	fields := fieldsOf(r)
	for i := range fields {
		if fields[i].name == name {
			fields[i].value = strings.ReplaceAll(fields[i].value, from, to)
		}
	}
	r.Headers = sequence(fields)
	return r
}

func TestLimitsAreReachable(t *testing.T) {
	for name, r := range map[string]*Request{
		"100 signed names":  alice.request("GET", "/", manyHeaders(98), ""),
		"200 KB of headers": add(alice.request("GET", "/", nil, ""), "cookie", strings.Repeat("x", 200<<10)),
		"1,000 lines":       newRequest("GET", "/", append(alice.sign("GET", "/", testHost, nil, nil), manyHeaders(997)...), nil),
		"1,000 parameters":  alice.request("GET", "/?"+strings.Repeat("a=b&", 1000), nil, ""),
		"60 KB of path":     alice.request("GET", "/"+strings.Repeat("a", 60<<10), nil, ""),
	} {
		if _, err := newVerifier(t, testConfig()).Verify(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodyMustBeKnown(t *testing.T) {
	for name, r := range map[string]*Request{
		"header":    alice.request("GET", "/", nil, ""),
		"with hash": alice.request("GET", "/", [][2]string{{"X-Amz-Content-Sha256", emptyHash}}, ""),
		"presigned": alice.presigned("GET", "/", nil, ""),
	} {
		r.BodyComplete = false
		if got := kindOf(t, everyOption(testConfig()), r); got != BodyUnknown || got.ResponseType() != "DEFAULT_5XX" {
			t.Errorf("%s: %s", name, got.ErrorType())
		}
	}
	unsigned := newRequest("GET", "/", nil, nil)
	unsigned.BodyComplete = false
	if got := kindOf(t, testConfig(), unsigned); got != MissingAuthenticationToken {
		t.Errorf("nothing signed: %s", got.ErrorType())
	}
	payload := alice
	payload.payload = "UNSIGNED-PAYLOAD"
	r := payload.request("PUT", "/", [][2]string{{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}}, "")
	r.BodyComplete = false
	if _, err := newVerifier(t, everyOption(testConfig())).Verify(r); err != nil {
		t.Errorf("unsigned payload: %v", err)
	}
}

// TestClock moves the server's clock second by second around the limits.
func TestClock(t *testing.T) {
	hour := alice
	hour.expires = 3600
	for _, test := range []struct {
		name    string
		request *Request
		after   time.Duration
		valid   bool
	}{
		{"header", alice.request("GET", "/", nil, ""), 300 * time.Second, true},
		{"header", alice.request("GET", "/", nil, ""), 301 * time.Second, false},
		{"header", alice.request("GET", "/", nil, ""), -300 * time.Second, true},
		{"header", alice.request("GET", "/", nil, ""), -301 * time.Second, false},
		{"presigned", hour.presigned("GET", "/", nil, ""), 3600 * time.Second, true},
		{"presigned", hour.presigned("GET", "/", nil, ""), 3601 * time.Second, false},
		{"presigned", hour.presigned("GET", "/", nil, ""), -300 * time.Second, true},
		{"presigned", hour.presigned("GET", "/", nil, ""), -301 * time.Second, false},
	} {
		c := with(func(c *Config) { c.MaxExpires, c.Now = maxExpires, func() time.Time { return now.Add(test.after) } })
		if _, err := newVerifier(t, c).Verify(test.request); (err == nil) != test.valid {
			t.Errorf("%s, %s after: %v", test.name, test.after, err)
		}
	}
}

func TestExpiredKey(t *testing.T) {
	for after, want := range map[time.Duration]string{
		299 * time.Second: "", 300 * time.Second: "ExpiredTokenException",
	} {
		c := with(func(c *Config) {
			c.Now = func() time.Time { return now.Add(after) }
			c.Key = func(string, string) (Key, bool) {
				return Key{Secret: temp.secret, Token: temp.token, Expires: now.Add(300 * time.Second)}, true
			}
		})
		_, err := newVerifier(t, c).Verify(temp.request("GET", "/", nil, ""))
		var fault *Error
		if errors.As(err, &fault); (fault != nil) != (want != "") || fault != nil && fault.Kind.ErrorType() != want {
			t.Errorf("%s after: %v", after, err)
		}
	}
}

func TestZeroVerifierRefuses(t *testing.T) {
	var fault *Error
	if _, err := new(Verifier).Verify(alice.request("GET", "/", nil, "")); !errors.As(err, &fault) || fault.Kind != Internal {
		t.Errorf("%v", err)
	}
}

func TestNewFindsAllFaults(t *testing.T) {
	_, err := New(Config{MaxExpires: 700000 * time.Second, HostAliases: []string{""}})
	for _, name := range []string{"Key", "Regions", "MaxExpires", "HostAliases"} {
		if err == nil || !strings.Contains(err.Error(), "sigv4: "+name) {
			t.Errorf("%s is missing: %v", name, err)
		}
	}
	for name, c := range map[string]Config{
		"empty region":   with(func(c *Config) { c.Regions = append(c.Regions, "") }),
		"negative":       with(func(c *Config) { c.MaxExpires = -time.Second }),
		"half a second":  with(func(c *Config) { c.MaxExpires = 1500 * time.Millisecond }),
		"too many hosts": with(func(c *Config) { c.HostAliases = strings.Split("a,b,c,d,e,f,g,h,i", ",") }),
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCachesSeeOnlyOurNames wants a bounded set of cache keys: what an attacker may choose freely is not in one.
func TestCachesSeeOnlyOurNames(t *testing.T) {
	var signing []SigningKeyID
	var public []PublicKeyID
	v := newVerifier(t, with(func(c *Config) {
		c.SigningKey = func(id SigningKeyID, secret string) [32]byte {
			signing = append(signing, id)
			return DeriveSigningKey(id, secret)
		}
		c.PublicKey = func(id PublicKeyID, secret string) *ecdsa.PublicKey {
			public = append(public, id)
			return DerivePublicKey(id, secret)
		}
	}))
	mallory := signer{keyID: "AKIDMALLORY", secret: "s", region: "eu-west-1", at: now}
	elsewhere := alice
	elsewhere.region = "mars-1"
	for _, s := range []signer{alice, mallory, elsewhere} {
		_, _ = v.Verify(s.request("GET", "/", nil, ""))
		s.regionSet = s.region
		_, _ = v.Verify(s.request("GET", "/", nil, ""))
	}
	wantSigning := []SigningKeyID{{"AKIDALICE", 7, "20261123", "eu-west-1", "execute-api"}, {"", 0, "20261123", "eu-west-1", "execute-api"}}
	if diff := cmp.Diff(wantSigning, signing); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]PublicKeyID{{"AKIDALICE", 7}, {"", 0}}, public); diff != "" {
		t.Error(diff)
	}
}

func TestPublicKeyCacheThatFails(t *testing.T) {
	s := alice
	s.regionSet = "*"
	c := with(func(c *Config) { c.PublicKey = func(PublicKeyID, string) *ecdsa.PublicKey { return nil } })
	if got := kindOf(t, c, s.request("GET", "/", nil, "")); got != InvalidSignature {
		t.Error(got.ErrorType())
	}
}

func TestConcurrentVerify(t *testing.T) {
	v := newVerifier(t, testConfig())
	good, bad := temp.request("PUT", "/a?b=c", nil, "body"), temp.request("PUT", "/a?b=c", nil, "body")
	bad.Body = []byte("Body")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := v.Verify(good); err != nil {
					t.Error(err)
				}
				if _, err := v.Verify(bad); err == nil {
					t.Error("accepted")
				}
			}
		})
	}
	wg.Wait()
}

func TestKeyPrintsNothing(t *testing.T) {
	key := Key{Secret: "s3cret", Token: "t0ken"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "key", key)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x %d", key, key, key, key, key, key, &key), log.String()} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "t0ken") || strings.Contains(text, "733363726574") {
			t.Error(text)
		}
	}
}
