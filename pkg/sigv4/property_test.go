package sigv4

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAgreesWithANaiveVerifier signs random requests, changes some of them in up to three ways, and runs two verifiers on them: whether
// the signature counts, and of what type the fault is, which is a question of the order of the steps where there are several.
func TestAgreesWithANaiveVerifier(t *testing.T) {
	outcomes := map[string]int{}
	compare := func(t *rapid.T) {
		d := draft(t)
		changes := 0
		for rapid.IntRange(0, 2).Draw(t, "change it") > 0 && changes < 3 {
			c := rapid.SampledFrom(alterations).Draw(t, "change")
			c.make(t, d)
			changes++
		}
		c := testConfig()
		c.Regions, c.Now = []string{"eu-west-1"}, func() time.Time { return d.now }
		n := naive{now: d.now, region: "eu-west-1", keys: testKeys()}
		c.Key = func(id, _ string) (Key, bool) { k, ok := n.keys[id]; return k, ok }
		v, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		r := d.request()
		want, got := n.verify(r), ""
		if _, err := v.Verify(r); err != nil {
			var fault *Error
			errors.As(err, &fault)
			got = fault.Kind.ErrorType()
		}
		outcomes[want]++
		if got != want {
			t.Fatalf("%q, want %q\n%s\n%v", got, want, d, err)
		}
		if changes == 0 && want != "" {
			t.Fatalf("what was signed is refused: %q\n%s", want, d)
		}
	}
	for range 20 { // of rapid's hundred requests each
		rapid.Check(t, compare)
	}
	for _, kind := range []string{"", incompleteType, invalidType, unrecognizedType} {
		if outcomes[kind] < 10 {
			t.Errorf("%d requests ended in %q: %v", outcomes[kind], kind, outcomes)
		}
	}
}

func testKeys() map[string]Key {
	return map[string]Key{
		alice.keyID: {Secret: alice.secret}, temp.keyID: {Secret: temp.secret, Token: temp.token, Expires: now.Add(time.Hour)}, "AKIDEMPTY": {},
	}
}

// drafted is a signed request that can be changed.
type drafted struct {
	method, target, host string
	lines                []line
	body                 string
	now                  time.Time
}

func (d *drafted) request() *Request {
	r := &Request{Method: d.method, Target: d.target, Host: d.host, Headers: sequence(d.lines), Body: []byte(d.body), BodyComplete: true}
	return r
}

func (d *drafted) String() string {
	text := d.now.Format(dateLayout) + "\n" + d.method + " " + d.target + "\n" + d.host + "\n"
	for _, l := range d.lines {
		text += l.name + ": " + l.value + "\n"
	}
	return text + "\n" + d.body
}

// The alphabets hold what clients and proxies stumble over.
var (
	pathPieces  = []string{"/", "/", "//", "/.", "/..", "/a", "/pets", "b", "...", "%20", "%2F", "%2f", "%2E%2e", "+", "*'()!~", "=&;:@$,", "%", "%zz", "[", "|", "ä", "\xff", ".", "-_"}
	queryPieces = []string{"&", "&", "&", "=", "=", "a", "A", "b", "a-", "flag", "%20", "+", "%2B", "%2f", "/", "?", "%26", "%3D", "%zz", "%", "%4", ";", "~", "%7E", "*'()!", "ä", "%C3%A4", "%ff", "\xff", "X-Amz-Meta", "x-amz-meta"}
	valuePieces = []string{"a", "b", " ", "  ", "\t", "\"", ",", ";", "=", "ä", "\xff", "\u00a0", "é", "%20", "'"}
)

func pieces(from []string, least, most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(from), least, most).Draw(t, "pieces"), "")
	})
}

// draft signs a request of random shape.
func draft(t *rapid.T) *drafted {
	s := rapid.SampledFrom([]signer{alice, temp}).Draw(t, "signer")
	if rapid.IntRange(0, 7).Draw(t, "4A") == 0 { // it takes its time
		s.regionSet = rapid.SampledFrom([]string{"*", "eu-west-1", "us-*,eu-*", "us-east-1, *-west-1", "*-west-1"}).Draw(t, "region set")
	}
	s.spacesOnly, s.authority = rapid.Bool().Draw(t, "only spaces collapse"), rapid.Bool().Draw(t, ":authority")
	d := &drafted{
		method: rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "M-SEARCH"}).Draw(t, "method"),
		host:   rapid.SampledFrom([]string{testHost, "pets.example.com", "PETS.Example.COM:443", "[::1]:80", "pets.example.com."}).Draw(t, "host"),
		body:   rapid.SampledFrom([]string{"", "", "body", "a\r\n\x00\xff"}).Draw(t, "body"),
		target: rapid.SampledFrom([]string{"/", ""}).Draw(t, "slash") + pieces(pathPieces, 0, 6).Draw(t, "path"), now: now,
	}
	if d.target != "" && d.target[0] != '/' {
		d.target = "/" + d.target
	}
	if query := pieces(queryPieces, 0, 9).Draw(t, "query"); query != "" {
		d.target += "?" + query
	}
	var headers [][2]string
	for range rapid.IntRange(0, 4).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"X-App", "x-app", "Content-Type", "X-Amz-Meta-A", "User-Agent", "x_under", "X-Amzn-Trace-Id", "Cookie"}).Draw(t, "name")
		headers = append(headers, [2]string{name, strings.Trim(pieces(valuePieces, 0, 5).Draw(t, "value"), " \t")})
	}
	if rapid.Bool().Draw(t, "payload hash") {
		headers = append(headers, [2]string{"X-Amz-Content-Sha256", hashOf(d.body)})
	}
	d.sign(t, s, headers)
	return d
}

