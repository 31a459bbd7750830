package jwt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	maxSetBytes = 150_000
	maxKeys     = 100
	maxKeyID    = 1024

	// A smaller RSA key can be broken, a larger one costs too much to verify with.
	minRSABits, maxRSABits = 2048, 8192
)

// family is a kind of keys: each algorithm takes those of one.
type family uint8

const (
	noFamily family = iota
	familyRSA
	familyP256
	familyP384
	familyP521
	familyEd25519
)

// keyID is how a token names a key: by its kid and its algorithm (RFC 7517, 4.4 and 4.5). A key that says no algorithm stands
// under each of its family.
type keyID struct{ kid, alg string }

// key is a public key that verifies.
type key struct {
	public any
	der    []byte
}

// found is a key set that was read. Without keys, it is an empty one.
type found struct {
	keys map[keyID]*key
	// count is how many keys there are: one under several algorithms is one.
	count int
	// content is equal for equal keys.
	content [32]byte
}

// refusedSet is an answer that is not a key set.
type refusedSet string

func (r refusedSet) Error() string { return string(r) }

// readSet reads a key set. What is not a set is refused; a key that is not for us is passed over, and so are two different keys
// for one kid and algorithm.
func readSet(data []byte) (found, error) {
	if len(data) > maxSetBytes {
		return found{}, refusedSet("the key set is larger than 150,000 bytes")
	}
	raw, err := rawKeys(data)
	if err != nil {
		return found{}, err
	}
	keys := make(map[keyID]*key, len(raw))
	for _, text := range raw {
		names, k := readKey(text)
		for _, id := range names {
			if other, twice := keys[id]; twice && (other == nil || !bytes.Equal(other.der, k.der)) {
				keys[id] = nil // which of them is meant cannot be told
				continue
			}
			keys[id] = k
		}
	}
	for id, k := range keys {
		if k == nil {
			delete(keys, id)
		}
	}
	return found{keys: keys, count: countOf(keys), content: contentOf(keys)}, nil
}

// CheckKeySet says what is wrong with a key set that is to be used as it is, such as a file's: that it is not one, or holds no key
// for us.
func CheckKeySet(data []byte) error {
	f, err := readSet(data)
	if err == nil && len(f.keys) == 0 {
		err = errors.New("the key set has no key that can be used: one of RSA (2,048 bits or more), EC or Ed25519, with a kid, to verify signatures")
	}
	return err
}

func rawKeys(data []byte) ([]string, error) {
	members, err := parseObject(string(data))
	if err != nil {
		return nil, refusedSet("the key set is not a JSON object, or has a member twice")
	}
	i := slices.IndexFunc(members, func(m member) bool { return m.name == "keys" })
	if i < 0 || members[i].value.kind != array {
		return nil, refusedSet(`the key set has no list of "keys"`)
	}
	list := members[i].value.elements
	if len(list) > maxKeys {
		return nil, refusedSet("the key set has more than 100 keys")
	}
	raw := make([]string, 0, len(list))
	for _, e := range list {
		if e.kind != object {
			return nil, refusedSet("the key set holds a key that is not a JSON object")
		}
		raw = append(raw, e.text)
	}
	return raw, nil
}

// readKey reads one key and its names; none if it is not for us.
func readKey(text string) ([]keyID, *key) {
	j, ok := readJWK(text)
	if !ok || !j.verifies() {
		return nil, nil
	}
	public := j.public()
	f := familyOf(public)
	if f == noFamily || j.text["alg"] != "" && familyOfAlgorithm(j.text["alg"]) != f {
		return nil, nil
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, nil
	}
	return namesOf(j.text["kid"], j.text["alg"], f), &key{public: public, der: der}
}

// namesOf are the names of a key of a family. alg is empty for any algorithm of the family.
func namesOf(kid, alg string, f family) []keyID {
	if alg != "" {
		return []keyID{{kid, alg}}
	}
	var names []keyID
	for _, a := range algorithms {
		if a.family == f {
			names = append(names, keyID{kid, a.name})
		}
	}
	return names
}

// familyOf is noFamily for a key that is not used: of another kind, weak, private, or no point of its curve.
func familyOf(public any) family {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= minRSABits && bits <= maxRSABits && k.N.Bit(0) == 1 && k.E >= 3 && k.E <= math.MaxInt32 && k.E&1 == 1 {
			return familyRSA
		}
	case *ecdsa.PublicKey:
		if _, err := k.ECDH(); err == nil {
			return familyOfCurve(k.Curve)
		}
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return familyEd25519
		}
	}
	return noFamily
}

func familyOfCurve(c elliptic.Curve) family {
	switch c {
	case elliptic.P256():
		return familyP256
	case elliptic.P384():
		return familyP384
	case elliptic.P521():
		return familyP521
	}
	return noFamily
}

// countOf counts the keys of a set.
func countOf(keys map[keyID]*key) int {
	type named struct{ kid, der string }
	all := map[named]struct{}{}
	for id, k := range keys {
		all[named{id.kid, string(k.der)}] = struct{}{}
	}
	return len(all)
}

func contentOf(keys map[keyID]*key) [32]byte {
	lines := make([]string, 0, len(keys))
	for id, k := range keys {
		var line []byte
		for _, part := range []string{id.kid, id.alg, string(k.der)} {
			line = binary.AppendUvarint(line, uint64(len(part)))
			line = append(line, part...)
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		sum.Write(binary.AppendUvarint(nil, uint64(len(line))))
		sum.Write([]byte(line))
	}
	return [32]byte(sum.Sum(nil))
}

// algorithms are all that a token may ever be signed with.
var algorithms = []struct {
	name   string
	family family
}{
	{"RS256", familyRSA}, {"RS384", familyRSA}, {"RS512", familyRSA},
	{"ES256", familyP256}, {"ES384", familyP384}, {"ES512", familyP521},
	{"EdDSA", familyEd25519},
}

// The algorithms of the authorizers that name none.
var (
	defaultHTTP = []string{"RS256", "RS384", "RS512"}
	defaultREST = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}
)

func familyOfAlgorithm(name string) family {
	for _, a := range algorithms {
		if a.name == name {
			return a.family
		}
	}
	return noFamily
}

// algorithm is one that a verifier accepts.
type algorithm struct {
	name   string
	verify jws.Verifier
}

func compileAlgorithms(names []string) (map[string]algorithm, error) {
	if len(names) == 0 {
		return nil, errors.New("algorithms: none; write RS256 or the like")
	}
	compiled := make(map[string]algorithm, len(names))
	for _, name := range names {
		if familyOfAlgorithm(name) == noFamily {
			return nil, fmt.Errorf("algorithms: %q is not one that is verified; write one of %s", name, universe())
		}
		if _, twice := compiled[name]; twice {
			return nil, fmt.Errorf("algorithms: %s is there twice; remove one", name)
		}
		v, err := jws.NewVerifier(jwa.SignatureAlgorithm(name))
		if err != nil {
			return nil, fmt.Errorf("algorithms: %s: %w", name, err)
		}
		compiled[name] = algorithm{name: name, verify: v}
	}
	return compiled, nil
}

func universe() string {
	names := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return strings.Join(slices.Clip(names), ", ")
}
