package jwt

import (
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadSet(t *testing.T) {
	r1, r2, e1 := jwkOf(t, rsa1(), "k1", nil), jwkOf(t, rsa2(), "k2", nil), jwkOf(t, p256(), "e1", nil)
	small := &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1024), big.NewInt(1)), E: 65537}
	large := &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 16384), big.NewInt(1)), E: 65537}
	one := &rsa.PublicKey{N: rsa1().Public().(*rsa.PublicKey).N, E: 1}
	offCurve := jwkOf(t, p256(), "off", nil)
	offCurve["x"] = offCurve["y"]
	for name, row := range map[string]struct {
		keys []claims
		want []string // kid and algorithm, RSA for its three
	}{
		"all kinds": {[]claims{r1, e1, jwkOf(t, p384(), "e2", nil), jwkOf(t, p521(), "e3", nil), jwkOf(t, ed(), "d1", nil)},
			[]string{"d1 EdDSA", "e1 ES256", "e2 ES384", "e3 ES512", "k1 RSA"}},
		"empty":                          {nil, nil},
		"an encryption key":              {[]claims{r1, jwkOf(t, rsa2(), "enc", claims{"use": "enc"})}, []string{"k1 RSA"}},
		"an unknown use":                 {[]claims{jwkOf(t, rsa2(), "x", claims{"use": "tls"})}, nil},
		"an empty use":                   {[]claims{jwkOf(t, rsa2(), "x", claims{"use": ""})}, nil},
		"no use":                         {[]claims{jwkOf(t, rsa1(), "k1", claims{"use": nil})}, []string{"k1 RSA"}},
		"verify":                         {[]claims{jwkOf(t, rsa1(), "k1", claims{"key_ops": []string{"verify"}})}, []string{"k1 RSA"}},
		"encrypt":                        {[]claims{jwkOf(t, rsa1(), "k1", claims{"key_ops": []string{"encrypt"}})}, nil},
		"no operation":                   {[]claims{jwkOf(t, rsa1(), "k1", claims{"key_ops": []string{}})}, nil},
		"no kid":                         {[]claims{jwkOf(t, rsa1(), "", nil), jwkOf(t, rsa1(), "k1", claims{"kid": nil}), r2}, []string{"k2 RSA"}},
		"kid is a number":                {[]claims{jwkOf(t, rsa1(), "", claims{"kid": 1})}, nil},
		"symmetric":                      {[]claims{jwkOf(t, []byte("secret secret secret secret 1234"), "k1", nil), r2}, []string{"k2 RSA"}},
		"symmetric, says RS256":          {[]claims{jwkOf(t, []byte("secret"), "k1", claims{"alg": "RS256"})}, nil},
		"private":                        {[]claims{jwkOf(t, rsa1(), "k1", claims{"d": "AQAB"})}, nil},
		"an unknown kind":                {[]claims{{"kty": "AKP", "kid": "k1", "use": "sig", "pub": "x"}, r2}, []string{"k2 RSA"}},
		"an unknown curve":               {[]claims{{"kty": "EC", "kid": "k1", "crv": "secp256k1", "x": "AA", "y": "AA"}}, nil},
		"X25519":                         {[]claims{{"kty": "OKP", "kid": "k1", "crv": "X25519", "x": strings.Repeat("A", 43)}}, nil},
		"no point of its curve":          {[]claims{offCurve}, nil},
		"weak":                           {[]claims{jwkOf(t, small, "k1", nil)}, nil},
		"enormous":                       {[]claims{jwkOf(t, large, "k1", nil)}, nil},
		"exponent one":                   {[]claims{jwkOf(t, one, "k1", nil)}, nil},
		"alg of its kind":                {[]claims{jwkOf(t, rsa1(), "k1", claims{"alg": "RS384"})}, []string{"k1 RS384"}},
		"alg of another kind":            {[]claims{jwkOf(t, rsa1(), "k1", claims{"alg": "ES256"})}, nil},
		"alg for encryption":             {[]claims{jwkOf(t, rsa1(), "k1", claims{"alg": "RSA-OAEP"})}, nil},
		"PS256 only":                     {[]claims{jwkOf(t, rsa1(), "k1", claims{"alg": "PS256"})}, nil},
		"broken":                         {[]claims{{"kty": "RSA", "kid": "k1", "n": "!", "e": "AQAB"}, {"kty": 1, "kid": "k3"}, {}, r2}, []string{"k2 RSA"}},
		"a key twice":                    {[]claims{r1, r1}, []string{"k1 RSA"}},
		"two keys of one kid":            {[]claims{r1, jwkOf(t, rsa2(), "k1", nil), e1}, []string{"e1 ES256"}},
		"three keys of one kid":          {[]claims{r1, jwkOf(t, rsa2(), "k1", nil), r1}, nil},
		"one kid in two families":        {[]claims{r1, jwkOf(t, p256(), "k1", nil)}, []string{"k1 ES256", "k1 RSA"}},
		"one kid, one to encrypt":        {[]claims{r1, jwkOf(t, rsa2(), "k1", claims{"use": "enc"})}, []string{"k1 RSA"}},
		"one kid, any algorithm and one": {[]claims{r1, jwkOf(t, rsa1(), "k1", claims{"alg": "RS256"})}, []string{"k1 RSA"}},
		"one key, three algorithms": {[]claims{
			jwkOf(t, rsa1(), "k1", claims{"alg": "RS256"}), jwkOf(t, rsa1(), "k1", claims{"alg": "RS384"}), jwkOf(t, rsa1(), "k1", claims{"alg": "RS512"}),
		}, []string{"k1 RSA"}},
		"one kid, two keys with an algorithm each": {[]claims{
			jwkOf(t, rsa1(), "k1", claims{"alg": "RS256"}), jwkOf(t, rsa2(), "k1", claims{"alg": "RS512"}),
		}, []string{"k1 RS256", "k1 RS512"}},
		"one kid, two keys of which one says no algorithm": {[]claims{r1, jwkOf(t, rsa2(), "k1", claims{"alg": "RS256"})}, []string{"k1 RS384", "k1 RS512"}},
		"one kid and algorithm, two keys":                  {[]claims{jwkOf(t, rsa1(), "k1", claims{"alg": "RS256"}), jwkOf(t, rsa2(), "k1", claims{"alg": "RS256"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := readSet([]byte(setOf(t, row.keys...)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for id := range f.keys {
				got = append(got, id.kid+" "+id.alg)
			}
			slices.Sort(got)
			if text := strings.ReplaceAll(strings.Join(got, ","), "k1 RS256,k1 RS384,k1 RS512", "k1 RSA"); text != "" {
				got = strings.Split(strings.ReplaceAll(text, "k2 RS256,k2 RS384,k2 RS512", "k2 RSA"), ",")
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBrokenSets(t *testing.T) {
	r1 := setOf(t, jwkOf(t, rsa1(), "k1", nil))
	many := slices.Repeat([]claims{{"kty": "oct"}}, 101)
	for name, text := range map[string]string{
		"nothing": "", "HTML": "<!DOCTYPE html><html><body>Sign in</body></html>", "null": "null", "a list": "[]", "no keys": "{}", "keys: null": `{"keys":null}`,
		"keys is an object": `{"keys":{}}`, "keys is a text": `{"keys":"x"}`, "a key is null": `{"keys":[null]}`, "a key is a number": `{"keys":[1]}`,
		"cut": r1[:len(r1)/2], "two sets": r1 + r1, "a tail": r1 + "x", "keys twice": `{"keys":[],"keys":[]}`, "a member of a key twice": `{"keys":[{"kid":"a","kid":"b"}]}`,
		"101 keys": setOf(t, many...), "large": `{"keys":[],"x":"` + strings.Repeat("x", maxSetBytes) + `"}`, "not UTF-8": "{\"keys\":[],\"x\":\"\xff\"}",
		"an error": `{"error":"server_error"}`, "one key, no set": marshal(t, jwkOf(t, rsa1(), "k1", nil)), "Keys": strings.Replace(r1, "keys", "Keys", 1),
	} {
		f, err := readSet([]byte(text))
		if _, ok := errors.AsType[refusedSet](err); !ok || f.keys != nil {
			t.Errorf("%s: %v, %v: want it refused", name, f.keys, err)
		}
	}
	if _, err := readSet([]byte(" \n" + r1 + "\n")); err != nil {
		t.Errorf("blanks around a set: %v", err)
	}
}

func TestSameContent(t *testing.T) {
	content := func(keys ...claims) [32]byte {
		f, err := readSet([]byte(setOf(t, keys...)))
		if err != nil {
			t.Fatal(err)
		}
		return f.content
	}
	r1, e1 := jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil)
	same := content(r1, e1)
	for name, keys := range map[string][]claims{
		"another order": {e1, r1}, "with an encryption key": {r1, e1, jwkOf(t, rsa2(), "enc", claims{"use": "enc"})},
		"more about a key": {r1, jwkOf(t, p256(), "e1", claims{"x-note": "x"})},
	} {
		if content(keys...) != same {
			t.Errorf("%s: counts as a change", name)
		}
	}
	for name, keys := range map[string][]claims{
		"one less": {r1}, "another key": {jwkOf(t, rsa2(), "k1", nil), e1}, "another kid": {jwkOf(t, rsa1(), "k2", nil), e1},
		"an algorithm": {jwkOf(t, rsa1(), "k1", claims{"alg": "RS256"}), e1}, "none": nil,
	} {
		if content(keys...) == same {
			t.Errorf("%s: counts as no change", name)
		}
	}
}

func TestFamilies(t *testing.T) {
	if familyOfCurve(elliptic.P224()) != noFamily || familyOfAlgorithm("PS256") != noFamily || familyOfAlgorithm("none") != noFamily || familyOf("x") != noFamily {
		t.Error("something is used that is not listed")
	}
}
