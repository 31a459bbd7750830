package template

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// call resolves a function.
func (s *resolver) call(n *tree.Node, f *tree.Pair, b *branch) *tree.Node {
	switch f.Key {
	case "Fn::If":
		return s.choose(n, f, b)
	case "Ref":
		return with(s.ref(n, f), b.names())
	case "Fn::GetAtt":
		return with(s.getAtt(n, f), b.names())
	case "Fn::Sub":
		return with(s.sub(n, f), b.names())
	case "Fn::ImportValue":
		return with(s.importValue(n, f), b.names())
	case "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals":
		o := s.expression(n)
		if o.truth == unknown {
			return s.unresolved(n, f.Key, o.unknown)
		}
		return with(tree.NewBool(o.truth == yes, n.At), union(o.defaults, b.names()))
	}
	made := s.compute(n, f, s.value(f.Value, nil))
	if made.Intrinsic == "" && made != f.Value {
		named := *made
		named.Intrinsic = f.Key
		made = &named
	}
	return with(made, b.names())
}

// compute resolves a function whose arguments are resolved.
func (s *resolver) compute(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	switch f.Key {
	case "Fn::Join":
		return s.join(n, f, argument)
	case "Fn::Select":
		return s.selected(n, f, argument)
	case "Fn::Split":
		return s.split(n, f, argument)
	case "Fn::FindInMap":
		return s.findInMap(n, f, argument)
	case "Fn::GetAZs":
		return s.zones(n, f, argument)
	case "Fn::Cidr":
		return s.cidr(n, f, argument)
	case "Fn::Base64":
		text, u := s.textOf(argument)
		if u != nil {
			return s.unresolved(n, f.Key, u)
		}
		return s.text(n, f.Key, base64.StdEncoding.EncodeToString([]byte(text)), s.defaults(argument))
	case "Fn::ToJsonString":
		return s.toJSON(n, f, argument)
	case "Fn::Length":
		return s.length(n, f, argument)
	}
	return s.notKnown(n, "", "portcullis does not know the function "+f.Key+": write its value")
}

// misused reports arguments that a function does not take.
func (s *resolver) misused(n *tree.Node, f *tree.Pair, want string) *tree.Node {
	s.faultAt(f.At, "%s must have %s", f.Key, want)
	return s.broken(n)
}

// arguments returns a function's list of arguments. The last result is the value of the function if there are not as many.
func (s *resolver) arguments(n *tree.Node, f *tree.Pair, argument *tree.Node, least, most int, want string) ([]*tree.Node, *tree.Node) {
	if argument.Is(tree.Unresolved) || argument.Is(tree.Reference) {
		return nil, s.unresolved(n, f.Key, s.whyUnknown(argument))
	}
	if !argument.Is(tree.List) || len(argument.Items) < least || len(argument.Items) > most {
		return nil, s.misused(n, f, want)
	}
	return argument.Items, nil
}

func (s *resolver) join(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	const want = "a list of a delimiter and a list of texts"
	items, not := s.arguments(n, f, argument, 2, 2, want)
	if not != nil {
		return not
	}
	list, u := s.listOf(items[1])
	if u != nil {
		return s.unresolved(n, f.Key, u)
	}
	if list == nil {
		return s.misused(n, f, want)
	}
	if len(list.Items) == 1 && list.Items[0].Is(tree.Reference) {
		return list.Items[0]
	}
	var parts []string
	var why *tree.Unknown
	for _, item := range list.Items {
		part, u := s.partOf(item)
		if why == nil {
			why = u
		}
		if !s.spend(n, len(part)) {
			return s.broken(n)
		}
		parts = append(parts, part)
	}
	delimiter, u := s.textOf(items[0])
	if u != nil {
		return s.unresolved(n, f.Key, u)
	}
	if !s.spend(n, len(delimiter)*len(parts)) {
		return s.broken(n)
	}
	text := strings.Join(parts, delimiter)
	if why != nil {
		return s.partial(n, f.Key, text, why)
	}
	return s.text(n, f.Key, text, s.defaults(argument))
}

