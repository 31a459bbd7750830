package definition

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition/cloudformation"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam"
	"github.com/portcullis-authz/portcullis/pkg/definition/template"
	"github.com/portcullis-authz/portcullis/pkg/definition/template/parameters"
	"github.com/portcullis-authz/portcullis/pkg/definition/template/variable"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Load reads an API. The Definition is nil if the faults keep anything from being read.
func Load(s Spec) (*Definition, fault.List) {
	l := &loader{Spec: s, d: &Definition{File: s.File}, asked: map[string]bool{}}
	if faults := l.checkValues(); len(faults) > 0 {
		return nil, faults
	}
	root, warnings := l.parse()
	if root == nil {
		return nil, warnings
	}
	faults := l.readParameters()
	if len(faults) > 0 {
		return nil, faults
	}
	switch {
	case isOpenAPI(root):
		l.d.Format = "OpenAPI"
		faults = l.openAPI(root)
	case root.Has("Resources"):
		faults = l.template(root)
	case isPart(root):
		l.d.Format = "OpenAPI"
		faults = l.empty(root.At, "a part of an OpenAPI document without paths: bring the whole document, which may name this file by $ref")
	default:
		return nil, l.fault(root, "%s", notADefinition(root))
	}
	faults = append(warnings, faults...)
	if len(faults) > 0 && faults.Fatal() {
		l.d.Node = nil
	}
	l.complete()
	if l.upstreams != nil && l.d.Node != nil {
		l.d.Upstreams = l.upstreams.Servers
	}
	l.d.Unasked = l.unasked(root)
	l.d.Notes = l.report.Notes()
	return l.d, faults
}

// APIs returns the logical ids of the APIs that a file defines and that are to be served, and a Definition for each other one and for a
// file without APIs, whose Notes say why. The API of an OpenAPI file has an empty id.
func APIs(s Spec) (served []string, others []*Definition, faults fault.List) {
	l := &loader{Spec: s, d: &Definition{}, asked: map[string]bool{}}
	root, faults := l.parse()
	switch {
	case root == nil:
		return nil, nil, faults
	case isOpenAPI(root):
		return []string{""}, nil, faults
	case !root.Has("Resources"):
		return none(s)
	}
	if faults = l.readParameters(); len(faults) > 0 {
		return nil, nil, faults
	}
	root, faults = l.expand(root)
	if root == nil {
		return nil, nil, faults
	}
	var names []string
	for _, api := range cloudformation.APIs(root.Get("Resources")) {
		names = append(names, api.ID)
	}
	switch {
	case len(names) == 0:
		return none(s)
	case len(names)*l.size > maxRead:
		return nil, nil, l.fault(root, "the template has %d APIs, and is read for each: name those to read by --api", len(names))
	}
	served, others = tellServed(s, names)
	return served, others, faults
}

// none returns the Definition of a file without APIs, or the faults that keep it from being one.
func none(s Spec) ([]string, []*Definition, fault.List) {
	d, faults := Load(s)
	if d == nil || !d.Empty {
		return nil, nil, faults
	}
	return nil, []*Definition{d}, nil
}

// isPart reports whether a file is a part of an OpenAPI document that has no paths.
func isPart(root *tree.Node) bool { return root.Has("components") || root.Has("securityDefinitions") }

// empty notes that the file defines no API, and reports it.
func (l *loader) empty(at tree.Position, what string) fault.List {
	l.d.Empty = true
	l.report.Pass(at, "API", "the file defines none, and there is nothing to enforce: it is "+what)
	return fault.List{at.Fault("the file defines no API: it is %s", what)}
}

// isOpenAPI reports whether a file is an OpenAPI document, or a part of one that has paths.
func isOpenAPI(root *tree.Node) bool {
	return root.Has("openapi") || root.Has("swagger") || root.Has("paths") && !root.Has("Resources")
}

// notADefinition says what to bring in place of a file that defines no API.
func notADefinition(root *tree.Node) string {
	switch {
	case root.Has("service") && root.Has("provider"), root.Has("functions") && root.Has("provider"):
		return "this is a file of the Serverless Framework: bring the template that `serverless package` makes of it, .serverless/cloudformation-template-update-stack.json"
	case root.Has("artifacts") && root.Has("version"):
		return "this is a manifest of the AWS CDK: bring the template that `cdk synth` writes beside it, NAME.template.json"
	}
	return "this is neither an OpenAPI document (openapi: or swagger:) nor a template (Resources:)"
}

