package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// limitFiles bounds the size of the files that a process writes.
func limitFiles(pid int, size uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: math.MaxUint64}, nil)
}
