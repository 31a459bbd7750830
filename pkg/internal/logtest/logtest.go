// Package logtest keeps what a test lets be logged.
package logtest

import (
	"bytes"
	"sync"
)

// Buffer is a bytes.Buffer that is written to and read at once: who logs in the background and a test that reads meanwhile.
// The zero value is ready.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is everything that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
