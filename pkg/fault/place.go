package fault

import (
	"strconv"
	"strings"
)

// Place is where a value of a configuration stands. It travels with the value: a reader makes it, and a package that checks the value
// goes on from it to the field that is wrong and gives it back in a Fault. Only the Document that it is of knows where that is, so a
// reader of another format has its values stand where its own files have them. The nil Place is nowhere.
//
// A Place holds its Document, which may be large. What outlives the reading of a configuration must not hold a Place.
type Place struct {
	up       *Place
	step     Step
	document Document // of the root alone
}

// Document finds the values that Places of it stand for.
type Document interface {
	// Position returns where the value stands, or, if it is missing, what lacks it. Lines and columns count from 1, columns in
	// characters.
	Position(at *Place) (file string, line, column int)
	// Secret reports whether a text at the Place may be a secret.
	Secret(at *Place) bool
}

// Step leads from a value to one that it holds.
type Step struct {
	Kind Kind
	// Name is that of a field, or a key.
	Name string
	// Index is that of an item, from 0.
	Index int
}

// Kind is what a Step goes by.
type Kind uint8

const (
	// Field goes to a field that the schema names.
	Field Kind = iota + 1
	// Key goes to the value of a key that the configuration names.
	Key
	// Item goes to an item of a list.
	Item
	// Name goes from a value to its key.
	Name
)

// Root returns the Place of a whole document.
func Root(d Document) *Place { return &Place{document: d} }

// Field returns the Place of a field of the value, whether or not it is given.
func (p *Place) Field(name string) *Place { return p.to(Step{Kind: Field, Name: name}) }

// Key returns the Place of a key's value.
func (p *Place) Key(name string) *Place { return p.to(Step{Kind: Key, Name: name}) }

// Item returns the Place of an item of a list.
func (p *Place) Item(index int) *Place { return p.to(Step{Kind: Item, Index: index}) }

// Name returns the Place of the key that the value stands under.
func (p *Place) Name() *Place { return p.to(Step{Kind: Name}) }

func (p *Place) to(s Step) *Place {
	if p == nil {
		p = &Place{}
	}
	return &Place{up: p, step: s}
}

// Up returns the Place of what holds the value, nil for a whole document.
func (p *Place) Up() *Place {
	if p == nil {
		return nil
	}
	return p.up
}

// Steps returns the way from the document to the value.
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

// Document returns the document of the value, nil if there is none.
func (p *Place) Document() Document {
	if p == nil {
		return nil
	}
	for p.up != nil {
		p = p.up
	}
	return p.document
}

// String is the way to the value, as in apis[3].gatewayResponses["ACCESS_DENIED"].statusCode.
func (p *Place) String() string {
	var text strings.Builder
	for _, s := range p.Steps() {
		text.WriteString(s.String())
	}
	return strings.TrimPrefix(text.String(), ".")
}

// String is the step as a part of a way: .field, ["key"] or [3]; that to a key is empty.
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

// Label is how a fault names the value: the field, with the key or the item where it is one.
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
