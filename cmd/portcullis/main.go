// Command portcullis answers Envoy's ext_authz checks the way Amazon API Gateway would.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
)

type command struct {
	name, summary string
	run           func(args []string, out, errs io.Writer) int
}

func commands() []command {
	return []command{
		{"serve", "answer Envoy's checks", serve},
		{"validate", "check a configuration and the files that it names, or an API definition", validate},
		{"routes", "list what guards each route, or what a change opens or closes", listRoutes},
		{"convert", "print the portcullis.yaml for an API definition", convert},
		{"envoy", "print the Envoy or Istio configuration for a configuration", envoyConfiguration},
		{"doctor", "find what is wrong with an Envoy's configuration", examineEnvoy},
		{"explain", "say why a request is allowed or denied, and what to change", explainRequest},
		{"credentials", "get session credentials from portcullis' STS with AWS credentials", getCredentials},
		{"simulate", "evaluate policies, as IAM's SimulateCustomPolicy does", simulatePolicies},
		{"version", "print the version", printVersion},
		{"help", "print this", help},
	}
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		usage(errs)
		return cli.ExitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-version", "--version":
		name = "version"
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(args[1:], out, errs)
		}
		names = append(names, c.name)
	}
	fmt.Fprintf(errs, "portcullis: unknown command %q%s\nportcullis help lists the commands.\n", args[0], cli.Meant("", source.Suggest(args[0], names)))
	return cli.ExitUsage
}

func help(args []string, out, errs io.Writer) int {
	if code, ok := cli.Parse(flag.NewFlagSet("help", flag.ContinueOnError), args, out, errs); !ok {
		return code
	}
	usage(out)
	return cli.ExitGood
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: portcullis <command> [flags]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "portcullis <command> --help lists a command's flags.")
}
