package decisionlog

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkLine reports processor time too, because a busy machine makes seconds long.
func BenchmarkLine(b *testing.B) {
	e, chose := full()
	l := &Log{config: Config{Fields: *chose}}
	l.buffers.New = func() any { return new([]byte) }
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	before := threadTime(b)
	for b.Loop() {
		l.encode(e)
	}
	b.ReportMetric(float64(threadTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// threadTime returns the processor time of the thread in nanoseconds.
func threadTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Skip(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
