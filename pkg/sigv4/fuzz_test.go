package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// FuzzVerify changes signed requests. What passes must say the same as one of them, in a canonical form that the verifier has
// no part in.
func FuzzVerify(f *testing.F) {
	said := map[string]bool{}
	headers := [][2]string{{"Content-Type", "text/plain"}, {"X-App", "a  b"}, {"X-App", "c"}}
	v4a := temp
	v4a.regionSet = "eu-*"
	for _, s := range []signer{alice, temp, v4a} {
		for _, r := range []*Request{
			s.request("GET", "/a//b/../c?x=1&flag&y=%2f", nil, ""), s.request("PUT", "/%20", headers, "body"),
			s.presigned("GET", "/a?x=1+2", nil, ""), s.presigned("PUT", "/", headers, "body"),
		} {
			said[meaning(r)] = true
			f.Add(r.Method, r.Target, headText(r), r.Body)
		}
	}
	f.Add("GET", "/", "authorization:Bearer abc\n", []byte(nil))
	v := newVerifier(f, testConfig())
	lax := newVerifier(f, everyOption(testConfig()))
	f.Fuzz(func(t *testing.T, method, target, head string, body []byte) {
		var lines [][2]string
		for l := range strings.SplitSeq(strings.TrimSuffix(head, "\n"), "\n") {
			name, value, _ := strings.Cut(l, ":")
			lines = append(lines, [2]string{name, value})
		}
		r := newRequest(method, target, lines, body)
		_, _ = lax.Verify(r)
		if _, err := v.Verify(r); err == nil && !said[meaning(r)] {
			t.Errorf("passes without a valid signature:\n%s", meaning(r))
		}
	})
}

func headText(r *Request) string {
	text := ""
	for name, value := range r.Headers {
		text += name + ":" + value + "\n"
	}
	return text
}

// meaning is the content of a request besides its signature: its canonical form with the headers that were signed.
func meaning(r *Request) string {
	names := ""
	if _, rest, ok := strings.Cut(valueOf(r, "authorization"), "SignedHeaders="); ok {
		names, _, _ = strings.Cut(rest, ",")
	} else if _, rest, ok := strings.Cut(r.Target, "X-Amz-SignedHeaders="); ok {
		names, _, _ = strings.Cut(rest, "&")
		names = strings.ReplaceAll(names, "%3B", ";")
	}
	values := map[string][]string{}
	for name, value := range r.Headers {
		values[name] = append(values[name], strings.Join(strings.Fields(value), " "))
	}
	text := r.Method + "\n"
	path, query, _ := strings.Cut(r.Target, "?")
	text += canonicalPath(path) + "\n"
	for piece := range strings.SplitSeq(naiveQuery(query), "&") {
		if !strings.HasPrefix(piece, "X-Amz-Signature=") {
			text += piece + "\n"
		}
	}
	for name := range strings.SplitSeq(names, ";") {
		text += name + ":" + strings.Join(values[name], ",") + "\n"
	}
	sum := sha256.Sum256(r.Body)
	return text + hex.EncodeToString(sum[:])
}
