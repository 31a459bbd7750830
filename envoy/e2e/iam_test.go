package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const mismatch = `{"message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}`

// by returns a request to sign, with a caller's key.
func by(w who, m mode, method, target string) *toSign {
	return &toSign{
		Mode: m, Method: method, URL: "https://pets.example.com" + target, Headers: [][2]string{}, Body: []byte{}, Service: "execute-api", Region: "eu-west-1",
		Expires: 300, AccessKeyID: w.id, SecretKey: w.secret, SessionToken: w.session,
	}
}

// send11 and send20 send a signed request over HTTP/1.1 and HTTP/2.
func (s *stack) send11(t *testing.T, r signed) answer {
	t.Helper()
	return s.send(t, r.wire())
}

func (s *stack) send20(t *testing.T, r signed) answer {
	t.Helper()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: r.Method},
		{Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: "pets.example.com"},
		{Name: ":path", Value: r.Target},
	}
	for _, h := range r.Headers {
		fields = append(fields, hpack.HeaderField{Name: strings.ToLower(h[0]), Value: h[1]})
	}
	return s.send2Body(t, fields, r.Body)
}

// everyByte is a body that is not text.
func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// signable is a request that clients sign.
type signable struct {
	name, method, target string
	headers              [][2]string
	body                 []byte
	// not are the clients that cannot send it, by name or by name and mode, with the reason.
	not map[string]string
}

func signables() []signable {
	json := [2]string{"Content-Type", "application/json"}
	presignsNoBody := map[string]string{"botocore presigned": "it moves the body into the query"}
	return []signable{
		{name: "GET", method: "GET", target: "/pets/7"},
		{name: "HEAD", method: "HEAD", target: "/pets/7"},
		{name: "the root of a route", method: "GET", target: "/pets"},
		{name: "DELETE", method: "DELETE", target: "/pets/7"},
		{name: "POST without a body", method: "POST", target: "/pets"},
		{name: "POST JSON", method: "POST", target: "/pets", headers: [][2]string{json}, body: []byte(`{"name": "Żubr!"}`), not: presignsNoBody},
		{name: "PUT bytes", method: "PUT", target: "/pets/7", headers: [][2]string{{"Content-Type", "application/octet-stream"}}, body: everyByte(), not: presignsNoBody},
		{name: "PATCH", method: "PATCH", target: "/pets/7", headers: [][2]string{json}, body: []byte(`[]`), not: presignsNoBody},
		{name: "spaces", method: "GET", target: "/pets/a%20b?name=big%20dog"},
		{name: "unicode", method: "GET", target: "/pets/%C5%BBubr%E2%82%AC?name=%C3%A9%F0%9F%90%95"},
		{name: "a plus for a space", method: "GET", target: "/pets?name=big+dog", not: map[string]string{
			"awscrt":             "it signs the plus as itself",
			"botocore presigned": "it reads the URL, and signs what it writes",
		}},
		{name: "an encoded plus", method: "GET", target: "/pets?name=1%2B1"},
		{name: "an encoded slash", method: "GET", target: "/pets/a%2Fb?path=a%2Fb"},
		{name: "repeated keys", method: "GET", target: "/pets?k=b&k=a&k=&j=1"},
		{name: "empty values", method: "GET", target: "/pets?empty=&k=1"},
		{name: "a key alone", method: "GET", target: "/pets?flag&k=1"},
		{name: "the order of the alphabet", method: "GET", target: "/pets?b=1&B=2&a-b=3&a=4&_=5"},
		{name: "a header", method: "GET", target: "/pets", headers: [][2]string{{"X-Tag", "  a   b  "}}},
		{name: "a repeated header", method: "GET", target: "/pets", headers: [][2]string{{"X-Tag", "b"}, {"X-Tag", "a"}}, not: map[string]string{"smithy": "it knows one value for a name"}},
		{name: "a header of Amazon's", method: "GET", target: "/pets", headers: [][2]string{{"X-Amz-Meta-Tag", "a"}}},
	}
}

