package jwt

import (
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
)

// TestKeysOfOddSizes has an issuer's good key beside one that must be passed over.
func TestKeysOfOddSizes(t *testing.T) {
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	bytes := func(b ...byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	zeroFirst := func(encoded any) string {
		b, err := base64.RawURLEncoding.DecodeString(encoded.(string))
		if err != nil {
			t.Fatal(err)
		}
		return bytes(append([]byte{0}, b...)...)
	}
	past64 := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(65537))
	modulus := rsa1().Public().(*rsa.PublicKey).N
	r, e, d := jwkOf(t, rsa1(), "odd", nil), jwkOf(t, p256(), "odd", nil), jwkOf(t, ed(), "odd", nil)
	for name, row := range map[string]struct {
		key    claims
		member string
		value  any
	}{
		"e of 65 bits":             {r, "e", number(past64)},
		"e of 2,048 bits":          {r, "e", r["n"]},
		"e of 33 bits":             {r, "e", number(big.NewInt(1<<32 + 1))},
		"e of 32 bits":             {r, "e", number(big.NewInt(1<<32 - 1))},
		"e is even":                {r, "e", number(big.NewInt(65536))},
		"e is 1":                   {r, "e", number(big.NewInt(1))},
		"e is 2":                   {r, "e", number(big.NewInt(2))},
		"e is zero":                {r, "e", bytes(0)},
		"e is empty":               {r, "e", ""},
		"e has a leading zero":     {r, "e", zeroFirst(r["e"])},
		"e is padded":              {r, "e", "AQAB===="},
		"e has spare bits":         {r, "e", "AR"},
		"e in plain digits":        {r, "e", 65537},
		"n is even":                {r, "n", number(new(big.Int).Sub(modulus, big.NewInt(1)))},
		"n has a leading zero":     {r, "n", zeroFirst(r["n"])},
		"n is zero":                {r, "n", bytes(make([]byte, 256)...)},
		"n of 8,200 bits":          {r, "n", number(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 8199), big.NewInt(1)))},
		"n is empty":               {r, "n", ""},
		"x is short":               {e, "x", bytes(make([]byte, 31)...)},
		"x has a leading zero":     {e, "x", zeroFirst(e["x"])},
		"y has a leading zero":     {e, "y", zeroFirst(e["y"])},
		"y is missing":             {e, "y", nil},
		"y is another's":           {e, "y", e["x"]},
		"x and y are zero":         {jwkOf(t, p256(), "odd", claims{"x": bytes(make([]byte, 32)...)}), "y", bytes(make([]byte, 32)...)},
		"x past the field":         {e, "x", bytes([]byte(strings.Repeat("\xff", 32))...)},
		"curve of another size":    {e, "crv", "P-384"},
		"Ed25519 of 31 bytes":      {d, "x", bytes(make([]byte, 31)...)},
		"Ed25519 of 33 bytes":      {d, "x", zeroFirst(d["x"])},
		"OKP on an elliptic curve": {d, "crv", "P-256"},
	} {
		key := claims{}
		for n, v := range row.key {
			key[n] = v
		}
		if key[row.member] = row.value; row.value == nil {
			delete(key, row.member)
		}
		onlyGoodKey(t, name, key)
	}
}

// TestMembersByTheirExactNames has keys that other readers, which do not tell case apart, would take.
func TestMembersByTheirExactNames(t *testing.T) {
	for name, members := range map[string]claims{
		"KID for kid":            {"kid": nil, "KID": "odd"},
		"Kid beside kid":         {"Kid": "other"},
		"a Kelvin sign in kid":   {"\u212aid": "other"},
		"Use for use":            {"use": nil, "Use": "enc"},
		"USE beside use":         {"USE": "enc"},
		"a long s in use":        {"u\u017fe": "enc"},
		"Key_Ops":                {"Key_Ops": []string{"encrypt"}},
		"ALG":                    {"ALG": "RSA-OAEP"},
		"E for e":                {"e": nil, "E": "AQAB"},
		"E beside e":             {"E": "Aw"},
		"N beside n":             {"N": "Aw"},
		"KTY beside kty":         {"KTY": "oct"},
		"D, a private part":      {"D": "AQAB"},
		"Oth, more primes":       {"Oth": []string{}},
		"key_ops is a text":      {"key_ops": "verify"},
		"key_ops lists a number": {"key_ops": []int{1}},
		"use is a list":          {"use": []string{"sig"}},
		"alg is a number":        {"alg": 256},
	} {
		onlyGoodKey(t, name, jwkOf(t, rsa1(), "odd", members))
	}
	f, err := readSet([]byte(setOf(t, jwkOf(t, rsa1(), "k1", claims{"x-kid": "x", "x5t#S256": "x"}))))
	if err != nil || f.count != 1 {
		t.Errorf("a key with members of others: %v, %v", f.keys, err)
	}
	withNulls := strings.Replace(setOf(t, jwkOf(t, rsa1(), "k1", claims{"use": nil})), `"kid"`, `"use":null,"alg":null,"key_ops":null,"kid"`, 1)
	if f, err := readSet([]byte(withNulls)); err != nil || f.count != 1 {
		t.Errorf("a key with members that are null: %v, %v", f.keys, err)
	}
}

// onlyGoodKey holds a set to the good key in it.
func onlyGoodKey(t *testing.T, name string, odd claims) {
	t.Helper()
	f, err := readSet([]byte(setOf(t, jwkOf(t, rsa2(), "good", nil), odd)))
	if err != nil || f.count != 1 || f.keys[keyID{"good", "RS256"}] == nil {
		t.Errorf("%s: %v, %v: want the good key alone", name, f.keys, err)
	}
}
