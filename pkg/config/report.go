package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFaults bounds what one reading reports, faults and warnings each: past it, a file is not mistaken in places, but
// altogether.
const maxFaults = 1000

// report gathers the faults of one reading.
type report struct {
	faults, warnings Faults
	more             bool // there are more than maxFaults faults, or warnings
	// given holds what is in faults and warnings: a file that is named twice is looked into twice.
	given map[Fault]bool
	// refused holds where plain YAML is not kept to, so that others who look at the same place need not say so again.
	refused map[place]bool
	// mistaken holds the paths at which there is a fault, so that what only follows from one is not reported too.
	mistaken map[string]bool
	// secrets says that a key of the file that is parsed may be a secret, written in the wrong place.
	secrets bool
}

// place is a place in a file.
type place struct {
	file         string
	line, column int
}

func newReport() *report {
	return &report{given: make(map[Fault]bool), refused: make(map[place]bool), mistaken: make(map[string]bool)}
}

// parse reads a file's one YAML document and reports what is not plain in it. It returns nil if it cannot be read, or is
// empty.
func (r *report) parse(name string, data []byte, empty string) *yaml.Node {
	root, fault := parse(data)
	if fault != nil {
		fault.File = name
		r.add(*fault)
	}
	if root == nil && fault == nil {
		r.add(Fault{File: name, Line: 1, Column: 1, Message: empty})
	}
	if root != nil {
		hidden := nodesOfSecrets(root)
		plain(root, func(n *yaml.Node, message string) {
			if rest, named := strings.CutPrefix(message, quoted(n.Value)); named && (r.secrets || hidden[n]) {
				message = "the key" + rest
			}
			r.add(faultAt(name, n, message))
			if !r.full() {
				r.refused[place{name, n.Line, n.Column}] = true
			}
		})
	}
	return root
}

func (r *report) add(f Fault) {
	list := &r.faults
	if f.Warning {
		list = &r.warnings
	}
	switch {
	case r.given[f]:
	case len(*list) == maxFaults:
		r.more = true
	default:
		r.given[f] = true
		*list = append(*list, f)
	}
}

// merge adds what another report has of other files.
func (r *report) merge(other *report) {
	for _, f := range slices.Concat(other.faults, other.warnings) {
		r.add(f)
	}
	r.more = r.more || other.more
}

// full reports whether there is no place for a fault more. Who is about to make many asks first, for making one is work.
func (r *report) full() bool { return len(r.faults) == maxFaults }

// mark notes that there is a fault at a path; at the empty one, in all of the configuration.
func (r *report) mark(path string) { r.mistaken[path] = true }

// follows reports whether a fault at a path would follow from one that is reported already: at the same value, or one that
// it is in.
func (r *report) follows(path string) bool {
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if r.mistaken[path[:end]] {
			return true
		}
	}
	return r.mistaken[""]
}

// result returns the faults and warnings in order.
func (r *report) result(files []string) Faults {
	all := slices.Concat(r.faults, r.warnings).sorted(files)
	if r.more {
		all = append(all, Fault{
			File: files[0], Warning: len(r.faults) == 0,
			Message: fmt.Sprintf("there is more than is shown here: mend these %d first", maxFaults),
		})
	}
	return all
}

// faultAt gives a fault at a node of a file.
func faultAt(file string, n *yaml.Node, message string) Fault {
	return Fault{File: file, Line: n.Line, Column: n.Column, Message: message}
}

// quoted is a name as a message quotes it, cut if it is long. One that may hold a secret is not repeated: A=secret, or a URL with a
// password.
func quoted(name string) string {
	const most = 80
	if strings.Contains(name, "=") || strings.Contains(name, "@") && strings.Contains(name, "://") {
		return notShown
	}
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return strconv.Quote(name)
}
