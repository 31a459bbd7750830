package source

import (
	"iter"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Document is the one YAML or JSON document of a file. Each of its values has a Place.
type Document struct {
	file    string
	root    *yaml.Node
	schema  Schema
	secrets bool
	// files are those of the values that stand in other files.
	files map[*yaml.Node]string
}

// File is the input of Parse.
type File struct {
	// Name is how faults name the file.
	Name string
	Data []byte
	// Empty is the fault message for an empty file.
	Empty string
	// Schema describes the message in the file. It is empty for a file without a message.
	Schema Schema
	// Secrets marks a file in which any text may be a secret in the wrong place.
	Secrets bool
}

// Parse reads a file's one document and reports YAML features that are not allowed. It returns nil if the document is
// unreadable or empty.
//
// The file is parsed once, into the nodes of go.yaml.in/yaml/v3, which keep positions, and numbers as written. Measured
// on 10,000 APIs with ten routes and a small policy each (11 MB), on 2 cores (2026-11-23):
//
//   - yaml/v3 takes 1.6 s and 230 MB.
//   - protoyaml takes 1.8 s and 290 MB. It loses positions, turns a policy's numbers into floats, and does not notice a
//     duplicate key or a second document.
//   - goccy/go-yaml used 2.7 s and 680 MB before it stopped with an error.
func Parse(f File, r *fault.Report) *Document {
	root, wrong := YAML(f.Data)
	if wrong != nil {
		r.Add(wrong.In(f.Name))
	}
	if root == nil {
		if wrong == nil {
			r.Add(fault.Fault{File: f.Name, Line: 1, Column: 1, Message: f.Empty})
		}
		return nil
	}
	f.Schema.plain(root, f.Secrets, func(n *yaml.Node, message string) { r.Refuse(faultAt(f.Name, n, message)) })
	return &Document{file: f.Name, root: root, schema: f.Schema, secrets: f.Secrets}
}

// Root returns the Place of the whole document.
func (d *Document) Root() *fault.Place { return fault.Root(d) }

// Position returns the position of the value at a Place. For a missing value it is the mapping that lacks it.
func (d *Document) Position(at *fault.Place) (file string, line, column int) {
	n, _ := d.find(at)
	return d.File(n), n.Line, n.Column
}

// File returns the name of the file in which a value of the document stands.
func (d *Document) File(n *yaml.Node) string {
	if file, ok := d.files[n]; ok {
		return file
	}
	return d.file
}

// Replace puts a value in the place of the one at a Place. Files has the file of each value, and key, in it that does not stand in the
// document's own.
func (d *Document) Replace(at *fault.Place, n *yaml.Node, files map[*yaml.Node]string) {
	old := d.Node(at)
	if old == nil {
		return
	}
	if d.files == nil {
		d.files = make(map[*yaml.Node]string, len(files))
	}
	maps.Copy(d.files, files)
	if old == d.root {
		d.root = n
		return
	}
	holder := d.Node(at.Up())
	holder.Content[slices.Index(holder.Content, old)] = n
}

// Secret reports whether a text at a Place may be a secret: in a field of Schema.Secrets, or in a file of secrets.
func (d *Document) Secret(at *fault.Place) bool {
	return d.secrets || slices.ContainsFunc(at.Steps(), func(s fault.Step) bool {
		return s.Kind == fault.Field && slices.Contains(d.schema.Secrets, s.Name)
	})
}

// Node returns the value at a Place, or nil.
func (d *Document) Node(at *fault.Place) *yaml.Node {
	if n, ok := d.find(at); ok {
		return n
	}
	return nil
}

// Text returns the scalar at a Place as written. It returns false for anything else, for null and for an empty text.
func (d *Document) Text(at *fault.Place) (string, bool) {
	n := d.Node(at)
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) || n.Value == "" {
		return "", false
	}
	return n.Value, true
}

// Items yields the Places of the items of a list, if there is a list.
func (d *Document) Items(at *fault.Place) iter.Seq[*fault.Place] {
	return func(yield func(*fault.Place) bool) {
		n := d.Node(at)
		if n == nil || n.Kind != yaml.SequenceNode {
			return
		}
		for i := range n.Content {
			if !yield(at.Item(i)) {
				return
			}
		}
	}
}

// Values yields the Places of the values of a mapping, if there is a mapping.
func (d *Document) Values(at *fault.Place) iter.Seq[*fault.Place] {
	return func(yield func(*fault.Place) bool) {
		n := d.Node(at)
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(at.Key(n.Content[i].Value)) {
				return
			}
		}
	}
}

// find follows a Place and returns the last node. If the value is missing, that is the node that lacks it, and false.
func (d *Document) find(at *fault.Place) (n *yaml.Node, ok bool) {
	n = d.root
	var holder *yaml.Node
	for _, s := range at.Steps() {
		if s.Kind == fault.Name {
			return keyOf(holder, n), true
		}
		next := child(n, s)
		if next == nil {
			return n, false
		}
		holder, n = n, next
	}
	return n, true
}

// child returns the node that a step leads to, or nil.
func child(n *yaml.Node, s fault.Step) *yaml.Node {
	switch {
	case s.Kind == fault.Item && n.Kind == yaml.SequenceNode && s.Index >= 0 && s.Index < len(n.Content):
		return n.Content[s.Index]
	case s.Kind == fault.Item || n.Kind != yaml.MappingNode:
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == s.Name {
			return n.Content[i+1]
		}
	}
	return nil
}

// keyOf returns the key of a mapping's value.
func keyOf(mapping, value *yaml.Node) *yaml.Node {
	if mapping == nil {
		return value
	}
	if i := slices.Index(mapping.Content, value); i > 0 {
		return mapping.Content[i-1]
	}
	return value
}

// faultAt returns a fault at a node of a file.
func faultAt(file string, n *yaml.Node, message string) fault.Fault {
	return fault.Fault{File: file, Line: n.Line, Column: n.Column, Message: message}
}
