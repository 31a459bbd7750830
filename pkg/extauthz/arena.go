package extauthz

import "strings"

// chunkBytes is how much text one allocation of an arena holds at most, longer texts aside. Whoever keeps a piece of a
// request keeps no more than its chunk.
const chunkBytes = 4 << 10

// arena makes strings out of pieces of a buffer that is used again: copies, many to one allocation.
type arena struct{ chunk strings.Builder }

// grow makes room for texts of so many bytes altogether, within the bound of a chunk.
func (a *arena) grow(size int) { a.chunk.Grow(min(size, chunkBytes)) }

func (a *arena) text(piece []byte) string {
	if len(piece) == 0 {
		return ""
	}
	if a.chunk.Cap()-a.chunk.Len() < len(piece) {
		a.chunk = strings.Builder{} // what was cut from the old one keeps it
		a.chunk.Grow(max(chunkBytes, len(piece)))
	}
	start := a.chunk.Len()
	a.chunk.Write(piece)
	return a.chunk.String()[start:]
}
