package value

import (
	"crypto/sha1" //nolint:gosec // names resources, and guards nothing
	"encoding/hex"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Hash returns what the translator appends to a logical id for a text: nothing for the empty one.
func Hash(text string) string {
	if text == "" {
		return ""
	}
	sum := sha1.Sum([]byte(text)) //nolint:gosec // the same
	return hex.EncodeToString(sum[:])[:10]
}

// HashOf returns what the translator appends to a logical id for a value: of a text as it is, of another value as JSON.
func HashOf(n *tree.Node) string {
	switch {
	case !Truthy(n):
		return ""
	case n.Is(tree.Text):
		return Hash(n.Text)
	default:
		return Hash(JSON(n))
	}
}
