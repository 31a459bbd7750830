package merge

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// merger merges the definitions of one portcullis.yaml.
type merger struct {
	*reader.Reader
	standalone bool
	// defined are the APIs that definitions define.
	defined []*definition.Definition
}

// Definitions replaces each API that names a definition by what the definition says and what stands beside it. All that follows reads it
// like any other API. It returns the definitions that could be read. Standalone is for a definition without a portcullis.yaml: it invents
// what the definition lacks.
func Definitions(r *reader.Reader, standalone bool) []*definition.Definition {
	m := &merger{Reader: r, standalone: standalone}
	for at := range m.Doc.Items(m.Doc.Root().Field("apis")) {
		if m.Doc.Node(at.Field("definition")) == nil {
			continue
		}
		api := &configv1.API{}
		m.Doc.DecodeAt(at, api, m.Report)
		if d := m.loadDefinition(api, at); d != nil {
			m.merge(d, api.GetDefinition().GetOverride(), at)
			m.addUpstreams(d)
			d.Node, d.Upstreams = nil, nil // a Snapshot keeps the Definition
			continue
		}
		m.Mark(at)
	}
	m.unaskedByAll()
	return m.defined
}

// unasked reports values that nothing in a definition asks for. Alone, a definition's values are for all its APIs.
func (m *merger) unasked(d *definition.Definition, at *fault.Place) {
	if m.standalone {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(d.Unasked)) {
		m.Fault(at.Field("definition").Field("values").Key(key), "%s", unaskedFor(d, key))
	}
}

// unaskedByAll reports values that nothing asks for in any of the APIs of a definition that is looked at alone.
func (m *merger) unaskedByAll() {
	if !m.standalone || len(m.defined) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(m.defined[0].Unasked)) {
		if !slices.ContainsFunc(m.defined, func(d *definition.Definition) bool { _, unasked := d.Unasked[key]; return !unasked }) {
			m.Add(fault.Fault{File: m.defined[0].File, Message: unaskedFor(m.defined[0], key)})
		}
	}
}

func unaskedFor(d *definition.Definition, key string) string {
	hint := "remove it"
	if meant := d.Unasked[key]; meant != "" {
		hint = "did you mean " + fault.Quoted(meant) + "?"
	}
	return "the value " + fault.Quoted(key) + " is given, and nothing in the definition asks for it: " + hint
}

// loadDefinition reads the definition of an API and reports its faults. It returns nil for one that cannot be used.
func (m *merger) loadDefinition(api *configv1.API, at *fault.Place) *definition.Definition {
	given := api.GetDefinition()
	if given.GetFile() == "" {
		m.IfNew(at.Field("definition").Field("file"), "file must be the name of an OpenAPI file or a template, relative to the folder of this one")
		return nil
	}
	if given.GetUpstreamTlsCa() != "" && given.GetUpstreams() == "" {
		m.IfNew(at.Field("definition").Field("upstreamTlsCa"), "upstreamTlsCa is for the servers of integrations, which are not read: write upstreams: integrations, or remove it")
	}
	d, faults := definition.Load(m.spec(api))
	for _, f := range faults {
		m.Add(f)
	}
	if d == nil {
		return nil
	}
	m.defined = append(m.defined, d)
	m.refusals(d, given.GetUnresolved() == "deny", at)
	if d.Node == nil {
		return nil
	}
	if !d.Node.Has("routes") && m.Doc.Node(at.Field("routes")) == nil {
		p := d.Node.Position()
		m.Add(fault.Fault{File: p.File, Line: p.Line, Column: p.Column, Message: "the API has no route: portcullis would refuse every request; name another API, or write routes beside the definition"})
		return nil
	}
	m.unasked(d, at)
	return d
}

// merge puts an API that a definition defines in the place of the one that names the definition.
func (m *merger) merge(d *definition.Definition, override []string, at *fault.Place) {
	n, files := d.Node.YAML()
	b := beside{Reader: m.Reader, files: files, override: override, used: map[string]bool{}}
	merged := b.api(m.Doc.Node(at), n, at)
	if m.standalone {
		invent(merged, d)
	}
	m.Doc.Replace(at, merged, files)
	for i, name := range override {
		if !b.used[name] {
			m.Fault(at.Field("definition").Field("override").Item(i), "override names %s, which does not stand both in the definition and here: remove it", fault.Quoted(name))
		}
	}
}

// refusals reports guards that are not known. They are faults, or, if the routes concerned are to refuse every request, warnings.
func (m *merger) refusals(d *definition.Definition, deny bool, at *fault.Place) {
	for _, n := range d.Refusals() {
		m.Add(fault.Fault{File: n.At.File, Line: n.At.Line, Column: n.At.Column, Message: n.What + ": " + n.Message, Warning: deny})
	}
	if len(d.Refusals()) > 0 && !deny {
		m.Mark(at.Field("routes"))
	}
}

// spec says how to read the definition of an API.
func (m *merger) spec(api *configv1.API) definition.Spec {
	given := api.GetDefinition()
	s := definition.Spec{
		File: m.Relative(given.GetFile()), API: given.GetApi(), Parameters: given.GetParameters(), Values: given.GetValues(),
		ID: api.GetId(), Account: api.GetAccount(), Region: api.GetRegion(), Partition: api.GetPartition(),
		Variables: commonVariables(api.GetStages()), Read: m.Files.Read,
		Integrations: given.GetUpstreams() == integrations, UpstreamTLSCA: given.GetUpstreamTlsCa(), HasUpstream: api.GetUpstream() != "",
	}
	for _, stage := range api.GetStages() {
		s.Stages = append(s.Stages, stage.GetName())
	}
	if api.GetKind() != configv1.Kind_KIND_UNSPECIFIED {
		s.Kind = api.GetKind().String()
	}
	if given.GetParameterFile() != "" {
		s.ParameterFile = m.Relative(given.GetParameterFile())
	}
	s.Folder = m.folder(given.GetFolder(), s.File)
	return s
}

// folder returns the folder that must hold the files which a definition includes.
func (m *merger) folder(given, file string) string {
	if given != "" {
		return m.Relative(given)
	}
	own := filepath.Dir(m.File)
	if rel, err := filepath.Rel(own, file); err == nil && filepath.IsLocal(rel) {
		return own
	}
	return filepath.Dir(file)
}

// commonVariables returns the stage variables that have the same value in all stages.
func commonVariables(stages []*configv1.Stage) map[string]string {
	if len(stages) == 0 {
		return nil
	}
	common := maps.Clone(stages[0].GetVariables())
	for _, s := range stages[1:] {
		maps.DeleteFunc(common, func(name, value string) bool {
			other, given := s.GetVariables()[name]
			return !given || other != value
		})
	}
	return common
}
