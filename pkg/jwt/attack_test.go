package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// attacked is an issuer with keys of every kind, and an authorizer that takes every algorithm.
func attacked(t testing.TB) (*idp, *Authorizer) {
	t.Helper()
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil), jwkOf(t, ed(), "d1", nil)))
	c := restConfig(p)
	c.Algorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"}
	c.Cache = newCache(t)
	a := start(t, c)
	// The good tokens are known: an attack must not profit from what is remembered.
	for _, k := range []struct {
		alg, kid string
		key      any
	}{{"RS256", "k1", rsa1()}, {"ES256", "e1", p256()}, {"EdDSA", "d1", ed()}} {
		taken(t, a, sign(t, k.alg, k.key, k.kid, nil, good(p.URL, nil)))
	}
	return p, a
}

func TestEveryBitOfAToken(t *testing.T) {
	p, a := attacked(t)
	for _, k := range []struct {
		alg, kid string
		key      any
	}{{"RS256", "k1", rsa1()}, {"ES256", "e1", p256()}, {"EdDSA", "d1", ed()}} {
		token := sign(t, k.alg, k.key, k.kid, nil, good(p.URL, nil))
		taken(t, a, token)
		for i := range len(token) {
			for bit := range 8 {
				changed := []byte(token)
				changed[i] ^= 1 << bit
				neverTaken(t, a, string(changed))
			}
			neverTaken(t, a, token[:i])
			neverTaken(t, a, token[i+1:])
			neverTaken(t, a, token[:i]+token[i+1:])
		}
		for _, more := range []string{"A", "=", ".", "..", "\x00", "\n", "~"} {
			neverTaken(t, a, token+more)
			neverTaken(t, a, strings.Replace(token, ".", more+".", 1))
			neverTaken(t, a, strings.Replace(token, ".", "."+more, 1))
		}
		taken(t, a, token)
	}
}

// neverTaken wants a 401, and no 500, for what is the client's fault.
func neverTaken(t *testing.T, a *Authorizer, shown string) {
	t.Helper()
	// A key that is not known is waited for: not here.
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	token, err := a.Authenticate(ctx, shown, nil)
	if err == nil || token != nil {
		t.Fatalf("taken: %s", shown)
	}
	if r, ok := err.(*authz.Refusal); !ok || r.ResponseType != "UNAUTHORIZED" { //nolint:errorlint // it has to be this very type
		t.Fatalf("%v for %s, want a 401", err, shown)
	}
}

// Base64 has spare bits at the end of a segment: a token has one spelling only.
func TestOtherSpellings(t *testing.T) {
	p, a := attacked(t)
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil))
	segments := strings.Split(token, ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i, s := range segments {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{
			base64.URLEncoding.EncodeToString(b) + "=", s + "=", s + "==", base64.RawStdEncoding.EncodeToString(append(b, 0xff)),
			s[:4] + "\n" + s[4:], s + "\r\n", s + "%3D", s + " ",
		} {
			neverTaken(t, a, spelled(segments, i, other))
		}
		last := strings.IndexByte(alphabet, s[len(s)-1])
		for spare := 1; len(s)%4 != 0 && spare < 4; spare++ {
			neverTaken(t, a, spelled(segments, i, s[:len(s)-1]+string(alphabet[last^spare])))
		}
	}
}

func spelled(segments []string, i int, other string) string {
	changed := append([]string(nil), segments...)
	changed[i] = other
	return strings.Join(changed, ".")
}

