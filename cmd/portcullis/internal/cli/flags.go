// Package cli has what the commands of portcullis share: reading flags, exit codes, printing results and faults, and
// asking a running portcullis.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
)

// The exit codes: success, failure, usage error.
const (
	ExitGood = iota
	ExitNo
	ExitUsage
)

// Parse parses the flags of a command without arguments. If ok is false, the command ends with the code.
func Parse(flags *flag.FlagSet, args []string, out, errs io.Writer) (code int, ok bool) {
	rest, code, ok := ParseMixed(flags, args, out, errs)
	if ok && len(rest) > 0 {
		return Wrong(errs, flags, Unexpected(flags, rest[0])), false
	}
	return code, ok
}

// ParseMixed parses the flags of a command and returns its arguments, which may stand before, between and after the flags.
func ParseMixed(flags *flag.FlagSet, args []string, out, errs io.Writer) (rest []string, code int, ok bool) {
	flags.SetOutput(io.Discard)
	for {
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			flags.SetOutput(out)
			flags.Usage()
			return nil, ExitGood, false
		case err != nil:
			return nil, Wrong(errs, flags, explained(flags, err)), false
		case flags.NArg() == 0:
			return rest, ExitGood, true
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

// explained rewrites an error of the flag package to say what to write.
func explained(flags *flag.FlagSet, err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var names []string
		flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		return errors.New("unknown flag --" + strings.TrimPrefix(name, "-") + Meant("--", source.Suggest(name, names)))
	}
	value, rest, _ := strings.Cut(strings.TrimPrefix(err.Error(), "invalid value "), " for flag -")
	name, problem, ok := strings.Cut(rest, ": ")
	f := flags.Lookup(name)
	if !ok || f == nil {
		return err
	}
	if getter, ok := f.Value.(flag.Getter); ok && problem == "parse error" {
		problem = "is not valid; see --help"
		switch getter.Get().(type) {
		case time.Duration:
			problem = "is not a duration: write a number with its unit, such as 5s or 1m30s"
		case int:
			problem = "is not a whole number"
		case float64:
			problem = "is not a number"
		case bool:
			problem = "is not true or false"
		}
		return fmt.Errorf("--%s: %s %s", name, value, problem)
	}
	return fmt.Errorf("--%s: %s: %s", name, value, problem)
}

// IsGiven reports whether the command line has a flag.
func IsGiven(flags *flag.FlagSet, name string) (given bool) {
	flags.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// Unexpected returns the error for an argument after the flags.
func Unexpected(flags *flag.FlagSet, argument string) error {
	suggestion := ""
	if flags.Lookup("config") != nil {
		suggestion = "--config " + argument
	}
	return fmt.Errorf("unexpected argument %q%s", argument, Meant("", suggestion))
}

// Meant suggests a similar name, if there is one.
func Meant(prefix, suggestion string) string {
	if suggestion == "" {
		return ""
	}
	return "; did you mean " + prefix + suggestion + "?"
}

// Wrong reports a usage error.
func Wrong(errs io.Writer, flags *flag.FlagSet, err error) int {
	for line := range strings.Lines(err.Error() + "\n") {
		fmt.Fprintf(errs, "portcullis %s: %s", flags.Name(), line)
	}
	fmt.Fprintf(errs, "portcullis %s --help lists the flags.\n", flags.Name())
	return ExitUsage
}
