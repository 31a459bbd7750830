package jwt

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// jsonWebKey is a JSON Web Key (RFC 7517) as it was written.
type jsonWebKey struct {
	text   map[string]string // the members that are strings
	hasUse bool
	keyOps []value // nil if the key has none
}

// knownMembers are the members that are looked at. The private ones are those of RFC 7518, section 6.
var (
	knownMembers   = []string{"kty", "kid", "use", "alg", "key_ops", "crv", "x", "y", "n", "e"}
	privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
)

// readJWK reads a key's members by their exact names (RFC 7517, section 4). It returns false for a key with a private part, a
// known member of another type, or a name that other readers take for a known one, such as KID.
func readJWK(object string) (j jsonWebKey, ok bool) {
	members, err := parseObject(object)
	if err != nil {
		return j, false
	}
	j.text = make(map[string]string, len(members))
	for _, m := range members {
		switch {
		case isMember(m.name, privateMembers):
			return j, false
		case !slices.Contains(knownMembers, m.name):
			if isMember(m.name, knownMembers) {
				return j, false
			}
		case m.value.kind == null: // not there, as many an issuer writes it
		case m.name == "key_ops":
			if m.value.kind != array {
				return j, false
			}
			j.keyOps = append([]value{}, m.value.elements...)
		case m.value.kind != text:
			return j, false
		default:
			j.text[m.name] = m.value.text
			j.hasUse = j.hasUse || m.name == "use"
		}
	}
	return j, true
}

// isMember reports whether a name is one of some names for a reader that is not particular about case, as encoding/json is.
func isMember(name string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// verifies reports whether the key has a name and is meant to verify signatures.
func (j *jsonWebKey) verifies() bool {
	verify := func(v value) bool { return v.kind == text && v.text == "verify" }
	kid := j.text["kid"]
	return kid != "" && len(kid) <= maxKeyID && (!j.hasUse || j.text["use"] == "sig") &&
		(j.keyOps == nil || slices.ContainsFunc(j.keyOps, verify))
}

// maxExponentBytes is the length of the largest RSA exponent that is read: crypto/rsa takes exponents of 31 bits.
const maxExponentBytes = 4

// coordinateBytes is the length of a coordinate of each curve (RFC 7518, section 6.2.1.2; RFC 8037, section 2).
var coordinateBytes = map[string]int{"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}

// public is the public key; nil if its numbers are not written as RFC 7518 and RFC 8037 want them. The library gets what was
// checked and nothing else: by itself, it cuts an exponent to 64 bits.
func (j *jsonWebKey) public() any {
	var names []string
	switch size := coordinateBytes[j.text["crv"]]; {
	case j.text["kty"] == "RSA" && isNumber(j.text["n"], maxRSABits/8) && isNumber(j.text["e"], maxExponentBytes):
		names = []string{"kty", "n", "e"}
	case j.text["kty"] == "EC" && size > 0 && hasLength(j.text["x"], size) && hasLength(j.text["y"], size):
		names = []string{"kty", "crv", "x", "y"}
	case j.text["kty"] == "OKP" && size > 0 && hasLength(j.text["x"], size):
		names = []string{"kty", "crv", "x"}
	default:
		return nil
	}
	checked := make(map[string]string, len(names))
	for _, name := range names {
		checked[name] = j.text[name]
	}
	written, err := json.Marshal(checked)
	if err != nil {
		return nil
	}
	parsed, err := jwk.ParseKey(written)
	if err != nil {
		return nil
	}
	var public any
	if parsed.Raw(&public) != nil {
		return nil
	}
	return public
}

// isNumber reports whether a text is a Base64urlUInt (RFC 7518, section 2) of at most so many bytes: the first is not zero.
func isNumber(encoded string, most int) bool {
	b, ok := decode(encoded)
	return ok && len(b) <= most && b[0] != 0
}

func hasLength(encoded string, size int) bool {
	b, ok := decode(encoded)
	return ok && len(b) == size
}
