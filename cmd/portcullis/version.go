package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
)

// version is set by a release build: -ldflags "-X main.version=v1.2.3".
var version string

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func printVersion(args []string, out, errs io.Writer) int {
	if code, ok := cli.Parse(flag.NewFlagSet("version", flag.ContinueOnError), args, out, errs); !ok {
		return code
	}
	fmt.Fprintf(out, "portcullis %s %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return cli.ExitGood
}
