package e2e

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// readings are the paths that upstreams may make of a request target: it is decoded up to twice, backslashes are slashes or
// not, path parameters are cut off before or after dots are resolved or not at all, slashes are merged, a NUL, question mark or number sign
// ends the path, blanks and dots at a segment's ends are trimmed, case does not count.
func readings(target string) []string {
	raw, _, _ := strings.Cut(target, "?")
	raw, _, _ = strings.Cut(raw, "#")
	if i := strings.Index(raw, "://"); i >= 0 && !strings.HasPrefix(raw, "/") {
		_, raw, _ = strings.Cut(raw[i+len("://"):], "/")
		raw = "/" + raw
	}
	var all []string
	for _, decoded := range []string{raw, decode(raw), decode(decode(raw))} {
		for _, slashes := range []string{decoded, strings.ReplaceAll(decoded, `\`, "/")} {
			for _, ended := range []string{slashes, cutAt(slashes, "\x00"), cutAt(cutAt(slashes, "?"), "#")} {
				for _, trimmed := range []string{ended, trim(cutParameters(ended)), trim(ended)} {
					all = append(all, tidy(trimmed), tidy(cutParameters(trimmed)), cutParameters(tidy(trimmed)))
				}
			}
		}
	}
	return all
}

// tidy resolves dots, merges slashes, and makes lower case of it.
func tidy(p string) string { return strings.ToLower(path.Clean("/" + p)) }

func cutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = cutAt(s, ";")
	}
	return strings.Join(segments, "/")
}

// trim trims the segments: white space at both ends, and dots at the end of what is not a dot segment.
func trim(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		s = strings.TrimSpace(s)
		if s != "." && s != ".." {
			s = strings.TrimRight(s, ". ")
		}
		segments[i] = s
	}
	return strings.Join(segments, "/")
}

func cutAt(s, end string) string {
	s, _, _ = strings.Cut(s, end)
	return s
}

// decode decodes what is an escape and leaves everything else.
func decode(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(digits, lower(s[i+1])), strings.IndexByte(digits, lower(s[i+2]))
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

const digits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'F' {
		return c + 'a' - 'A'
	}
	return c
}

// namesAdmin tells whether some upstream could read a request as one for /admin, or as a POST to /danger.
func namesAdmin(s envoytest.Seen) bool {
	for _, p := range readings(s.Target) {
		if p == "/admin" || p == "/danger" && readsAsPost(s) {
			return true
		}
	}
	return false
}

// namesBelowAdmin is namesAdmin for a guard that holds for what lies below /admin as well.
func namesBelowAdmin(s envoytest.Seen) bool {
	below := func(p string) bool { return strings.HasPrefix(p, "/admin/") }
	return namesAdmin(s) || slices.ContainsFunc(readings(s.Target), below)
}

func readsAsPost(s envoytest.Seen) bool {
	if s.Method == "POST" {
		return true
	}
	for _, line := range s.Headers {
		name, value, _ := strings.Cut(line, ":")
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if name == "x-http-method-override" && strings.EqualFold(strings.TrimSpace(value), "POST") {
			return true
		}
	}
	return false
}

// The eye of these tests must see.
func TestReadings(t *testing.T) {
	for _, target := range []string{
		"/admin", "//admin", "/admin/", "/admin/x", "/ADMIN", "/admin?x", "/x/../admin", "/x/%2e%2e/admin", "/x/..%2Fadmin", `/x/..\admin`,
		"/x/..%5cadmin", "/x/%252e%252e/admin", "/%61dmin", "/%2561dmin", "/admin;x", "/x/..;/admin", "/admin%00.png", "/admin%2Fx", "/a;b/../admin",
		"/admin%20", "/%20admin;x/y", "/admin.", "/admin%C2%A0", "/admin%3Fx", "/admin%253B%20",
		"http://pets.example.com/admin",
	} {
		if !namesBelowAdmin(envoytest.Seen{Method: "GET", Target: target}) {
			t.Errorf("%s is not seen as the guarded path; it is read as %q", target, readings(target))
		}
	}
	for _, target := range []string{"/", "/open", "/open?/../admin", "/open/admin", "/administrator", "/danger"} {
		if namesBelowAdmin(envoytest.Seen{Method: "GET", Target: target}) {
			t.Errorf("%s is seen as the guarded path: %q", target, readings(target))
		}
	}
	override := []string{"x_http_method_override: post"}
	if !namesBelowAdmin(envoytest.Seen{Method: "GET", Target: "/danger", Headers: override}) {
		t.Error("a method that a header overrides is not seen")
	}
}
