package session

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"
)

// A token is, in base64 for URLs without padding:
//
//	version (1 byte, 2), length of the ring key's id (1 byte), id, salt (24 bytes), sealed session, tag (16 bytes)
//
// The session is sealed by AES-256-GCM under a key derived from the ring key and the salt. What precedes it and the access key id are
// associated data.
const (
	version   = 2
	saltBytes = 24
	tagBytes  = 16
	// maxToken is the length of the longest token, as text.
	maxToken = 2048

	idPrefix      = "ASIA"
	idRandomBytes = 10
	idLength      = 20
)

var errNoRing = errors.New("session: the ring has no key that issues")

var tokenText = base64.RawURLEncoding.Strict()

// nonce is the same for all tokens, because each has a key of its own.
var nonce = make([]byte, 12)

// Seal returns credentials for a session, with an access key id of their own. Times are sealed in whole seconds.
func (r *Ring) Seal(s *Session) (Credentials, error) {
	if r == nil || r.issue == nil {
		return Credentials{}, errNoRing
	}
	plain, err := pack(s)
	if err != nil {
		return Credentials{}, err
	}
	var random [idRandomBytes + saltBytes]byte
	rand.Read(random[:]) // never fails, says its documentation
	accessKeyID := idPrefix + base32.StdEncoding.EncodeToString(random[:idRandomBytes])
	sealed := append([]byte{version, byte(len(r.issue.id))}, r.issue.id...) //nolint:gosec // at most 32
	sealed = append(sealed, random[idRandomBytes:]...)
	associated := append(append([]byte(nil), sealed...), accessKeyID...)
	sealed = r.issue.aead(string(random[idRandomBytes:])).Seal(sealed, nonce, plain, associated) //nolint:gosec // the key is used for this text alone
	if tokenText.EncodedLen(len(sealed)) > maxToken {
		return Credentials{}, ErrTooLarge
	}
	token := tokenText.EncodeToString(sealed)
	return Credentials{
		AccessKeyID: accessKeyID, SecretAccessKey: r.issue.secretOf(token), SessionToken: token, Expiration: seconds(s.Expires),
	}, nil
}

// Open returns the session of a token and the secret access key of its credentials. It does not check times. ok is false for
// everything but a token that this ring has sealed for this access key id. Open does not say why, and takes as long for a key that is not
// in the ring as for a forged token.
func (r *Ring) Open(accessKeyID, token string) (s *Session, secret string, ok bool) {
	if r == nil || r.issue == nil || len(accessKeyID) != idLength || !strings.HasPrefix(accessKeyID, idPrefix) || len(token) > maxToken {
		return nil, "", false
	}
	sealed, err := tokenText.DecodeString(token)
	// DecodeString skips line breaks, and a token has only one form.
	if err != nil || tokenText.EncodedLen(len(sealed)) != len(token) || len(sealed) < 2 || sealed[0] != version {
		return nil, "", false
	}
	salted := 2 + int(sealed[1])
	start := salted + saltBytes
	if len(sealed) < start+tagBytes {
		return nil, "", false
	}
	k, known := r.keys[string(sealed[2:salted])]
	if !known {
		k = r.nobody
	}
	associated := append(append([]byte(nil), sealed[:start]...), accessKeyID...)
	plain, err := k.aead(string(sealed[salted:start])).Open(nil, nonce, sealed[start:], associated)
	if err != nil || !known {
		return nil, "", false
	}
	if s = unpack(plain); s == nil {
		return nil, "", false
	}
	return s, k.secretOf(token), true
}
