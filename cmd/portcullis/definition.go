package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// subject is the thing that a command examines: a portcullis.yaml, or a definition without one.
type subject struct {
	config string
	alone  config.Standalone
	apis   cli.Pairs
	// parameters and values are those of a definition.
	parameters, values cli.Pairs
	stages             cli.Pairs
}

// define adds the flags that name the subject.
func (s *subject) define(flags *flag.FlagSet) {
	flags.StringVar(&s.config, "config", "portcullis.yaml", "configuration `file`")
	s.defineAlone(flags)
}

// defineAlone adds the flags for a definition.
func (s *subject) defineAlone(flags *flag.FlagSet) {
	flags.Var(&s.apis, "api", "logical `id` of an API of a template; may be repeated; without it, all APIs")
	flags.Var(&s.parameters, "parameter", "`name=value` of a template's parameter; may be repeated")
	flags.StringVar(&s.alone.ParameterFile, "parameter-file", "", "`file` with values of a template's parameters")
	flags.Var(&s.values, "value", "`key=value` for what a definition gets from elsewhere, such as 'Fn::ImportValue pool-arn=arn:…'; may be repeated")
	flags.StringVar(&s.alone.ID, "id", "", "`id` of a definition's API")
	flags.StringVar(&s.alone.Account, "account", "", "`account` of a definition's API")
	flags.StringVar(&s.alone.Region, "region", "", "`region` of a definition's API")
	flags.Var(&s.stages, "stage", "`name` of a stage of a definition's API; may be repeated")
	flags.StringVar(&s.alone.Unresolved, "unresolved", "", "`deny`: a route whose guard is not known refuses every request; without it, the definition is refused")
	flags.StringVar(&s.alone.Upstreams, "upstreams", "", "`integrations`: the upstreams of the routes are the servers of their integrations; without it, a definition has none")
	flags.StringVar(&s.alone.UpstreamTLSCA, "upstream-tls-ca", "", "PEM `file`, on Envoy's machine, of the authorities to trust for integrations with https")
}

// usage prints how a command is used, before its flags.
func (s *subject) usage(flags *flag.FlagSet) {
	flags.Usage = func() {
		name := flags.Name()
		fmt.Fprintf(flags.Output(), "usage: portcullis %s [--config FILE]   of a portcullis.yaml\n       portcullis %s FILE              of an OpenAPI file, a SAM or CloudFormation template, or a portcullis.yaml\n", name, name)
		flags.PrintDefaults()
	}
}

// examined is the file that a command examines.
type examined struct {
	name string
	// definition reports whether the file is a definition rather than a portcullis.yaml.
	definition bool
}

// examine finds out what a file is. One that cannot be read counts as a definition, whose reader reports why.
func examine(file string) examined {
	data, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return examined{file, true}
	}
	root, _ := tree.Parse(file, data)
	return examined{file, root == nil || !root.Has("apis")}
}

// load loads a file. If there are faults, the Snapshot still has the Definitions.
func (s *subject) load(f examined, places bool) (*config.Snapshot, error) {
	in, err := s.input(f)
	if err != nil {
		return nil, err
	}
	in.Places = places
	return config.LoadInput(in, pool.Dry())
}

// input returns the configuration in a file, or the one that a definition needs.
func (s *subject) input(f examined) (config.Input, error) {
	if f.definition {
		return s.around(f.name)
	}
	return config.Input{Path: f.name}, nil
}

// around returns the portcullis.yaml that a definition needs.
func (s *subject) around(file string) (config.Input, error) {
	alone := s.alone
	alone.File, alone.Stages, alone.APIs = file, s.stages, s.apis
	var err error
	if alone.Parameters, err = s.parameters.Split("--parameter"); err != nil {
		return config.Input{}, err
	}
	if alone.Values, err = s.values.Split("--value"); err != nil {
		return config.Input{}, err
	}
	if len(s.apis) == 0 {
		var faults fault.List
		if alone.APIs, alone.Others, faults = definition.APIs(alone.Spec()); faults.Fatal() {
			return config.Input{}, faults
		}
		if len(alone.APIs) == 0 {
			return config.Input{}, noAPIError(alone.Others)
		}
	}
	return alone.Input()
}

// noAPIError is the error of a definition that defines no API. Its items say why.
type noAPIError []*definition.Definition

func (e noAPIError) Error() string { return "it defines no API: there is nothing to enforce" }

// arguments reads the flags of a command that examines a subject, and the name of a file, if there is one.
func (s *subject) arguments(flags *flag.FlagSet, args []string, out, errs io.Writer) (f examined, code int, ok bool) {
	s.define(flags)
	s.usage(flags)
	files, code, ok := cli.ParseMixed(flags, args, out, errs)
	switch {
	case !ok:
		return f, code, false
	case len(files) == 0:
		f.name = s.config
	case len(files) > 1:
		return f, cli.Wrong(errs, flags, cli.Unexpected(flags, files[1])), false
	case cli.IsGiven(flags, "config"):
		return f, cli.Wrong(errs, flags, fmt.Errorf("write either --config or the file %q", files[0])), false
	default:
		f = examine(files[0])
	}
	if given := givenAlone(flags); !f.definition && given != "" {
		return f, cli.Wrong(errs, flags, fmt.Errorf("%s: it is for a definition: name one, or write it in portcullis.yaml", given)), false
	}
	return f, code, true
}

// ofDefinitions are the flags that defineAlone adds.
var ofDefinitions = []string{"account", "api", "id", "parameter", "parameter-file", "region", "stage", "unresolved", "value"}

// givenAlone returns a flag for definitions that the command line has, or "".
func givenAlone(flags *flag.FlagSet) string {
	i := slices.IndexFunc(ofDefinitions, func(name string) bool { return cli.IsGiven(flags, name) })
	if i < 0 {
		return ""
	}
	return "--" + ofDefinitions[i]
}
