package runner

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	maxLine        = 2 << 10  // of what is logged
	maxRead        = 64 << 10 // of what is looked at
	linesAtOnce    = 200
	linesPerSecond = 50
	// lastWords is how long what a process printed last is waited for once it has ended.
	lastWords = 200 * time.Millisecond
)

// output logs what a process prints, line by line. Long lines are cut, and lines that come too fast are counted only.
type output struct {
	log            *slog.Logger
	stdout, stderr *os.File // the ends that the process writes to
	reads          []*os.File
	readers        sync.WaitGroup
	redactor       *redactor

	mu      sync.Mutex
	tokens  float64
	filled  time.Time
	dropped int64
}

func newOutput(log *slog.Logger, environment map[string]string) (*output, error) {
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, outRead.Close(), outWrite.Close())
	}
	o := &output{
		log: log, stdout: outWrite, stderr: errWrite, reads: []*os.File{outRead, errRead}, redactor: newRedactor(environment),
		tokens: linesAtOnce, filled: time.Now(),
	}
	o.readers.Go(func() { o.copy(outRead, "stdout") })
	o.readers.Go(func() { o.copy(errRead, "stderr") })
	return o, nil
}

// started is called when the process has the ends that it writes to, or never will.
func (o *output) started() {
	_ = o.stdout.Close()
	_ = o.stderr.Close()
}

// close waits a little for the last lines. A process that still holds the other end then writes to a closed pipe.
func (o *output) close() {
	late := time.AfterFunc(lastWords, o.hangUp)
	o.readers.Wait()
	late.Stop()
	o.hangUp()
	o.reportDropped()
}

func (o *output) hangUp() {
	for _, f := range o.reads {
		_ = f.Close()
	}
}

func (o *output) copy(from io.Reader, stream string) {
	in := bufio.NewReaderSize(from, maxRead)
	for {
		line, more, err := in.ReadLine()
		if err != nil {
			return
		}
		if len(line) > 0 && o.allow() {
			o.reportDropped()
			text := o.fit(string(line), more)
			o.log.LogAttrs(context.Background(), slog.LevelInfo, "the function prints", slog.String("stream", stream), slog.String("line", text))
		}
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
	}
}

// fit makes a text fit for the log.
func (o *output) fit(text string, cut bool) string {
	return clip(o.redactor.redact(text, cut), maxLine)
}

// allow takes one line off what may be logged now.
func (o *output) allow() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.tokens = min(linesAtOnce, o.tokens+now.Sub(o.filled).Seconds()*linesPerSecond)
	o.filled = now
	if o.tokens < 1 {
		o.dropped++
		return false
	}
	o.tokens--
	return true
}

func (o *output) reportDropped() {
	o.mu.Lock()
	dropped := o.dropped
	o.dropped = 0
	o.mu.Unlock()
	if dropped > 0 {
		o.log.Warn("the function prints more than is logged", "lines left out", dropped)
	}
}
