package jwt

import (
	"iter"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Rendering says how claims are written where API Gateway wants text.
type Rendering uint8

const (
	// RenderREST is the way of REST APIs: the elements of an array come with commas between them.
	RenderREST Rendering = iota
	// RenderHTTP is the way of HTTP APIs: an array is written as [a b].
	RenderHTTP
	// RenderJSON writes arrays and objects as JSON, for a reader that needs their elements.
	RenderJSON
)

// Token is a verified token. It never changes.
type Token struct {
	issuer, subject    string
	clientID, tokenUse string
	audience           []string
	hasAudience        bool
	scopes             []string
	claims             map[string]claim
	bytes              int64
	// keyID is the kid of the token's header. fresh says that the token was verified for this request.
	keyID string
	fresh bool

	// Nanoseconds since 1970; those that are not there never refuse.
	expires, notBefore, issuedAt int64

	// keys and generation say by what the token was verified.
	keys       *keySet
	generation uint64
}

// stringBytes is the size of a string in a list without its text, which the token holds.
const stringBytes = 16

type claim struct {
	text     string
	isString bool
}

// Claim is a claim as API Gateway renders it; false where the token has none of the name, or one that is null.
func (t *Token) Claim(name string) (string, bool) {
	c, ok := t.claims[name]
	return c.text, ok
}

// ClaimsBelow yields the claims whose names begin with a prefix, without it, in no order.
func (t *Token) ClaimsBelow(prefix string) iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		for name, c := range t.claims {
			if rest, ok := strings.CutPrefix(name, prefix); ok && !yield(rest, c.text) {
				return
			}
		}
	}
}

// StringClaim is a claim that is a string.
func (t *Token) StringClaim(name string) (string, bool) {
	c, ok := t.claims[name]
	return c.text, ok && c.isString
}

// Subject is the claim sub; empty if there is none.
func (t *Token) Subject() string { return t.subject }

// Caller is who the token is of, for logs and metadata. Its lists are the token's own.
func (t *Token) Caller() authz.Caller {
	return authz.Caller{
		Principal: t.subject, Issuer: t.issuer, ClientID: t.clientID, TokenKeyID: t.keyID, Audience: t.audience, Scopes: t.scopes,
	}
}

// Cache says whether the token was remembered.
func (t *Token) Cache() authz.CacheState {
	if t.fresh {
		return authz.CacheMiss
	}
	return authz.CacheHit
}

// Issuer is the claim iss.
func (t *Token) Issuer() string { return t.issuer }

// Audience is the claim aud; false where the token has none.
func (t *Token) Audience() ([]string, bool) { return slices.Clone(t.audience), t.hasAudience }

// ClientID is the claim client_id; empty if there is none.
func (t *Token) ClientID() string { return t.clientID }

// TokenUse is the claim token_use, by which Cognito tells its tokens apart; empty if there is none.
func (t *Token) TokenUse() string { return t.tokenUse }

// Scopes are the token's scopes, of the claims scope and scp.
func (t *Token) Scopes() []string { return slices.Clone(t.scopes) }

// Expires is when the token expires.
func (t *Token) Expires() time.Time { return time.Unix(0, t.expires) }

// HasScope says whether the token has any one of some scopes.
func (t *Token) HasScope(scopes []string) bool {
	for _, s := range scopes {
		if slices.Contains(t.scopes, s) {
			return true
		}
	}
	return false
}

// For says whether the token has any one of some audiences.
func (t *Token) For(audiences map[string]struct{}) bool {
	for _, a := range t.audience {
		if _, ok := audiences[a]; ok {
			return true
		}
	}
	return false
}

// EveryAudience says whether the token has audiences, all of which are good.
func (t *Token) EveryAudience(good func(string) bool) bool {
	for _, a := range t.audience {
		if !good(a) {
			return false
		}
	}
	return len(t.audience) > 0
}

// newToken takes over the claims. A registered claim of another type than its own makes the token one that counts for nothing.
func newToken(members []member, how Rendering) (*Token, *Failure) {
	t := &Token{claims: make(map[string]claim, len(members)), notBefore: -farthest * second, issuedAt: -farthest * second}
	t.bytes = 512
	expires := false
	for _, m := range members {
		if !t.take(m, how) {
			return nil, malformed("a registered claim has another type than it must have")
		}
		expires = expires || m.name == "exp"
		if m.value.kind == null {
			continue
		}
		c := claim{text: how.render(m.value), isString: m.value.kind == text}
		t.claims[m.name] = c
		t.bytes += int64(len(m.name)+len(c.text)) + 64
	}
	t.bytes += int64(cap(t.scopes)+cap(t.audience)) * stringBytes
	switch {
	case t.issuer == "":
		return nil, malformed("the token has no iss")
	case !expires:
		return nil, malformed("the token has no exp")
	}
	return t, nil
}

