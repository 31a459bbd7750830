package fault

import (
	"fmt"
	"slices"
)

// MaxFaults limits the reported faults of one reading, and the warnings. A file with more faults is wrong as a whole.
const MaxFaults = 1000

// Report collects the faults of one reading.
type Report struct {
	faults, warnings List
	more             bool // there are more than MaxFaults faults, or warnings
	// given prevents duplicates: a file that is named twice is checked twice.
	given map[Fault]bool
	// refused holds positions of YAML that is not allowed, so that others do not report them again.
	refused map[position]bool
	// mistaken holds the Places of faults, to drop faults that only follow from them.
	mistaken map[Document]*mistake
}

// position is a place in a file.
type position struct {
	file         string
	line, column int
}

// mistake says whether there is a fault at a value, or inside it.
type mistake struct {
	here bool
	in   map[Step]*mistake
}

// NewReport returns a Report without faults.
func NewReport() *Report {
	return &Report{given: make(map[Fault]bool), refused: make(map[position]bool), mistaken: make(map[Document]*mistake)}
}

// Add adds a fault unless it is a duplicate. Past MaxFaults, Result only says that there are more.
func (r *Report) Add(f Fault) {
	if f.At != nil {
		f = f.placed()
	}
	list := &r.faults
	if f.Warning {
		list = &r.warnings
	}
	switch {
	case r.given[f]:
	case len(*list) == MaxFaults:
		r.more = true
	default:
		r.given[f] = true
		*list = append(*list, f)
	}
}

// Fault adds a fault at a Place and marks the Place.
func (r *Report) Fault(at *Place, format string, args ...any) {
	r.Mark(at)
	r.Add(Fault{At: at, Message: fmt.Sprintf(format, args...)})
}

// IfNew adds a fault at a Place unless it follows from another.
func (r *Report) IfNew(at *Place, message string) {
	if !r.Follows(at) {
		r.Fault(at, "%s", message)
	}
}

// Warn adds a warning at a Place.
func (r *Report) Warn(at *Place, message string) {
	r.Add(Fault{At: at, Message: message, Warning: true})
}

// Refuse adds a fault in the form of a file. Other checks call Refused to avoid reporting the same position again.
func (r *Report) Refuse(f Fault) {
	r.Add(f)
	if !r.Full() {
		r.refused[position{f.File, f.Line, f.Column}] = true
	}
}

// Refused reports whether Refuse was called for the position of a fault.
func (r *Report) Refused(f Fault) bool { return r.refused[position{f.File, f.Line, f.Column}] }

// Merge adds the contents of another Report.
func (r *Report) Merge(other *Report) {
	for _, f := range slices.Concat(other.faults, other.warnings) {
		r.Add(f)
	}
	r.more = r.more || other.more
}

// Count returns the number of faults, without warnings. It rises if a step finds a fault.
func (r *Report) Count() int { return len(r.faults) }

// Full reports whether the Report cannot take another fault. Building faults takes time, so a reader that may find many
// checks Full first and calls Overflow instead.
func (r *Report) Full() bool { return len(r.faults) == MaxFaults }

// Overflow records that there are more faults than fit.
func (r *Report) Overflow() { r.more = true }

// Mark records a fault at a Place. At the root it covers the whole document.
func (r *Report) Mark(at *Place) {
	document := at.Document()
	m := r.mistaken[document]
	if m == nil {
		m = &mistake{}
		r.mistaken[document] = m
	}
	for _, s := range at.Steps() {
		next := m.in[s]
		if next == nil {
			next = &mistake{}
			if m.in == nil {
				m.in = map[Step]*mistake{}
			}
			m.in[s] = next
		}
		m = next
	}
	m.here = true
}

// Follows reports whether a fault at a Place would follow from a reported one: at the same value, or at a value around
// it.
func (r *Report) Follows(at *Place) bool {
	m := r.mistaken[at.Document()]
	for _, s := range at.Steps() {
		if m == nil || m.here {
			break
		}
		m = m.in[s]
	}
	return m != nil && m.here
}

// Result returns the faults and warnings, ordered by file, in the order of reading, and by position.
func (r *Report) Result(files []string) List {
	all := slices.Concat(r.faults, r.warnings).sorted(files)
	if r.more {
		all = append(all, Fault{
			File: files[0], Warning: len(r.faults) == 0,
			Message: fmt.Sprintf("there are more faults than are shown here: correct these %d first", MaxFaults),
		})
	}
	return all
}
