package document

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
)

// Digest returns a digest of the value and of a text beside it. Positions and the order of an object's members do not count.
func (n *Node) Digest(beside string) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q", beside) // a hash takes everything
	n.write(h)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// write writes a value so that different values are written differently.
func (n *Node) write(w io.Writer) {
	_, _ = fmt.Fprintf(w, "(%d %q", n.Kind, n.Text)
	for _, item := range n.List {
		item.write(w)
	}
	members := slices.Clone(n.Members)
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range members {
		_, _ = fmt.Fprintf(w, "%q", m.Name)
		m.Value.write(w)
	}
	_, _ = io.WriteString(w, ")")
}
