package template

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/template/included"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const (
	// maxMade bounds what is made of a template: its bytes of text, and its values.
	maxMade = 32 << 20
	// nodeCost is the cost of a value besides its text.
	nodeCost = 16
	// maxNested is how deep stacks may lie in stacks.
	maxNested = 5
)

// noValue marks the value that takes its property away.
const noValue = "AWS::NoValue"

// resolver resolves one template.
type resolver struct {
	in        Inputs
	root      *tree.Node
	resources *tree.Node
	byID      map[string]*tree.Node // the resources
	report    *portability.Report
	files     *included.Files
	depth     int                 // of nested stacks
	prefix    string              // of the names of parameters, in a nested stack
	inherited map[string][]string // the defaults that decided what is passed to a nested stack

	parameters map[string]*tree.Node
	conditions map[string]*outcome
	branches   map[string]*branch
	made       map[visit]*tree.Node
	open       map[string]bool // names that are being resolved, against circles
	nested     map[string]map[string]*tree.Node
	unknowns   map[string]*tree.Unknown
	reported   map[string]bool // keys of what is missing
	missing    []Missing
	left       int
	ended      bool

	current string // the resource that is being resolved
	edges   map[string]map[string]tree.Position
	derived map[string]bool

	faults fault.List
}

// visit is a value in a branch of the functions If that it lies in.
type visit struct {
	n *tree.Node
	b *branch
}

// branch is where a condition led to, with the parameters whose defaults decided it. There is one of each; nil has no defaults.
type branch struct{ defaults []string }

func (b *branch) names() []string {
	if b == nil {
		return nil
	}
	return b.defaults
}

func newResolver(root *tree.Node, in Inputs, r *portability.Report) *resolver {
	byID := map[string]*tree.Node{}
	for _, p := range pairsOf(root.Get("Resources")) {
		byID[p.Key] = p.Value
	}
	return &resolver{
		byID: byID, in: in, root: root, resources: root.Get("Resources"), report: r, files: included.New(root.Position().File, in.Read),
		inherited: map[string][]string{}, parameters: map[string]*tree.Node{}, conditions: map[string]*outcome{}, branches: map[string]*branch{}, made: map[visit]*tree.Node{},
		open: map[string]bool{}, nested: map[string]map[string]*tree.Node{}, unknowns: map[string]*tree.Unknown{}, reported: map[string]bool{},
		edges: map[string]map[string]tree.Position{}, derived: map[string]bool{}, left: maxMade,
	}
}

// fault reports what CloudFormation refuses too.
func (s *resolver) fault(n *tree.Node, format string, args ...any) {
	f := n.Position().Fault(format, args...)
	if len(s.faults) < fault.MaxFaults && !slices.Contains(s.faults, f) {
		s.faults = append(s.faults, f)
	}
}

// spend counts what is made of the template. It returns false once that is too much.
func (s *resolver) spend(n *tree.Node, cost int) bool {
	if s.left -= cost; s.left >= 0 {
		return true
	}
	if !s.ended {
		s.ended = true
		s.fault(n, "the functions of the template make more than %d MB of it: write fewer that multiply each other's values", maxMade>>20)
	}
	return false
}

// branch returns the branch within another one into which a condition led.
func (s *resolver) branch(in *branch, defaults []string) *branch {
	all := union(in.names(), defaults)
	if len(all) == 0 {
		return nil
	}
	key := strings.Join(all, " ")
	if s.branches[key] == nil {
		s.branches[key] = &branch{all}
	}
	return s.branches[key]
}

