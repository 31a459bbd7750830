package fault

import (
	"strconv"
	"strings"
)

// Place is the position of a value of a configuration. It travels with the value: a reader creates it, and a package
// that checks the value returns the Place of the faulty field in a Fault. Only its Document resolves it, so a reader of
// another format can give values positions in its own files. The nil Place is nowhere.
//
// A Place holds its Document, which may be large. Do not keep a Place after the configuration is read.
type Place struct {
	up       *Place
	step     Step
	document Document // set only in the root
}

// Document resolves its Places.
type Document interface {
	// Position returns the position of the value or, if it is missing, of what lacks it. Lines and columns start at 1;
	// columns count characters.
	Position(at *Place) (file string, line, column int)
	// Secret reports whether a text at the Place may be a secret.
	Secret(at *Place) bool
}

// Step leads from a value to one inside it.
type Step struct {
	Kind Kind
	// Name is the name of a field, or the key.
	Name string
	// Index is the index of an item, from 0.
	Index int
}

// Kind is the kind of a Step.
type Kind uint8

const (
	// Field leads to a field of the schema.
	Field Kind = iota + 1
	// Key leads to the value of a key in the configuration.
	Key
	// Item leads to an item of a list.
	Item
	// Name leads from a value to its key.
	Name
)

// Root returns the Place of a whole document.
func Root(d Document) *Place { return &Place{document: d} }

// Field returns the Place of a field of the value, which may be missing.
func (p *Place) Field(name string) *Place { return p.to(Step{Kind: Field, Name: name}) }

// Key returns the Place of a key's value.
func (p *Place) Key(name string) *Place { return p.to(Step{Kind: Key, Name: name}) }

// Item returns the Place of an item of a list.
func (p *Place) Item(index int) *Place { return p.to(Step{Kind: Item, Index: index}) }

// Name returns the Place of the value's key.
func (p *Place) Name() *Place { return p.to(Step{Kind: Name}) }

func (p *Place) to(s Step) *Place {
	if p == nil {
		p = &Place{}
	}
	return &Place{up: p, step: s}
}

// Up returns the Place of the enclosing value, nil for the whole document.
func (p *Place) Up() *Place {
	if p == nil {
		return nil
	}
	return p.up
}

// Steps returns the path from the document to the value.
func (p *Place) Steps() []Step {
	n := 0
	for q := p; q.Up() != nil; q = q.up {
		n++
	}
	steps := make([]Step, n)
	for q := p; n > 0; q = q.up {
		n--
		steps[n] = q.step
	}
	return steps
}

// Document returns the document of the value, or nil.
func (p *Place) Document() Document {
	if p == nil {
		return nil
	}
	for p.up != nil {
		p = p.up
	}
	return p.document
}

// String returns the path, such as apis[3].gatewayResponses["ACCESS_DENIED"].statusCode.
func (p *Place) String() string {
	var text strings.Builder
	for _, s := range p.Steps() {
		text.WriteString(s.String())
	}
	return strings.TrimPrefix(text.String(), ".")
}

// String returns the step as part of a path: .field, ["key"] or [3]. A step to a key is empty.
func (s Step) String() string {
	switch s.Kind {
	case Field:
		return "." + s.Name
	case Key:
		return "[" + strconv.Quote(s.Name) + "]"
	case Item:
		return "[" + strconv.Itoa(s.Index) + "]"
	default:
		return ""
	}
}

// Label returns the name of the value in faults: the field, with the key or index if there is one.
func (p *Place) Label() string {
	if p.Up() == nil {
		return "the configuration"
	}
	text := ""
	for ; p.up != nil; p = p.up {
		if p.step.Kind == Field {
			return p.step.Name + text
		}
		text = p.step.String() + text
	}
	return text
}
