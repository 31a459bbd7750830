package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
)

// parse reads a command's flags; no command has arguments beside them. If it is not ok, the command ends with the code.
func parse(flags *flag.FlagSet, args []string, out, errs io.Writer) (code int, ok bool) {
	flags.SetOutput(io.Discard)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(out)
		fmt.Fprintf(out, "Usage of %s:\n", flags.Name())
		flags.PrintDefaults()
		return exitGood, false
	case err != nil:
		return wrong(errs, flags, explained(flags, err)), false
	case flags.NArg() > 0:
		return wrong(errs, flags, unexpected(flags, flags.Arg(0))), false
	}
	return exitGood, true
}

// explained is an error of the flag package in words that say what to write.
func explained(flags *flag.FlagSet, err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var names []string
		flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		return errors.New("there is no flag --" + strings.TrimPrefix(name, "-") + meant("--", source.Suggest(name, names)))
	}
	value, rest, _ := strings.Cut(strings.TrimPrefix(err.Error(), "invalid value "), " for flag -")
	name, problem, ok := strings.Cut(rest, ": ")
	f := flags.Lookup(name)
	if !ok || f == nil {
		return err
	}
	if getter, ok := f.Value.(flag.Getter); ok && problem == "parse error" {
		problem = "is not what the flag takes; --help says what is"
		switch getter.Get().(type) {
		case time.Duration:
			problem = "is not a duration: write a number with its unit, such as 5s or 1m30s"
		case int:
			problem = "is not a whole number"
		case float64:
			problem = "is not a number"
		case bool:
			problem = "is neither true nor false"
		}
		return fmt.Errorf("--%s: %s %s", name, value, problem)
	}
	return fmt.Errorf("--%s: %s: %s", name, value, problem)
}

// unexpected is an argument that no flag belongs to.
func unexpected(flags *flag.FlagSet, argument string) error {
	suggestion := ""
	if flags.Lookup("config") != nil {
		suggestion = "--config " + argument
	}
	return fmt.Errorf("unexpected argument %q%s", argument, meant("", suggestion))
}

// meant asks whether something else was meant, if anything was.
func meant(prefix, suggestion string) string {
	if suggestion == "" {
		return ""
	}
	return "; did you mean " + prefix + suggestion + "?"
}

// wrong tells how a command was misused.
func wrong(errs io.Writer, flags *flag.FlagSet, err error) int {
	for line := range strings.Lines(err.Error() + "\n") {
		fmt.Fprintf(errs, "portcullis %s: %s", flags.Name(), line)
	}
	fmt.Fprintf(errs, "portcullis %s --help lists the flags.\n", flags.Name())
	return exitUsage
}
