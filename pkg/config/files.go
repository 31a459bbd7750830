package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What is read is bounded: the configuration, one file it names, and all of them.
const (
	maxConfigSize = 32 << 20
	maxNamedSize  = 1 << 20
	maxTotalSize  = 256 << 20
)

// fileSet is the files of one reading, each read once.
type fileSet struct {
	names []string
	files map[string]*file
	total int64
}

// file is a file as it was found: reached at resolved, described by info, and its contents or why there are none.
type file struct {
	resolved string
	info     fs.FileInfo
	data     []byte
	err      error
}

func newFileSet() *fileSet { return &fileSet{files: make(map[string]*file)} }

// read returns a file's contents, of at most limit bytes.
func (s *fileSet) read(name string, limit int64) ([]byte, error) {
	f, known := s.files[name]
	if !known {
		f = &file{}
		f.read(name, min(limit, maxTotalSize-s.total))
		s.files[name], s.names = f, append(s.names, name)
		s.total += int64(len(f.data))
	}
	return f.data, f.err
}

func (f *file) read(name string, limit int64) {
	if f.resolved, f.err = filepath.EvalSymlinks(name); f.err != nil {
		f.err = withoutPath(f.err)
		return
	}
	if f.info, f.err = os.Stat(f.resolved); f.err != nil {
		f.err = withoutPath(f.err)
		return
	}
	switch {
	case f.info.IsDir():
		f.err = errors.New("it is a directory")
	case !f.info.Mode().IsRegular():
		f.err = errors.New("it is not a regular file")
	case f.info.Size() > limit:
		f.err = tooLarge(limit)
	default:
		f.data, f.err = readAll(f.resolved, limit)
	}
}

func tooLarge(limit int64) error {
	return fmt.Errorf("it is too large: at most %d bytes can be read here", limit)
}

func readAll(name string, limit int64) ([]byte, error) {
	r, err := os.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = r.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge(limit) // it grew
	}
	return data, nil
}

// withoutPath takes an error's path away, for the fault names the file.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// stable reports whether every file is still what it was when it was read.
func (s *fileSet) stable() bool {
	for name, f := range s.files {
		if !f.unchanged(name) {
			return false
		}
	}
	return true
}

func (f *file) unchanged(name string) bool {
	resolved, err := filepath.EvalSymlinks(name)
	if err != nil || resolved != f.resolved {
		return err != nil && f.resolved == ""
	}
	info, err := os.Stat(resolved)
	if err != nil || f.info == nil {
		return err != nil && f.info == nil
	}
	return os.SameFile(info, f.info) && info.Size() == f.info.Size() && info.ModTime().Equal(f.info.ModTime())
}

// digest is the SHA-256 of a file's contents, in hex.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// digest is the SHA-256 over the lengths and contents of the files, in the order of reading.
func (s *fileSet) digest() string {
	h := sha256.New()
	for _, name := range s.names {
		data := s.files[name].data
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(data))))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