func (d *drafted) sign(t *rapid.T, s signer, headers [][2]string) {
	if rapid.Bool().Draw(t, "presigned") {
		s.expires = rapid.SampledFrom([]int{1, 60, 604800}).Draw(t, "expires")
		d.target = s.presign(d.method, d.target, d.host, headers, []byte(d.body))
		headers = append(headers, [2]string{"host", d.host})
	} else {
		headers = s.sign(d.method, d.target, d.host, headers, []byte(d.body))
	}
	for _, h := range headers {
		d.lines = append(d.lines, line{name: strings.ToLower(h[0]), value: h[1]})
	}
	d.lines = rapid.Permutation(d.lines).Draw(t, "order")
	d.keepOrder(headers)
}

// keepOrder puts the lines of one name back into the order in which they were signed.
func (d *drafted) keepOrder(headers [][2]string) {
	next := map[string]int{}
	for i := range d.lines {
		name := d.lines[i].name
		for next[name] < len(headers) && strings.ToLower(headers[next[name]][0]) != name {
			next[name]++
		}
		d.lines[i].value = headers[next[name]][1]
		next[name]++
	}
}

func hashOf(body string) string {
	v := &state{request: &Request{Body: []byte(body), BodyComplete: true}, config: &Config{}}
	_ = v.hashPayload()
	return string(v.payload[:])
}

// alteration is one thing that is done to a signed request.
type alteration struct {
	what string
	make func(*rapid.T, *drafted)
}

func (a alteration) String() string { return a.what }

// inAuth replaces a text in whatever holds the signature.
func inAuth(from, to string) alteration {
	return alteration{from + " becomes " + to, func(_ *rapid.T, d *drafted) {
		i := slices.IndexFunc(d.lines, func(l line) bool { return l.name == "authorization" })
		if i >= 0 {
			d.lines[i].value = strings.Replace(d.lines[i].value, from, to, 1)
			return
		}
		d.target = strings.Replace(d.target, strings.ReplaceAll(from, "/", "%2F"), strings.ReplaceAll(to, "/", "%2F"), 1)
		d.target = strings.Replace(d.target, "X-Amz-"+from, "X-Amz-"+to, 1)
	}}
}

func addLine(name, value string) alteration {
	return alteration{"one more " + name + ": " + value, func(_ *rapid.T, d *drafted) { d.lines = append(d.lines, line{name: name, value: value}) }}
}

func addQuery(text string) alteration {
	return alteration{"one more " + text, func(_ *rapid.T, d *drafted) {
		if strings.Contains(d.target, "?") {
			d.target += "&" + text
		} else {
			d.target += "?" + text
		}
	}}
}

func later(by time.Duration) alteration {
	return alteration{by.String() + " later", func(_ *rapid.T, d *drafted) { d.now = d.now.Add(by) }}
}

func inTarget(from, to string) alteration {
	return alteration{from + " becomes " + to + " in the target", func(_ *rapid.T, d *drafted) { d.target = strings.Replace(d.target, from, to, 1) }}
}

// inSignature changes the signature, which stands last in either form.
func inSignature(what string, change func(string) string) alteration {
	return alteration{what, func(_ *rapid.T, d *drafted) {
		for i, l := range d.lines {
			if before, signature, ok := strings.Cut(l.value, "Signature="); l.name == "authorization" && ok {
				d.lines[i].value = before + "Signature=" + change(signature)
			}
		}
		if before, rest, ok := strings.Cut(d.target, "X-Amz-Signature="); ok {
			signature, more, _ := strings.Cut(rest, "&")
			d.target = before + "X-Amz-Signature=" + change(signature)
			if more != "" {
				d.target += "&" + more
			}
		}
	}}
}

