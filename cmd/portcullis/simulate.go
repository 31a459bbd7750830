package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/parameters"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/simulate"
)

// simulateUsage precedes the list of flags.
const simulateUsage = `usage: portcullis simulate FILE                a request of IAM's SimulateCustomPolicy, as JSON
       portcullis simulate - | --jsonl [FILE]  requests, one a line, from standard input or a file; one answer a line
       portcullis simulate --action-names ...  the parameters of aws iam simulate-custom-policy, as text, JSON or file://PATH
       portcullis simulate --definition FILE [--api ID] --resource-arns ... --action-names ...
                                               the same, with the resource policy of an API's definition
`

func simulatePolicies(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), simulateUsage)
		flags.PrintDefaults()
	}
	jsonl := flags.Bool("jsonl", false, "read many requests, one a line, and answer one a line")
	format := flags.String("o", "json", "output format; only json")
	flags.StringVar(format, "output", "json", "the same as -o")
	p := parameters.Parameters{}
	p.Define(flags)
	var s subject
	s.defineAlone(flags)
	definition := flags.String("definition", "", "take the resource policy from this OpenAPI `file` or template")
	files, code, ok := cli.ParseMixed(flags, p.Spread(args), out, errs)
	switch {
	case !ok:
		return code
	case *format != "json":
		return cli.Wrong(errs, flags, fmt.Errorf("-o: %q is not json", *format))
	case *definition == "" && givenAlone(flags) != "":
		return cli.Wrong(errs, flags, fmt.Errorf("%s: it is for a definition: name one, by --definition", givenAlone(flags)))
	case *definition != "" && (len(files) > 0 || *jsonl || p["resource-policy"] != nil || p[parameters.CLIInputJSON] != nil):
		return cli.Wrong(errs, flags, errors.New("--definition gives the resource policy of a request in flags; leave out --resource-policy, --cli-input-json and files"))
	case *definition != "":
		return simulateDefinition(&s, *definition, p, out, errs)
	case len(files) > 1:
		return cli.Wrong(errs, flags, fmt.Errorf("unexpected argument %q", files[1]))
	case len(p) > 0 && (len(files) > 0 || *jsonl):
		return cli.Wrong(errs, flags, errors.New("the request must be in a file or in flags, not in both"))
	case len(p) > 0:
		return simulateOne(p.Request, "request", out, errs)
	case len(files) == 0 && !*jsonl:
		return cli.Wrong(errs, flags, errors.New("name a file with a request, - for standard input, or the request's parameters"))
	case len(files) == 0 || files[0] == "-":
		return simulateLines(os.Stdin, out, errs)
	case !*jsonl:
		return simulateOne(func() ([]byte, error) { return os.ReadFile(files[0]) }, files[0], out, errs) //nolint:gosec // the user names the file
	}
	f, err := os.Open(files[0]) //nolint:gosec // the user names the file
	if err != nil {
		fmt.Fprintln(errs, "portcullis simulate:", err)
		return cli.ExitNo
	}
	defer func() { _ = f.Close() }()
	return simulateLines(f, out, errs)
}

// simulateDefinition evaluates a request with the resource policy of a definition's API.
func simulateDefinition(s *subject, file string, p parameters.Parameters, out, errs io.Writer) int {
	in, err := s.around(file)
	if err != nil {
		return cli.Refused(errs, file, err)
	}
	text, err := config.ResourcePolicy(in)
	if err != nil {
		return cli.Refused(errs, file, err)
	}
	p["resource-policy"] = []string{text}
	return simulateOne(p.Request, "request", out, errs)
}

func simulateLines(in io.Reader, out, errs io.Writer) int {
	faulty, err := simulate.Lines(in, out)
	if err != nil {
		fmt.Fprintln(errs, "portcullis simulate:", err)
	}
	if faulty > 0 {
		fmt.Fprintf(errs, "portcullis simulate: %s not evaluated\n", count(faulty, "request"))
	}
	if err != nil || faulty > 0 {
		return cli.ExitNo
	}
	return cli.ExitGood
}

func simulateOne(read func() ([]byte, error), name string, out, errs io.Writer) int {
	response, err := simulateRequest(read)
	for _, warning := range response.Warnings {
		fmt.Fprintf(errs, "%s: warning: %s\n", name, warning)
	}
	if err != nil {
		fmt.Fprintf(errs, "portcullis simulate: %s: %v\n", name, err)
		return cli.ExitNo
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	if err := e.Encode(response); err != nil {
		fmt.Fprintln(errs, "portcullis simulate:", err)
		return cli.ExitNo
	}
	return cli.ExitGood
}

func simulateRequest(read func() ([]byte, error)) (simulate.Response, error) {
	data, err := read()
	if err != nil {
		return simulate.Response{}, err
	}
	request, err := simulate.Decode(data)
	if err != nil {
		return simulate.Response{}, err
	}
	return simulate.Run(request)
}
