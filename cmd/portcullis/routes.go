package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/routes"
)

// routeList is the output of routes -o json, which routes --diff reads.
type routeList struct {
	Routes   []routes.Route   `json:"routes"`
	Warnings []routes.Warning `json:"warnings"`
}

func listRoutes(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("routes", flag.ContinueOnError)
	format := flags.String("o", "text", "print text, markdown or json")
	old := flags.String("diff", "", "say what has changed since `OLD`, a configuration, a definition or the output of routes -o json")
	failOn := flags.String("fail-on", "", "with --diff, exit with 1 for a change that `opens` something or may do so, or for any change (all)")
	var s subject
	file, code, ok := s.arguments(flags, args, out, errs)
	if !ok {
		return code
	}
	printer := printers[*format]
	switch {
	case printer == nil:
		return cli.Wrong(errs, flags, fmt.Errorf("-o: %q is not text, markdown or json", *format))
	case *failOn != "" && *failOn != "opens" && *failOn != "all":
		return cli.Wrong(errs, flags, fmt.Errorf("--fail-on: %q is not opens or all", *failOn))
	case *failOn != "" && *old == "":
		return cli.Wrong(errs, flags, errors.New("--fail-on: it is for changes: name what to compare with, by --diff"))
	}
	list, err := s.routes(file)
	if err != nil {
		return cli.Refused(errs, file.name, err)
	}
	if *old == "" {
		return cli.Printed(printer(out, list), errs)
	}
	before, err := s.before(*old)
	if err != nil {
		return cli.Refused(errs, *old, err)
	}
	changes := routes.Compare(before, list.Routes)
	if code := cli.Printed(printChanges(out, *format, changes), errs); code != cli.ExitGood || !fails(*failOn, changes) {
		return code
	}
	return cli.ExitNo
}

// fails reports whether a change is among those that --fail-on names. One that changes a guard may open it.
func fails(failOn string, changes []routes.Change) bool {
	return slices.ContainsFunc(changes, func(c routes.Change) bool {
		return failOn == "all" || failOn == "opens" && c.Effect != routes.Closes
	})
}

// routes lists the routes of a file.
func (s *subject) routes(file examined) (routeList, error) {
	loaded, err := s.load(file, true)
	if loaded != nil {
		defer loaded.Close()
	}
	if _, ok := errors.AsType[noAPIError](err); ok {
		return routeList{Routes: []routes.Route{}}, nil
	}
	if err != nil {
		return routeList{}, err
	}
	list := routeList{Routes: routes.List(loaded.Config)}
	list.Warnings = routes.Warnings(list.Routes)
	return list, nil
}

// before reads the routes that a change is compared with.
func (s *subject) before(file string) ([]routes.Route, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.New("cannot be read: " + err.Error())
	}
	var list routeList
	if json.Unmarshal(data, &list) == nil && list.Routes != nil {
		return list.Routes, nil
	}
	read, err := s.routes(examine(file))
	return read.Routes, err
}

var printers = map[string]func(io.Writer, routeList) error{
	"text": printRoutes, "markdown": printMarkdown, "json": func(out io.Writer, l routeList) error { return cli.PrintJSON(out, l.filled()) },
}

// filled has empty lists in place of none, as JSON shows them.
func (l routeList) filled() routeList {
	if l.Warnings == nil {
		l.Warnings = []routes.Warning{}
	}
	return l
}

func printRoutes(out io.Writer, l routeList) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	named := l.named()
	fmt.Fprintf(w, "API\tSTAGE\tROUTE\tGUARD\t%sDEFINED AT\n", column(named, "UPSTREAM"))
	for _, r := range l.Routes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s%s\n", fault.Line(r.API), fault.Line(r.Stage), fault.Line(r.Key()), fault.Line(r.GuardedBy()),
			column(named, fault.Line(r.Upstream)), fault.Line(r.DefinedAt))
	}
	for _, warning := range l.Warnings {
		fmt.Fprintf(w, "warning: %s %s: %s\n", fault.Line(warning.API), fault.Line(warning.Stage), fault.Line(warning.Message))
	}
	return w.Flush()
}

// named reports whether a route has an upstream.
func (l routeList) named() bool {
	return slices.ContainsFunc(l.Routes, func(r routes.Route) bool { return r.Upstream != "" })
}

// column returns a cell of a column that is printed only if it is shown.
func column(shown bool, text string) string {
	if !shown {
		return ""
	}
	return text + "\t"
}

// cell is a text as a cell of a table.
func cell(text string) string { return strings.ReplaceAll(fault.Line(text), "|", `\|`) }

func printMarkdown(out io.Writer, l routeList) error {
	named, head, line := l.named(), "", ""
	if named {
		head, line = " upstream |", "---|"
	}
	fmt.Fprintf(out, "| API | stage | route | guard |%s defined at |\n|---|---|---|---|%s---|\n", head, line)
	for _, r := range l.Routes {
		upstream := ""
		if named {
			upstream = " " + cell(r.Upstream) + " |"
		}
		fmt.Fprintf(out, "| %s | %s | `%s` | %s |%s %s |\n", cell(r.API), cell(r.Stage), cell(r.Key()), cell(r.GuardedBy()), upstream, cell(r.DefinedAt))
	}
	for i, warning := range l.Warnings {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "- **Warning**: %s %s: %s\n", fault.Line(warning.API), fault.Line(warning.Stage), fault.Line(warning.Message))
	}
	return nil
}

// printChanges prints what a change opens, closes or changes.
func printChanges(out io.Writer, format string, changes []routes.Change) error {
	switch {
	case format == "json":
		return cli.PrintJSON(out, map[string]any{"changes": append([]routes.Change{}, changes...)})
	case len(changes) == 0:
		_, err := fmt.Fprintln(out, "nothing that is open or closed changes")
		return err
	case format == "markdown":
		return printChangesMarkdown(out, changes)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		fmt.Fprintf(w, "%s\t%s %s\t%s %s\t%s -> %s\n", c.Effect, fault.Line(c.API), fault.Line(c.Stage), fault.Line(c.Method), fault.Line(c.Path), fault.Line(orNothing(c.Before)), fault.Line(after(c)))
	}
	return w.Flush()
}

func printChangesMarkdown(out io.Writer, changes []routes.Change) error {
	fmt.Fprintln(out, "| effect | API | stage | requests | before | after |\n|---|---|---|---|---|---|")
	for _, c := range changes {
		fmt.Fprintf(out, "| %s | %s | %s | %s %s | %s | %s |\n",
			c.Effect, cell(c.API), cell(c.Stage), cell(c.Method), cell(c.Path), cell(orNothing(c.Before)), cell(after(c)))
	}
	return nil
}

// after describes the guard after a change, with the differences that it does not show.
func after(c routes.Change) string {
	if c.Why == "" {
		return orNothing(c.After)
	}
	return c.After + " (" + c.Why + ")"
}

func orNothing(route string) string {
	if route == "" {
		return "no route"
	}
	return route
}