// union returns the names in either of two sorted lists, sorted.
func union(a, b []string) []string {
	switch {
	case len(b) == 0, slices.Equal(a, b):
		return a
	case len(a) == 0:
		return b
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// value resolves a value in a branch. What has no functions in it is returned as it is.
func (s *resolver) value(n *tree.Node, b *branch) *tree.Node {
	if n == nil {
		return nil
	}
	key := visit{n, b}
	if made := s.made[key]; made != nil {
		return made
	}
	if !s.spend(n, nodeCost) {
		return s.broken(n)
	}
	made := s.resolved(n, b)
	s.made[key] = made
	return made
}

// broken stands for a value about which there is a fault.
func (s *resolver) broken(n *tree.Node) *tree.Node {
	return &tree.Node{Kind: tree.Unresolved, At: n.Position(), Unknown: &tree.Unknown{Message: "the template is faulty"}}
}

func (s *resolver) resolved(n *tree.Node, b *branch) *tree.Node {
	switch n.Kind {
	case tree.Map:
		if f := s.function(n); f != nil {
			return s.call(n, f, b)
		}
		return s.mapping(n, b)
	case tree.List:
		return s.list(n, b)
	case tree.Text:
		return with(s.dynamic(n), b.names())
	case tree.Null, tree.Number, tree.Bool, tree.Reference, tree.Unresolved:
	}
	return with(n, b.names())
}

// with returns a value that defaults decided, too.
func with(n *tree.Node, defaults []string) *tree.Node {
	if len(defaults) == 0 || n == nil {
		return n
	}
	all := union(n.Defaults, defaults)
	if len(all) == len(n.Defaults) {
		return n
	}
	made := *n
	made.Defaults = all
	return &made
}

// function returns the function that a map calls, nil if it is not a call.
func (s *resolver) function(n *tree.Node) *tree.Pair {
	for i, p := range n.Pairs {
		switch {
		case p.Key == "Ref" && len(n.Pairs) == 1:
			return &n.Pairs[i]
		case !strings.HasPrefix(p.Key, "Fn::"):
		case len(n.Pairs) == 1:
			return &n.Pairs[i]
		default:
			s.faultAt(p.At, "%s stands beside other keys, and CloudFormation takes no function so: write it as the only key of its value", p.Key)
			return nil
		}
	}
	return nil
}

func (s *resolver) faultAt(at tree.Position, format string, args ...any) {
	s.fault(&tree.Node{At: at}, format, args...)
}

func (s *resolver) mapping(n *tree.Node, b *branch) *tree.Node {
	made := &tree.Node{Kind: tree.Map, At: n.At, Intrinsic: n.Intrinsic, Defaults: union(n.Defaults, b.names())}
	made.Pairs = make([]tree.Pair, 0, len(n.Pairs))
	same := len(made.Defaults) == len(n.Defaults)
	for _, p := range n.Pairs {
		v := s.value(p.Value, b)
		same = same && v == p.Value
		if isAbsent(v) {
			made.Defaults = union(made.Defaults, v.Defaults)
			s.leftOut(s.current, p.Key, p.At, v.Defaults)
			continue
		}
		made.Pairs = append(made.Pairs, tree.Pair{Key: p.Key, At: p.At, Value: v})
	}
	if same {
		return n
	}
	return made
}

func (s *resolver) list(n *tree.Node, b *branch) *tree.Node {
	made := &tree.Node{Kind: tree.List, At: n.At, Intrinsic: n.Intrinsic, Defaults: union(n.Defaults, b.names())}
	made.Items = make([]*tree.Node, 0, len(n.Items))
	same := len(made.Defaults) == len(n.Defaults)
	for _, item := range n.Items {
		v := s.value(item, b)
		same = same && v == item
		if isAbsent(v) {
			made.Defaults = union(made.Defaults, v.Defaults)
			s.leftOut(s.current, "an item of a list", item.At, v.Defaults)
			continue
		}
		made.Items = append(made.Items, v)
	}
	if same {
		return n
	}
	return made
}

// leftOut notes a part of an API that the default of a parameter leaves out: a route that is not there is served by another one, which may
// be open.
func (s *resolver) leftOut(resource, what string, at tree.Position, defaults []string) {
	if kind, _ := s.byID[resource].Get("Type").Scalar(); len(defaults) > 0 && strings.HasPrefix(kind, "AWS::ApiGateway") {
		s.report.Approximate(at, what, "it is left out by the default of the parameter "+strings.Join(defaults, ", ")+": give the parameter to be sure")
	}
}

// isAbsent reports whether a value takes its property away.
func isAbsent(n *tree.Node) bool { return n.Is(tree.Null) && n != nil && n.Intrinsic == noValue }

// text returns a text that a function makes.
func (s *resolver) text(n *tree.Node, function, text string, defaults []string) *tree.Node {
	if !s.spend(n, len(text)) {
		return s.broken(n)
	}
	made := s.dynamic(&tree.Node{Kind: tree.Text, Text: text, At: n.At, Intrinsic: function})
	return with(made, defaults)
}

// defaults returns the parameters whose defaults decided a value or what is in it.
func (s *resolver) defaults(n *tree.Node) []string {
	var all []string
	for v := range n.All() {
		if s.left--; s.left < 0 {
			s.spend(n, 0)
			break
		}
		all = union(all, v.Defaults)
	}
	return all
}