// Every client's requests pass, a user's over HTTP/1.1 and a role session's over HTTP/2. The upstream is told who it was and
// never sees what signed.
func TestClientsSign(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	eachClient(t, func(t *testing.T, c client, m mode) {
		for _, tc := range signables() {
			t.Run(tc.name, func(t *testing.T) {
				if why := tc.not[c.name] + tc.not[c.name+" "+string(m)]; why != "" {
					t.Skip(why)
				}
				for caller, send := range map[who]func(*testing.T, signed) answer{
					user(owner, member): s.send11, session(owner, grants): s.send20,
				} {
					request := c.mustSign(t, tc.signedBy(caller, m))
					s.passes(t, send(t, request), request, caller)
				}
			})
		}
	})
}

// signedBy is the request to sign with a caller's key.
func (c signable) signedBy(w who, m mode) *toSign {
	r := by(w, m, c.method, c.target)
	r.Headers, r.Body = append(r.Headers, c.headers...), append(r.Body, c.body...)
	return r
}

// Signatures verify in whatever shape Envoy hands the request on.
func TestSignaturesUnderOtherSettings(t *testing.T) {
	t.Parallel()
	caller := session(owner, grants)
	for _, v := range append(variants(), variant{"the peer not appended", []envoytest.Edit{remoteAddressOff}}) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			c := signing("")
			c.edits = v.edits
			s := start(t, c)
			for _, m := range []mode{inHeader, presigned} {
				for _, tc := range signables() {
					t.Run(string(m)+"/"+tc.name, func(t *testing.T) {
						request := goClient().mustSign(t, tc.signedBy(caller, m))
						s.passes(t, s.send11(t, request), request, caller)
						s.passes(t, s.send20(t, request), request, caller)
						check(t, s, s.send11(t, flip(request)), 403, invalidSignature, bodyOf(tc.method, mismatch))
					})
				}
			}
		})
	}
}

// bodyOf is the body of an answer to a method.
func bodyOf(method, body string) string {
	if method == "HEAD" {
		return ""
	}
	return body
}

// passes holds what the upstream saw against what was signed.
func (s *stack) passes(t *testing.T, a answer, r signed, caller who) {
	t.Helper()
	seen := s.allowed(t, a)
	if got := seen.Header("x-caller"); len(got) != 1 || got[0] != caller.arn {
		t.Errorf("the upstream was told of %q, want %s", got, caller.arn)
	}
	if seen.Method != r.Method || seen.Body != string(r.Body) {
		t.Errorf("the upstream saw %s with body %q, want %s with %q", seen.Method, seen.Body, r.Method, r.Body)
	}
	if diff := cmp.Diff(unspent(t, r.Target), seen.Target); diff != "" {
		t.Errorf("the upstream's target (-signed +seen):\n%s", diff)
	}
	s.keepsSignature(t, seen, r)
}

// spent are the query parameters that hold a signature.
var spent = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Region-Set"}

// keepsSignature fails if anything of a signature has reached the upstream.
func (s *stack) keepsSignature(t *testing.T, seen envoytest.Seen, r signed) {
	t.Helper()
	for _, name := range []string{"authorization", "x-amz-security-token"} {
		if got := seen.Header(name); got != nil {
			t.Errorf("the upstream saw %s: %q", name, got)
		}
	}
	for _, name := range spent {
		if strings.Contains(strings.ToLower(seen.Target), strings.ToLower(name)) {
			t.Errorf("the upstream saw %s", seen.Target)
		}
	}
	for _, secret := range secrets(r) {
		if strings.Contains(strings.Join(seen.Headers, "\n")+seen.Target, secret) {
			t.Errorf("the upstream saw %s", secret)
		}
	}
}

var signatureShape = regexp.MustCompile(`Signature=([0-9a-f]{64,})`)

// secrets are the signature and session token of a request, as it spells them.
func secrets(r signed) []string {
	var all []string
	if found := signatureShape.FindStringSubmatch(r.Target + r.header("Authorization")); found != nil {
		all = append(all, found[1])
	}
	if token := r.header("X-Amz-Security-Token"); token != "" {
		all = append(all, token)
	}
	return all
}

// unspent is a target without what holds a signature.
func unspent(t *testing.T, target string) string {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(spent, name)
	})
	if query = strings.Join(pairs, "&"); query == "" {
		return path
	}
	return path + "?" + query
}

// tampering is what is done to a signed request, or to what is signed, and what the client is told then.
type tampering struct {
	name            string
	before          func(*toSign)
	after           func(signed) signed
	only            []mode
	errorType, body string
}