// listOf returns a list, or what is not known of it; nil if the value is not one. Package sam puts a parameter that is a list in its
// place as a text.
func (s *resolver) listOf(n *tree.Node) (*tree.Node, *tree.Unknown) {
	switch {
	case n.Is(tree.List):
		return n, nil
	case n.Is(tree.Unresolved), n.Is(tree.Reference):
		return nil, s.whyUnknown(n)
	case n.Is(tree.Text) && n.Intrinsic == "Ref":
		return s.typed(n, "CommaDelimitedList", n.Text, n.Defaults), nil
	}
	return nil, nil
}

func (s *resolver) selected(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	const want = "a list of an index and a list of values"
	items, not := s.arguments(n, f, argument, 2, 2, want)
	if not != nil {
		return not
	}
	text, u := s.textOf(items[0])
	list, also := s.listOf(items[1])
	if u == nil {
		u = also
	}
	if u != nil {
		return s.unresolved(n, f.Key, u)
	}
	index, err := strconv.Atoi(text)
	if err != nil || list == nil {
		return s.misused(n, f, want)
	}
	if index < 0 || index >= len(list.Items) {
		s.faultAt(f.At, "Fn::Select asks for the value at index %d of %d: indexes begin with 0", index, len(list.Items))
		return s.broken(n)
	}
	chosen := *list.Items[index]
	chosen.Intrinsic = f.Key
	return with(&chosen, union(items[0].Defaults, items[1].Defaults))
}

func (s *resolver) split(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	items, not := s.arguments(n, f, argument, 2, 2, "a list of a delimiter and a text")
	if not != nil {
		return not
	}
	delimiter, u := s.textOf(items[0])
	text, also := s.textOf(items[1])
	if u == nil {
		u = also
	}
	if u != nil {
		return s.unresolved(n, f.Key, u)
	}
	if delimiter == "" {
		return s.misused(n, f, "a delimiter that is not empty")
	}
	list := &tree.Node{Kind: tree.List, At: n.At, Intrinsic: f.Key, Defaults: s.defaults(argument)}
	for _, part := range strings.Split(text, delimiter) {
		if !s.spend(n, nodeCost+len(part)) {
			return s.broken(n)
		}
		list.Items = append(list.Items, &tree.Node{Kind: tree.Text, Text: part, At: n.At, Intrinsic: f.Key, Defaults: list.Defaults})
	}
	return list
}

// findInMap looks a value up in Mappings. The map that may follow the keys has the DefaultValue of AWS::LanguageExtensions.
func (s *resolver) findInMap(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	items, not := s.arguments(n, f, argument, 3, 4, "a list of a map's name and two keys")
	if not != nil {
		return not
	}
	var keys [3]string
	for i := range keys {
		var u *tree.Unknown
		if keys[i], u = s.textOf(items[i]); u != nil {
			return s.unresolved(n, f.Key, u)
		}
	}
	defaults := s.defaults(tree.NewList(n.At, items[:3]...))
	found := s.root.Way("Mappings", keys[0], keys[1], keys[2])
	if found != nil {
		return with(s.value(found, nil), defaults)
	}
	if len(items) == 4 && items[3].Has("DefaultValue") {
		return with(items[3].Get("DefaultValue"), defaults)
	}
	key := f.Key + " " + strings.Join(keys[:], ".")
	switch text, given := s.given(key); {
	case given:
		return s.text(n, f.Key, text, defaults)
	case s.in.Fragment, s.root.Get("Mappings").Has(keys[0]):
		return s.notKnown(n, key, "Mappings has no value "+strings.Join(keys[:], "."))
	}
	s.faultAt(f.At, "there is no map %s in Mappings: %s", fault.Quoted(keys[0]), s.instead(keys[0], s.root.Get("Mappings"), "add it, or give the value by "+tree.Remedy(key)))
	return s.broken(n)
}

func (s *resolver) zones(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	region, u := s.textOf(argument)
	if u != nil {
		return s.unresolved(n, f.Key, u)
	}
	if region == "" {
		region = s.in.Region
	}
	key := strings.TrimSpace("Fn::GetAZs " + region)
	text, given := s.given(key)
	if !given {
		return s.notKnown(n, key, "the zones of a region are not known")
	}
	list := &tree.Node{Kind: tree.List, At: n.At, Intrinsic: f.Key}
	for _, zone := range splitList(text) {
		list.Items = append(list.Items, &tree.Node{Kind: tree.Text, Text: zone, At: n.At, Intrinsic: f.Key})
	}
	return list
}

