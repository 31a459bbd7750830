package gateway

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// issuerKeys are the keys of an issuer, and the file that holds its key set.
type issuerKeys struct {
	rsa  *rsa.PrivateKey
	ec   *ecdsa.PrivateKey
	file string
}

func newIssuerKeys(t *testing.T, name string) *issuerKeys {
	t.Helper()
	k := &issuerKeys{file: filepath.Join(t.TempDir(), name+".json")}
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	point, err := k.ec.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	set := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"r1","use":"sig","e":"AQAB","n":%q},{"kty":"EC","crv":"P-256","kid":"e1","use":"sig","x":%q,"y":%q}]}`,
		base64url(k.rsa.N.Bytes()), base64url(point[1:33]), base64url(point[33:]))
	if err := os.WriteFile(k.file, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// draft is a token that is being made.
type draft struct {
	keys            *issuerKeys
	header, payload map[string]any
	bearer          bool
	// finish changes what was signed.
	finish func(string) string
}

// sign makes the token of a draft.
func (d *draft) sign(t *testing.T) string {
	t.Helper()
	var segments [2]string
	for i, v := range []map[string]any{d.header, d.payload} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		segments[i] = base64url(text)
	}
	signed := segments[0] + "." + segments[1]
	token := signed + "." + base64url(d.signature(t, signed))
	if d.finish != nil {
		token = d.finish(token)
	}
	if d.bearer {
		return "Bearer " + token
	}
	return token
}

func (d *draft) signature(t *testing.T, signed string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(signed))
	switch d.header["alg"] {
	case "none":
		return nil
	case "HS256":
		mac := hmac.New(sha256.New, d.keys.rsa.N.Bytes())
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	case "ES256":
		r, s, err := ecdsa.Sign(rand.Reader, d.keys.ec, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	signature, err := rsa.SignPKCS1v15(nil, d.keys.rsa, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// phrase is a piece of what a row says of a token, and what it makes of a draft.
type phrase struct {
	pattern *regexp.Regexp
	apply   func(v *tokenVector, d *draft, found []string)
}

// say is a phrase about the payload: a claim and its value, of which nil takes it out.
func say(text, claim string, value any) phrase {
	return phrase{regexp.MustCompile(`^` + regexp.QuoteMeta(text)), func(_ *tokenVector, d *draft, _ []string) {
		if d.payload[claim] = value; value == nil {
			delete(d.payload, claim)
		}
	}}
}

func phrases() []phrase {
	re := regexp.MustCompile
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	pad := func(_ *tokenVector, _ *draft, _ []string) {}
	return []phrase{
		{re(`^Bearer `), func(_ *tokenVector, d *draft, _ []string) { d.bearer = true }},
		{re(`^raw token without Bearer`), func(_ *tokenVector, d *draft, _ []string) { d.bearer = false }},
		{re(`^garbage '(.*)'`), func(_ *tokenVector, d *draft, m []string) { d.finish = func(string) string { return m[1] } }},
		{re(`^(?:token with bad signature|invalid)`), func(_ *tokenVector, d *draft, _ []string) { d.finish = otherSignature }},
		{re(`^two segments only`), func(_ *tokenVector, d *draft, _ []string) { d.finish = withoutSignature }},
		{re(`^(?:valid-id-token|valid)`), pad},
		{re(`^(?:cognito )?id token`), func(v *tokenVector, d *draft, _ []string) { d.payload["token_use"] = "id" }},
		{re(`^access token`), func(_ *tokenVector, d *draft, _ []string) {
			d.payload["token_use"], d.payload["client_id"] = "access", d.payload["aud"]
			delete(d.payload, "aud")
		}},
		{re(`^of pool B`), func(v *tokenVector, d *draft, _ []string) { d.keys, d.payload["iss"] = v.keysOf["B"], issuerOfPoolB }},
		say("expired", "exp", in(-time.Minute)),
		say("exp in the past", "exp", in(-time.Minute)),
		say("nbf in the future", "nbf", in(time.Minute)),
		say("iat in the future", "iat", in(time.Minute)),
		say("no aud", "aud", nil), say("(no aud)", "aud", nil), say("no scope claim", "scope", nil),
		say("iss wrong", "iss", "https://other.example"),
		{re(`^iss with extra trailing slash`), func(_ *tokenVector, d *draft, _ []string) { d.payload["iss"] = d.payload["iss"].(string) + "/" }},
		{re(`^\(no slash\)`), pad},
		{re(`^(?:alg=)?(HS256|ES256|none)\b`), func(_ *tokenVector, d *draft, m []string) {
			if d.header["alg"] = m[1]; m[1] == "ES256" {
				d.header["kid"] = "e1"
			}
		}},
		{re(`^kid unknown`), func(_ *tokenVector, d *draft, _ []string) { d.header["kid"] = "unknown" }},
		{re(`^no kid`), func(_ *tokenVector, d *draft, _ []string) { delete(d.header, "kid") }},
		{re(`^scope ([a-z/]+)`), func(_ *tokenVector, d *draft, m []string) { d.payload["scope"] = m[1] }},
		{re(`^([a-z:_]+)=(\[[^]]*\]|'[^']*'|[^ ,]+)`), func(_ *tokenVector, d *draft, m []string) { d.payload[m[1]] = valueOf(m[2]) }},
		{re(`^[ ,]+`), pad},
	}
}

func otherSignature(token string) string {
	at := strings.LastIndexByte(token, '.') + 10
	other := byte('A')
	if token[at] == other {
		other = 'B'
	}
	return token[:at] + string(other) + token[at+1:]
}

func withoutSignature(token string) string { return token[:strings.LastIndexByte(token, '.')] }

// valueOf reads the value of a claim: a list, a text, a number, true or null.
func valueOf(text string) any {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		var list []any
		for e := range strings.SplitSeq(strings.TrimSuffix(inner, "]"), ",") {
			list = append(list, valueOf(e))
		}
		return list
	}
	if inner, ok := strings.CutPrefix(text, "'"); ok {
		return strings.TrimSuffix(inner, "'")
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	switch text {
	case "true":
		return true
	case "null":
		return nil
	}
	return text
}

// shown makes what a row's caller shows; false where that is nothing. What a row says in words that are not known fails the test.
func (v *tokenVector) shown(t *testing.T) (string, bool) {
	t.Helper()
	text := v.row.Request.Token
	if text == "missing" || text == "missing header" {
		return "", false
	}
	d := &draft{keys: v.keysOf["A"], header: map[string]any{"alg": "RS256", "kid": "r1", "typ": "JWT"}, payload: v.payload(), bearer: v.Given.Auth == string(JWT)}
	for rest := text; rest != ""; {
		before := len(rest)
		for _, p := range phrases() {
			if m := p.pattern.FindStringSubmatch(rest); m != nil {
				p.apply(v, d, m)
				rest = rest[len(m[0]):]
				break
			}
		}
		if len(rest) == before {
			t.Fatalf("%q: what is %q?", text, rest)
		}
	}
	return d.sign(t), true
}
