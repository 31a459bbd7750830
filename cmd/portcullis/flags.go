package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// parse reads a command's flags; no command has arguments beside them. If it is not ok, the command ends with the code.
func parse(flags *flag.FlagSet, args []string, out, errs io.Writer) (code int, ok bool) {
	flags.SetOutput(errs)
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		flags.SetOutput(out)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitGood, false
	case err != nil:
		return exitUsage, false
	case flags.NArg() > 0:
		return wrong(errs, flags, fmt.Errorf("unexpected argument %q", flags.Arg(0))), false
	}
	return exitGood, true
}

// wrong tells how a command was misused.
func wrong(errs io.Writer, flags *flag.FlagSet, err error) int {
	fmt.Fprintf(errs, "portcullis %s: %v\nportcullis %s --help lists the flags.\n", flags.Name(), err, flags.Name())
	return exitUsage
}
