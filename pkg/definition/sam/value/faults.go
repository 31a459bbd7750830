package value

import (
	"cmp"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Faults gathers what the translator refuses. The zero Faults is ready for use. Reading continues after a fault with what is left, so
// that one reading reports all; the result is not used.
type Faults struct{ list fault.List }

// Add adds a fault at a position, unless it is there already.
func (f *Faults) Add(at tree.Position, format string, args ...any) {
	made := at.Fault(format, args...)
	if len(f.list) < fault.MaxFaults && !slices.Contains(f.list, made) {
		f.list = append(f.list, made)
	}
}

// List returns the faults by position.
func (f *Faults) List() fault.List {
	slices.SortStableFunc(f.list, func(a, b fault.Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f.list
}
