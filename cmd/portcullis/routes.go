package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/routes"
)

// routeList is what routes -o json prints, and what routes --diff reads.
type routeList struct {
	Routes   []routes.Route   `json:"routes"`
	Warnings []routes.Warning `json:"warnings"`
}

func listRoutes(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("routes", flag.ContinueOnError)
	format := flags.String("o", "text", "print text, markdown or json")
	old := flags.String("diff", "", "say what has changed since `OLD`, a configuration, a definition or the output of routes -o json")
	var s subject
	files, code, ok := s.arguments(flags, args, out, errs)
	if !ok {
		return code
	}
	printer := printers[*format]
	if printer == nil {
		return wrong(errs, flags, fmt.Errorf("-o: %q is not text, markdown or json", *format))
	}
	list, err := s.routes(files)
	if err != nil {
		return refused(errs, s.name(files), err)
	}
	if *old == "" {
		return printed(printer(out, list), errs)
	}
	before, err := s.before(*old)
	if err != nil {
		return refused(errs, *old, err)
	}
	return printed(printChanges(out, *format, routes.Compare(before, list.Routes)), errs)
}

// refused prints why something cannot be looked at.
func refused(errs io.Writer, name string, err error) int {
	for _, f := range faultsOf(name, err) {
		fmt.Fprintln(errs, f)
	}
	return exitNo
}

func printed(err error, errs io.Writer) int {
	if err != nil {
		fmt.Fprintln(errs, err)
		return exitNo
	}
	return exitGood
}

// routes lists the routes of what the arguments name.
func (s *subject) routes(files []string) (routeList, error) {
	loaded, err := s.load(files, true)
	if loaded != nil {
		defer loaded.Close()
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
	data, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, errors.New("cannot be read: " + err.Error())
	}
	var list routeList
	if json.Unmarshal(data, &list) == nil && list.Routes != nil {
		return list.Routes, nil
	}
	read, err := s.routes([]string{file})
	return read.Routes, err
}

var printers = map[string]func(io.Writer, routeList) error{
	"text": printRoutes, "markdown": printMarkdown, "json": func(out io.Writer, l routeList) error { return printJSON(out, l.filled()) },
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
	fmt.Fprintln(w, "API\tSTAGE\tROUTE\tGUARD\tDEFINED AT")
	for _, r := range l.Routes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.API, r.Stage, r.Key(), line(r.GuardedBy()), line(r.DefinedAt))
	}
	for _, warning := range l.Warnings {
		fmt.Fprintf(w, "warning: %s %s: %s\n", warning.API, warning.Stage, line(warning.Message))
	}
	return w.Flush()
}

// line is a text in one line.
func line(text string) string { return fault.Fault{Message: text}.Text() }

func printMarkdown(out io.Writer, l routeList) error {
	fmt.Fprintln(out, "| API | stage | route | guard | defined at |\n|---|---|---|---|---|")
	cell := func(text string) string { return strings.ReplaceAll(line(text), "|", `\|`) }
	for _, r := range l.Routes {
		fmt.Fprintf(out, "| %s | %s | `%s` | %s | %s |\n", r.API, r.Stage, r.Key(), cell(r.GuardedBy()), cell(r.DefinedAt))
	}
	for i, warning := range l.Warnings {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "- **Warning**: %s %s: %s\n", warning.API, warning.Stage, line(warning.Message))
	}
	return nil
}

// printChanges prints what a change opens, closes or changes.
func printChanges(out io.Writer, format string, changes []routes.Change) error {
	if format == "json" {
		if changes == nil {
			changes = []routes.Change{}
		}
		return printJSON(out, map[string]any{"changes": changes})
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(out, "nothing that is open or closed changes")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		fmt.Fprintf(w, "%s\t%s %s\t%s %s\t%s -> %s\n", c.Effect, c.API, c.Stage, c.Method, c.Path, line(orNothing(c.Before)), line(orNothing(c.After)))
	}
	return w.Flush()
}

func orNothing(route string) string {
	if route == "" {
		return "no route"
	}
	return route
}
