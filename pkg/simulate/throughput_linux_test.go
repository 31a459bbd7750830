package simulate

import (
	"bytes"
	"io"
	"syscall"
	"testing"
	"time"
)

// TestThroughput holds Lines to 2,000 cases for a second of CPU time, whatever else the machine does.
func TestThroughput(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector is slow")
	}
	var in bytes.Buffer
	cases := readVectors(t)
	for i := range cases {
		in.Write(cases[i].line(t, false))
	}
	before := cpuTime(t)
	if faulty, err := Lines(&in, io.Discard); faulty != 0 || err != nil {
		t.Fatal(faulty, err)
	}
	took := cpuTime(t) - before
	if perSecond := float64(len(cases)) / took.Seconds(); perSecond < 2000 {
		t.Errorf("%.0f cases for a second of CPU time", perSecond)
	} else {
		t.Logf("%.0f cases for a second of CPU time", perSecond)
	}
}

func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
