package extauthz

import (
	"encoding/binary"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// maxPlainHeaders bounds a headerSet, which lies on the stack.
const maxPlainHeaders = 64

// headerSet sorts header fields by name while they come, without moving them: places are sorted, by the first eight bytes of
// the names where those are enough to tell them apart.
type headerSet struct {
	fields [maxPlainHeaders]authz.Field
	places [maxPlainHeaders]uint8
	heads  [maxPlainHeaders]uint64
	n      int
}

// add reports false for a name that is there already, and for one too many.
func (s *headerSet) add(f authz.Field) bool {
	n := s.n
	if n >= maxPlainHeaders {
		return false
	}
	head := headOf(f.Name)
	low, high := 0, n
	for low < high {
		middle := (low + high) / 2
		if s.heads[middle] < head || s.heads[middle] == head && s.fields[s.places[middle]].Name < f.Name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < n && s.heads[low] == head && s.fields[s.places[low]].Name == f.Name {
		return false
	}
	copy(s.places[low+1:n+1], s.places[low:n])
	copy(s.heads[low+1:n+1], s.heads[low:n])
	s.places[low], s.heads[low] = uint8(n), head //nolint:gosec // below maxPlainHeaders
	s.fields[n], s.n = f, n+1
	return true
}

// sorted returns the fields in the order of their names.
func (s *headerSet) sorted() []authz.Field {
	if s.n == 0 {
		return nil
	}
	out := make([]authz.Field, s.n)
	for i := range out {
		out[i] = s.fields[s.places[i]]
	}
	return out
}

// headOf is the first eight bytes of a name, in their order; a shorter name ends in zeros, and may share its head with a longer one.
func headOf(name string) uint64 {
	if len(name) >= 8 {
		return uint64(name[0])<<56 | uint64(name[1])<<48 | uint64(name[2])<<40 | uint64(name[3])<<32 |
			uint64(name[4])<<24 | uint64(name[5])<<16 | uint64(name[6])<<8 | uint64(name[7])
	}
	var head [8]byte
	copy(head[:], name)
	return binary.BigEndian.Uint64(head[:])
}
