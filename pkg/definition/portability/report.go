// Package portability says what becomes of each thing that an API definition asks for: whether portcullis enforces it, comes close to
// it, refuses it, or has nothing to do with it.
package portability

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Verdict says how a part of a definition is enforced. The zero Verdict refuses it.
type Verdict uint8

const (
	// Refused is a part that cannot be built, or cannot be known. If it guards, it keeps the definition from being used, or its routes refuse.
	Refused Verdict = iota
	// Approximated is a part that portcullis enforces in another way than API Gateway, or with a value that a default or the reader decided.
	Approximated
	// Enforced is a part that portcullis enforces as API Gateway does.
	Enforced
	// NotOurs is a part that does not affect who may call.
	NotOurs
)

var verdicts = [...]string{"refused", "approximated", "enforced", "not our concern"}

func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// MarshalText returns the verdict's word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Note is one thing of a definition and what becomes of it.
type Note struct {
	Verdict Verdict
	At      tree.Position
	// What names the thing, such as "authorizer Partners" or "GET /pets".
	What string
	// Message says what becomes of it; where it is Refused, the cause and what to do.
	Message string
	// Guards says that the thing decides who may call.
	Guards bool
}

// Report gathers Notes. The zero Report is ready for use.
type Report struct {
	notes []Note
	have  map[Note]bool
}

// Add adds a note unless it is there already.
func (r *Report) Add(n Note) {
	if r.have[n] {
		return
	}
	if r.have == nil {
		r.have = map[Note]bool{}
	}
	r.have[n] = true
	r.notes = append(r.notes, n)
}

// Enforce notes a thing that portcullis does as API Gateway does.
func (r *Report) Enforce(at tree.Position, what, message string) {
	r.Add(Note{Verdict: Enforced, At: at, What: what, Message: message, Guards: true})
}

// Approximate notes a thing that portcullis does in another way, or with a value that the definition leaves open.
func (r *Report) Approximate(at tree.Position, what, message string) {
	r.Add(Note{Verdict: Approximated, At: at, What: what, Message: message, Guards: true})
}

// Refuse notes a thing that guards and cannot be built or told. The message has the cause and what to do.
func (r *Report) Refuse(at tree.Position, what, message string) {
	r.Add(Note{Verdict: Refused, At: at, What: what, Message: message, Guards: true})
}

// Pass notes a thing that has nothing to do with who may call.
func (r *Report) Pass(at tree.Position, what, message string) {
	r.Add(Note{Verdict: NotOurs, At: at, What: what, Message: message})
}

// Notes returns the notes by file, in the order in which the files came up, and by position.
func (r *Report) Notes() []Note {
	files := map[string]int{}
	for _, n := range r.notes {
		if _, ok := files[n.At.File]; !ok {
			files[n.At.File] = len(files)
		}
	}
	sorted := slices.Clone(r.notes)
	slices.SortStableFunc(sorted, func(a, b Note) int {
		return cmp.Or(cmp.Compare(files[a.At.File], files[b.At.File]), cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
	return sorted
}

// Refusals returns those of some notes that are of what guards and is refused.
func Refusals(notes []Note) []Note {
	return slices.DeleteFunc(slices.Clone(notes), func(n Note) bool { return n.Verdict != Refused || !n.Guards })
}
