package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxTotalSize bounds the files of one reading that are kept.
const maxTotalSize = 256 << 20

// Files is the files of one reading, each read once. What was made of them counts only if they are Stable afterwards.
type Files struct {
	names []string
	files map[string]*file
	// total is the size of those that are kept, streamed that of the others.
	total, streamed int64
}

// file is a file or a folder as it was found: reached at resolved, described by info, and its contents or why there are none.
type file struct {
	resolved string
	info     fs.FileInfo
	data     []byte
	size     int64
	sum      [sha256.Size]byte
	// entries are a folder's, sorted; kind says which it has.
	entries []string
	kind    listing
	err     error
}

// listing is which entries of a folder count: those whose names have the ending, and at most so many. The zero value is that
// of a file.
type listing struct {
	ending string
	most   int
}

// NewFiles returns Files of which none is read yet.
func NewFiles() *Files { return &Files{files: make(map[string]*file)} }

// Names are the files and folders that were read, as they were named, in the order of reading.
func (s *Files) Names() []string { return s.names }

// Read returns a file's contents, of at most limit bytes.
func (s *Files) Read(name string, limit int64) ([]byte, error) {
	f, known := s.files[name]
	if !known {
		f = &file{}
		f.read(name, min(limit, maxTotalSize-s.total))
		s.add(name, f)
		s.total += f.size
	}
	if f.kind != (listing{}) {
		return nil, errDirectory
	}
	return f.data, f.err
}

var (
	errDirectory = errors.New("it is a directory")
	errNoFolder  = errors.New("it is not a folder")
)

// Stream returns the contents of a file that was not read before, and keeps nothing of them: of at most limit bytes, and of at most
// total bytes together with all that was streamed before.
func (s *Files) Stream(name string, limit, total int64) ([]byte, error) {
	f := &file{}
	f.read(name, min(limit, total-s.streamed))
	if s.files[name] == nil {
		s.add(name, f)
	}
	s.streamed += f.size
	data := f.data
	f.data = nil
	return data, f.err
}

// List returns the names in a folder that have an ending, sorted; those that begin with a dot are left out.
func (s *Files) List(name, ending string, most int) ([]string, error) {
	f, known := s.files[name]
	if !known {
		f = &file{kind: listing{ending, most}}
		switch f.find(name); {
		case f.err != nil:
		case !f.info.IsDir():
			f.err = errNoFolder
		default:
			f.entries, f.err = f.kind.read(f.resolved)
		}
		s.add(name, f)
	}
	if f.kind == (listing{}) && f.err == nil {
		return nil, errNoFolder
	}
	return f.entries, f.err
}

func (s *Files) add(name string, f *file) {
	s.files[name], s.names = f, append(s.names, name)
}

// find finds out where a file is and what it is.
func (f *file) find(name string) {
	if f.resolved, f.err = filepath.EvalSymlinks(name); f.err != nil {
		f.err = withoutPath(f.err)
		return
	}
	if f.info, f.err = os.Stat(f.resolved); f.err != nil {
		f.err = withoutPath(f.err)
	}
}

// maxEntries bounds what is looked at of a folder.
const maxEntries = 10_000

// read returns the entries of a folder that count.
func (l listing) read(name string) ([]string, error) {
	folder, err := os.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = folder.Close() }() // nothing was written
	all, err := folder.Readdirnames(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, withoutPath(err)
	}
	entries := slices.DeleteFunc(all, func(entry string) bool {
		return strings.HasPrefix(entry, ".") || !strings.HasSuffix(entry, l.ending)
	})
	if len(all) > maxEntries || len(entries) > l.most {
		return nil, fmt.Errorf("it is too large: at most %d files whose names end in %s, of at most %d, can be read here", l.most, l.ending, maxEntries)
	}
	slices.Sort(entries)
	return entries, nil
}

func (f *file) read(name string, limit int64) {
	if f.find(name); f.err != nil {
		return
	}
	switch {
	case f.info.IsDir():
		f.err = errDirectory
	case !f.info.Mode().IsRegular():
		f.err = errors.New("it is not a regular file")
	case f.info.Size() > limit:
		f.err = tooLarge(limit)
	default:
		f.data, f.err = readAll(f.resolved, limit)
		f.size, f.sum = int64(len(f.data)), sha256.Sum256(f.data)
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

// turned reports whether the files were read from two turns of one Kubernetes volume: of such a volume all files are reached by
// one link, ..data, that leads to a folder whose name begins with two dots. A link that has turned back would not be seen by
// looking at each file again.
func (s *Files) turned() bool {
	turns := map[string]string{} // folders with two dots, by where they lie
	for name, f := range s.files {
		volume, turn := turnOf(f.resolved)
		if turn == "" || strings.Contains(name, turn) {
			continue
		}
		if other, ok := turns[volume]; ok && other != turn {
			return true
		}
		turns[volume] = turn
	}
	return false
}

// turnOf returns the part of a path that begins with two dots, and what stands before it.
func turnOf(resolved string) (volume, turn string) {
	const separator = string(filepath.Separator)
	volume, rest, ok := strings.Cut(resolved, separator+"..")
	if !ok {
		return "", ""
	}
	turn, _, _ = strings.Cut(rest, separator)
	return volume, separator + ".." + turn + separator
}

// Stable reports whether every file, found again, is the same file with the same size and time, reached on the same way through
// symbolic links. A Kubernetes ConfigMap changes all of its files by turning one link, ..data, so that a set that is read across the
// turn is seen by any of its files.
func (s *Files) Stable() bool {
	if s.turned() {
		return false
	}
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
	if f.kind != (listing{}) && info.IsDir() {
		entries, err := f.kind.read(resolved)
		return os.SameFile(info, f.info) && (err == nil) == (f.err == nil) && slices.Equal(entries, f.entries)
	}
	return os.SameFile(info, f.info) && info.Size() == f.info.Size() && info.ModTime().Equal(f.info.ModTime())
}

// Digest is the SHA-256 of a file's contents, in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Digest is the SHA-256 over those of the files, in the order of reading.
func (s *Files) Digest() string {
	h := sha256.New()
	for _, name := range s.names {
		h.Write(s.files[name].sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