// take reads a registered claim.
func (t *Token) take(m member, how Rendering) (ok bool) {
	v := m.value
	switch m.name {
	case "iss":
		t.issuer = v.text
		return v.kind == text
	case "sub":
		return optional(v, &t.subject)
	case "client_id":
		return optional(v, &t.clientID)
	case "token_use":
		return optional(v, &t.tokenUse)
	case "aud":
		t.hasAudience = true
		t.audience, ok = oneOrMore(v)
		return ok
	case "exp":
		t.expires, ok = numericDate(v.text, false)
		return ok && v.kind == number
	case "nbf":
		t.notBefore, ok = numericDate(v.text, true)
		return ok && v.kind == number
	case "iat":
		t.issuedAt, ok = numericDate(v.text, true)
		return ok && v.kind == number
	case "scope", "scp":
		return t.takeScopes(m, how)
	}
	return true
}

// takeScopes reads scope, one text with blanks between the scopes, or scp, which may be a list as well; scope may be one, too, but on
// a REST API.
func (t *Token) takeScopes(m member, how Rendering) bool {
	switch {
	case m.value.kind == null:
		return true
	case m.value.kind == text:
		isBlank := func(c rune) bool { return c == ' ' }
		t.scopes = append(t.scopes, strings.FieldsFunc(m.value.text, isBlank)...)
		return true
	case m.name == "scope" && how == RenderREST:
		return false
	}
	list, ok := oneOrMore(m.value)
	t.scopes = append(t.scopes, list...)
	return ok
}

// optional reads a string that need not be there. Null is not there.
func optional(v value, into *string) bool {
	if v.kind == null {
		return true
	}
	*into = v.text
	return v.kind == text
}

// oneOrMore reads one string or an array of them.
func oneOrMore(v value) ([]string, bool) {
	if v.kind == text {
		return []string{v.text}, true
	}
	if v.kind != array {
		return nil, false
	}
	list := make([]string, 0, len(v.elements))
	for _, e := range v.elements {
		if e.kind != text {
			return nil, false
		}
		list = append(list, e.text)
	}
	return list, true
}

// render writes a claim as text: numbers as they were written, objects as JSON.
func (how Rendering) render(v value) string {
	if v.kind == object || v.kind == array && how == RenderJSON {
		return compact(v.text)
	}
	if v.kind != array {
		return v.text
	}
	if how == RenderREST {
		return join(v.elements, ",", func(e value) string {
			if e.kind == array {
				return compact(e.text)
			}
			return how.render(e)
		})
	}
	return "[" + join(v.elements, " ", how.render) + "]"
}

func join(elements []value, separator string, write func(value) string) string {
	written := make([]string, len(elements))
	for i, e := range elements {
		written[i] = write(e)
	}
	return strings.Join(written, separator)
}

// farthest is the last second that is told apart, in the year 2255. What is later is this.
const farthest = 9_000_000_000

const second = 1_000_000_000

// numericDate reads a NumericDate (RFC 7519, section 2) in nanoseconds since 1970. A fraction finer than that is rounded down, or
// up: towards what refuses.
func numericDate(literal string, up bool) (int64, bool) {
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return clamp(n) * second, true
	}
	if len(literal) > 40 || !smallExponent(literal) {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return 0, false
	}
	if limit := new(big.Rat).SetInt64(farthest); r.Cmp(limit) > 0 {
		return farthest * second, true
	} else if r.Cmp(limit.Neg(limit)) < 0 {
		return -farthest * second, true
	}
	r.Mul(r, new(big.Rat).SetInt64(second))
	quotient, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // towards negative infinity
	if up && rest.Sign() != 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient.Int64(), quotient.IsInt64()
}

func clamp(n int64) int64 { return max(min(n, farthest), -farthest) }

// smallExponent keeps a short text from standing for an enormous number.
func smallExponent(literal string) bool {
	i := strings.IndexAny(literal, "eE")
	if i < 0 {
		return true
	}
	n, err := strconv.Atoi(literal[i+1:])
	return err == nil && math.Abs(float64(n)) <= 30
}
