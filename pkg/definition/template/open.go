package template

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// maxIncluded is how deep files may include each other.
const maxIncluded = 16

const (
	include    = "AWS::Include"
	extensions = "AWS::LanguageExtensions"
)

// Open returns a template with the files that it includes in place of the functions that name them, and with what Fn::ForEach repeats.
// It returns nil if what it is asked to read is not there.
//
// A file that is not there is a fault if the API that is read, or the template as a whole, needs it. Elsewhere the value is Unresolved.
func Open(root *tree.Node, in Inputs, r *portability.Report) (*tree.Node, fault.List) {
	s := newResolver(root, in, r)
	s.declare()
	s.faults = nil // Resolve reports them
	o := &opener{resolver: s, api: in.API, done: map[part]*tree.Node{}, within: map[string]bool{}}
	if o.api == "" {
		o.api = onlyAPI(s.resources)
	}
	opened := o.root(root)
	if s.faults.Fatal() {
		return nil, s.faults
	}
	return opened, s.faults
}

// apiTypes are the types of APIs.
var apiTypes = []string{"AWS::Serverless::Api", "AWS::Serverless::HttpApi", "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"}

// onlyAPI returns the logical id of a template's only API, empty if it has none or several.
func onlyAPI(resources *tree.Node) string {
	only := ""
	for _, p := range pairsOf(resources) {
		if kind, _ := p.Value.Get("Type").Scalar(); slices.Contains(apiTypes, kind) {
			if only != "" {
				return ""
			}
			only = p.Key
		}
	}
	return only
}

// opener puts in what a template includes and repeats.
type opener struct {
	*resolver
	api      string
	loops    bool // the template has the language extensions
	depth    int  // of files in files
	repeated int  // keys that loops have made
	from     string
	within   map[string]bool // files that are being included
	done     map[part]*tree.Node
	needed   bool // the value is a part of the API that is read, or of the template as a whole
}

// part is a value that is opened, and whether it is needed.
type part struct {
	n      *tree.Node
	needed bool
}

// root opens a template.
func (o *opener) root(n *tree.Node) *tree.Node {
	o.needed = true
	n = o.transforms(n)
	o.resolver.root = n
	made := *n
	made.Pairs = make([]tree.Pair, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		switch p.Key {
		case "Transform", "Metadata", "Rules":
		case "Outputs":
			o.needed = false
			p.Value = o.open(p.Value)
			o.needed = true
		case "Resources":
			p.Value = o.resourcesOf(p.Value)
		default:
			p.Value = o.open(p.Value)
		}
		made.Pairs = append(made.Pairs, p)
	}
	return &made
}

// resourcesOf opens the resources. Only the API that is read must be whole.
func (o *opener) resourcesOf(n *tree.Node) *tree.Node {
	if !n.Is(tree.Map) {
		return n
	}
	n = o.joined(n)
	if !n.Is(tree.Map) {
		return n
	}
	made := *n
	made.Pairs = make([]tree.Pair, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		p.Value = o.resourceOf(p)
		made.Pairs = append(made.Pairs, p)
	}
	o.needed = true
	return &made
}

// resourceOf opens a resource. The API that is read must be whole, and so must what may be a part of it: resources of API Gateway, and
// the events of functions and state machines.
func (o *opener) resourceOf(p tree.Pair) *tree.Node {
	kind, _ := p.Value.Get("Type").Scalar()
	switch {
	case slices.Contains(apiTypes, kind):
		if o.needed = p.Key == o.api; !o.needed {
			return placeholder(o.open(p.Value))
		}
	case kind == "AWS::Serverless::Function", kind == "AWS::Serverless::StateMachine":
		return o.eventful(p.Value)
	default:
		o.needed = strings.HasPrefix(kind, "AWS::ApiGateway")
	}
	return o.open(p.Value)
}

// placeholder returns an API that is not read. Where its definition is not there, another one stands for it: package sam asks for a map,
// and no reader can take it for the definition, as its policy is not known.
func placeholder(n *tree.Node) *tree.Node {
	body := n.Way("Properties", "DefinitionBody")
	if !body.Is(tree.Unresolved) {
		return n
	}
	stands := tree.NewMap(body.At).Set("openapi", tree.NewText("3.0.1", body.At)).Set("paths", tree.NewMap(body.At))
	made, properties := *n, *n.Get("Properties")
	made.Pairs, properties.Pairs = slices.Clone(n.Pairs), slices.Clone(properties.Pairs)
	policy := tree.NewMap(body.At).Set("Version", tree.NewText("2012-10-17", body.At)).Set("Statement", tree.NewList(body.At, body))
	properties.Set("DefinitionBody", stands.Set("x-amazon-apigateway-policy", policy))
	return made.Set("Properties", &properties)
}

