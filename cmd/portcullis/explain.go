package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/explain"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/lambda/runner"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/server"
)

// explainTime limits an explanation, with the answers of functions and issuers.
const explainTime = 45 * time.Second

// explanation has the arguments of explain.
type explanation struct {
	config, http, check, log string
	method, data, client     string
	headers, context         cli.Pairs
	as, against, tokenFile   string
	offline, unbuffered      bool
	format                   string
	full, reasons            bool
}

func explainRequest(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	var e explanation
	e.define(flags)
	urls, code, ok := cli.ParseMixed(flags, args, out, errs)
	if !ok {
		return code
	}
	if e.reasons {
		return cli.Printed(explain.Reasons(out), errs)
	}
	if err := e.contradiction(flags); err != nil {
		return cli.Wrong(errs, flags, err)
	}
	if e.format != "text" && e.format != "json" {
		return cli.Wrong(errs, flags, fmt.Errorf("-o: %q is not text or json", e.format))
	}
	in, err := e.input(urls)
	if err != nil {
		return cli.Wrong(errs, flags, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), explainTime)
	defer cancel()
	ask := e.here
	if e.against != "" {
		ask = e.there
	}
	report, err := ask(ctx, in)
	if err != nil {
		return cli.Refused(errs, e.subjectName(), err)
	}
	return e.print(report, out, errs)
}

func (e *explanation) define(flags *flag.FlagSet) {
	flags.StringVar(&e.config, "config", "portcullis.yaml", "configuration `file`")
	flags.StringVar(&e.method, "X", "", "`method` of the request (default GET, or POST with -d)")
	flags.Var(&e.headers, "H", "`header` of the request, as 'name: value'; may be repeated")
	flags.StringVar(&e.data, "d", "", "`body` of the request, or @file")
	flags.StringVar(&e.client, "client-ip", "", "`address` of the connection's other end (default 127.0.0.1)")
	flags.Var(&e.context, "context", "`name=value` of Envoy's context_extensions, such as portcullis.api=a1b2c3d4e5; may be repeated (default portcullis.body=buffered)")
	flags.BoolVar(&e.unbuffered, "unbuffered", false, "Envoy does not buffer the body")
	flags.StringVar(&e.http, "http", "", "explain the HTTP/1.1 request in `file`; - is standard input")
	flags.StringVar(&e.check, "check", "", "explain the CheckRequest in `file`, in the JSON of grpcurl; - is standard input")
	flags.StringVar(&e.log, "log", "", "explain a `line` of the decision log, or the last one in the file of that name; - is standard input")
	flags.StringVar(&e.as, "as", "", "explain as if the user or role session with this `ARN` had signed the request; a session without an access key in the configuration has no session policies and tags")
	flags.BoolVar(&e.offline, "offline", false, "ask no function and no issuer; a decision that needs one is unknown")
	flags.StringVar(&e.against, "against", "", "ask the running portcullis with this admin `address`, instead of loading files")
	flags.StringVar(&e.tokenFile, "admin-token-file", "", "`file` of the token for --against")
	flags.StringVar(&e.format, "o", "text", "print text or json")
	flags.BoolVar(&e.full, "full", false, "print every step, route and statement")
	flags.BoolVar(&e.reasons, "reasons", false, "print what each reason code means, and end")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "usage: portcullis explain [flags] [-X METHOD] [-H 'name: value'] https://host/path\n"+
			"       portcullis explain [flags] --http FILE | --check FILE | --log LINE\n"+
			"The exit code is 0 for a request that passes, and 1 for one that is denied.\n")
		flags.PrintDefaults()
	}
}

// contradiction returns an error for flags that would be ignored.
func (e *explanation) contradiction(flags *flag.FlagSet) error {
	switch against := cli.IsGiven(flags, "against"); {
	case against && e.against == "":
		return errors.New("--against: write the admin address of a running portcullis")
	case against && cli.IsGiven(flags, "config"):
		return errors.New("--against asks a running portcullis for its own configuration; remove it or --config")
	case cli.IsGiven(flags, "admin-token-file") && !against:
		return errors.New("--admin-token-file belongs to --against")
	default:
		return nil
	}
}