// joined stands for the hash of two equal Authorization headers: Envoy makes one of them.
const joined = "$joined"

func says(message string) string { return `{"message":"` + message + `"}` }

const (
	invalidSignature    = "InvalidSignatureException"
	incompleteSignature = "IncompleteSignatureException"
	unrecognizedClient  = "UnrecognizedClientException"
	missingToken        = "MissingAuthenticationTokenException"
	unknownKey          = `{"message":"The security token included in the request is invalid."}`
	accessDenied        = "AccessDeniedException"
)

func tamperings() []tampering {
	return []tampering{
		{name: "another body", after: func(s signed) signed { return s.body(strings.Repeat("x", max(len(s.Body), 1))) }, errorType: invalidSignature, body: mismatch},
		{name: "another body with its hash", after: func(s signed) signed {
			return s.body(`{"name": "rex"}`).without(contentHash).with(contentHash, sha256Hex(`{"name": "rex"}`))
		}, errorType: invalidSignature, body: mismatch},
		{name: "another body, said to be unsigned", after: func(s signed) signed {
			return s.body(`{"name": "rex"}`).without(contentHash).with(contentHash, "UNSIGNED-PAYLOAD")
		}, errorType: invalidSignature, body: mismatch},
		{name: "a byte of the body that is not UTF-8", after: func(s signed) signed { return s.body("\xff" + string(s.Body[min(1, len(s.Body)):])) }, errorType: invalidSignature, body: mismatch},
		{name: "another method", after: func(s signed) signed { s.Method = "PUT"; return s }, errorType: invalidSignature, body: mismatch},
		{name: "another path", after: func(s signed) signed { s.Target = strings.Replace(s.Target, "/pets/7", "/pets/8", 1); return s }, errorType: invalidSignature, body: mismatch},
		{name: "another value in the query", after: func(s signed) signed { s.Target = strings.Replace(s.Target, "k=1", "k=2", 1); return s }, errorType: invalidSignature, body: mismatch},
		{name: "another parameter", after: func(s signed) signed { s.Target += "&k=2"; return s }, errorType: invalidSignature, body: mismatch},
		{name: "an x-amz header", after: func(s signed) signed { return s.with("X-Amz-Meta-Owner", "me") }, errorType: invalidSignature, body: mismatch},
		{name: "an x-amz header in another spelling", after: func(s signed) signed { return s.with("x_amz_meta_owner", "me") }, errorType: invalidSignature, body: mismatch},
		{name: "a signed header again", after: func(s signed) signed { return s.with("X-Tag", "more") }, errorType: invalidSignature, body: mismatch},
		{name: "a signed header changed", after: func(s signed) signed { return s.without("X-Tag").with("X-Tag", "other") }, errorType: invalidSignature, body: mismatch},
		{name: "a signed header removed", after: func(s signed) signed { return s.without("X-Tag") }, errorType: invalidSignature, body: mismatch},
		{name: "another signature", after: flip, errorType: invalidSignature, body: mismatch},
		{name: "another secret", before: func(r *toSign) { r.SecretKey += "x" }, errorType: invalidSignature, body: mismatch},
		{name: "an unknown key", before: func(r *toSign) { r.AccessKeyID = "AKIAUNKNOWN" }, errorType: unrecognizedClient, body: unknownKey},
		{name: "a token with a key that has none", before: func(r *toSign) { r.SessionToken = "token" }, errorType: unrecognizedClient, body: unknownKey},
		{name: "another region", before: func(r *toSign) { r.Region = "us-east-1" }, errorType: invalidSignature, body: says("Credential should be scoped to a valid region. ")},
		{name: "another service", before: func(r *toSign) { r.Service = "s3" }, errorType: invalidSignature, body: says("Credential should be scoped to correct service: 'execute-api'. ")},
		{name: "two Authorization headers", after: func(s signed) signed { return s.with("Authorization", s.header("Authorization")) }, only: []mode{inHeader, inHeader4A}, errorType: incompleteSignature, body: says("Authorization header has a repeated or an unknown parameter (hashed with SHA-256 and encoded with Base64): '" + joined + "'.")},
		{name: "an Authorization header beside a signed query", after: func(s signed) signed {
			return s.with("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature=00")
		}, only: []mode{presigned, presigned4A}, errorType: incompleteSignature, body: says("The request is signed both in the Authorization header and in the query string.")},
		{name: "a signed query beside the Authorization header", after: func(s signed) signed { s.Target += "&X-Amz-Signature=00"; return s }, only: []mode{inHeader, inHeader4A}, errorType: incompleteSignature, body: says("The request is signed both in the Authorization header and in the query string.")},
		{name: "a signature twice in the query", after: func(s signed) signed { s.Target += "&X-Amz-Signature=00"; return s }, only: []mode{presigned, presigned4A}, errorType: incompleteSignature, body: says("AWS query-string parameters must occur once and have a value. Re-examine the query-string parameters.")},
		{name: "a parameter of the signature spelled otherwise", after: func(s signed) signed {
			s.Target = strings.Replace(s.Target, "X-Amz-Signature", "%58-Amz-Signature", 1)
			return s
		}, only: []mode{presigned, presigned4A}, errorType: incompleteSignature, body: says("AWS query-string parameters must be spelled as documented. Re-examine the query-string parameters.")},
		{name: "a parameter of the signature in another case", after: func(s signed) signed {
			s.Target = strings.Replace(s.Target, "X-Amz-Expires", "x-amz-expires", 1)
			return s
		}, only: []mode{presigned, presigned4A}, errorType: incompleteSignature, body: says("AWS query-string parameters must be spelled as documented. Re-examine the query-string parameters.")},
		{name: "a parameter of the signature missing", after: func(s signed) signed {
			s.Target = strings.Replace(s.Target, "X-Amz-SignedHeaders", "SignedHeaders", 1)
			return s
		}, only: []mode{presigned, presigned4A}, errorType: incompleteSignature, body: says("AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.")},
		{name: "X-Amz-Expires taken out", after: func(s signed) signed {
			s.Target = strings.Replace(s.Target, "X-Amz-Expires", "Expires", 1)
			return s
		}, only: []mode{presigned, presigned4A}, errorType: invalidSignature, body: mismatch},
		{name: "unsigned", after: func(s signed) signed { s = s.without("Authorization"); s.Target = unsigned(s.Target); return s }, errorType: missingToken, body: noRoute},
	}
}

