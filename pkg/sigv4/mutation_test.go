package sigv4

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryBitCounts flips each bit of each part that a signature covers, and of the signature, under the laxest
// configuration. Nothing of it may pass.
func TestEveryBitCounts(t *testing.T) {
	headers := [][2]string{{"Content-Type", "application/json"}, {"X-App", "a b"}, {"X-App", ""}, {"X-Amz-Meta", "m"}}
	v4a := temp
	v4a.regionSet = "eu-west-1"
	for name, s := range map[string]signer{"V4": alice, "V4 with token": temp, "V4A": v4a} {
		for form, r := range map[string]*Request{
			"header":    s.request("PUT", "/prod/a%20b?limit=1%200&flag", headers, "body"),
			"presigned": s.presigned("PUT", "/prod/a%20b?limit=1%200&flag", headers, "body"),
		} {
			t.Run(name+"/"+form, func(t *testing.T) { flipAll(t, r) })
		}
	}
}

func flipAll(t *testing.T, r *Request) {
	v := newVerifier(t, everyOption(testConfig()))
	if _, err := v.Verify(r); err != nil {
		t.Fatal(err)
	}
	flips, step := 0, 1
	if strings.Contains(t.Name(), "V4A") {
		step = 5 // the case of a letter and its last bit: an elliptic curve takes its time
	}
	try := func(what string, text string, set func(*Request, string)) {
		for i := range len(text) {
			for bit := 0; bit < 8; bit += step {
				changed := []byte(text)
				changed[i] ^= 1 << bit
				c := *r
				set(&c, string(changed))
				if flips++; !refuses(v, &c) && (what != "target" || !sameTarget(r.Target, c.Target)) {
					t.Errorf("%s: %q passes for %q", what, changed, text)
				}
			}
		}
	}
	try("method", r.Method, func(c *Request, x string) { c.Method = x })
	try("target", r.Target, func(c *Request, x string) { c.Target = x })
	try("body", string(r.Body), func(c *Request, x string) { c.Body = []byte(x) })
	fields := fieldsOf(r)
	for i, l := range fields {
		try(l.name, l.value, func(c *Request, x string) {
			changed := slices.Clone(fields)
			changed[i].value = x
			c.Headers = sequence(changed)
			if l.name == "host" {
				c.Host = x
			}
		})
		dropped := *r
		dropped.Headers = sequence(slices.Delete(slices.Clone(fields), i, i+1))
		if l.name != "host" && !refuses(v, &dropped) {
			t.Errorf("passes without %s", l.name)
		}
	}
	if flips < 800 {
		t.Errorf("%d flips", flips)
	}
}

// sameTarget tells targets that differ in nothing but the case of an escape in the query.
func sameTarget(a, b string) bool {
	pathA, queryA, _ := strings.Cut(a, "?")
	pathB, queryB, _ := strings.Cut(b, "?")
	return pathA == pathB && isEscaped(queryB) && naiveQuery(queryA) == naiveQuery(queryB)
}

func refuses(v *Verifier, r *Request) bool {
	result, err := v.Verify(r)
	return err != nil && result == (Result{})
}

// TestEveryByteOfAuthorization sets each byte of the header to each other value. Only white space that may stand around a
// comma can be another; there is none of it that HTTP would let through.
func TestEveryByteOfAuthorization(t *testing.T) {
	r := alice.request("GET", "/", nil, "")
	v := newVerifier(t, everyOption(testConfig()))
	fields := fieldsOf(r)
	at := slices.IndexFunc(fields, func(l line) bool { return l.name == "authorization" })
	value := fields[at].value
	for i := range len(value) {
		for c := range 256 {
			if byte(c) == value[i] {
				continue
			}
			changed := []byte(value)
			changed[i] = byte(c)
			fields[at].value = string(changed)
			if !refuses(v, &Request{Method: "GET", Target: "/", Host: r.Host, Headers: sequence(fields), BodyComplete: true}) {
				t.Errorf("%q passes for %q", changed, value)
			}
		}
		fields[at].value = value[:i]
		if !refuses(v, &Request{Method: "GET", Target: "/", Host: r.Host, Headers: sequence(fields), BodyComplete: true}) {
			t.Errorf("%q passes for %q", value[:i], value)
		}
	}
}