// input reads the request in the one form in which it is given.
func (e *explanation) input(urls []string) (*explain.Input, error) {
	given := len(urls)
	for _, file := range []string{e.http, e.check, e.log} {
		if file != "" {
			given++
		}
	}
	if given != 1 {
		return nil, errors.New("write one request: a URL, --http, --check or --log")
	}
	if (e.check != "" || e.log != "") && (e.client != "" || len(e.context) > 0 || e.unbuffered) {
		return nil, errors.New("--client-ip, --context and --unbuffered belong to a URL or --http; a CheckRequest and a line of the log have their own")
	}
	if len(urls) == 0 && (e.method != "" || len(e.headers) > 0 || e.data != "") {
		return nil, errors.New("-X, -H and -d belong to a URL")
	}
	setting, err := e.setting()
	if err != nil {
		return nil, err
	}
	switch {
	case e.http != "":
		return readInput("--http", e.http, func(data []byte) (*explain.Input, error) { return explain.FromHTTP(data, setting) })
	case e.check != "":
		return readInput("--check", e.check, explain.FromCheck)
	case strings.HasPrefix(strings.TrimSpace(e.log), "{"):
		return named("--log", []byte(e.log), explain.FromLine)
	case e.log != "":
		return readInput("--log", e.log, explain.FromLine)
	}
	body := []byte(e.data)
	if file, ok := strings.CutPrefix(e.data, "@"); ok {
		if body, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("-d: %w", err)
		}
	}
	method := e.method
	if method == "" && e.data != "" {
		method = "POST"
	}
	return explain.FromURL(method, urls[0], e.headers, body, setting)
}

func readInput(flag, file string, read func([]byte) (*explain.Input, error)) (*explain.Input, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(os.Stdin)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return named(flag, data, read)
}

func named(flag string, data []byte, read func([]byte) (*explain.Input, error)) (*explain.Input, error) {
	in, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return in, nil
}

func (e *explanation) setting() (explain.Setting, error) {
	s := explain.Setting{Unbuffered: e.unbuffered, Extensions: map[string]string{}}
	if e.client != "" {
		var err error
		if s.Client, err = netip.ParseAddr(e.client); err != nil {
			return s, fmt.Errorf("--client-ip: %q is not an IP address", e.client)
		}
	}
	for _, pair := range e.context {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return s, fmt.Errorf("--context: %q has no =; write name=value", pair)
		}
		s.Extensions[name] = value
	}
	return s, nil
}

func (e *explanation) subjectName() string {
	if e.against != "" {
		return e.against
	}
	return e.config
}

// here loads the configuration and explains in this process. It asks functions and issuers only if the decision needs one.
func (e *explanation) here(ctx context.Context, in *explain.Input) (*explain.Report, error) {
	if err := runner.Harden(); err != nil { // before a secret is read
		return nil, fmt.Errorf("cannot protect the memory of this process: %w", err)
	}
	p, err := pool.New(slog.New(slog.DiscardHandler), (&server.Config{}).Memory())
	if err != nil {
		return nil, err
	}
	defer p.Close()
	s, err := config.Load(e.config, p)
	if err != nil {
		if s != nil {
			s.Close()
		}
		return nil, cli.OnlyFaults(err)
	}
	defer s.Close()
	explained := explain.Explainer(s.Gateway, s.Signer)
	report, err := explained(ctx, in.Question(e.as, true))
	if e.offline || err != nil || report.Decision != explain.Unknown {
		return report, err
	}
	begin := time.Now()
	s.Start(ctx)
	s.Wait(ctx)
	waited := time.Since(begin)
	if report, err = explained(ctx, in.Question(e.as, false)); err == nil && waited > noticeable {
		report.Notes = append(report.Notes, fmt.Sprintf("waited %.0f s for the keys of issuers, of which some did not answer; --offline asks none", waited.Seconds()))
	}
	return report, err
}

// noticeable is a wait that has to be explained.
const noticeable = time.Second

// explainer connects explanations to the server's admin port.
func explainer(g *gateway.Gateway, signer func(string, time.Time) *gateway.Signed) func(context.Context, []byte) ([]byte, error) {
	explained := explain.Explainer(g, signer)
	return func(ctx context.Context, question []byte) ([]byte, error) {
		var q explain.Question
		if json.Unmarshal(question, &q) != nil {
			return nil, errors.New("the body is not a question of portcullis explain --against")
		}
		report, err := explained(ctx, q)
		if err != nil {
			return nil, err
		}
		return json.Marshal(report)
	}
}

// there asks a running portcullis.
func (e *explanation) there(ctx context.Context, in *explain.Input) (*explain.Report, error) {
	question, err := json.Marshal(in.Question(e.as, e.offline))
	if err != nil {
		return nil, err
	}
	data, err := cli.AskAdmin(ctx, e.against, e.tokenFile, "/explain", question)
	if err != nil {
		return nil, err
	}
	var report explain.Report
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, errors.New("the answer is not a report; is it the admin port of this version of portcullis?")
	}
	return &report, nil
}

func (e *explanation) print(r *explain.Report, out, errs io.Writer) int {
	var err error
	if e.format == "json" {
		err = r.JSON(out)
	} else {
		err = r.Text(out, explain.TextOptions{Color: isTerminal(out), Full: e.full})
	}
	if code := cli.Printed(err, errs); code != cli.ExitGood {
		return code
	}
	if r.Decision == explain.Deny || r.Decision == explain.Unknown {
		return cli.ExitNo
	}
	return cli.ExitGood
}

// isTerminal reports whether output goes to a terminal that shows colours.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
