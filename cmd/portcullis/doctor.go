package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/doctor"
	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// patient is what the arguments of doctor name.
type patient struct {
	envoy, config, explain, format   string
	live, liveCA, against, tokenFile string
	files, ignored                   []string
	options                          doctor.Options
}

// diagnosis is what doctor -o json prints.
type diagnosis struct {
	Envoy    string             `json:"envoy,omitempty"` // its version
	Findings []rulebook.Finding `json:"findings"`        // never null
}

func examineEnvoy(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	var p patient
	p.define(flags)
	files, code, ok := parseMixed(flags, args, out, errs)
	if !ok {
		return code
	}
	p.files = files
	if p.explain != "" {
		return p.explained(flags, out, errs)
	}
	if err := p.contradiction(); err != nil {
		return wrong(errs, flags, err)
	}
	found, version, err := p.examine(context.Background())
	if err != nil {
		return refused(errs, "portcullis doctor", err)
	}
	if p.format == "json" {
		err = printJSON(out, diagnosis{version, found})
	} else {
		err = rulebook.Text(out, found)
	}
	if code := printed(err, errs); code != exitGood {
		return code
	}
	if rulebook.HasWrong(found) {
		return exitNo
	}
	return exitGood
}

func (p *patient) define(flags *flag.FlagSet) {
	flags.StringVar(&p.envoy, "envoy", "", "examine the running Envoy with this admin `address`, such as 127.0.0.1:9901")
	flags.StringVar(&p.config, "config", "", "also compare with this configuration `file` of portcullis")
	flags.StringVar(&p.live, "live", "", "also send probes to this `URL` of a listener, such as http://127.0.0.1:10000; portcullis answers them with what arrived, and never forwards them")
	flags.StringVar(&p.liveCA, "live-ca", "", "PEM `file` of authorities for the certificate of --live")
	flags.StringVar(&p.against, "against", "", "admin `address` of the portcullis that answers the probes")
	flags.StringVar(&p.tokenFile, "admin-token-file", "", "`file` of the token for --against")
	flags.StringVar(&p.explain, "explain", "", "print what a `rule` finds, why, and the fix; all for every rule")
	flags.Func("ignore", "do not report this `rule`; may be repeated", func(s string) error {
		if !slices.Contains(rulebook.IDs(), s) {
			return errors.New("unknown rule" + meant("", source.Suggest(s, rulebook.IDs())))
		}
		p.ignored = append(p.ignored, s)
		return nil
	})
	flags.Func("max-checks", "--max-checks of serve, summed over all replicas (default 4096)", number(&p.options.MaxChecks))
	flags.StringVar(&p.format, "o", "text", "print text or json")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "usage: portcullis doctor [flags] --envoy ADDRESS\n"+
			"       portcullis doctor [flags] FILE...\n"+
			"A file is a config_dump of Envoy (config_dump?include_eds), or what istioctl proxy-config all, listeners, routes or\n"+
			"clusters -o json prints; - is standard input. The exit code is 1 if something is wrong, and 0 with notes only.\n")
		flags.PrintDefaults()
	}
}

// contradiction returns an error for arguments that do not name one Envoy.
func (p *patient) contradiction() error {
	switch {
	case p.format != "text" && p.format != "json":
		return fmt.Errorf("-o: %q is not text or json", p.format)
	case p.envoy == "" && len(p.files) == 0:
		return errors.New("name an Envoy: --envoy with the address of its admin interface, or a file of its config_dump")
	case p.envoy != "" && len(p.files) > 0:
		return errors.New("--envoy and files are two Envoys; remove one")
	}
	return p.liveContradiction()
}

func (p *patient) explained(flags *flag.FlagSet, out, errs io.Writer) int {
	known, err := rulebook.Explain(out, p.explain)
	if !known {
		return wrong(errs, flags, fmt.Errorf("--explain: %q is not a rule%s", p.explain, meant("", source.Suggest(p.explain, rulebook.IDs()))))
	}
	return printed(err, errs)
}

// examine reads the Envoy and applies the rules.
func (p *patient) examine(ctx context.Context) (_ []rulebook.Finding, version string, _ error) {
	if p.config != "" {
		s, err := config.Load(p.config, pool.Dry())
		if err != nil {
			return nil, "", onlyFaults(err)
		}
		p.options.Config, p.options.CheckTime = &s.Config, envoyconf.CheckTime(s.Config.APIs)
	}
	d, err := p.read(ctx)
	if err != nil {
		return nil, "", err
	}
	found := doctor.Examine(d, p.options)
	if p.live != "" {
		if found, err = p.probe(ctx, d, found); err != nil {
			return nil, "", err
		}
	}
	return slices.DeleteFunc(append([]rulebook.Finding{}, found...), func(f rulebook.Finding) bool { return slices.Contains(p.ignored, f.Rule) }), d.Version, nil
}

// read reads what is known of the Envoy.
func (p *patient) read(ctx context.Context) (*dump.Dump, error) {
	d := dump.New()
	if p.envoy != "" {
		return d, d.ReadAdmin(ctx, strings.TrimSuffix(strings.TrimPrefix(p.envoy, "http://"), "/"))
	}
	for _, name := range p.files {
		if err := readDump(d, name); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func readDump(d *dump.Dump, name string) error {
	if name == "-" {
		return d.Read("standard input", os.Stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return d.Read(name, file)
}
