package jwt

import (
	"encoding/base64"
	"slices"
	"strings"
)

const (
	// maxTokenBytes bounds a token.
	maxTokenBytes = 16 << 10
	maxSegments   = 3
)

// parsed is a token that was read and not verified.
type parsed struct {
	alg, kid  string
	signed    string // header and payload as they were signed
	signature []byte
	token     *Token
}

// bearer takes a token out of what a caller shows: the token, or "Bearer", one blank and the token.
func bearer(shown string) string {
	const scheme = "bearer "
	if len(shown) > len(scheme) && strings.EqualFold(shown[:len(scheme)], scheme) {
		return shown[len(scheme):]
	}
	return shown
}

// parse reads a token in the compact form (RFC 7515, section 7.1). It takes what can be read in one way only.
func parse(token string, how Rendering) (*parsed, *Failure) {
	if len(token) > maxTokenBytes {
		return nil, malformed("the token is longer than 16,384 bytes")
	}
	if strings.Count(token, ".") != maxSegments-1 {
		return nil, &Failure{detail: "the token has not three segments", description: "token contains an invalid number of segments"}
	}
	dot := strings.LastIndexByte(token, '.')
	header, payload, _ := strings.Cut(token[:dot], ".")
	p := &parsed{signed: token[:dot]}
	var headerText, payloadText []byte
	for _, s := range []struct {
		from string
		into *[]byte
	}{{header, &headerText}, {payload, &payloadText}, {token[dot+1:], &p.signature}} {
		var ok bool
		if *s.into, ok = decode(s.from); !ok {
			return nil, malformed("a segment of the token is empty or no base64url")
		}
	}
	if failure := p.readHeader(string(headerText)); failure != nil {
		return nil, failure
	}
	members, err := parseObject(string(payloadText))
	if err != nil {
		return nil, malformed("the token's payload is not a JSON object, or one with a member twice")
	}
	var failure *Failure
	p.token, failure = newToken(members, how)
	return p, failure
}

// decode reads base64url without padding (RFC 4648, section 5). Only one text stands for given bytes: no line breaks, no bits
// that say nothing.
func decode(segment string) ([]byte, bool) {
	if segment == "" || strings.ContainsAny(segment, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	return b, err == nil
}

// refusedParameters are header parameters with which a token says by itself how it is to be verified, or that it is not plainly
// one.
var refusedParameters = []string{"crit", "jku", "jwk", "x5u", "zip", "enc", "b64"}

func (p *parsed) readHeader(s string) *Failure {
	members, err := parseObject(s)
	if err != nil {
		return malformed("the token's header is not a JSON object, or one with a member twice")
	}
	for _, m := range members {
		v := m.value
		switch {
		case slices.Contains(refusedParameters, m.name):
			return malformed("the token's header holds a parameter that is not honoured: one of " + strings.Join(refusedParameters, ", "))
		case m.name == "alg" && v.kind == text:
			p.alg = v.text
		case m.name == "kid" && v.kind == text && len(v.text) <= maxKeyID:
			p.kid = v.text
		case m.name == "typ" && (v.kind != text || !plainType(v.text)):
			return malformed("the token is one for another purpose, says its typ")
		case m.name == "cty" && (v.kind != text || isType(v.text, "jwt") || hasJWTSuffix(v.text)):
			return malformed("the token holds another token, says its cty")
		}
	}
	switch {
	case p.alg == "":
		return malformed("the token's header has no alg")
	case p.kid == "":
		return malformed("the token's header has no kid")
	}
	return nil
}

// plainType says whether a typ is that of identity and access tokens. A token that is typed for another purpose (RFC 8725,
// section 3.11), such as logout+jwt, identifies nobody.
func plainType(typ string) bool {
	return !hasJWTSuffix(typ) || isType(typ, "at+jwt")
}

func hasJWTSuffix(typ string) bool {
	const suffix = "+jwt"
	return len(typ) >= len(suffix) && strings.EqualFold(typ[len(typ)-len(suffix):], suffix)
}

func isType(typ, want string) bool {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, want)
}
