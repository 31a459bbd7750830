package document

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const (
	// maxHops is how many references may lead to one value.
	maxHops = 20
	// maxFiles is how many files the references of a document may name.
	maxFiles = 50
	// maxFileSize is the largest definition that API Gateway accepts.
	maxFileSize = 6 << 20
)

// file is another document.
type file struct {
	// name is relative to the folder of the first document.
	name string
	root *tree.Node
	// wrong is why there is no root.
	wrong string
}

// Follow returns the value that a value's $ref leads to, or the value itself if it has none. Values that no part of an API asks for are
// not followed, so that a schema that is missing, or holds itself, does no harm.
func (d *Document) Follow(n *tree.Node) (*tree.Node, *Trouble) {
	return d.follow(n, true)
}

// FollowItem is Follow for a path item, beside whose $ref others of its keys may stand: the caller joins them.
func (d *Document) FollowItem(n *tree.Node) (*tree.Node, *Trouble) {
	return d.follow(n, false)
}

func (d *Document) follow(n *tree.Node, alone bool) (*tree.Node, *Trouble) {
	at := n.Position()
	for range maxHops {
		if t := Unknown(n); t != nil {
			return nil, t
		}
		ref := n.Get("$ref")
		if ref == nil {
			return n, nil
		}
		text, ok := ref.Scalar()
		if t := Unknown(ref); t != nil {
			return nil, t
		}
		if !ok {
			return nil, TroubleAt(ref.Position(), "$ref must be text")
		}
		if t := NotFilled(text, ref.At); t != nil {
			return nil, t
		}
		if t := beside(n); alone && t != nil {
			return nil, t
		}
		alone = true
		var t *Trouble
		if n, t = d.target(text, ref.At); t != nil {
			return nil, t
		}
	}
	return nil, TroubleAt(at, fmt.Sprintf("$ref leads to more than %d others, or to itself: write the value itself", maxHops))
}

// beside says what stands beside a $ref, nil for nothing but words: whether API Gateway reads it is not documented.
func beside(n *tree.Node) *Trouble {
	for _, p := range n.Pairs {
		if p.Key != "$ref" && p.Key != "summary" && p.Key != "description" {
			return TroubleAt(p.At, fault.Quoted(p.Key)+" stands beside $ref, which takes its place: write it in what $ref leads to")
		}
	}
	return nil
}

// target finds what a reference names.
func (d *Document) target(ref string, at tree.Position) (*tree.Node, *Trouble) {
	name, pointer, _ := strings.Cut(ref, "#")
	from := d.files[at.File]
	root, relative := d.Root, ""
	if from != nil {
		root, relative = from.root, from.name
	}
	if name != "" {
		other, t := d.file(name, relative, at)
		if t != nil {
			return nil, t
		}
		root = other.root
	}
	n := root
	for _, step := range steps(pointer) {
		if n = child(n, step); n == nil {
			return nil, TroubleAt(at, fmt.Sprintf("$ref %s leads nowhere: the document has no such value", fault.Quoted(ref)))
		}
	}
	return n, nil
}

// steps are the steps of a JSON pointer (RFC 6901) in a URI's fragment.
func steps(pointer string) []string {
	pointer = strings.TrimPrefix(pointer, "/")
	if pointer == "" {
		return nil
	}
	all := strings.Split(pointer, "/")
	for i, step := range all {
		if decoded, err := url.PathUnescape(step); err == nil {
			step = decoded
		}
		all[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
	}
	return all
}

func child(n *tree.Node, step string) *tree.Node {
	if n.Is(tree.List) {
		if i, err := strconv.Atoi(step); err == nil && 0 <= i && i < len(n.Items) {
			return n.Items[i]
		}
		return nil
	}
	return n.Get(step)
}

// file reads a document that a reference names, once.
func (d *Document) file(name, from string, at tree.Position) (*file, *Trouble) {
	quoted := fault.Quoted(name)
	if strings.Contains(name, "://") || path.IsAbs(name) {
		return nil, TroubleAt(at, "$ref names "+quoted+", which is not a file in the document's folder: copy it there")
	}
	if d.Read == nil {
		return nil, TroubleAt(at, "$ref names the file "+quoted+", and no other file can be read here: write the value itself")
	}
	name = path.Join(path.Dir(from), name)
	shown := path.Join(path.Dir(d.Root.Position().File), name)
	other := d.files[shown]
	if other == nil {
		if len(d.files) >= maxFiles {
			return nil, TroubleAt(at, fmt.Sprintf("references name more than %d files: bundle the document into one", maxFiles))
		}
		if d.files == nil {
			d.files = map[string]*file{}
		}
		other = &file{name: name}
		d.files[shown] = other
		other.root, other.wrong = d.parse(name, shown)
	}
	if other.wrong != "" {
		return nil, TroubleAt(at, fmt.Sprintf("$ref names the file %s, which cannot be used: %s", quoted, other.wrong))
	}
	return other, nil
}

func (d *Document) parse(name, shown string) (root *tree.Node, wrong string) {
	data, err := d.Read(name)
	if err != nil {
		return nil, err.Error()
	}
	if len(data) > maxFileSize {
		return nil, "it is larger than 6 MB"
	}
	root, faults := tree.Parse(shown, data)
	if len(faults) > 0 {
		return nil, faults[0].Text()
	}
	return root, ""
}
