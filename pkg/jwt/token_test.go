package jwt

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func tokenOf(t *testing.T, payload string, how Rendering) *Token {
	t.Helper()
	members, err := parseObject(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, failure := newToken(members, how)
	if failure != nil {
		t.Fatal(failure)
	}
	return token
}

func TestRendering(t *testing.T) {
	const payload = `{"iss":"i","exp":1764090000,"s":"text","e":"","u":"\u00e9\n","n":5,"f":1.50,"x":1E5,"m":-0,"big":123456789012345678901234567890,
		"t":true,"no":false,"z":null,"cognito:groups":["admin","poweruser"],"one":["a"],"none":[],"mixed":["a",1,true,null],
		"nested":[["a","b"],["c"]],"o":{ "a" : 1.0, "b": [ "x y" ] },"lo":[{"a": 1},{"b":2}],"":"nameless"}`
	same := map[string]string{
		"iss": "i", "exp": "1764090000", "s": "text", "e": "", "u": "é\n", "n": "5", "f": "1.50", "x": "1E5", "m": "-0",
		"big": "123456789012345678901234567890", "t": "true", "no": "false", "o": `{"a":1.0,"b":["x y"]}`, "": "nameless",
	}
	for how, own := range map[Rendering]map[string]string{
		RenderHTTP: {"cognito:groups": "[admin poweruser]", "one": "[a]", "none": "[]", "mixed": "[a 1 true null]", "nested": "[[a b] [c]]", "lo": `[{"a":1} {"b":2}]`},
		RenderJSON: {"cognito:groups": `["admin","poweruser"]`, "one": `["a"]`, "none": "[]", "mixed": `["a",1,true,null]`, "nested": `[["a","b"],["c"]]`, "lo": `[{"a":1},{"b":2}]`},
		RenderREST: {"cognito:groups": "admin,poweruser", "one": "a", "none": "", "mixed": "a,1,true,null", "nested": `["a","b"],["c"]`, "lo": `{"a":1},{"b":2}`},
	} {
		token := tokenOf(t, payload, how)
		want := map[string]string{}
		for _, m := range []map[string]string{same, own} {
			for name, v := range m {
				want[name] = v
			}
		}
		got := map[string]string{}
		for name := range token.claims {
			got[name], _ = token.Claim(name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rendering %d: %s", how, diff)
		}
		if _, ok := token.Claim("z"); ok {
			t.Error("a claim that is null is there")
		}
		if _, ok := token.Claim("missing"); ok {
			t.Error("a claim is there that is not")
		}
	}
}

func TestTokenNeverChanges(t *testing.T) {
	token := tokenOf(t, `{"iss":"i","sub":"s","exp":1764090000,"aud":["a","b"],"scope":"x  y","scp":["z"],"client_id":"c","token_use":"access"}`, RenderREST)
	token.Scopes()[0] = "admin"
	audience, there := token.Audience()
	audience[0] = "other"
	again, _ := token.Audience()
	if !there || !slices.Equal(again, []string{"a", "b"}) || !slices.Equal(token.Scopes(), []string{"x", "y", "z"}) || token.HasScope([]string{"admin"}) {
		t.Error("a caller can change a token")
	}
	if token.Issuer() != "i" || token.Subject() != "s" || token.ClientID() != "c" || token.TokenUse() != "access" || !token.Expires().Equal(time.Unix(1764090000, 0)) {
		t.Errorf("%+v", token)
	}
	if token.HasScope(nil) || token.HasScope([]string{""}) || token.HasScope([]string{"x y"}) {
		t.Error("a scope is there that is not")
	}
	if _, there := tokenOf(t, `{"iss":"i","exp":1}`, RenderREST).Audience(); there {
		t.Error("an audience for a token without one")
	}
}

// Scopes have blanks between them and nothing else (RFC 6749, section 3.3): what an issuer granted as one strange scope is not
// several, one of which counts.
func TestOnlyBlanksPartScopes(t *testing.T) {
	for _, between := range []string{`\t`, `\n`, `\r`, `\u000b`, `\u000c`, `\u0085`, `\u00a0`, `\u2003`, `\u2028`, `\u3000`, ",", ";"} {
		for _, claim := range []string{`"scope":"read%sadmin"`, `"scp":"read%sadmin"`, `"scp":["read%sadmin"]`} {
			payload := `{"iss":"i","exp":1,` + strings.Replace(claim, "%s", between, 1) + "}"
			if token := tokenOf(t, payload, RenderHTTP); token.HasScope([]string{"admin", "read"}) || len(token.Scopes()) != 1 {
				t.Errorf("%s: scopes %q", payload, token.Scopes())
			}
		}
	}
	if scopes := tokenOf(t, `{"iss":"i","exp":1,"scope":"  read   admin "}`, RenderHTTP).Scopes(); !slices.Equal(scopes, []string{"read", "admin"}) {
		t.Errorf("scopes %q", scopes)
	}
}

// A cache is told what a token really takes, lists too: an issuer's token of thousands of scopes must not pass for a small one.
func TestBytesOfLists(t *testing.T) {
	plain := tokenOf(t, `{"iss":"i","exp":1,"x":"`+strings.Repeat("a ", 5000)+`"}`, RenderHTTP)
	scopes := tokenOf(t, `{"iss":"i","exp":1,"scope":"`+strings.Repeat("a ", 5000)+`"}`, RenderHTTP)
	audience := tokenOf(t, `{"iss":"i","exp":1,"aud":[`+strings.Repeat(`"a",`, 4000)+`"a"]}`, RenderHTTP)
	if least := plain.bytes + 5000*16; scopes.bytes < least || audience.bytes < 4000*16 {
		t.Errorf("%d bytes for the scopes, %d for the audience", scopes.bytes, audience.bytes)
	}
}

func TestNumericDate(t *testing.T) {
	const far = int64(farthest) * second
	for literal, want := range map[string]struct {
		down, up int64
		refused  bool
	}{
		"0": {0, 0, false}, "-0": {0, 0, false}, "1764090000": {1764090000e9, 1764090000e9, false}, "1.5": {15e8, 15e8, false},
		"1764090000.0000000001": {1764090000e9, 1764090000e9 + 1, false}, "-1.0000000001": {-1e9 - 1, -1e9, false}, "1e3": {1000e9, 1000e9, false},
		"1E+3": {1000e9, 1000e9, false}, "15e-1": {15e8, 15e8, false}, "9000000001": {far, far, false}, "9223372036854775807": {far, far, false},
		"99999999999999999999": {far, far, false}, "1e30": {far, far, false}, "-1e30": {-far, -far, false}, "-9223372036854775808": {-far, -far, false},
		"1e31": {refused: true}, "1e-31": {refused: true}, "1e999999999": {refused: true}, "1e99999999999999999999": {refused: true},
		strings.Repeat("1", 41): {refused: true}, "x": {refused: true}, "": {refused: true},
	} {
		down, ok1 := numericDate(literal, false)
		up, ok2 := numericDate(literal, true)
		if ok1 == want.refused || ok2 == want.refused || !want.refused && (down != want.down || up != want.up) {
			t.Errorf("%s: %d, %d, %v; want %+v", literal, down, up, ok1, want)
		}
	}
	if far+int64(maxClockSkew) < far || far > math.MaxInt64-int64(maxClockSkew) {
		t.Error("the clock's leeway can overflow")
	}
}
