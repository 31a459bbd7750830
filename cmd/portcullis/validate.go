package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// report is what validate -o json prints.
type report struct {
	File   string     `json:"file"`
	Valid  bool       `json:"valid"`
	APIs   int        `json:"apis"`
	Routes int        `json:"routes"`
	Digest string     `json:"digest,omitempty"`
	Faults fault.List `json:"faults"` // including warnings
}

func validate(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	path := flags.String("config", "portcullis.yaml", "configuration `file`")
	strict := flags.Bool("strict", false, "exit with 1 for warnings too")
	format := flags.String("o", "text", "print text or json")
	if code, ok := parse(flags, args, out, errs); !ok {
		return code
	}
	if *format != "text" && *format != "json" {
		return wrong(errs, flags, fmt.Errorf("-o: %q is not text or json", *format))
	}
	r := examine(*path)
	if *format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			fmt.Fprintln(errs, err)
			return exitNo
		}
	} else {
		r.print(out, errs)
	}
	if !r.Valid || *strict && len(r.Faults) > 0 {
		return exitNo
	}
	return exitGood
}

func examine(path string) report {
	r := report{File: path, Faults: fault.List{}}
	s, err := config.Load(path, pool.Dry())
	if err != nil {
		if !errors.As(err, &r.Faults) {
			r.Faults = fault.List{{File: path, Message: err.Error()}}
		}
		return r
	}
	defer s.Close()
	r.Valid, r.APIs, r.Routes, r.Digest = true, s.APIs, s.Routes, s.Digest
	r.Faults = append(r.Faults, s.Warnings...)
	return r
}

func (r *report) print(out, errs io.Writer) {
	for _, f := range r.Faults {
		fmt.Fprintln(errs, f)
	}
	if r.Valid {
		fmt.Fprintf(out, "%s: %s, %s\n", r.File, count(r.APIs, "API"), count(r.Routes, "route"))
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}