// eventful opens a function or a state machine.
func (o *opener) eventful(n *tree.Node) *tree.Node {
	o.needed = true
	made := *o.joined(n)
	made.Pairs = slices.Clone(made.Pairs)
	for i, p := range made.Pairs {
		o.needed = true
		if p.Key != "Properties" || !p.Value.Is(tree.Map) {
			o.needed = false
			made.Pairs[i].Value = o.open(p.Value)
			continue
		}
		properties := *o.joined(p.Value)
		properties.Pairs = slices.Clone(properties.Pairs)
		for j, property := range properties.Pairs {
			o.needed = property.Key == "Events"
			properties.Pairs[j].Value = o.open(property.Value)
		}
		made.Pairs[i].Value = &properties
	}
	return &made
}

// transforms puts in what the Transform of the template includes, and refuses macros that change the template as a whole.
func (o *opener) transforms(n *tree.Node) *tree.Node {
	all := []*tree.Node{n.Get("Transform")}
	if all[0].Is(tree.List) {
		all = all[0].Items
	}
	for _, t := range all {
		name, ok := t.Scalar()
		if !ok {
			name, _ = t.Get("Name").Scalar()
		}
		switch {
		case t == nil:
		case name == include:
			n = o.join(n, o.included(t, t), true)
		case name == extensions:
			o.loops = true
		case slices.Contains(harmless, name), o.unchanged(t, name):
		default:
			o.fault(t, "the macro %s may change any part of the template, and portcullis cannot run it: bring what `aws cloudformation get-template --template-stage Processed` prints, "+
				"or, if the macro changes nothing of the API, write --value 'Transform %s=unchanged', or the same in values: of the definition", fault.Quoted(name), name)
		}
	}
	return n
}

// unchanged reports whether the values say that a macro changes nothing of the API.
func (o *opener) unchanged(t *tree.Node, name string) bool {
	if text, given := o.given("Transform " + name); !given || text != "unchanged" {
		return false
	}
	o.report.Approximate(t.At, "macro "+name, "it is not run: values say that it changes nothing of the API")
	return true
}

// harmless are the transforms that change nothing about APIs, and SAM's, which package sam does.
var harmless = []string{
	"AWS::Serverless-2016-10-31", "AWS::CodeDeployBlueGreen", "AWS::CodeStar", "AWS::SecretsManager-2020-07-23", "AWS::SecretsManager-2024-09-16",
}

// open returns a value with what it includes and repeats. What has neither is returned as it is.
func (o *opener) open(n *tree.Node) *tree.Node {
	switch n.Kind {
	case tree.Map, tree.List:
	case tree.Null, tree.Text, tree.Number, tree.Bool, tree.Reference, tree.Unresolved:
		return n
	}
	key := part{n, o.needed}
	if made := o.done[key]; made != nil {
		return made
	}
	if !o.spend(n, nodeCost) {
		return n
	}
	made := o.opened(n)
	o.done[key] = made
	return made
}

func (o *opener) opened(n *tree.Node) *tree.Node {
	if n.Kind == tree.Map {
		if n = o.joined(n); n.Kind != tree.Map {
			return n
		}
	}
	made := *n
	made.Pairs, made.Items = slices.Clone(n.Pairs), slices.Clone(n.Items)
	same := true
	for i, p := range n.Pairs {
		made.Pairs[i].Value = o.open(p.Value)
		same = same && made.Pairs[i].Value == p.Value
	}
	for i, item := range n.Items {
		made.Items[i] = o.open(item)
		same = same && made.Items[i] == item
	}
	if same {
		return n
	}
	return &made
}

// joined returns a map with what it includes and repeats itself; what it includes alone may be another value.
func (o *opener) joined(n *tree.Node) *tree.Node {
	for o.spend(n, 1) {
		i := slices.IndexFunc(n.Pairs, func(p tree.Pair) bool { return p.Key == "Fn::Transform" || strings.HasPrefix(p.Key, forEach) })
		if i < 0 {
			return n
		}
		p := n.Pairs[i]
		rest := *n
		rest.Pairs = slices.Delete(slices.Clone(n.Pairs), i, i+1)
		var more *tree.Node
		switch {
		case p.Key != "Fn::Transform":
			more = o.repeat(p)
		case isInclude(p):
			more = o.includedAll(p.Value)
		default:
			more = o.notThere(p.Value, "portcullis cannot run the macro that Fn::Transform names: bring what `aws cloudformation get-template --template-stage Processed` prints")
		}
		if n = o.join(&rest, more, p.Key == "Fn::Transform"); n.Kind != tree.Map {
			return n
		}
	}
	return n
}

// isInclude reports whether a Fn::Transform includes files, and does nothing else.
func isInclude(p tree.Pair) bool {
	transforms := []*tree.Node{p.Value}
	if p.Value.Is(tree.List) {
		transforms = p.Value.Items
	}
	return len(transforms) > 0 && !slices.ContainsFunc(transforms, func(t *tree.Node) bool {
		name, _ := t.Get("Name").Scalar()
		return name != include
	})
}

