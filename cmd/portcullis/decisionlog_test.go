package main

import (
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// fileLimit bounds the files that the process writes, as a full disk does: filelimit BYTES|none
func fileLimit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: filelimit BYTES|none")
	}
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if args[0] != "none" {
		n, err := strconv.ParseUint(args[0], 10, 64)
		ts.Check(err)
		limit.Cur = n
	}
	ts.Check(unix.Prlimit(of(ts).cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
}

// closeStdout closes the reader of the process's standard output, from which nothing is read after the addresses.
func closeStdout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: closestdout")
	}
	ts.Check(of(ts).stdout.Close())
}
