package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const (
	keyBytes    = 32
	secretBytes = 30
	// leastDistinct is the least number of different bytes in a key. A random key has fewer with a probability of 10^-24.
	leastDistinct = 12
)

// RingKey is a key of a Ring as it is configured.
type RingKey struct {
	// At is the key's Place in the configuration.
	At *fault.Place
	// ID names the key in the tokens that it seals, where everybody can read it.
	ID string
	// Secret is 32 random bytes in base64.
	Secret string
	// Issues reports whether new tokens are sealed under this key. All other keys only open tokens.
	Issues bool
}

// Format prints only the id, for every verb.
func (k RingKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "session.RingKey(%s)", k.ID) }

// LogValue logs only the id.
func (k RingKey) LogValue() slog.Value { return slog.StringValue("session.RingKey(" + k.ID + ")") }

// Ring seals and opens session tokens. It is immutable and safe for concurrent use. Nil and the zero value seal and open nothing.
type Ring struct {
	keys  map[string]*key
	issue *key
	// nobody takes the place of a key that is not in the ring, so that its tokens take as long as forged ones.
	nobody *key
}

// Format prints no key, for any verb.
func (Ring) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Ring") }

// LogValue logs no key.
func (Ring) LogValue() slog.Value { return slog.StringValue("session.Ring") }

var idShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,32}$`)

const howToMake = "create it with openssl rand -base64 32"

// NewRing returns a ring of keys, exactly one of which issues. Faults are at the fields of the keys, or at the list. After a fault the
// ring is nil.
func NewRing(keys []RingKey, at *fault.Place) (*Ring, []fault.Fault) {
	var faults []fault.Fault
	r := &Ring{keys: make(map[string]*key, len(keys)), nobody: randomKey()}
	secrets := map[[keyBytes]byte]bool{}
	for _, k := range keys {
		add := func(field, message string) {
			faults = append(faults, fault.Fault{At: k.At.Field(field), Message: message})
		}
		secret, problem := decodeKey(k.Secret)
		switch {
		case problem != "":
			add("secret", problem)
		case secrets[secret]:
			add("secret", "another key of the ring has the same secret: "+howToMake)
		}
		switch {
		case !idShape.MatchString(k.ID):
			add("id", "must have 1 to 32 letters, digits, and the characters _ . - such as 2027-01")
		case r.keys[k.ID] != nil:
			add("id", "the key is given twice: keep one")
		case k.Issues && r.issue != nil:
			add("use", "two keys of the ring issue: write use: ACCEPT for all keys but one")
		}
		secrets[secret], r.keys[k.ID] = true, newKey(k.ID, secret)
		if k.Issues {
			r.issue = r.keys[k.ID]
		}
	}
	if r.issue == nil {
		faults = append(faults, fault.Fault{At: at, Message: "no key of the ring issues: write use: ISSUE for one key"})
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return r, nil
}

// decodeKey decodes a key, and says what is wrong with it. The text is a secret and is not quoted.
func decodeKey(text string) (k [keyBytes]byte, problem string) {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != keyBytes || base64.StdEncoding.EncodeToString(data) != text {
		return k, "must be 32 random bytes in base64: " + howToMake
	}
	copy(k[:], data)
	distinct := map[byte]bool{}
	for _, b := range k {
		distinct[b] = true
	}
	if len(distinct) < leastDistinct {
		return k, "the key is not random: " + howToMake
	}
	return k, ""
}

// key is a key of a Ring: two keys derived from its secret, for one purpose each.
type key struct {
	id              string
	sealing, secret []byte
}

func newKey(id string, secret [keyBytes]byte) *key {
	return &key{id: id, sealing: extract(secret, "portcullis session token v1"), secret: extract(secret, "portcullis session secret v1")}
}

func randomKey() *key {
	var secret [keyBytes]byte
	rand.Read(secret[:]) // never fails, says its documentation
	return newKey("", secret)
}

// extract derives the key of a purpose.
func extract(secret [keyBytes]byte, purpose string) []byte {
	derived, err := hkdf.Extract(sha256.New, secret[:], []byte(purpose))
	if err != nil {
		panic(err) // only keys of less than 14 bytes fail, where FIPS 140 is enforced
	}
	return derived
}

// expand derives so many bytes from a key and a text.
func expand(key []byte, text string, length int) []byte {
	derived, err := hkdf.Expand(sha256.New, key, text, length)
	if err != nil {
		panic(err) // the length is a small constant
	}
	return derived
}

// aead returns the cipher of the one token that has a salt.
func (k *key) aead(salt string) cipher.AEAD {
	block, err := aes.NewCipher(expand(k.sealing, salt, keyBytes))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead
}

// secretOf returns the secret access key of a token: 40 characters, as on AWS.
func (k *key) secretOf(token string) string {
	return base64.StdEncoding.EncodeToString(expand(k.secret, token, secretBytes))
}