// loader reads one definition.
type loader struct {
	Spec
	d      *Definition
	report portability.Report
	// size is the size of the file.
	size int
	// asked are the keys of Values that something asked for, and missing those that something waits for.
	asked   map[string]bool
	missing []string
	// made are the texts that Values put in the place of others.
	made map[*tree.Node]bool
	// upstreams gets the upstreams of the routes; nil if they are not asked for.
	upstreams *openapi.Upstreams
}

func (l *loader) fault(n *tree.Node, format string, args ...any) fault.List {
	return fault.List{n.Position().Fault(format, args...)}
}

func (l *loader) parse() (*tree.Node, fault.List) {
	data, err := l.Read(l.File, maxOpenAPI)
	l.size = len(data)
	if err != nil {
		return nil, fault.List{{File: l.File, Message: "cannot be read: " + err.Error()}}
	}
	root, faults := tree.Parse(l.File, data)
	if root != nil && !isOpenAPI(root) && len(data) > maxTemplate {
		return nil, fault.List{{File: l.File, Message: fmt.Sprintf("it is too large: CloudFormation takes templates of at most %d bytes", maxTemplate)}}
	}
	return l.replaced(root), faults
}

// maxParameters is the largest parameter file that is read.
const maxParameters = 1 << 20

// readParameters adds the parameters of the parameter file to those that are given.
func (l *loader) readParameters() fault.List {
	if l.ParameterFile == "" {
		return nil
	}
	data, err := l.Read(l.ParameterFile, maxParameters)
	if err != nil {
		return fault.List{{File: l.ParameterFile, Message: "cannot be read: " + err.Error()}}
	}
	read, faults := parameters.Read(l.ParameterFile, data)
	for name, value := range l.Parameters {
		if read == nil {
			read = map[string]string{}
		}
		read[name] = value
	}
	l.Parameters = read
	return faults
}

// include reads a file that the definition includes, which must lie in the folder.
func (l *loader) include(name string) ([]byte, error) {
	path := filepath.Join(filepath.Dir(l.File), name)
	if filepath.IsAbs(name) || strings.Contains(name, "://") || !within(l.Folder, path) {
		return nil, fmt.Errorf("it lies outside of the folder %s: move it, or write definition: {folder: …}", l.Folder)
	}
	return l.Read(path, maxOpenAPI)
}

// within reports whether a file lies in a folder, as their names say.
func within(folder, file string) bool {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return false
	}
	if file, err = filepath.Abs(file); err != nil {
		return false
	}
	rel, err := filepath.Rel(folder, file)
	return err == nil && filepath.IsLocal(rel)
}

func (l *loader) openAPI(root *tree.Node) fault.List {
	if l.API != "" {
		return l.fault(root, "an OpenAPI document is one API: remove api: %s", l.API)
	}
	root, faults := l.resolved(root)
	if root == nil {
		return faults
	}
	var more fault.List
	if !root.Has("openapi") && !root.Has("swagger") {
		l.report.Approximate(root.At, "openapi", "it is missing, and the file is read as a part of an OpenAPI 3.0 document: bring the whole document to be sure")
		whole := *root
		root = whole.Set("openapi", tree.NewText("3.0.1", root.At))
	}
	l.askVariables(root)
	filled := l.replaced(variable.Fill(root, l.Values))
	for n := range filled.All() {
		if u := n.Reason(); u != nil && u.Key != "" {
			l.missing = append(l.missing, u.Key)
		}
	}
	o := l.options()
	if more = l.sayKind(root, &o); len(more) > 0 {
		return append(faults, more...)
	}
	l.d.Node, more = openapi.Read(filled, o, &l.report)
	return append(faults, more...)
}

// kindKey is the key of the value that says the kind of an API.
const kindKey = "API kind"

// sayKind tells the reader of an OpenAPI document what a value and the API's owner say of its kind.
func (l *loader) sayKind(root *tree.Node, o *openapi.Options) fault.List {
	isHTTP := l.Kind == "HTTP"
	if l.Kind != "" {
		o.OpenHTTP = &isHTTP
	}
	value, given := l.Values[kindKey]
	if !given {
		return nil
	}
	l.asked[kindKey] = true
	if value != "REST" && value != "HTTP" {
		return l.fault(root, "the value %s is %s: write REST or HTTP", fault.Quoted(kindKey), fault.Quoted(value))
	}
	if l.Kind != "" && l.Kind != value {
		return l.fault(root, "the value %s is %s, and the API has kind: %s: remove one of them", fault.Quoted(kindKey), fault.Quoted(value), l.Kind)
	}
	valueIsHTTP := value == "HTTP"
	o.HTTP = &valueIsHTTP
	return nil
}