const contentHash = "X-Amz-Content-Sha256"

// body returns a copy with another body, and the length that fits it.
func (s signed) body(text string) signed {
	s.Body = []byte(text)
	if s.header("Content-Length") != "" {
		s = s.without("Content-Length").with("Content-Length", strconv.Itoa(len(text)))
	}
	return s
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// unsigned is a target without a signature.
func unsigned(target string) string {
	before, _, _ := strings.Cut(target, "X-Amz-")
	return before
}

// flip changes the last character of the signature, wherever it is.
func flip(s signed) signed {
	change := func(text string) string {
		at := signatureShape.FindStringSubmatchIndex(text)
		if at == nil {
			return text
		}
		last := "0"
		if text[at[3]-1] == '0' {
			last = "1"
		}
		return text[:at[3]-1] + last + text[at[3]:]
	}
	s.Target, s.Headers = change(s.Target), slices.Clone(s.Headers)
	for i := range s.Headers {
		s.Headers[i][1] = change(s.Headers[i][1])
	}
	return s
}

// tampered is what the tests of changed requests begin with: it passes as it is.
func tampered(c client, m mode) *toSign {
	r := by(user(owner, grants), m, "POST", "/pets/7?k=1")
	r.Headers = append(r.Headers, [2]string{"X-Tag", "a"})
	if !m.inQuery() || c.name != "botocore" {
		r.Body = []byte(`{"name": "tom"}`)
	}
	return r
}

// What is changed after signing, or signed with what is not the caller's, is refused in API Gateway's words. The rest of the
// request passes, so that the change is why.
func TestTamperedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	eachClient(t, func(t *testing.T, c client, m mode) {
		r := c.mustSign(t, tampered(c, m))
		s.allowed(t, s.send11(t, r))
		s.allowed(t, s.send20(t, r))
		for _, tc := range tamperings() {
			if len(tc.only) == 0 || slices.Contains(tc.only, m) {
				t.Run(tc.name, func(t *testing.T) {
					request := tc.apply(t, c, m)
					authorization := request.header("Authorization")
					body := strings.Replace(tc.body, joined, hashed(authorization+","+authorization), 1)
					check(t, s, s.send11(t, request), 403, tc.errorType, body)
					check(t, s, s.send20(t, request), 403, tc.errorType, body)
				})
			}
		}
	})
	s.logsNoSecret(t)
}

