package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// report is the output of validate -o json.
type report struct {
	File        string       `json:"file"`
	Valid       bool         `json:"valid"`
	APIs        int          `json:"apis"`
	Routes      int          `json:"routes"`
	Digest      string       `json:"digest,omitempty"`
	Faults      fault.List   `json:"faults"` // warnings too
	Definitions []definedAPI `json:"definitions,omitempty"`
}

// definedAPI says how each part of an API's definition is enforced.
type definedAPI struct {
	File   string `json:"file"`
	API    string `json:"api,omitempty"`
	Format string `json:"format"`
	Notes  []note `json:"notes"`
}

type note struct {
	Verdict portability.Verdict `json:"verdict"`
	File    string              `json:"file"`
	Line    int                 `json:"line"`
	Column  int                 `json:"column"`
	What    string              `json:"what"`
	Message string              `json:"message"`
	Guards  bool                `json:"guards,omitempty"`
}

func validate(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	strict := flags.Bool("strict", false, "exit with 1 for warnings too")
	format := flags.String("o", "text", "print text or json")
	var s subject
	file, code, ok := s.arguments(flags, args, out, errs)
	if !ok {
		return code
	}
	if *format != "text" && *format != "json" {
		return cli.Wrong(errs, flags, fmt.Errorf("-o: %q is not text or json", *format))
	}
	r := s.report(file)
	if *format == "json" {
		if err := cli.PrintJSON(out, r); err != nil {
			fmt.Fprintln(errs, err)
			return cli.ExitNo
		}
	} else {
		r.print(out, errs)
	}
	if !r.Valid || *strict && len(r.Faults) > 0 {
		return cli.ExitNo
	}
	return cli.ExitGood
}

func (s *subject) report(file examined) report {
	r := report{File: file.name, Faults: fault.List{}}
	loaded, err := s.load(file, false)
	if loaded != nil {
		defer loaded.Close()
		for _, d := range loaded.Definitions {
			r.Definitions = append(r.Definitions, defined(d))
		}
	}
	if none, ok := errors.AsType[noAPIError](err); ok {
		for _, d := range none {
			r.Definitions = append(r.Definitions, defined(d))
		}
		r.Valid = true
		return r
	}
	if err != nil {
		r.Faults = cli.FaultsOf(r.File, err)
		return r
	}
	r.Valid, r.APIs, r.Routes, r.Digest = true, loaded.APIs, loaded.Routes, loaded.Digest
	r.Faults = append(r.Faults, loaded.Warnings...)
	return r
}

func defined(d *definition.Definition) definedAPI {
	a := definedAPI{File: d.File, API: d.API, Format: d.Format, Notes: []note{}}
	for _, n := range d.Notes {
		a.Notes = append(a.Notes, note{n.Verdict, n.At.File, n.At.Line, n.At.Column, n.What, n.Message, n.Guards})
	}
	return a
}

func (r report) print(out, errs io.Writer) {
	for _, f := range r.Faults {
		fmt.Fprintln(errs, f)
	}
	for _, d := range r.Definitions {
		d.print(out)
	}
	switch {
	case r.Valid && r.APIs == 0:
		fmt.Fprintf(out, "%s: %s\n", fault.Line(r.File), noAPIError{}.Error())
	case r.Valid:
		fmt.Fprintf(out, "%s: %s, %s\n", fault.Line(r.File), count(r.APIs, "API"), count(r.Routes, "route"))
	}
}

// print writes what becomes of each part, a line each.
func (d definedAPI) print(out io.Writer) {
	name := d.File
	if d.API != "" {
		name += ": " + d.API
	}
	fmt.Fprintf(out, "%s (%s)\n", fault.Line(name), d.Format)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, n := range d.Notes {
		at := fmt.Sprint("line ", n.Line)
		if n.File != d.File {
			at = fmt.Sprintf("%s:%d", n.File, n.Line)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", fault.Line(at), n.Verdict, fault.Line(n.What), fault.Line(n.Message))
	}
	_ = w.Flush() // what writes to out sees the error again
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}