// askVariables notes the values whose variables stand in a text or a key.
func (l *loader) askVariables(root *tree.Node) {
	for key := range l.Values {
		if !strings.HasPrefix(key, "${") {
			continue
		}
		for n := range root.All() {
			has := n.Is(tree.Text) && strings.Contains(n.Text, key)
			if has || slices.ContainsFunc(n.Pairs, func(p tree.Pair) bool { return strings.Contains(p.Key, key) }) {
				l.asked[key] = true
				break
			}
		}
	}
}

// resolved replaces the intrinsic functions of an OpenAPI document that is written for a template, as the Body of an API of one.
func (l *loader) resolved(root *tree.Node) (*tree.Node, fault.List) {
	if !slices.ContainsFunc(slices.Collect(root.All()), isIntrinsic) {
		return root, nil
	}
	at := root.At
	api := tree.NewMap(at).Set("Type", tree.NewText("AWS::ApiGateway::RestApi", at)).Set("Properties", tree.NewMap(at).Set("Body", root))
	around := tree.NewMap(at).Set("Resources", tree.NewMap(at).Set("Api", api))
	in := l.inputs()
	in.Fragment, in.Parameters, in.Values = true, nil, maps.Clone(l.Values)
	if in.Values == nil {
		in.Values = map[string]string{}
	}
	for name, value := range l.Parameters {
		in.Values["Ref "+name] = value // the parameters are those of the template that it is written for
	}
	around, faults := template.Open(around, in, &l.report)
	if around == nil {
		return nil, faults
	}
	t, more := template.Resolve(around, in, &l.report)
	faults = append(faults, more...)
	if t == nil {
		return nil, faults
	}
	for _, m := range t.Missing {
		l.missing = append(l.missing, m.Key)
	}
	for name := range l.Parameters {
		if l.asked["Ref "+name] {
			continue
		}
		faults = append(faults, l.fault(root, "the parameter %s is given, and nothing in the document asks for it: remove it", fault.Quoted(name))...)
	}
	return t.Resources.Way("Api", "Properties", "Body"), faults
}

// isIntrinsic reports whether a value is an intrinsic function of CloudFormation.
func isIntrinsic(n *tree.Node) bool {
	return n.Kind == tree.Map && len(n.Pairs) == 1 && (strings.HasPrefix(n.Pairs[0].Key, "Fn::") || n.Pairs[0].Key == "Ref")
}

func (l *loader) options() openapi.Options {
	o := openapi.Options{Read: l.include, Values: l.Values, Asked: l.asked, StageVariables: l.Variables, Account: l.Account, Region: l.Region, Partition: l.Partition}
	if l.Integrations {
		l.upstreams = &openapi.Upstreams{TLSCA: cmp.Or(l.UpstreamTLSCA, publicCAs), Default: l.HasUpstream, Stages: l.Stages}
		o.Upstreams = l.upstreams
	}
	return o
}

func (l *loader) inputs() template.Inputs {
	return template.Inputs{
		Parameters: l.Parameters, Values: l.Values, Asked: l.asked, Account: l.Account, Region: l.Region, Partition: l.Partition,
		API: l.API, APIID: l.ID, Read: l.include,
	}
}

// expand includes what a template includes, and makes a CloudFormation template of a SAM template.
func (l *loader) expand(root *tree.Node) (*tree.Node, fault.List) {
	l.d.Format = "CloudFormation"
	root, faults := template.Open(root, l.inputs(), &l.report)
	if root == nil {
		return nil, faults
	}
	root = l.replaced(root)
	if !l.isSAM(root) {
		return root, faults
	}
	l.d.Format = "SAM"
	root, more := sam.Transform(root, l.known(root), &l.report)
	return root, append(faults, more...)
}

// known are the parameters that SAM puts in: those that are given, by their names or as values, and those that AWS itself gives a value.
func (l *loader) known(root *tree.Node) map[string]string {
	known := map[string]string{"AWS::Region": l.Region, "AWS::Partition": cmp.Or(l.Partition, arn.PartitionOf(l.Region))}
	maps.Copy(known, l.Parameters)
	if declared := root.Get("Parameters"); declared.Is(tree.Map) {
		for _, p := range declared.Pairs {
			if value, given := l.Values["Ref "+p.Key]; given {
				known[p.Key] = value
			}
		}
	}
	return known
}

// isSAM reports whether a template is one of SAM's. One that only lacks its Transform is read all the same.
func (l *loader) isSAM(root *tree.Node) bool {
	if sam.Is(root) {
		return true
	}
	for _, p := range root.Get("Resources").Pairs {
		if kind, _ := p.Value.Get("Type").Scalar(); strings.HasPrefix(kind, "AWS::Serverless::") {
			l.report.Approximate(p.At, "Transform", "the template lacks Transform: AWS::Serverless-2016-10-31, without which CloudFormation does not deploy it; it is read as if it had it")
			return true
		}
	}
	return false
}

