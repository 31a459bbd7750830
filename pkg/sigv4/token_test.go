package sigv4

import (
	"errors"
	"strings"
	"testing"
)

// A key may be derived from the token: Key sees the token in the place of the signature, and no other, and its owner is in the Result.
func TestKeyFromToken(t *testing.T) {
	asked := ""
	derived := func(_, token string) (Key, bool) {
		asked = token
		if len(token) < 3 || token[:3] != "tok" {
			return Key{}, false
		}
		return Key{Secret: "secret of " + token, Version: 1, Token: token, Owner: token}, true
	}
	s := temp
	s.token, s.secret = "token-1", "secret of token-1"
	v4a := s
	v4a.regionSet = "eu-west-1"
	unsigned := s
	unsigned.token = ""
	late := unsigned.presigned("GET", "/", nil, "")
	late.Target += "&X-Amz-Security-Token=token-1"
	changed := *late
	changed.Target = strings.Replace(late.Target, "token-1", "token-2", 1)
	swapped := s
	swapped.token = "token-2"
	both := s.request("GET", "/?X-Amz-Security-Token=token-1", nil, "")
	inQuery := unsigned.request("GET", "/?X-Amz-Security-Token=token-1", nil, "")
	inHeader := unsigned.presigned("GET", "/", [][2]string{{"x-amz-security-token", "token-1"}}, "")
	long := s
	long.keyID = alice.keyID
	for name, row := range map[string]struct {
		request *Request
		token   string // what Key is asked for
		lenient bool
		kind    Kind // Internal stands for an accepted request
	}{
		"header":                       {s.request("GET", "/", nil, ""), "token-1", false, Internal},
		"query":                        {s.presigned("GET", "/", nil, ""), "token-1", false, Internal},
		"header, 4A":                   {v4a.request("GET", "/", nil, ""), "token-1", false, Internal},
		"query, 4A":                    {v4a.presigned("GET", "/", nil, ""), "token-1", false, Internal},
		"another key id":               {long.request("GET", "/", nil, ""), "token-1", false, Internal},
		"query, added late":            {late, "token-1", false, InvalidSignature},
		"query, added late, allowed":   {late, "token-1", true, Internal},
		"another token than its key's": {swapped.request("GET", "/", nil, ""), "token-2", false, InvalidSignature},
		"added late, another token":    {&changed, "token-2", true, InvalidSignature},
		"no token":                     {unsigned.request("GET", "/", nil, ""), "", false, UnrecognizedClient},
		"in header and query":          {both, "token-1", false, UnrecognizedClient},
		"only in the query":            {inQuery, "", false, UnrecognizedClient},
		"only in the header":           {inHeader, "", true, UnrecognizedClient},
	} {
		t.Run(name, func(t *testing.T) {
			asked = "nothing"
			result, err := newVerifier(t, with(func(c *Config) { c.Key, c.AcceptUnsignedQueryToken = derived, row.lenient })).Verify(row.request)
			failed, refused := errors.AsType[*Error](err)
			if asked != row.token {
				t.Errorf("asked for the token %q", asked)
			}
			switch {
			case row.kind == Internal && (refused || result.Owner != any("token-1")):
				t.Errorf("%+v, %v", result, err)
			case row.kind != Internal && (!refused || failed.Kind != row.kind || result != (Result{})):
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}
