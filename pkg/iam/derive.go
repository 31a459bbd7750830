package iam

import (
	"crypto/ecdsa"
	"encoding/binary"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// SigningKeys and PublicKeys cache keys derived from secrets, beyond one configuration. An entry belongs to one version
// of a secret, so a rotated secret never uses the old derived key. Nil disables caching.
type (
	SigningKeys = cache.Cache[[32]byte]
	PublicKeys  = cache.Cache[*ecdsa.PublicKey]
)

// The lifetime of a derived key covers every request signed on its day. The cost does not include its name.
const (
	keptFor         = 48 * time.Hour
	signingKeyBytes = 32
	publicKeyBytes  = 256
)

// scope returns the version of a secret.
func scope(version uint64) (s [32]byte) {
	binary.BigEndian.PutUint64(s[:], version)
	return s
}

func (a *Authenticator) signingKey(id sigv4.SigningKeyID, secret string) [32]byte {
	k := cache.Key{Scope: scope(id.Version), Parts: []string{id.KeyID, id.Date, id.Region, id.Service}}
	if key, ok := a.signingKeys.Get(k); ok {
		return key
	}
	key := sigv4.DeriveSigningKey(id, secret)
	a.signingKeys.Set(cache.Key{Scope: k.Scope, Parts: []string{id.KeyID, id.Date, id.Region, id.Service}}, key, signingKeyBytes, time.Now().Add(keptFor))
	return key
}

func (a *Authenticator) publicKey(id sigv4.PublicKeyID, secret string) *ecdsa.PublicKey {
	k := cache.Key{Scope: scope(id.Version), Parts: []string{id.KeyID}}
	if key, ok := a.publicKeys.Get(k); ok {
		return key
	}
	key := sigv4.DerivePublicKey(id, secret)
	if key != nil {
		a.publicKeys.Set(k, key, publicKeyBytes, time.Now().Add(keptFor))
	}
	return key
}
