package config

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition"
)

// Standalone is a definition that is examined without a portcullis.yaml. Values that a portcullis.yaml has to give are invented unless they
// are given here, and the definition's Notes say so.
type Standalone struct {
	// File is the definition. APIs are the logical ids of the APIs of a template to examine; none for an OpenAPI file.
	File string
	APIs []string
	// Parameters, ParameterFile, Values and Unresolved are those of a Definition in portcullis.yaml.
	Parameters, Values        map[string]string
	ParameterFile, Unresolved string
	// Upstreams and UpstreamTLSCA are those of a Definition in portcullis.yaml, too.
	Upstreams, UpstreamTLSCA string
	// ID, Account and Region are those of the API. An empty one is invented; an empty ID is the API's logical id in small letters.
	ID, Account, Region string
	// Others are APIs of the file that are not examined, with a note each.
	Others []*definition.Definition
	// Stages are the names of the stages to examine. Without any, they are those of the definition, or one that is invented.
	Stages []string
}

// The values that are invented for a Standalone.
const (
	inventedID      = "definition"
	inventedAccount = "123456789012"
	inventedRegion  = "us-east-1"
)

// maxInventedID is the length of an id with room for a number.
const maxInventedID = 56

// Spec says how to read the definition to find its APIs.
func (s Standalone) Spec() definition.Spec {
	files := source.NewFiles()
	return definition.Spec{
		File: s.File, Parameters: s.Parameters, ParameterFile: s.ParameterFile, Values: s.Values, Folder: s.root(), Read: files.Read,
		ID: cmp.Or(s.ID, inventedID), Account: cmp.Or(s.Account, inventedAccount), Region: cmp.Or(s.Region, inventedRegion),
	}
}

// Input returns the portcullis.yaml that the definition needs.
func (s Standalone) Input() (Input, error) {
	folder, err := filepath.Abs(s.root())
	if err != nil {
		return Input{}, err
	}
	d := definitionText{
		File: filepath.Base(s.File), Folder: folder, Parameters: s.Parameters, Values: s.Values, Unresolved: s.Unresolved,
		Upstreams: s.Upstreams, UpstreamTLSCA: s.UpstreamTLSCA,
	}
	if s.ParameterFile != "" {
		if d.ParameterFile, err = filepath.Abs(s.ParameterFile); err != nil {
			return Input{}, err
		}
	}
	var apis []apiText
	ids := map[string]bool{}
	for _, name := range s.apis() {
		apis = append(apis, s.api(d, name, ids))
	}
	text, err := yaml.Marshal(map[string]any{"apis": apis})
	if err != nil {
		return Input{}, err
	}
	return Input{Path: filepath.Join(filepath.Dir(s.File), "(command line)"), Text: text, Standalone: true, Others: s.Others}, nil
}

// apiText and definitionText are an API and its definition as a portcullis.yaml has them.
type apiText struct {
	ID         string
	Account    string
	Region     string
	Stages     []map[string]string `yaml:",omitempty"`
	Definition definitionText
}

type definitionText struct {
	File          string
	API           string `yaml:",omitempty"`
	Folder        string
	Parameters    map[string]string `yaml:",omitempty"`
	ParameterFile string            `yaml:"parameterFile,omitempty"`
	Values        map[string]string `yaml:",omitempty"`
	Unresolved    string            `yaml:",omitempty"`
	Upstreams     string            `yaml:",omitempty"`
	UpstreamTLSCA string            `yaml:"upstreamTlsCa,omitempty"`
}

// apis returns the names of the APIs to examine. The API of an OpenAPI file has none.
func (s Standalone) apis() []string {
	if len(s.APIs) == 0 {
		return []string{""}
	}
	return s.APIs
}

// api returns an API as a portcullis.yaml has it. ids are the ids of the APIs before it, to which it adds its own.
func (s Standalone) api(d definitionText, name string, ids map[string]bool) apiText {
	d.API = name
	api := apiText{ID: s.id(name, ids), Account: cmp.Or(s.Account, inventedAccount), Region: cmp.Or(s.Region, inventedRegion), Definition: d}
	for _, stage := range s.Stages {
		api.Stages = append(api.Stages, map[string]string{"name": stage})
	}
	return api
}

// id returns an id that no other API has. It does not change if APIs are added to the template or removed, so that routes can be compared.
func (s Standalone) id(name string, ids map[string]bool) string {
	id := cmp.Or(s.ID, strings.ToLower(name), inventedID)
	id = id[:min(len(id), maxInventedID)]
	unique := id
	for n := 2; ids[unique]; n++ {
		unique = id + strconv.Itoa(n)
	}
	ids[unique] = true
	return unique
}

// root returns the folder that must hold included files: the working directory if it holds the definition, otherwise the definition's own.
func (s Standalone) root() string {
	if filepath.IsLocal(s.File) {
		return "."
	}
	return filepath.Dir(s.File)
}