func (l *loader) template(root *tree.Node) fault.List {
	root, faults := l.expand(root)
	if root == nil {
		return faults
	}
	apis := cloudformation.APIs(root.Get("Resources"))
	switch {
	case l.API == "" && len(apis) != 1:
		return append(faults, l.choose(root, apis)...)
	case l.API == "":
		l.API = apis[0].ID
	}
	l.d.API = l.API
	resolved, more := template.Resolve(root, l.inputs(), &l.report)
	faults = append(faults, more...)
	if resolved == nil {
		return faults
	}
	for _, m := range resolved.Missing {
		l.missing = append(l.missing, m.Key)
	}
	if _, absent := resolved.Absent[l.API]; absent {
		l.d.Absent = true
		return append(faults, l.absent(root)...)
	}
	resolved.Resources = l.replaced(resolved.Resources)
	l.d.Node, more = cloudformation.Read(resolved, l.API, l.options(), &l.report)
	return append(faults, more...)
}

// absent says why the API is not created.
func (l *loader) absent(root *tree.Node) fault.List {
	api := root.Way("Resources", l.API)
	condition, _ := api.Get("Condition").Scalar()
	decides := "and no parameter decides it"
	if names := decisive(root, condition); len(names) > 0 {
		decides = "which the parameters " + strings.Join(names, ", ") + " decide: give others by --parameter " + names[0] + "=…, or in parameters: of the definition"
	}
	return l.fault(api, "the API %s is not created: its condition %s is false, %s", l.API, condition, decides)
}

// decisive returns the parameters that a condition depends on.
func decisive(root *tree.Node, condition string) []string {
	found, done := map[string]bool{}, map[string]bool{}
	var look func(name string)
	look = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for n := range root.Way("Conditions", name).All() {
			if ref, ok := n.Get("Ref").Scalar(); ok && root.Way("Parameters").Has(ref) {
				found[ref] = true
			}
			if other, ok := n.Get("Condition").Scalar(); ok {
				look(other)
			}
		}
	}
	look(condition)
	return slices.Sorted(maps.Keys(found))
}

// choose asks for the API of a template that does not have exactly one.
func (l *loader) choose(root *tree.Node, apis []cloudformation.API) fault.List {
	if len(apis) == 0 {
		return l.noAPI(root)
	}
	var names []string
	for _, api := range apis {
		names = append(names, api.ID)
	}
	return l.fault(root, "the template has %d APIs: name one with api: %s", len(apis), source.OneOf(names))
}

// noAPI says why a template has no API. It is one that portcullis has nothing to do with, unless it has routes or may have them.
func (l *loader) noAPI(root *tree.Node) fault.List {
	if !root.Get("Resources").Is(tree.Map) {
		return l.fault(root.Get("Resources"), "Resources must be a map of logical ids")
	}
	if faults := cloudformation.None(root.Get("Resources"), l.include, &l.report); len(faults) > 0 {
		return faults
	}
	return l.empty(root.At, "a template without a REST or HTTP API")
}

// complete makes sure that nothing unknown is left in an API that was read: what its readers did not ask about must not become null.
func (l *loader) complete() {
	u := l.d.Node.FirstUnknown()
	if u == nil {
		return
	}
	l.report.Refuse(u.At, "a value", u.Reason().Message)
	l.d.Node = nil
}

// tellServed tells the APIs of a template that have routes from those that have none or are not created. It returns the logical ids of the
// former, and the others with a note each.
func tellServed(s Spec, names []string) (served []string, others []*Definition) {
	for _, name := range names {
		s.API = name
		d, faults := Load(s)
		switch {
		case d == nil:
			served = append(served, name)
		case d.Absent:
			at := tree.Position{File: faults[0].File, Line: faults[0].Line, Column: faults[0].Column}
			others = append(others, d.leftOut(at, faults[0].Message))
		case d.Node != nil && !faults.Fatal() && len(d.Refusals()) == 0 && !d.Node.Has("routes"):
			others = append(others, d.leftOut(d.Node.At, "the API has no route"))
		default:
			served = append(served, name)
		}
	}
	return served, others
}

// leftOut returns what stands for an API that is not served.
func (d *Definition) leftOut(at tree.Position, why string) *Definition {
	note := portability.Note{Verdict: portability.NotOurs, At: at, What: "API " + d.API, Message: "left out: " + why}
	return &Definition{File: d.File, API: d.API, Format: d.Format, Notes: append([]portability.Note{note}, d.Notes...)}
}
