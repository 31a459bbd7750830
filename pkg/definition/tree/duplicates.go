package tree

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// duplicates gathers the keys of a file that are given twice.
//
// CloudFormation takes the last value of such a key: its ValidateTemplate and GetTemplateSummary answer so. Most readers do, but a reader
// of the file may see the first. So the last value is taken only where it says nothing of an API.
type duplicates struct {
	way    []string // the keys that lead to the value which is being read; an item of a list is ""
	shared int      // how many of the values on the way have an anchor, so that they may stand elsewhere too
	found  []duplicate
	many   bool // there are more than found has
}

type duplicate struct {
	way    []string
	shared bool
	// same says that both values are the same, so that it does not matter to CloudFormation which one counts.
	same      bool
	at, first Position
}

func (d *duplicates) enter(key string) { d.way = append(d.way, key) }

func (d *duplicates) leave() { d.way = d.way[:len(d.way)-1] }

// share counts the values on the way that have an anchor.
func (d *duplicates) share(anchored bool, n int) {
	if anchored {
		d.shared += n
	}
}

// put adds a pair to a map that is being made, in place of the one with the same key if there is one.
func (d *duplicates) put(n *Node, p Pair, twice bool) {
	switch {
	case !twice:
		n.Pairs = append(n.Pairs, p)
	case len(d.found) == fault.MaxFaults:
		d.many = true
	default:
		had := n.Pair(p.Key)
		d.found = append(d.found, duplicate{slices.Clone(d.way), d.shared > 0, same(had.Value, p.Value), p.At, had.At})
		*had = p
	}
}

// result returns the root of the file, nil if a key that is given twice keeps it from being used.
func (d *duplicates) result(root *Node) (*Node, fault.List) {
	faults := d.faults(root)
	if faults.Fatal() {
		return nil, faults
	}
	return root, faults
}

func (d *duplicates) faults(root *Node) fault.List {
	var faults fault.List
	for _, twice := range d.found {
		key := fault.Quoted(twice.way[len(twice.way)-1])
		f := twice.at.Fault("%s is given twice, first in line %d: keep one", key, twice.first.Line)
		switch {
		case d.many:
		case twice.same && root.Has("Resources"):
			f = twice.at.Fault("%s is given twice, first in line %d, with the same value: keep one", key, twice.first.Line)
			f.Warning = true
		case !twice.shared && idle(root, twice.way):
			f = twice.at.Fault("%s is given twice, first in line %d, and the last one counts, as for CloudFormation: keep one", key, twice.first.Line)
			f.Warning = true
		}
		faults = append(faults, f)
	}
	return faults
}

// maxCompared bounds the comparison of two values, whose parts may stand in them many times.
const maxCompared = 10_000

// same reports whether two values are the same. Those that are too large to compare are not.
func same(a, b *Node) bool {
	left := maxCompared
	return sameWithin(a, b, &left)
}

func sameWithin(a, b *Node, left *int) bool {
	if *left--; *left < 0 || a.Kind != b.Kind || a.Text != b.Text || len(a.Pairs) != len(b.Pairs) || len(a.Items) != len(b.Items) {
		return false
	}
	for i, p := range a.Pairs {
		if p.Key != b.Pairs[i].Key || !sameWithin(p.Value, b.Pairs[i].Value, left) {
			return false
		}
	}
	for i, item := range a.Items {
		if !sameWithin(item, b.Items[i], left) {
			return false
		}
	}
	return true
}

// idle reports whether a value, by the keys that lead to it, says nothing of who may call an API.
func idle(root *Node, way []string) bool {
	switch {
	case len(way) < 2:
		return false
	case root.Has("openapi"), root.Has("swagger"):
		return way[0] == "info" || way[0] == "tags" || way[0] == "definitions" ||
			way[0] == "components" && len(way) > 3 && slices.Contains([]string{"schemas", "examples"}, way[1])
	case !root.Has("Resources"):
		return false
	case way[0] == "Metadata":
		return true
	case way[0] != "Resources" || len(way) < 4 || way[2] != "Properties":
		return false
	}
	kind, ok := root.Way("Resources", way[1], "Type").Scalar()
	switch {
	case !ok || !strings.HasPrefix(kind, "AWS::") || strings.HasSuffix(kind, "::MODULE"):
		return false
	case kind == "AWS::Serverless::Function", kind == "AWS::Serverless::StateMachine":
		return way[3] != "Events" && !strings.HasPrefix(way[3], "Fn::")
	}
	return !strings.HasPrefix(kind, "AWS::ApiGateway") && !strings.HasPrefix(kind, "AWS::Serverless::") && !strings.HasPrefix(kind, "AWS::CloudFormation::")
}
