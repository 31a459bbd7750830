package extauthz

import "strings"

// chunkBytes is how much text one allocation of an arena holds at most, longer texts aside. Anyone who keeps a piece of a
// request keeps no more than its chunk.
const chunkBytes = 4 << 10

// arena makes strings out of pieces of a message whose buffer is used again: copies, many to one allocation.
type arena struct {
	// message has been copied as a whole, where it is no larger than a chunk. A piece of it is the same piece of the copy.
	message []byte
	copied  string
	chunk   strings.Builder
}

// read makes an empty arena one for the pieces of a message.
func (a *arena) read(message []byte) {
	if len(message) <= chunkBytes {
		a.message, a.copied = message, string(message)
	}
}

func (a *arena) text(piece []byte) string {
	if len(piece) == 0 {
		return ""
	}
	// Slices of one array end at the same place unless somebody has cut their capacity, so that the capacities tell how far
	// they begin apart. The addresses say whether that is so.
	start := cap(a.message) - cap(piece)
	if start >= 0 && start+len(piece) <= len(a.copied) && &a.message[start] == &piece[0] {
		return a.copied[start : start+len(piece)]
	}
	return a.add(piece)
}

func (a *arena) add(piece []byte) string {
	if a.chunk.Cap()-a.chunk.Len() < len(piece) {
		a.chunk = strings.Builder{} // what was cut from the old one keeps it
		a.chunk.Grow(max(chunkBytes, len(piece)))
	}
	start := a.chunk.Len()
	a.chunk.Write(piece)
	return a.chunk.String()[start:]
}
