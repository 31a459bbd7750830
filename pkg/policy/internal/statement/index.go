package statement

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// Index finds the statements that a request could concern without looking at the others: first by the service of the action,
// then by a piece of literal text that the resource's last part has to hold.
type Index struct {
	byService map[string]*resourceIndex
	// anyService holds the statements whose actions name no service: "*" and NotAction.
	anyService resourceIndex
	// Named says that some entry names a resource other than "*".
	Named bool
}

// Entry is a statement and the one of its resources by which it was found; nil where the resource does not narrow.
type Entry struct {
	Statement *Statement
	resource  *Resource
}

// Named reports whether the entry names a resource; NotResource and "*" do not.
func (e Entry) Named() bool { return e.resource != nil && !e.resource.Any }

// resourceIndex holds entries by the rarest literal piece of their resource's last part: the text that it begins with, or
// a text from a slash on. Each pattern that fits a resource is found at the resource's beginning or at one of its slashes.
type resourceIndex struct {
	always   []Entry
	anchored trie
	floating trie
}

func NewIndex(all []*Statement, e Effect) Index {
	x := Index{byService: map[string]*resourceIndex{}}
	byService := map[string][]Entry{}
	var anyService []Entry
	for _, s := range all {
		if s.Effect != e {
			continue
		}
		x.Named = x.Named || slices.ContainsFunc(s.entries(), Entry.Named)
		services, any := s.services()
		if any {
			anyService = append(anyService, s.entries()...)
			continue
		}
		for _, service := range services {
			byService[service] = append(byService[service], s.entries()...)
		}
	}
	for service, entries := range byService {
		x.byService[service] = newResourceIndex(entries)
	}
	x.anyService = *newResourceIndex(anyService)
	return x
}

// services are the services whose actions the statement may concern, or any.
func (s *Statement) services() (list []string, any bool) {
	if s.NotAction {
		return nil, true
	}
	for i := range s.Actions {
		if s.Actions[i].any {
			return nil, true
		}
		list = append(list, s.Actions[i].service)
	}
	slices.Sort(list)
	return slices.Compact(list), false
}

func (s *Statement) entries() []Entry {
	if s.NotResource {
		return []Entry{{Statement: s}}
	}
	list := make([]Entry, len(s.Resources))
	for i, res := range s.Resources {
		list[i] = Entry{s, res}
	}
	return list
}

// piece is literal text that a resource's last part has to hold.
type piece struct {
	text     string
	anchored bool // at the beginning
}

// pieces are the texts by which a resource can be found.
func (res *Resource) pieces() []piece {
	if res.Tail.IsLiteral() {
		return []piece{{res.Tail.Literal, true}}
	}
	var list []piece
	for i, token := range res.Tail.Tokens {
		if token.Kind != arn.Literal {
			continue
		}
		if i == 0 && token.Text != "" {
			list = append(list, piece{token.Text, true})
		}
		if slash := strings.IndexByte(token.Text, '/'); i > 0 && slash >= 0 {
			list = append(list, piece{token.Text[slash:], false})
		}
	}
	return list
}

func newResourceIndex(entries []Entry) *resourceIndex {
	x := &resourceIndex{}
	shared := map[piece]int{}
	pieces := make([][]piece, len(entries))
	for i, e := range entries {
		if !e.Named() {
			continue
		}
		pieces[i] = e.resource.pieces()
		for _, p := range pieces[i] {
			shared[p]++
		}
	}
	for i, e := range entries {
		if len(pieces[i]) == 0 {
			x.always = append(x.always, e)
			continue
		}
		rarest := slices.MinFunc(pieces[i], func(a, b piece) int {
			if shared[a] != shared[b] {
				return shared[a] - shared[b]
			}
			return len(b.text) - len(a.text)
		})
		if rarest.anchored {
			x.anchored.insert(rarest.text, e)
		} else {
			x.floating.insert(rarest.text, e)
		}
	}
	return x
}

// Each calls visit for the entries that a resource's last part could fit. A statement may come more than once, and in no
// particular order.
func (x *resourceIndex) Each(resource string, visit func(*Entry)) {
	for i := range x.always {
		visit(&x.always[i])
	}
	x.anchored.Each(resource, visit)
	if x.floating.empty() {
		return
	}
	for slash := strings.IndexByte(resource, '/'); slash >= 0; {
		x.floating.Each(resource[slash:], visit)
		next := strings.IndexByte(resource[slash+1:], '/')
		if next < 0 {
			return
		}
		slash += 1 + next
	}
}

// trie is a radix tree: it finds the keys that a text begins with.
type trie struct {
	label   string
	entries []Entry
	// children are in the order of firsts, the first bytes of their labels; each is unlike every other.
	firsts   string
	children []trie
}

func (t *trie) empty() bool { return len(t.children) == 0 && len(t.entries) == 0 }

func (t *trie) insert(key string, e Entry) {
	if key == "" {
		t.entries = append(t.entries, e)
		return
	}
	i := strings.IndexByte(t.firsts, key[0])
	if i < 0 {
		t.firsts += key[:1]
		t.children = append(t.children, trie{label: key, entries: []Entry{e}})
		return
	}
	c := &t.children[i]
	n := commonPrefix(c.label, key)
	if n < len(c.label) {
		rest := *c
		rest.label = c.label[n:]
		*c = trie{label: c.label[:n], firsts: rest.label[:1], children: []trie{rest}}
	}
	c.insert(key[n:], e)
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (t *trie) Each(text string, visit func(*Entry)) {
	for {
		for i := range t.entries {
			visit(&t.entries[i])
		}
		if text == "" {
			return
		}
		i := strings.IndexByte(t.firsts, text[0])
		if i < 0 || !strings.HasPrefix(text, t.children[i].label) {
			return
		}
		t = &t.children[i]
		text = text[len(t.label):]
	}
}