// includedAll returns what one or several includes put into a map.
func (o *opener) includedAll(n *tree.Node) *tree.Node {
	if !n.Is(tree.List) {
		return o.included(n, n)
	}
	all := tree.NewMap(n.At)
	for _, t := range n.Items {
		if all = o.join(all, o.included(t, t), true); all.Kind != tree.Map {
			return all
		}
	}
	return all
}

// join returns a map with the keys of another value. A map without keys becomes the other value.
//
// Where both have a key, what is included is used. What is repeated must not have a key that is there.
func (o *opener) join(n, more *tree.Node, included bool) *tree.Node {
	switch {
	case len(n.Pairs) == 0, more.Is(tree.Unresolved):
		return more
	case !more.Is(tree.Map):
		o.fault(more, "this must be a map, because it is included beside other keys")
		return n
	}
	made := *n
	made.Pairs = slices.Clone(n.Pairs)
	had := make(map[string]int, len(n.Pairs))
	for i, p := range n.Pairs {
		had[p.Key] = i
	}
	for _, p := range more.Pairs {
		i, there := had[p.Key]
		switch {
		case !there:
			made.Pairs = append(made.Pairs, p)
		case included:
			o.report.Approximate(made.Pairs[i].At, "AWS::Include", fmt.Sprintf("what is included has %s too, in %s:%d, and is used in place of this", fault.Quoted(p.Key), p.At.File, p.At.Line))
			made.Pairs[i] = p
		default:
			o.faultAt(p.At, "%s is given twice, also in %s:%d: keep one", fault.Quoted(p.Key), made.Pairs[i].At.File, made.Pairs[i].At.Line)
		}
	}
	return &made
}

// included returns what a file holds that AWS::Include names, with what that includes.
func (o *opener) included(t, at *tree.Node) *tree.Node {
	location := t.Way("Parameters", "Location")
	names, why := o.locations(location)
	if len(names) == 0 {
		return o.missingFile(at, why)
	}
	var n *tree.Node
	for _, name := range names {
		var cause string
		if n, cause = o.find(name); n != nil {
			break
		}
		if why == "" || o.files.Broken(name) {
			why = cause
		}
	}
	if n == nil {
		return o.missingFile(location, why)
	}
	file := n.At.File
	switch {
	case o.within[file]:
		return o.missingFile(location, fmt.Sprintf("the file %s includes itself: remove one of the includes", fault.Quoted(file)))
	case o.depth >= maxIncluded:
		return o.missingFile(location, fmt.Sprintf("files include each other more than %d deep", maxIncluded))
	}
	o.within[file] = true
	from := o.from
	o.from = o.files.Relative(n.At)
	o.depth++
	made := o.open(n)
	o.depth--
	o.from = from
	delete(o.within, file)
	return made
}

// find reads a file by its name relative to the file that includes it; if it is not there, relative to the template.
func (o *opener) find(name string) (*tree.Node, string) {
	n, why := o.files.Parse(o.from, name)
	if n == nil && path.Dir(o.from) != "." && o.from != "" {
		if n, _ = o.files.Parse("", name); n != nil {
			return n, ""
		}
	}
	return n, why
}

// missingFile stands for what cannot be included.
func (o *opener) missingFile(at *tree.Node, why string) *tree.Node {
	return o.notThere(at, "AWS::Include: "+why)
}

// notThere stands for what is not known of the template. It is a fault where it is needed.
func (o *opener) notThere(at *tree.Node, why string) *tree.Node {
	if o.needed {
		o.fault(at, "%s", why)
	}
	return &tree.Node{Kind: tree.Unresolved, At: at.Position(), Unknown: &tree.Unknown{Message: why}}
}

// locations returns the names under which a file may lie that is included by its location. A location in S3 is that of a file which a
// tool has uploaded: it is looked for by its key, and by the last parts of that.
func (o *opener) locations(n *tree.Node) ([]string, string) {
	if n == nil {
		return nil, "it has no Location: name a file"
	}
	v := o.value(n, nil)
	location, u := o.partOf(v)
	switch {
	case u != nil && v.Text == "":
		return nil, "the Location is not known: " + u.Message
	case strings.HasPrefix(location, "http:"), strings.HasPrefix(location, "https:"):
		return nil, "a file is not fetched from a URL: copy it beside the template, and name it by its path"
	}
	key, stored := strings.CutPrefix(location, "s3://")
	if !stored {
		return []string{withoutVariables(location)}, ""
	}
	_, key, _ = strings.Cut(key, "/")
	return withLastParts(withoutVariables(key)), ""
}

// withoutVariables returns a path without the parts that are variables whose value is not known.
func withoutVariables(name string) string {
	parts := strings.Split(name, "/")
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool {
		return strings.HasPrefix(part, "${") && strings.HasSuffix(part, "}")
	}), "/")
}
