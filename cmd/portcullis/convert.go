package main

import (
	"flag"
	"io"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/config"
)

func convert(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("convert", flag.ContinueOnError)
	var s subject
	file, code, ok := s.arguments(flags, args, out, errs)
	if !ok {
		return code
	}
	in, err := s.input(file)
	if err == nil {
		err = config.Convert(in, out)
	}
	if err != nil {
		return cli.Refused(errs, file.name, err)
	}
	return cli.ExitGood
}
