// Package stream writes whole lines to a stream or to a file that is rotated. Start with To and Open.
package stream

import (
	"io"
)

// Writer writes lines to a stream. Each batch is one write.
type Writer struct {
	w io.Writer
	// torn is set while the last line in the stream is incomplete. The next write then ends it.
	torn bool
	buf  []byte
}

// To returns a Writer to w.
func To(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements decisionlog.Sink.
func (w *Writer) Write(lines [][]byte) (int, error) {
	w.buf = w.buf[:0]
	if w.torn {
		w.buf = append(w.buf, '\n')
	}
	begin := len(w.buf)
	for _, l := range lines {
		w.buf = append(w.buf, l...)
	}
	n, err := w.w.Write(w.buf)
	if n > 0 {
		w.torn = w.buf[n-1] != '\n'
	}
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	if err == nil {
		return len(lines), nil
	}
	whole := 0
	for end := begin; whole < len(lines); whole++ {
		if end += len(lines[whole]); end > n {
			break
		}
	}
	return whole, err
}

// Reopen implements decisionlog.Sink.
func (*Writer) Reopen() {}

// Close implements decisionlog.Sink. Standard output stays open.
func (*Writer) Close() error { return nil }
