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

// maxTotalSize limits the kept files of one reading.
const maxTotalSize = 256 << 20

// Files is the set of files of one reading, each read once. Use the results only if Stable reports true afterwards.
type Files struct {
	names []string
	files map[string]*file
	// total is the size of the kept files, streamed the size of the others.
	total, streamed int64
}

// file is a file or a folder as it was found: its resolved path, its description, and its contents or the error.
type file struct {
	resolved string
	info     fs.FileInfo
	data     []byte
	size     int64
	sum      [sha256.Size]byte
	// entries are the sorted entries of a folder; kind selects them.
	entries []string
	kind    listing
	err     error
}

// listing selects entries of a folder: names with the ending, at most most of them. The zero value selects a file.
type listing struct {
	ending string
	most   int
}

// NewFiles returns an empty set.
func NewFiles() *Files { return &Files{files: make(map[string]*file)} }

// Names returns the files and folders that were read, by their given names, in the order of reading.
func (s *Files) Names() []string { return s.names }

// Read returns the contents of a file, at most limit bytes.
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

// Stream returns the contents of a file that was not read before and keeps nothing of them. It allows at most limit
// bytes, and at most total bytes for all streamed files together.
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

// List returns the sorted names in a folder that have an ending and do not begin with a dot.
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

// find resolves the path of a file and describes the file.
func (f *file) find(name string) {
	if f.resolved, f.err = filepath.EvalSymlinks(name); f.err != nil {
		f.err = withoutPath(f.err)
		return
	}
	if f.info, f.err = os.Stat(f.resolved); f.err != nil {
		f.err = withoutPath(f.err)
	}
}

// maxEntries limits how many entries of a folder are read.
const maxEntries = 10_000

// read returns the selected entries of a folder.
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
		return nil, tooLarge(limit) // the file grew
	}
	return data, nil
}

// withoutPath removes the path from an error, because the fault names the file.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// turned reports whether the files come from two versions of one Kubernetes volume. All files of such a volume are
// reached through one link, ..data, to a folder whose name begins with two dots. Looking at each file again would not
// notice a link that has changed and changed back.
func (s *Files) turned() bool {
	turns := map[string]string{} // folders with two dots, by their parent
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

// turnOf returns the part of a path that begins with two dots, and the part before it.
func turnOf(resolved string) (volume, turn string) {
	const separator = string(filepath.Separator)
	volume, rest, ok := strings.Cut(resolved, separator+"..")
	if !ok {
		return "", ""
	}
	turn, _, _ = strings.Cut(rest, separator)
	return volume, separator + ".." + turn + separator
}

// Stable reports whether every file is still the same file, with the same size and time, through the same symbolic
// links. A Kubernetes ConfigMap changes all of its files by replacing one link, ..data, so any of its files shows a
// change.
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

// Digest returns the SHA-256 of a file's contents, in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Digest returns the SHA-256 over the digests of the files, in the order of reading.
func (s *Files) Digest() string {
	h := sha256.New()
	for _, name := range s.names {
		h.Write(s.files[name].sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