func TestForgeries(t *testing.T) {
	p, a := attacked(t)
	payload := good(p.URL, nil)
	public, err := x509.MarshalPKIXPublicKey(rsa1().Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	modulus := rsa1().Public().(*rsa.PublicKey).N.Bytes()
	ecPublic, err := x509.MarshalPKIXPublicKey(p256().Public().(*ecdsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{
		"signed by another key":              sign(t, "RS256", rsa2(), "k1", nil, payload),
		"no alg":                             sign(t, "RS256", rsa1(), "k1", claims{"alg": nil}, payload),
		"alg is a list":                      sign(t, "RS256", rsa1(), "k1", claims{"alg": []string{"RS256"}}, payload),
		"no kid":                             sign(t, "RS256", rsa1(), "k1", claims{"kid": nil}, payload),
		"an empty kid":                       sign(t, "RS256", rsa1(), "", nil, payload),
		"kid is a number":                    sign(t, "RS256", rsa1(), "k1", claims{"kid": 1}, payload),
		"kid is a path":                      sign(t, "RS256", rsa1(), "../../../../dev/null", nil, payload),
		"kid is SQL":                         sign(t, "RS256", rsa1(), "k1' or '1'='1", nil, payload),
		"kid in another case":                sign(t, "RS256", rsa1(), "K1", nil, payload),
		"a kid of 2,000 bytes":               sign(t, "RS256", rsa1(), strings.Repeat("k", 2000), nil, payload),
		"RS256 by the name of RS384":         sign(t, "RS256", rsa1(), "k1", claims{"alg": "RS384"}, payload),
		"RS256 by the name of ES256":         sign(t, "RS256", rsa1(), "k1", claims{"alg": "ES256"}, payload),
		"RS256 by the name of EdDSA":         sign(t, "RS256", rsa1(), "k1", claims{"alg": "EdDSA"}, payload),
		"RS256 with the key of ES256":        sign(t, "RS256", rsa1(), "e1", nil, payload),
		"ES256 with the key of RS256":        sign(t, "ES256", p256(), "k1", nil, payload),
		"ES256 by the name of ES384":         sign(t, "ES256", p256(), "e1", claims{"alg": "ES384"}, payload),
		"a PSS signature":                    sign(t, "PS256", rsa1(), "k1", nil, payload),
		"PSS by the name of RS256":           sign(t, "PS256", rsa1(), "k1", claims{"alg": "RS256"}, payload),
		"rs256":                              sign(t, "RS256", rsa1(), "k1", claims{"alg": "rs256"}, payload),
		"HS256 with the public key":          sign(t, "HS256", public, "k1", nil, payload),
		"HS256 with the public key in PEM":   sign(t, "HS256", publicPEM, "k1", nil, payload),
		"HS256 with the modulus":             sign(t, "HS256", modulus, "k1", nil, payload),
		"HS256 with the EC key":              sign(t, "HS256", ecPublic, "e1", nil, payload),
		"HS512 with an empty secret's kid":   sign(t, "HS512", []byte{0}, "k1", nil, payload),
		"HMAC by the name of RS256":          sign(t, "HS256", publicPEM, "k1", claims{"alg": "RS256"}, payload),
		"crit":                               sign(t, "RS256", rsa1(), "k1", claims{"crit": []string{"exp"}}, payload),
		"an empty crit":                      sign(t, "RS256", rsa1(), "k1", claims{"crit": []string{}}, payload),
		"b64":                                sign(t, "RS256", rsa1(), "k1", claims{"b64": true}, payload),
		"jku":                                sign(t, "RS256", rsa1(), "k1", claims{"jku": p.URL + "/keys"}, payload),
		"x5u":                                sign(t, "RS256", rsa1(), "k1", claims{"x5u": p.URL}, payload),
		"jwk":                                sign(t, "RS256", rsa1(), "k1", claims{"jwk": jwkOf(t, rsa1(), "k1", nil)}, payload),
		"its own key as jwk":                 sign(t, "RS256", rsa2(), "k1", claims{"jwk": jwkOf(t, rsa2(), "k1", nil)}, payload),
		"its own key as jwk, of another kid": sign(t, "RS256", rsa2(), "mine", claims{"jwk": jwkOf(t, rsa2(), "mine", nil)}, payload),
		"its own certificate":                sign(t, "RS256", rsa2(), "k1", claims{"x5c": []string{base64.StdEncoding.EncodeToString(public)}}, payload),
		"zip":                                sign(t, "RS256", rsa1(), "k1", claims{"zip": "DEF"}, payload),
		"enc":                                sign(t, "RS256", rsa1(), "k1", claims{"enc": "A256GCM"}, payload),
		"nested":                             sign(t, "RS256", rsa1(), "k1", claims{"cty": "JWT"}, payload),
		"nested, in another case":            sign(t, "RS256", rsa1(), "k1", claims{"cty": "application/jwt"}, payload),
		"a logout token":                     sign(t, "RS256", rsa1(), "k1", claims{"typ": "logout+jwt"}, payload),
		"a security event":                   sign(t, "RS256", rsa1(), "k1", claims{"typ": "application/SecEvent+JWT"}, payload),
		"typ is a number":                    sign(t, "RS256", rsa1(), "k1", claims{"typ": 1}, payload),
		"a token in a token": signText(t, "RS256", rsa1(), `{"alg":"RS256","kid":"k1"}`,
			sign(t, "RS256", rsa1(), "k1", nil, payload)),
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "ES256K", "RSA-OAEP", "dir", "RS256 ", "RS256\x00"} {
		unsigned := b64(marshal(t, claims{"alg": alg, "kid": "k1", "typ": "JWT"})) + "." + b64(marshal(t, payload)) + "."
		rows["unsigned "+alg] = unsigned
		rows["unsigned, with a signature "+alg] = unsigned + "AA"
	}
	for name, token := range rows {
		t.Run(name, func(t *testing.T) { neverTaken(t, a, token) })
	}
	for _, typ := range []any{nil, "JWT", "jwt", "at+jwt", "application/at+jwt", "application/jwt"} {
		taken(t, a, sign(t, "RS256", rsa1(), "k1", claims{"typ": typ}, payload))
	}
	taken(t, a, sign(t, "RS256", rsa1(), "k1", claims{"x5t": "abc", "custom": claims{"a": 1}}, payload))
}

// What two parsers could read differently is signed by the issuer here: it is refused all the same.
func TestAmbiguousTexts(t *testing.T) {
	p, a := attacked(t)
	const header = `{"alg":"RS256","kid":"k1"}`
	payload := marshal(t, good(p.URL, nil))
	with := func(more string) string { return strings.TrimSuffix(payload, "}") + more + "}" }
	taken(t, a, signText(t, "RS256", rsa1(), header, payload))
	taken(t, a, signText(t, "RS256", rsa1(), " "+header+"\n", "\t"+payload+" "))
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for name, payload := range map[string]string{
		"aud twice": with(`,"aud":"a1"`), "iss twice": with(`,"iss":"` + p.URL + `"`), "exp twice": with(`,"exp":99999999999`),
		"aud twice, escaped": with(`,"\u0061ud":"a1"`), "a member of a member twice": with(`,"x":{"a":1,"a":2}`), "deep": with(`,"x":` + deep),
		"in a list": with(`,"x":[{"a":1,"a":2}]`), "two objects": payload + payload, "a tail": payload + "x", "a NUL": payload + "\x00",
		"a list": "[" + payload + "]", "a text": `"` + strings.ReplaceAll(payload, `"`, `\"`) + `"`, "null": "null", "a number": "1",
		"nothing": " ", "a trailing comma": with(","), "a comment": with(`/**/`), "single quotes": strings.ReplaceAll(payload, `"`, `'`),
		"half a surrogate pair": with(`,"x":"\ud800"`), "not UTF-8": with(",\"x\":\"\xff\""), "a byte order mark": "\ufeff" + payload,
		"NaN": with(`,"x":NaN`), "a leading zero": with(`,"x":01`), "a leading plus": with(`,"x":+1`), "a line break in a text": with(",\"x\":\"\n\""),
		"exp in hex": strings.Replace(payload, `"exp":`, `"exp":0x`, 1), "exp is enormous": strings.Replace(payload, `"exp":`, `"exp":1e999999999,"x":`, 1),
		"exp is tiny": strings.Replace(payload, `"exp":`, `"exp":1e-999999999,"x":`, 1), "exp is true": strings.Replace(payload, `"exp":`, `"exp":true,"x":`, 1),
		"exp is null": strings.Replace(payload, `"exp":`, `"exp":null,"x":`, 1), "exp is a list": strings.Replace(payload, `"exp":`, `"exp":[9999999999],"x":`, 1),
		"exp is a fraction of two": strings.Replace(payload, `"exp":`, `"exp":"9999999999/1","x":`, 1),
	} {
		t.Run(name, func(t *testing.T) { neverTaken(t, a, signText(t, "RS256", rsa1(), header, payload)) })
	}
	for name, header := range map[string]string{
		"alg twice": `{"alg":"none","alg":"RS256","kid":"k1"}`, "alg twice, escaped": `{"\u0061lg":"none","alg":"RS256","kid":"k1"}`,
		"kid twice": `{"alg":"RS256","kid":"k0","kid":"k1"}`, "a list": `["RS256"]`, "not JSON": `alg=RS256`, "empty": `{}`,
		"Alg": `{"Alg":"RS256","kid":"k1"}`, "KID": `{"alg":"RS256","KID":"k1"}`,
	} {
		t.Run("header: "+name, func(t *testing.T) { neverTaken(t, a, signText(t, "RS256", rsa1(), header, payload)) })
	}
}

func TestHugeTokens(t *testing.T) {
	p, a := attacked(t)
	for _, size := range []int{10 << 10, 14 << 10, 1 << 20} {
		token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"x": strings.Repeat("x", size)}))
		if begun := time.Now(); len(token) <= maxTokenBytes {
			taken(t, a, token)
		} else if neverTaken(t, a, token); time.Since(begun) > 100*time.Millisecond {
			t.Errorf("%d bytes took %v", len(token), time.Since(begun))
		}
	}
	var many strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&many, `"%x":1,`, i)
	}
	begun := time.Now()
	neverTaken(t, a, signText(t, "RS256", rsa1(), `{"alg":"RS256","kid":"k1"}`, "{"+many.String()+`"a":1}`))
	if took := time.Since(begun); took > 100*time.Millisecond {
		t.Errorf("1,500 members took %v", took)
	}
}

// A signature that is changed without ceasing to be one in mathematics: (r, n-s) is the other signature of ECDSA. It is the
// issuer's; what matters is that nothing else is, and that no other length is read.
func TestSignatureLengths(t *testing.T) {
	p, a := attacked(t)
	token := sign(t, "ES256", p256(), "e1", nil, good(p.URL, nil))
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(token[:dot]))
	der, err := p256().Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string][]byte{
		"zero": make([]byte, 64), "one byte more": append(signature, 0), "a zero before": append([]byte{0}, signature...),
		"short": signature[:63], "DER": der, "half": signature[:32], "twice": append(signature, signature...),
	} {
		t.Run(name, func(t *testing.T) { neverTaken(t, a, token[:dot+1]+b64(string(s))) })
	}
}
