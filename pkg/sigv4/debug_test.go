package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// mismatchOf verifies a request whose signature is another one, and returns what the client is told of it.
func mismatchOf(t *testing.T, r *Request) *Debug {
	t.Helper()
	_, err := newVerifier(t, with(func(c *Config) { c.Debug = true })).Verify(r)
	var fault *Error
	if !errors.As(err, &fault) || fault.Kind != InvalidSignature || fault.Debug == nil {
		t.Fatalf("not a mismatch: %v", err)
	}
	return fault.Debug
}

func impostor(s signer) signer {
	s.secret = "another"
	return s
}

// A client may list any header as signed. What a proxy on the way has put there is not told.
func TestDebugLeavesOut(t *testing.T) {
	for _, name := range []string{"x-internal-token", "authorization-2", "cookie", "proxy-authorization", "x-forwarded-client-cert", "x-amz-cf-id", "x-amz-meta-a"} {
		r := impostor(alice).request("GET", "/", [][2]string{{name, "s3cret of a proxy"}, {"Content-Type", "text/plain"}}, "")
		d := mismatchOf(t, r)
		if strings.Contains(d.Text(), "s3cret") || !strings.Contains(d.CanonicalRequest, "\n"+name+":...\n") {
			t.Errorf("%s: %s", name, d.CanonicalRequest)
		}
		if !strings.Contains(d.CanonicalRequest, "\ncontent-type:text/plain\n") {
			t.Errorf("the content type is left out: %s", d.CanonicalRequest)
		}
	}
	for _, r := range []*Request{impostor(temp).request("GET", "/", nil, ""), impostor(temp).presigned("GET", "/", nil, "")} {
		if d := mismatchOf(t, r); strings.Contains(d.Text(), temp.token) || strings.Contains(d.Text(), escape(temp.token)) {
			t.Errorf("the session token is told: %s", d.Text())
		}
	}
}

// The string to sign is over the whole of the canonical request: what the client has to find is what it has not signed.
func TestDebugSignsTheWhole(t *testing.T) {
	lines := [][2]string{{"X-App", "1"}}
	good, bad := alice.request("GET", "/a?b", lines, ""), impostor(alice).request("GET", "/a?b", lines, "")
	text, _ := alice.canonical("GET", "/a?b", append(lines, [2]string{"host", testHost}, [2]string{"x-amz-date", alice.date()}), nil)
	sum := sha256.Sum256([]byte(text))
	if got := mismatchOf(t, bad).StringToSign; !strings.HasSuffix(got, hex.EncodeToString(sum[:])) {
		t.Errorf("%s does not end in the hash of %s", got, text)
	}
	if _, err := newVerifier(t, with(func(c *Config) { c.Debug = true })).Verify(good); err != nil {
		t.Error(err)
	}
}

func TestDebugIsBounded(t *testing.T) {
	d := mismatchOf(t, impostor(alice).request("GET", "/"+strings.Repeat("%20", 20_000), nil, ""))
	if len(d.Text()) > 3*maxDebug || !strings.HasSuffix(d.CanonicalRequest, "(cut)") {
		t.Errorf("%d bytes", len(d.Text()))
	}
	if text := (*Debug)(nil).Text(); text != "" {
		t.Errorf("%q of nothing", text)
	}
}

// Who has no key, or not the key's token, is told nothing.
func TestDebugNeedsAKey(t *testing.T) {
	nobody := alice
	nobody.keyID = "AKIDNOBODY"
	other := temp
	other.token = "other"
	for _, s := range []signer{nobody, other} {
		var fault *Error
		_, err := newVerifier(t, with(func(c *Config) { c.Debug = true })).Verify(s.request("GET", "/", nil, ""))
		if !errors.As(err, &fault) || fault.Kind != UnrecognizedClient || fault.Debug != nil {
			t.Errorf("%s: %v", s.keyID, err)
		}
	}
}
