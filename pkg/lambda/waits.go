package lambda

import (
	"context"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// shareOfFree is how many times the free places one group may hold: one that asks alone gets three quarters, and leaves one. What others
// are guaranteed does not depend on it. With once the free places half of a function would idle, and a thousand clients who show one
// token at the same moment, when its answer has expired, could not all wait for the one call. A caller leaves a little more (NewWaits): there are many of them below one authorizer.
const shareOfFree = 3

// defaultWaits is how many requests wait where nothing says otherwise.
const defaultWaits = 2048

// Waits bounds the requests that wait for functions, those that wait for one flight counted each. There is one for the process, so
// that requests of a configuration that was replaced go on counting. An answer that is remembered takes no place.
type Waits struct {
	// apis divides by API, authorizer and caller. functions divides the same requests by function and authorizer: a function that
	// many APIs ask is one thing that can hang.
	apis, functions *bulkhead.Tree
}

// NewWaits makes bounds for most requests in all.
func NewWaits(most int64) *Waits {
	return &Waits{
		apis:      bulkhead.New(bulkhead.Shares{Name: "waiting_for_functions", Levels: []string{"api", "authorizer", "caller"}, Limit: most, Multiple: shareOfFree, LastMultiple: 2}),
		functions: bulkhead.New(bulkhead.Shares{Name: "waiting_by_function", Levels: []string{"function", "authorizer"}, Limit: most, Multiple: shareOfFree}),
	}
}

// Bound changes how many requests may wait in all.
func (w *Waits) Bound(most int64) {
	w.apis.Resize(most)
	w.functions.Resize(most)
}

// Expect says how many APIs have Lambda authorizers, and how many functions these ask: each has places that no other gets.
func (w *Waits) Expect(apis, functions int) {
	w.apis.Expect(apis)
	w.functions.Expect(functions)
}

// Samples are the numbers of both divisions.
func (w *Waits) Samples() []authz.Sample {
	return slices.Concat(w.apis.Samples(), w.functions.Samples())
}

// asker is who wants a function's answer: an API's authorizer, and the caller that it is about. A request without identity values
// is nobody's in particular.
type asker struct {
	api, authorizer, caller bulkhead.ID
	known                   bool // says that there is a caller
}

func (a *Authorizer) asker(c Call) asker {
	who := asker{api: bulkhead.NewID(c.API), authorizer: bulkhead.NewID(c.API, a.name), known: len(c.Identity) > 0}
	if who.known {
		who.caller = bulkhead.NewID(c.Identity...)
	}
	return who
}

// path returns the keys from an API, or from an authorizer, down to a caller.
func (a asker) path(first ...bulkhead.ID) []bulkhead.ID {
	if a.known {
		return append(first, a.caller)
	}
	return first
}

// waiting is a request's places.
type waiting struct{ inAPI, inFunction bulkhead.Place }

func (w waiting) leave() {
	w.inAPI.Leave()
	w.inFunction.Leave()
}

// enter takes a request's places. After true the caller leaves again.
func (w *Waits) enter(function bulkhead.ID, who asker) (waiting, bool) {
	inAPI, ok := w.apis.Enter(1, who.path(who.api, who.authorizer)...)
	if !ok {
		return waiting{}, false
	}
	inFunction, ok := w.functions.Enter(1, function, who.authorizer)
	if !ok {
		inAPI.Leave()
		return waiting{}, false
	}
	return waiting{inAPI, inFunction}, true
}

type askerKey struct{}

// withAsker tells the guard of a function who asks.
func withAsker(ctx context.Context, who asker) context.Context {
	return context.WithValue(ctx, askerKey{}, who)
}

// askerOf is the path by which a guard divides its function's places; empty if nobody was named.
func askerOf(ctx context.Context) []bulkhead.ID {
	who, ok := ctx.Value(askerKey{}).(asker)
	if !ok {
		return nil
	}
	return who.path(who.authorizer)
}
