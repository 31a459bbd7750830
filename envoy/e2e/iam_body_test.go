package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const internal = `{"message":"Internal server error"}`

// explained waits until portcullis' log has a denial of a request with words in its detail.
func (s *stack) explained(t *testing.T, a answer, words ...string) {
	t.Helper()
	id := a.header.Get("x-amzn-requestid")
	eventually(t, "portcullis' log explains request "+id, func() bool {
		for text := range strings.Lines(s.portcullis.Stderr()) {
			var l struct {
				ID     string `json:"request_id"`
				Detail string `json:"detail"`
			}
			if json.Unmarshal([]byte(text), &l) != nil || l.ID != id {
				continue
			}
			for _, word := range words {
				if !strings.Contains(l.Detail, word) {
					t.Fatalf("the log says %q, want a word of %s", l.Detail, word)
				}
			}
			return true
		}
		return false
	})
}

// A signature on a route whose body Envoy does not wait for is not verified: an unbuffered body would look like none.
func TestUnbufferedRoutesVerifyNothing(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	chunked := "POST %s HTTP/1.1\r\nHost: pets.example.com\r\nTransfer-Encoding: chunked\r\n%s\r\n3\r\nabc\r\n0\r\n\r\n"
	for _, m := range []mode{inHeader, presigned} {
		empty := goClient().mustSign(t, by(user(owner, grants), m, "POST", "/uploads/7"))
		var headers strings.Builder
		for _, h := range empty.Headers {
			fmt.Fprintf(&headers, "%s: %s\r\n", h[0], h[1])
		}
		withBody := by(user(owner, grants), m, "POST", "/uploads/7")
		withBody.Body = []byte("abc")
		for name, send := range map[string]func() answer{
			"no body":                             func() answer { return s.send11(t, empty) },
			"no body, over HTTP 2":                func() answer { return s.send20(t, empty) },
			"a body that was signed":              func() answer { return s.send11(t, goClient().mustSign(t, withBody)) },
			"a chunked body, signed as none":      func() answer { return s.send(t, fmt.Sprintf(chunked, empty.Target, headers.String())) },
			"a body, signed as none, over HTTP 2": func() answer { return s.send20(t, empty.body("abc")) },
		} {
			t.Run(string(m)+"/"+name, func(t *testing.T) {
				a := send()
				check(t, s, a, 500, "InternalServerErrorException", internal)
				s.explained(t, a, "AWS_IAM", "with_request_body", "portcullis.body: buffered")
			})
		}
	}
	s.logsNoSecret(t)
}

// A route without buffering whose authorization is NONE passes a body of any length.
func TestOpenRoutesAreNotBuffered(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	long := strings.Repeat("x", 3<<20)
	seen := s.allowed(t, s.send(t, fmt.Sprintf("POST /uploads/open HTTP/1.1\r\nHost: pets.example.com\r\nContent-Length: %d\r\n\r\n%s", len(long), long)))
	if seen.Body != long {
		t.Errorf("%d bytes reached the upstream, want %d", len(seen.Body), len(long))
	}
}

// A body is checked up to the limit; a longer one is refused before the check.
func TestLongBodies(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	const limit = 1 << 20
	r := by(user(owner, grants), inHeader, "POST", "/pets/7")
	r.Body = bytes.Repeat([]byte("\xff\x00!a"), limit/4)
	if seen := s.allowed(t, s.send11(t, goClient().mustSign(t, r))); seen.Body != string(r.Body) {
		t.Errorf("%d bytes reached the upstream, want %d", len(seen.Body), len(r.Body))
	}
	changed := goClient().mustSign(t, r)
	changed.Body = append(bytes.Clone(r.Body[:limit-1]), 'b')
	check(t, s, s.send11(t, changed), 403, invalidSignature, mismatch)
	r.Body = append(r.Body, 'x')
	s.denied(t, s.send11(t, goClient().mustSign(t, r)), 413)
}

// Chunked, a body is the same body: awscrt signs no length.
func TestChunkedBodies(t *testing.T) {
	t.Parallel()
	awscrt := client{"awscrt", nil, startClient(t, envoytest.PythonClients, "python3", "awscrt_client.py")}
	s := start(t, signing(""))
	for _, m := range []mode{inHeader, presigned} {
		for signedAs, allowed := range map[string]bool{"abc": true, "": false, "ab": false} {
			t.Run(fmt.Sprintf("%s/signed as %q", m, signedAs), func(t *testing.T) {
				r := by(user(owner, grants), m, "POST", "/pets/7")
				r.Body = []byte(signedAs)
				request := awscrt.mustSign(t, r).without("Content-Length").with("Transfer-Encoding", "chunked")
				head, _, _ := strings.Cut(request.body("").wire(), "\r\n\r\n")
				if a := s.send(t, head+"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"); allowed {
					if seen := s.allowed(t, a); seen.Body != "abc" {
						t.Errorf("the upstream saw the body %q", seen.Body)
					}
				} else {
					check(t, s, a, 403, invalidSignature, mismatch)
				}
			})
		}
	}
}

// Each setting of iam.yaml that a signature needs, set otherwise, is answered 500 and named in the log, and never lets a body
// pass that was not signed.
func TestSettingsThatSignaturesNeed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		edits []envoytest.Edit
		body  string
		words []string
	}{
		{"portcullis.body not set", []envoytest.Edit{{Old: "portcullis.body: buffered", New: "unrelated: setting"}}, "", []string{"portcullis.body: buffered"}},
		{"a partial body", []envoytest.Edit{{Old: "{max_request_bytes: 1048576, allow_partial_message: false}", New: "{max_request_bytes: 4, allow_partial_message: true}"}}, "abcdefgh", []string{"allow_partial_message: false"}},
		{"a body as text", []envoytest.Edit{{Old: "pack_as_bytes: true", New: "pack_as_bytes: false"}}, "a\xffb", []string{"pack_as_bytes: true"}},
		{"portcullis.body for all, and a route without buffering", []envoytest.Edit{{Old: "portcullis.stage: prod", New: "portcullis.stage: prod\n                      portcullis.body: buffered"}}, "abc", []string{"portcullis.body says buffered"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := signing("")
			c.edits = tc.edits
			s := start(t, c)
			target := "/pets/7"
			if strings.Contains(tc.name, "without buffering") {
				target = "/uploads/7"
			}
			r := by(user(owner, grants), inHeader, "POST", target)
			r.Body = []byte(tc.body)
			a := s.send11(t, goClient().mustSign(t, r))
			check(t, s, a, 500, "InternalServerErrorException", internal)
			s.explained(t, a, tc.words...)
		})
	}
}
