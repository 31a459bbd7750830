package decisionlog

import (
	"io"
)

// writer writes lines to a stream. Each batch is one write.
type writer struct {
	w io.Writer
	// torn is set while the last line in the stream is incomplete. The next write then ends it.
	torn bool
	buf  []byte
}

// Write implements Sink.
func (w *writer) Write(lines [][]byte) (int, error) {
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

// Reopen implements Sink.
func (*writer) Reopen() {}

// Close implements Sink. Standard output stays open.
func (*writer) Close() error { return nil }
