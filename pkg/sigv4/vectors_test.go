package sigv4

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is a row of testdata/sigv4.jsonl.gz: a request as a real client signed it, or one that was changed.
type vector struct {
	ID, Region, Service string
	Now                 time.Time
	Credentials         struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		SessionToken    string `json:"session_token"`
		TokenExpired    bool   `json:"token_expired"`
	}
	Request struct {
		Method, Target string
		Headers        [][2]string
		Body           []byte `json:"body_b64"`
	}
	Expected         string
	ExpectedError    string            `json:"expected_error"`
	CanonicalVariant map[string]string `json:"canonical_variant"`
	CanonicalRequest string            `json:"canonical_request"`
	Mode, Mutation   string
}

func (v *vector) config() Config {
	key := Key{Secret: v.Credentials.SecretAccessKey, Token: v.Credentials.SessionToken}
	if v.Credentials.TokenExpired {
		key.Expires = v.Now.Add(-time.Second)
	}
	return Config{
		Regions: []string{v.Region}, Service: v.Service, Now: func() time.Time { return v.Now }, MaxExpires: maxExpires,
		Key: func(id, _ string) (Key, bool) { return key, id == v.Credentials.AccessKeyID },
	}
}

func (v *vector) request() *Request {
	return newRequest(v.Request.Method, v.Request.Target, v.Request.Headers, v.Request.Body)
}

// newRequest makes the view that a server has of a request: names in lower case, values without blanks at the ends, and the
// first Host line as the host.
func newRequest(method, target string, lines [][2]string, body []byte) *Request {
	r := &Request{Method: method, Target: target, Body: body, BodyComplete: true}
	fields := make([]line, len(lines))
	for i, l := range lines {
		fields[i] = line{name: strings.ToLower(l[0]), value: strings.Trim(l[1], " \t")}
		if fields[i].name == "host" {
			r.Host = cmp.Or(r.Host, fields[i].value)
		}
	}
	r.Headers = sequence(fields)
	return r
}

func sequence(fields []line) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for i := range fields {
			if !yield(fields[i].name, fields[i].value) {
				return
			}
		}
	}
}

func newVerifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open("testdata/sigv4.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var rows []vector
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		// The values are Latin-1: one character a byte.
		for i, h := range v.Request.Headers {
			v.Request.Headers[i][1] = latin1(h[1])
		}
		rows = append(rows, v)
	}
	if lines.Err() != nil || len(rows) != 834 {
		t.Fatalf("%d rows, %v", len(rows), lines.Err())
	}
	return rows
}

func latin1(text string) string {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		b = append(b, byte(r))
	}
	return string(b)
}

// everyOption is the laxest configuration.
func everyOption(c Config) Config {
	c.PlusLiteral, c.AcceptPathAsSent, c.AcceptUnsignedQueryToken, c.AllowUnsignedPayload = true, true, true, true
	return c
}

func TestVectors(t *testing.T) {
	counts := map[string]int{}
	for _, row := range readVectors(t) {
		counts[row.Expected]++
		result, err := newVerifier(t, row.config()).Verify(row.request())
		if row.Expected == "valid" {
			if err != nil {
				t.Errorf("%s: %v", row.ID, err)
			} else if result.KeyID != row.Credentials.AccessKeyID || result.SignedAt.IsZero() {
				t.Errorf("%s: %+v", row.ID, result)
			}
			continue
		}
		checkRefused(t, row.ID, row.ExpectedError, result, err)
		if row.Expected == "client-quirk" {
			checkQuirk(t, &row)
		}
	}
	if counts["valid"] != 453 || counts["invalid"] != 344 || counts["client-quirk"] != 37 {
		t.Errorf("rows by label: %v", counts)
	}
}

func checkRefused(t *testing.T, id, errorType string, result Result, err error) {
	t.Helper()
	var fault *Error
	if !errors.As(err, &fault) || result != (Result{}) {
		t.Errorf("%s: accepted", id)
	} else if fault.Kind.ErrorType() != errorType {
		t.Errorf("%s: %v, want %s", id, err, errorType)
	}
}

// checkQuirk requires that a client's deviation is accepted only with its option, and never without an option for it.
func checkQuirk(t *testing.T, row *vector) {
	t.Helper()
	c, offered := row.config(), true
	switch v := row.CanonicalVariant; {
	case v["q"] == "lit":
		c.PlusLiteral = true
	case v["p"] == "raw":
		c.AcceptPathAsSent = true
	case v["q"] == "space-token":
		c.AcceptUnsignedQueryToken = true
	default:
		offered = false
	}
	if _, err := newVerifier(t, c).Verify(row.request()); offered && err != nil {
		t.Errorf("%s: %v: %v", row.ID, row.CanonicalVariant, err)
	}
	if _, err := newVerifier(t, everyOption(row.config())).Verify(row.request()); !offered && err == nil {
		t.Errorf("%s: %v: accepted", row.ID, row.CanonicalVariant)
	}
}

// TestVectorsCanonicalRequest compares the canonical request itself, which tells more than a signature that matches.
func TestVectorsCanonicalRequest(t *testing.T) {
	compared := 0
	for _, row := range readVectors(t) {
		if row.CanonicalRequest == "" {
			continue
		}
		compared++
		got := canonicalRequests(t, newVerifier(t, row.config()), row.request())
		if got[0] != row.CanonicalRequest && got[1] != row.CanonicalRequest {
			t.Errorf("%s:\n%s\nwant\n%s", row.ID, got[0], row.CanonicalRequest)
		}
	}
	if compared < 400 {
		t.Errorf("compared %d", compared)
	}
}

// canonicalRequests are the two readings that are always tried.
func canonicalRequests(t *testing.T, v *Verifier, r *Request) [2]string {
	t.Helper()
	s := v.take(r)
	if err := s.verify(); err != nil {
		t.Fatal(err)
	}
	return [2]string{string(s.createCanonicalRequest(r.Host, 0)), string(s.createCanonicalRequest(r.Host, keepTabs))}
}