// apply signs the request and changes it before or after.
func (tc tampering) apply(t *testing.T, c client, m mode) signed {
	t.Helper()
	r := tampered(c, m)
	if tc.before != nil {
		tc.before(r)
		return c.mustSign(t, r)
	}
	request := c.mustSign(t, r)
	changed := tc.after(request)
	if changed.wire() == request.wire() {
		t.Fatal("nothing was changed")
	}
	return changed
}

// logsNoSecret fails if a secret, a session token or a signature is in what the programs wrote.
func (s *stack) logsNoSecret(t *testing.T) {
	t.Helper()
	for _, text := range []string{s.envoy.Stdout(), s.envoy.Stderr(), s.portcullis.Stdout(), s.portcullis.Stderr()} {
		for _, word := range []string{"secret/of", "token/of", "token%2Fof"} {
			if strings.Contains(text, word) {
				t.Errorf("%s is in a log", word)
			}
		}
		if found := signatureShape.FindString(text); found != "" {
			t.Errorf("%s is in a log", found)
		}
	}
}

// A signature holds for five minutes, a presigned one for as long as it says.
func TestReplays(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	const stamp = `[0-9]{8}T[0-9]{6}Z`
	eachClient(t, func(t *testing.T, c client, m mode) {
		for _, tc := range []struct {
			name string
			age  time.Duration
			want string // a pattern, in which T is the time of signing; empty where the request passes
			only func(mode) bool
		}{
			{"four minutes old", 4 * time.Minute, "", nil},
			{"six minutes old", 6 * time.Minute, `Signature expired: T is now earlier than ` + stamp + ` \(` + stamp + ` - 5 min\.\)`, func(m mode) bool { return !m.inQuery() }},
			{"presigned for five minutes, six minutes old", 6 * time.Minute, `Signature expired: T is now earlier than ` + stamp + ` \(` + stamp + ` - 300 sec\.\)`, mode.inQuery},
			{"four minutes early", -4 * time.Minute, "", nil},
			{"six minutes early", -6 * time.Minute, `Signature not yet current: T is still later than ` + stamp + ` \(` + stamp + ` \+ 5 min\.\)`, nil},
		} {
			if tc.only != nil && !tc.only(m) {
				continue
			}
			t.Run(tc.name, func(t *testing.T) {
				r := by(user(owner, grants), m, "GET", "/pets/7")
				r.Time = time.Now().Add(-tc.age).UTC().Format(amzDate)
				a := s.send11(t, c.mustSign(t, r))
				if tc.want == "" {
					s.allowed(t, a)
					return
				}
				want := regexp.MustCompile("^" + regexp.QuoteMeta(`{"message":"`) + strings.Replace(tc.want, "T is", r.Time+" is", 1) + regexp.QuoteMeta(`"}`) + "$")
				if !want.MatchString(a.body) {
					t.Errorf("body %s, want %s", a.body, want)
				}
				check(t, s, a, 403, invalidSignature, a.body)
			})
		}
	})
}

// Temporary keys.
func TestSessionTokens(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	eachClient(t, func(t *testing.T, c client, m mode) {
		for _, tc := range []struct {
			name            string
			caller          who
			token           string
			errorType, body string
		}{
			{"its own", session(owner, grants), session(owner, grants).session, "", ""},
			{"none", session(owner, grants), "", unrecognizedClient, unknownKey},
			{"another's", session(owner, grants), session(owner, silent).session, unrecognizedClient, unknownKey},
			{"expired", session(owner, expired), session(owner, expired).session, "ExpiredTokenException", says("The security token included in the request is expired")},
		} {
			t.Run(tc.name, func(t *testing.T) {
				r := by(tc.caller, m, "GET", "/pets/7")
				r.SessionToken = tc.token
				a := s.send11(t, c.mustSign(t, r))
				if tc.errorType == "" {
					s.allowed(t, a)
					return
				}
				check(t, s, a, 403, tc.errorType, tc.body)
			})
		}
	})
	s.logsNoSecret(t)
}
