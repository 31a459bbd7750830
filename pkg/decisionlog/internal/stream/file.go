package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// File is a file that is rotated.
type File struct {
	// Path names the file. The files that were rotated have the suffixes .1, the newest, .2 and so on.
	Path string
	// MaxBytes is the size that a file does not exceed.
	MaxBytes int64
	// Keep is the number of rotated files that are kept.
	Keep int
}

// Rotating is a file that is renamed when it has reached its size. It follows its name: when something else has renamed or removed the
// file, a new one is made.
type Rotating struct {
	File
	Writer
	f      *os.File // nil if it could not be opened again
	size   int64
	looked time.Time
}

// lookAgain is how long a file that was renamed may still be written to.
const lookAgain = time.Second

// Open opens a file, which need not exist yet.
func Open(c File) (*Rotating, error) {
	r := &Rotating{File: c}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// open opens the file for appending. It must be a regular file: opening a pipe would wait for its reader.
func (r *Rotating) open() error {
	r.close()
	f, err := os.OpenFile(r.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640) //nolint:gosec // a log shipper of the same group reads it
	if err != nil {
		return fmt.Errorf("the decision log cannot be opened: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(r.Path + " is not a regular file; name a file, or write to stdout")
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	r.f, r.w, r.size, r.looked = f, f, info.Size(), time.Now()
	r.torn = r.size > 0 && !r.endsLine()
	return nil
}

// endsLine reports whether the file ends with an end of line: another process may have stopped within one.
func (r *Rotating) endsLine() bool {
	f, err := os.Open(r.Path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	last := make([]byte, 1)
	_, err = f.ReadAt(last, r.size-1)
	return err == nil && last[0] == '\n'
}

// Write implements decisionlog.Sink. Lines that do not fit into the file together go to several files.
func (r *Rotating) Write(lines [][]byte) (int, error) {
	done := 0
	for done < len(lines) {
		if err := r.ready(len(lines[done])); err != nil {
			return done, err
		}
		room, upTo := r.MaxBytes-r.size, done
		for upTo < len(lines) && (upTo == done || int64(len(lines[upTo])) <= room) {
			room -= int64(len(lines[upTo]))
			upTo++
		}
		n, err := r.Writer.Write(lines[done:upTo])
		for _, l := range lines[done : done+n] {
			r.size += int64(len(l))
		}
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// ready makes sure that the open file has the right name and room for a line.
func (r *Rotating) ready(size int) error {
	if r.f == nil || time.Since(r.looked) >= lookAgain && !r.isNamed() {
		if err := r.open(); err != nil {
			return err
		}
	}
	if r.size == 0 || r.size+int64(size) <= r.MaxBytes {
		return nil
	}
	if err := r.rotate(); err != nil {
		return fmt.Errorf("the decision log cannot be rotated: %w", err)
	}
	return r.open()
}

// isNamed reports whether the open file is still the one with the name.
func (r *Rotating) isNamed() bool {
	r.looked = time.Now()
	named, err := os.Stat(r.Path)
	if err != nil {
		return false
	}
	info, err := r.f.Stat()
	return err == nil && os.SameFile(named, info)
}

// rotate renames each file to the next number, from the last one on, and removes those beyond Keep.
func (r *Rotating) rotate() error {
	if r.Keep == 0 {
		return os.Remove(r.Path)
	}
	if err := r.removeOlder(); err != nil {
		return err
	}
	for n := r.Keep - 1; n >= 0; n-- {
		from := r.numbered(n)
		if err := os.Rename(from, r.numbered(n+1)); err != nil && (n == 0 || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// removeOlder removes the files with greater numbers than Keep, which an earlier configuration kept.
func (r *Rotating) removeOlder() error {
	names, err := os.ReadDir(filepath.Dir(r.Path))
	if err != nil {
		return err
	}
	for _, e := range names {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(r.Path)+".")
		n, err := strconv.Atoi(suffix)
		if !ok || err != nil || n <= r.Keep || strconv.Itoa(n) != suffix {
			continue
		}
		if err := os.Remove(r.numbered(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (r *Rotating) numbered(n int) string {
	if n == 0 {
		return r.Path
	}
	return r.Path + "." + strconv.Itoa(n)
}

// Reopen implements decisionlog.Sink. An error shows at the next write, which tries again.
func (r *Rotating) Reopen() {
	if err := r.open(); err != nil {
		r.close()
	}
}

func (r *Rotating) close() {
	if r.f != nil {
		_ = r.f.Close() // every write has returned
		r.f, r.w = nil, nil
	}
}

// Close implements decisionlog.Sink.
func (r *Rotating) Close() error {
	r.close()
	return nil
}
