package cache

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// Key names an entry. Two keys are equal only if their scopes and every part are.
type Key struct {
	// Scope is a digest of everything but the values: which configuration, API, stage and the like.
	Scope [32]byte
	// FlushScopes are those whose flush covers the entry, the same for all keys of a Scope; none stands for Scope itself. They
	// may be wider: a flush by one of them covers entries of Scopes that are no longer known.
	FlushScopes [][32]byte
	// Parts are the values.
	Parts []string
	// Asker is whose share of the flights making the entry takes a place of. It does not tell keys apart.
	Asker []bulkhead.ID
}

func (k Key) equal(scope *[32]byte, parts []string) bool {
	return k.Scope == *scope && slices.Equal(k.Parts, parts)
}

// clone copies the parts, which may be views into a buffer that is used again.
func (k Key) clone() Key {
	parts := make([]string, len(k.Parts))
	for i, p := range k.Parts {
		parts[i] = strings.Clone(p)
	}
	return Key{Scope: k.Scope, FlushScopes: k.FlushScopes, Parts: parts, Asker: k.Asker}
}

func (k Key) flushScopes() [][32]byte {
	if len(k.FlushScopes) == 0 {
		return [][32]byte{k.Scope}
	}
	return k.FlushScopes
}

func (k Key) bytes() int64 {
	n := int64(len(k.Parts)) * 16
	for _, p := range k.Parts {
		n += int64(len(p))
	}
	return n
}

func (k Key) hash(seed maphash.Seed) uint64 {
	h := maphash.Bytes(seed, k.Scope[:])
	for _, p := range k.Parts {
		h = bits.RotateLeft64(h, 23)*0x9e3779b97f4a7c15 ^ maphash.String(seed, p)
	}
	return h
}

// text is the key in one string, different for different keys: every part comes after its length.
func (k Key) text(generation uint64) string {
	b := make([]byte, 0, int(k.bytes())+len(k.Scope)+16)
	b = append(b, k.Scope[:]...)
	b = binary.AppendUvarint(b, generation)
	for _, p := range k.Parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return string(b)
}
