package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	saltBytes  = 24
	epochBytes = 16
)

// epoch is the time between two flushes of a scope. A value that was written under another one does not open.
type epoch struct {
	created int64
	random  [epochBytes]byte
	// run is the run of the server in which the epoch was begun.
	run run
}

// run tells one run of a Redis server from another: it is a digest of what the server says of itself.
type run [sha256.Size]byte

// epochs are those of an entry's flush scopes, none if one of them is not known.
type epochs []epoch

// sealer makes what is stored unreadable to others, and refuses what others have stored: forged, moved from another key, or
// from before a flush.
type sealer struct{ names, values []byte }

func newSealer(key []byte) (*sealer, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the key has %d bytes: it has to have 32", len(key))
	}
	return &sealer{names: derive(key, "names"), values: derive(key, "values")}, nil
}

func derive(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// name returns the name that an entry is stored under. It does not reveal the key, which may hold a token.
func (s *sealer) name(k Key) string {
	return namespace + "v1:" + hex.EncodeToString(derive(s.names, "value", k.text(0)))
}

// epochName returns the name that an epoch is stored under. In a cluster all epochs lie on one server, whose run they are bound to.
func (s *sealer) epochName(scope [32]byte) string {
	return namespace + "v2:" + sameServer + ":" + hex.EncodeToString(derive(s.names, "epoch", string(scope[:])))
}

func (s *sealer) sealValue(k Key, e epochs, value []byte, expires time.Time) string {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(value)), uint64(expires.UnixNano()))
	return s.close(append(plain, value...), "value", k.text(0), e.text())
}

func (s *sealer) openValue(k Key, e epochs, text string) ([]byte, time.Time, bool) {
	plain, err := s.open(text, "value", k.text(0), e.text())
	if err != nil || len(plain) < 8 {
		return nil, time.Time{}, false
	}
	return plain[8:], time.Unix(0, int64(binary.BigEndian.Uint64(plain))), true //nolint:gosec // as it was written
}

func (l epochs) text() string {
	var b strings.Builder
	for _, e := range l {
		b.WriteString(e.text())
	}
	return b.String()
}

func (e epoch) text() string {
	return string(binary.BigEndian.AppendUint64(e.random[:], uint64(e.created))) //nolint:gosec // read back as it is written
}

// newEpoch makes an epoch that begins at a time, in a run of the server.
func newEpoch(created int64, r run) epoch {
	e := epoch{created: created, run: r}
	rand.Read(e.random[:]) // never fails, says its documentation
	return e
}

func (s *sealer) sealEpoch(scope [32]byte, e epoch) string {
	return s.close(append([]byte(e.text()), e.run[:]...), "epoch", string(scope[:]))
}

func (s *sealer) openEpoch(scope [32]byte, text string) (e epoch, ok bool) {
	plain, err := s.open(text, "epoch", string(scope[:]))
	if err != nil || len(plain) != epochBytes+8+len(e.run) {
		return epoch{}, false
	}
	copy(e.random[:], plain)
	e.created = int64(binary.BigEndian.Uint64(plain[epochBytes:])) //nolint:gosec // as it was written
	copy(e.run[:], plain[epochBytes+8:])
	return e, e.created > 0
}

// sealFlush tells of the epoch that a flush has begun.
func (s *sealer) sealFlush(scope [32]byte, created int64) string {
	return s.close(binary.BigEndian.AppendUint64(scope[:], uint64(created)), "flush") //nolint:gosec // read back as it is written
}

func (s *sealer) openFlush(text string) (scope [32]byte, created int64, ok bool) {
	plain, err := s.open(text, "flush")
	if err != nil || len(plain) != len(scope)+8 {
		return scope, 0, false
	}
	copy(scope[:], plain)
	return scope, int64(binary.BigEndian.Uint64(plain[len(scope):])), true //nolint:gosec // as it was written
}

// close seals a text for a purpose. Each text has a key of its own, derived by a random salt, so that no nonce is ever used
// twice, however many texts there are.
func (s *sealer) close(plain []byte, purpose ...string) string {
	salt := make([]byte, saltBytes, saltBytes+len(plain)+16)
	rand.Read(salt) // never fails, says its documentation
	aead, data := s.aead(salt, purpose)
	return string(aead.Seal(salt, make([]byte, aead.NonceSize()), plain, data)) //nolint:gosec // the key is used for this text alone
}

func (s *sealer) open(text string, purpose ...string) ([]byte, error) {
	if len(text) < saltBytes || len(text) > maxSharedBytes+1024 {
		return nil, errors.New("not sealed")
	}
	aead, data := s.aead([]byte(text[:saltBytes]), purpose)
	return aead.Open(nil, make([]byte, aead.NonceSize()), []byte(text[saltBytes:]), data)
}

// aead is the cipher of a salt, and the associated data of a purpose.
func (s *sealer) aead(salt []byte, purpose []string) (cipher.AEAD, []byte) {
	block, err := aes.NewCipher(derive(s.values, string(salt)))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead, derive(nil, purpose...)
}
