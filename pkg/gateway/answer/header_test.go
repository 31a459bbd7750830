package answer

import (
	"strings"
	"testing"
)

// TestHeaderNames: a name that is there is found in every spelling, whatever its length.
func TestHeaderNames(t *testing.T) {
	var n HeaderNames
	if n.Has("x-user") || n.Has("") {
		t.Error("the empty set has a name")
	}
	for _, length := range []int{1, 2, 6, 62, 63, 64, 65, 127, 128, 300} {
		name := strings.Repeat("a", length/2) + "-" + strings.Repeat("b", length-length/2-1)
		if n.Has(name) {
			t.Errorf("%d: there before it was added", length)
		}
		n.Add(name)
		for _, separator := range []string{"-", "_", ".", "!"} {
			if !n.Has(strings.ReplaceAll(name, "-", separator)) {
				t.Errorf("%d: not found with %s", length, separator)
			}
		}
		if n.Has(name[1:] + "c") {
			t.Errorf("%d: another name of its length is found", length)
		}
	}
}
