// Package included reads the files that a template includes.
package included

import (
	"fmt"
	"path"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// maxFiles is how many files a template may include.
const maxFiles = 200

// Files reads the files that a template includes. Each is read and parsed once, and its values are shared.
type Files struct {
	template string // the name of the template's file
	read     func(name string) ([]byte, error)
	parsed   map[string]*tree.Node
	wrong    map[string]string
	faults   map[string]fault.List
	// relative are the names of files relative to the template, by the names that their values have as positions.
	relative map[string]string
}

// New returns what reads the files of a template by its name. Without read, no file is there.
func New(template string, read func(name string) ([]byte, error)) *Files {
	return &Files{
		template: template, read: read, parsed: map[string]*tree.Node{}, wrong: map[string]string{}, faults: map[string]fault.List{},
		relative: map[string]string{},
	}
}

// Parse reads a file by its name relative to the folder of another one, whose name is relative to the template. It returns nil and why if it
// cannot be read.
func (f *Files) Parse(from, name string) (*tree.Node, string) {
	if path.IsAbs(name) || strings.Contains(name, "://") || strings.Contains(name, `\`) {
		return nil, fmt.Sprintf("the file %s must be named relative to the template: copy it into its folder", fault.Quoted(name))
	}
	name = path.Join(path.Dir(from), name)
	if n := f.parsed[name]; n != nil {
		return n, ""
	}
	if why := f.wrong[name]; why != "" {
		return nil, why
	}
	n, why := f.load(name)
	if n == nil {
		f.wrong[name] = why
		return nil, why
	}
	f.parsed[name] = n
	return n, ""
}

func (f *Files) load(name string) (*tree.Node, string) {
	switch {
	case f.read == nil:
		return nil, fmt.Sprintf("the file %s is not read here: put what it holds into the template", fault.Quoted(name))
	case len(f.parsed)+len(f.wrong) >= maxFiles:
		return nil, fmt.Sprintf("the template includes more than %d files: join some", maxFiles)
	}
	data, err := f.read(name)
	if err != nil {
		return nil, fmt.Sprintf("the file %s cannot be read: %v; put it there, or correct the name", fault.Quoted(name), err)
	}
	shown := path.Join(path.Dir(f.template), name)
	f.relative[shown] = name
	n, faults := tree.Parse(shown, data)
	if len(faults) > 0 {
		f.faults[name] = faults
		return nil, faults[0].String()
	}
	return n, ""
}

// Broken reports whether a file, by its name relative to the template, is there and cannot be parsed.
func (f *Files) Broken(name string) bool { return f.faults[name] != nil }

// Relative returns the name relative to the template of the file at a position.
func (f *Files) Relative(at tree.Position) string { return f.relative[at.File] }
