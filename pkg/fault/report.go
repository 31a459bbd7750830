package fault

import (
	"fmt"
	"slices"
)

// MaxFaults bounds what one reading reports, faults and warnings each: past it, a file is not mistaken in places, but
// altogether.
const MaxFaults = 1000

// Report gathers the faults of one reading.
type Report struct {
	faults, warnings List
	more             bool // there are more than MaxFaults faults, or warnings
	// given holds what is in faults and warnings: a file that is named twice is looked into twice.
	given map[Fault]bool
	// refused holds where plain YAML is not kept to, so that others who look at the same place need not say so again.
	refused map[position]bool
	// mistaken holds the Places at which there is a fault, so that what only follows from one is not reported too.
	mistaken map[Document]*mistake
}

// position is a place in a file.
type position struct {
	file         string
	line, column int
}

// mistake tells of a value whether there is a fault at it, or in it.
type mistake struct {
	here bool
	in   map[Step]*mistake
}

// NewReport returns a Report without faults.
func NewReport() *Report {
	return &Report{given: make(map[Fault]bool), refused: make(map[position]bool), mistaken: make(map[Document]*mistake)}
}

// Add adds a fault unless it is there already. Past MaxFaults, Result only tells that there are more.
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

// Fault adds a fault at a Place, and marks it.
func (r *Report) Fault(at *Place, format string, args ...any) {
	r.Mark(at)
	r.Add(Fault{At: at, Message: fmt.Sprintf(format, args...)})
}

// IfNew adds a fault at a Place unless it would follow from another.
func (r *Report) IfNew(at *Place, message string) {
	if !r.Follows(at) {
		r.Fault(at, "%s", message)
	}
}

// Warn adds a warning at a Place.
func (r *Report) Warn(at *Place, message string) {
	r.Add(Fault{At: at, Message: message, Warning: true})
}

// Refuse adds a fault of the form of a file. Others who look at the same position ask Refused, so as not to say it again.
func (r *Report) Refuse(f Fault) {
	r.Add(f)
	if !r.Full() {
		r.refused[position{f.File, f.Line, f.Column}] = true
	}
}

// Refused reports whether what stands where a fault is was refused for its form.
func (r *Report) Refused(f Fault) bool { return r.refused[position{f.File, f.Line, f.Column}] }

// Merge adds what another Report has.
func (r *Report) Merge(other *Report) {
	for _, f := range slices.Concat(other.faults, other.warnings) {
		r.Add(f)
	}
	r.more = r.more || other.more
}

// Count returns how many faults there are, warnings aside. Whether something is at fault shows in whether it rises.
func (r *Report) Count() int { return len(r.faults) }

// Full reports whether there is no room for one more fault. Making one is work, so a reader that may find many asks first, and calls
// Overflow instead.
func (r *Report) Full() bool { return len(r.faults) == MaxFaults }

// Overflow notes that there are more faults than there is room for.
func (r *Report) Overflow() { r.more = true }

// Mark notes that there is a fault at a Place; at the root, in all of its document.
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

// Follows reports whether a fault at a Place would follow from one that is reported already: at the same value, or one that it is
// in.
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

// Result returns the faults and warnings in order: by file, in the order in which they were read, the first being the
// configuration's own, and by position.
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