var alterations = []alteration{
	{"a line less", func(t *rapid.T, d *drafted) {
		if len(d.lines) > 0 {
			i := rapid.IntRange(0, len(d.lines)-1).Draw(t, "line")
			d.lines = slices.Delete(d.lines, i, i+1)
		}
	}},
	{"a line twice", func(t *rapid.T, d *drafted) {
		if len(d.lines) > 0 {
			d.lines = append(d.lines, rapid.SampledFrom(d.lines).Draw(t, "line"))
		}
	}},
	{"another value", func(t *rapid.T, d *drafted) {
		if len(d.lines) > 0 {
			i := rapid.IntRange(0, len(d.lines)-1).Draw(t, "line")
			d.lines[i].value = pieces(valuePieces, 0, 3).Draw(t, "value")
		}
	}},
	{"another body", func(_ *rapid.T, d *drafted) { d.body += "x" }},
	{"another method", func(_ *rapid.T, d *drafted) { d.method = "TRACE" }},
	{"another host", func(_ *rapid.T, d *drafted) { d.host += "x" }},
	addLine("authorization", "Bearer abc"), addLine("authorization", ""), addLine("x-amz-target", "Delete"), addLine("x_amz_target", "Delete"),
	addLine("x-amz-cf-id", "a"), addLine("x-amzn-trace-id", "a"), addLine("x-amz-security-token", temp.token), addLine("x-amz-security-token", "t"),
	addLine("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), addLine("x-amz-content-sha256", emptyHash), addLine("date", "Mon, 23 Nov 2026 12:00:00 GMT"),
	addLine("date", "20261123T120000Z"), addLine("x-amz-date", "20261123T120000Z"), addLine("cookie", "a=b"), addLine("host", "other"),
	addLine("x-amz-region-set", "*"), addLine("x-forwarded-for", "192.0.2.1"),
	addQuery("a=b"), addQuery("X-Amz-Signature=00"), addQuery("X-Amz-Credential=A"), addQuery("X-Amz-Algorithm"), addQuery("x-amz-signature=0"),
	addQuery("X%2DAmz-Signature=00"), addQuery("X-Amz-Security-Token=t"), addQuery("X-Amz-Expires=60"), addQuery("X-Amz-Region-Set=*"), addQuery(""),
	inAuth("AKID", "AKIX"), inAuth("AKIDALICE", "ASIDTEMP"), inAuth("AKIDALICE", "AKIDEMPTY"), inAuth("/20261123/", "/20261122/"), inAuth("/eu-west-1/", "/us-east-1/"),
	inAuth("/execute-api/", "/s3/"), inAuth("aws4_request", "aws4"), inAuth("/execute-api/", "/"), inAuth("/execute-api/", "/x/execute-api/"),
	inAuth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), inAuth("AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA256"), inAuth("AWS4-", "aws4-"),
	inAuth("AWS4-HMAC-SHA256 ", ""), inAuth("HMAC-SHA256 ", "HMAC-SHA256,"), inAuth(", ", ","), inAuth(", ", ",,"), inAuth(", ", ";"), inAuth(", ", ",a=b,"),
	inAuth("Credential=", "Credential"), inAuth("Credential=", "credential="), inAuth("SignedHeaders=", "SignedHeaders=a;"), inAuth("SignedHeaders=", "Credential="),
	inAuth("Signature=", "Signature=,Signature="), inAuth("host;", ""), inAuth("host", "Host"), inAuth("host", "host;host"), inAuth("host", ";host"),
	inAuth("host", "host;x-none"), inAuth("host", "host;zzz"), inAuth("x-amz-date", "date"), inAuth(";x-amz-date", ""),
	inTarget("X-Amz-Date=20261123T120000Z", "X-Amz-Date=20261123T120000"), inTarget("X-Amz-Expires=60", "X-Amz-Expires=061"), inTarget("X-Amz-Expires=60", "X-Amz-Expires=0"),
	inTarget("X-Amz-Expires=60", "X-Amz-Expires=604801"), inTarget("X-Amz-Expires=60", "X-Amz-Expires=-1"), inTarget("X-Amz-Date=", "X-Amz-date="),
	inTarget("X-Amz-SignedHeaders=", "X-Amz-SignedHeaders=&a="), inTarget("/", "//"), inTarget("/", "/x/../"), inTarget("%2F", "/"), inTarget("%2f", "%2F"), inTarget("+", "%20"), inTarget("+", "%2B"), inTarget("?", "?&"),
	inSignature("a signature in upper case", strings.ToUpper), inSignature("a short signature", func(s string) string { return s[:len(s)/2] }),
	inSignature("no signature", func(string) string { return "" }), inSignature("a longer signature", func(s string) string { return s + "00" }),
	inSignature("another signature", func(s string) string { return strings.NewReplacer("0", "1", "1", "0").Replace(s) }),
	later(300 * time.Second), later(301 * time.Second), later(-300 * time.Second), later(-301 * time.Second), later(60 * time.Second), later(61 * time.Second),
	later(2 * time.Hour), later(700000 * time.Second),
	{"another date", func(_ *rapid.T, d *drafted) {
		for i, l := range d.lines {
			if l.name == "x-amz-date" {
				d.lines[i].value = "2026-11-23T12:00:00Z"
			}
		}
	}},
	{"date in place of x-amz-date", func(_ *rapid.T, d *drafted) {
		for i, l := range d.lines {
			if l.name == "x-amz-date" {
				d.lines[i].name = "date"
			}
		}
	}},
}
