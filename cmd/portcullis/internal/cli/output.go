package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Refused prints the faults of something that cannot be loaded. It returns ExitNo.
func Refused(errs io.Writer, name string, err error) int {
	for _, f := range FaultsOf(name, err) {
		fmt.Fprintln(errs, f)
	}
	return ExitNo
}

// Printed returns the exit code of a command that has printed its result. It prints err, if there is one.
func Printed(err error, errs io.Writer) int {
	if err != nil {
		fmt.Fprintln(errs, err)
		return ExitNo
	}
	return ExitGood
}

// PrintJSON prints a value for programs.
func PrintJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// OnlyFaults returns err without warnings, so that the limited space of one log line shows what prevents loading.
func OnlyFaults(err error) error {
	var faults fault.List
	if !errors.As(err, &faults) {
		return err
	}
	var fatal fault.List
	for _, f := range faults {
		if !f.Warning {
			fatal = append(fatal, f)
		}
	}
	return fatal
}

// FaultsOf returns everything that a load found wrong.
func FaultsOf(path string, err error) fault.List {
	if faults, ok := errors.AsType[fault.List](err); ok {
		return faults
	}
	return fault.List{{File: path, Message: err.Error()}}
}
