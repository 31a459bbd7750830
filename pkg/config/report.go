package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFaults bounds what one reading reports: past it, a file is not mistaken in places, but altogether.
const maxFaults = 1000

// report gathers the faults of one reading.
type report struct {
	faults Faults
	fatal  bool
	more   int // faults beyond maxFaults
	// refused holds where plain YAML is not kept to, so that others who look at the same place need not say so again.
	refused map[place]bool
	// mistaken holds the paths at which there is a fault, so that what only follows from one is not reported too.
	mistaken map[string]bool
}

// place is a place in a file.
type place struct {
	file         string
	line, column int
}

func newReport() *report {
	return &report{mistaken: make(map[string]bool), refused: make(map[place]bool)}
}

// parse reads a file's one YAML document and reports what is not plain in it. It returns nil if it cannot be read, or is empty.
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
		plain(root, func(n *yaml.Node, message string) {
			r.refused[place{name, n.Line, n.Column}] = true
			r.add(faultAt(name, n, message))
		})
	}
	return root
}

func (r *report) add(f Fault) {
	r.fatal = r.fatal || !f.Warning
	if len(r.faults) >= maxFaults {
		r.more++
		return
	}
	r.faults = append(r.faults, f)
}

// mark notes that there is a fault at a path; at the empty one, in all of the configuration.
func (r *report) mark(path string) { r.mistaken[path] = true }

// follows reports whether a fault at a path would follow from one that is reported already: at the same value, or one that it is in.
func (r *report) follows(path string) bool {
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if r.mistaken[path[:end]] {
			return true
		}
	}
	return r.mistaken[""]
}

// result returns the faults in order.
func (r *report) result(files []string) Faults {
	faults := r.faults.sorted(files)
	if r.more > 0 {
		faults = append(faults, Fault{File: files[0], Message: fmt.Sprintf("%d faults more are not shown", r.more)})
	}
	return faults
}

// faultAt gives a fault at a node of a file.
func faultAt(file string, n *yaml.Node, message string) Fault {
	return Fault{File: file, Line: n.Line, Column: n.Column, Message: message}
}

// quoted is a name as a message quotes it, cut if it is long.
func quoted(name string) string {
	const most = 80
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return strconv.Quote(name)
}
