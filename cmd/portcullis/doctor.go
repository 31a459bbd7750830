package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/doctor"
	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/live"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// patient has the arguments of doctor.
type patient struct {
	envoy, config, explain, format   string
	live, liveCA, against, tokenFile string
	files, ignored                   []string
	options                          doctor.Options
}

// diagnosis is the output of doctor -o json.
type diagnosis struct {
	Envoy    string             `json:"envoy,omitempty"` // its version
	Findings []rulebook.Finding `json:"findings"`        // never null
}

func examineEnvoy(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	var p patient
	p.define(flags)
	files, code, ok := cli.ParseMixed(flags, args, out, errs)
	if !ok {
		return code
	}
	p.files = files
	if p.explain != "" {
		return p.explained(flags, out, errs)
	}
	if err := p.contradiction(); err != nil {
		return cli.Wrong(errs, flags, err)
	}
	found, version, err := p.examine(context.Background())
	if err != nil {
		return cli.Refused(errs, "portcullis doctor", err)
	}
	if p.format == "json" {
		err = cli.PrintJSON(out, diagnosis{version, found})
	} else {
		err = rulebook.Text(out, found)
	}
	if code := cli.Printed(err, errs); code != cli.ExitGood {
		return code
	}
	if rulebook.HasWrong(found) {
		return cli.ExitNo
	}
	return cli.ExitGood
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
			return errors.New("unknown rule" + cli.Meant("", source.Suggest(s, rulebook.IDs())))
		}
		p.ignored = append(p.ignored, s)
		return nil
	})
	flags.Func("max-checks", "--max-checks of serve, summed over all replicas (default 4096)", cli.Number(&p.options.MaxChecks))
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
		return cli.Wrong(errs, flags, fmt.Errorf("--explain: %q is not a rule%s", p.explain, cli.Meant("", source.Suggest(p.explain, rulebook.IDs()))))
	}
	return cli.Printed(err, errs)
}

// examine reads the Envoy and applies the rules.
func (p *patient) examine(ctx context.Context) (_ []rulebook.Finding, version string, _ error) {
	if p.config != "" {
		s, err := config.Load(p.config, pool.Dry())
		if err != nil {
			return nil, "", cli.OnlyFaults(err)
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

// liveContradiction returns an error for flags of probes that do not belong together.
func (p *patient) liveContradiction() error {
	switch {
	case p.live == "" && p.against+p.tokenFile+p.liveCA != "":
		return errors.New("--against, --admin-token-file and --live-ca belong to --live")
	case p.live == "":
		return nil
	case p.against == "" || p.tokenFile == "":
		return errors.New("--live needs --against and --admin-token-file, because a running portcullis gives out the tokens of probes")
	}
	at, err := url.Parse(p.live)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Port() == "" || at.Path != "" && at.Path != "/" || at.User != nil || at.RawQuery != "" {
		return fmt.Errorf("--live: %q is not the URL of a listener; write http://host:port or https://host:port", p.live)
	}
	return nil
}

// probe sends the probes.
func (p *patient) probe(ctx context.Context, d *dump.Dump, found []rulebook.Finding) ([]rulebook.Finding, error) {
	at, err := url.Parse(p.live)
	if err != nil {
		return nil, err
	}
	var pool *x509.CertPool
	if p.liveCA != "" {
		text, err := os.ReadFile(p.liveCA)
		if err != nil {
			return nil, err
		}
		if pool = x509.NewCertPool(); !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--live-ca: %s has no certificate", p.liveCA)
		}
	}
	l := live.Live{URL: at, Tokens: p.tokens, Transport: func(serverName string) http.RoundTripper {
		return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: serverName}, DisableKeepAlives: true}
	}}
	return live.Probe(ctx, d, p.options.Config, l, found)
}

// tokens asks the running portcullis for tokens.
func (p *patient) tokens(ctx context.Context, n int) ([]string, error) {
	data, err := cli.AskAdmin(ctx, p.against, p.tokenFile, fmt.Sprintf("/probes?count=%d", n), nil)
	if err != nil {
		return nil, err
	}
	var tokens []string
	if json.Unmarshal(data, &tokens) != nil {
		return nil, errors.New("the answer has no tokens; is it the admin port of this version of portcullis?")
	}
	return tokens, nil
}
