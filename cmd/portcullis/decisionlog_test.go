package main

import (
	"math"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// fileLimit bounds the files that the process writes, as a full disk does: filelimit BYTES|none
func fileLimit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: filelimit BYTES|none")
	}
	limit := uint64(math.MaxUint64)
	if args[0] != "none" {
		n, err := strconv.ParseUint(args[0], 10, 64)
		ts.Check(err)
		limit = n
	}
	ts.Check(limitFiles(of(ts).cmd.Process.Pid, limit))
}

// closeStdout closes the reader of the process's standard output, from which nothing is read after the addresses.
func closeStdout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: closestdout")
	}
	ts.Check(of(ts).stdout.Close())
}