// cidr divides a network into a count of parts, each with the given number of bits for its hosts.
func (s *resolver) cidr(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	const want = "a list of a network, a count from 1 to 256 and the bits of a part"
	items, not := s.arguments(n, f, argument, 2, 3, want)
	if not != nil {
		return not
	}
	text, why := s.textOf(items[0])
	numbers := []int{0, 8}
	for i, item := range items[1:] {
		number, u := s.textOf(item)
		if why == nil {
			why = u
		}
		numbers[i], _ = strconv.Atoi(number)
	}
	if why != nil {
		return s.unresolved(n, f.Key, why)
	}
	network, err := netip.ParsePrefix(text)
	parts, ok := divide(network, numbers[0], numbers[1])
	if err != nil || !ok {
		return s.misused(n, f, want+", and as many such parts must fit into the network")
	}
	list := &tree.Node{Kind: tree.List, At: n.At, Intrinsic: f.Key, Defaults: s.defaults(argument)}
	for _, part := range parts {
		list.Items = append(list.Items, &tree.Node{Kind: tree.Text, Text: part.String(), At: n.At, Intrinsic: f.Key, Defaults: list.Defaults})
	}
	return list
}

// divide returns the first parts of a network, each with a number of bits for its hosts.
func divide(network netip.Prefix, count, bits int) ([]netip.Prefix, bool) {
	size := network.Addr().BitLen()
	length := size - bits
	if count < 1 || count > 256 || bits < 1 || length < network.Bits() || network.Bits() < 0 {
		return nil, false
	}
	if room := length - network.Bits(); room < 8 && count > 1<<room {
		return nil, false
	}
	var parts []netip.Prefix
	address := network.Masked().Addr().AsSlice()
	for range count {
		a, _ := netip.AddrFromSlice(address)
		parts = append(parts, netip.PrefixFrom(a, length))
		step := 1 << ((8 - length%8) % 8)
		for i := (length - 1) / 8; i >= 0 && step > 0; i-- {
			sum := int(address[i]) + step
			address[i], step = byte(sum&0xff), sum>>8
		}
	}
	return parts, true
}

func (s *resolver) toJSON(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	if u := s.whyUnknown(argument); u != nil {
		return s.unresolved(n, f.Key, u)
	}
	var text strings.Builder
	if !argument.Is(tree.Map) && !argument.Is(tree.List) {
		return s.misused(n, f, "a map or a list")
	}
	if !s.writeJSON(&text, argument) {
		return s.broken(n)
	}
	return s.text(n, f.Key, text.String(), s.defaults(argument))
}

// writeJSON writes a known value as JSON. It returns false if that is too much.
func (s *resolver) writeJSON(w *strings.Builder, n *tree.Node) bool {
	if !s.spend(n, 1+len(n.Text)) {
		return false
	}
	switch n.Kind {
	case tree.Map:
		w.WriteByte('{')
		for i, p := range n.Pairs {
			w.WriteString(strings.Repeat(",", min(i, 1)) + quoted(p.Key) + ":")
			if !s.writeJSON(w, p.Value) {
				return false
			}
		}
		w.WriteByte('}')
	case tree.List:
		w.WriteByte('[')
		for i, item := range n.Items {
			w.WriteString(strings.Repeat(",", min(i, 1)))
			if !s.writeJSON(w, item) {
				return false
			}
		}
		w.WriteByte(']')
	case tree.Number, tree.Bool:
		w.WriteString(n.Text)
	case tree.Null:
		w.WriteString("null")
	case tree.Text, tree.Reference, tree.Unresolved:
		w.WriteString(quoted(n.Text))
	}
	return true
}

// quoted returns a text as JSON.
func quoted(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(data)
}

func (s *resolver) length(n *tree.Node, f *tree.Pair, argument *tree.Node) *tree.Node {
	if argument.Is(tree.Unresolved) || argument.Is(tree.Reference) {
		return s.unresolved(n, f.Key, s.whyUnknown(argument))
	}
	if !argument.Is(tree.List) {
		return s.misused(n, f, "a list")
	}
	count := &tree.Node{Kind: tree.Number, Text: fmt.Sprint(len(argument.Items)), At: n.At, Intrinsic: f.Key}
	return with(count, argument.Defaults)
}
