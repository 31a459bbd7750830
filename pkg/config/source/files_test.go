package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file set counts only if nothing about its files changed since they were read.
func TestStable(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	tests := []struct {
		name   string
		change func(t *testing.T, dir string)
		want   bool
	}{
		{"nothing", func(*testing.T, string) {}, true},
		{"another file", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "other"), nil) }, true},
		{"longer", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "a"), []byte("longer")) }, false},
		{"emptied", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "a"), 0)) }, false},
		{"same size, later", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "a"), []byte("z"))
			must(t, os.Chtimes(filepath.Join(dir, "a"), past, past.Add(time.Nanosecond)))
		}, false},
		{"replaced by a file of the same size and time", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "new"), []byte("z"))
			must(t, os.Chtimes(filepath.Join(dir, "new"), past, past))
			must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "a")))
		}, false},
		{"removed", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "a"))) }, false},
		{"replaced by a folder", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "a")))
			must(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
		}, false},
		{"missing file appeared", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "missing"), nil) }, false},
		{"link turned to a file of the same size and time", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "..data")))
			must(t, os.Symlink("..two", filepath.Join(dir, "..data")))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"a", "..one/b", "..two/b"} {
				write(t, filepath.Join(dir, name), []byte("x"))
				must(t, os.Chtimes(filepath.Join(dir, name), past, past))
			}
			must(t, os.Symlink("..one", filepath.Join(dir, "..data")))
			must(t, os.Symlink("..data/b", filepath.Join(dir, "b")))
			s := NewFiles()
			for _, name := range []string{"a", "b", "missing", "..one"} {
				_, _ = s.Read(filepath.Join(dir, name), 10)
			}
			tt.change(t, dir)
			if got := s.Stable(); got != tt.want {
				t.Errorf("stable() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSizeLimits(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	write(t, name, []byte("12345"))
	for _, tt := range []struct {
		limit, total int64
		want         string
	}{
		{5, 0, ""},
		{4, 0, "it is too large: at most 4 bytes can be read here"},
		{100, maxTotalSize - 5, ""},
		{100, maxTotalSize - 4, "it is too large: at most 4 bytes can be read here"},
	} {
		s := NewFiles()
		s.total = tt.total
		data, err := s.Read(name, tt.limit)
		if tt.want == "" && (err != nil || string(data) != "12345") {
			t.Errorf("limit %d, total %d: %q, %v", tt.limit, tt.total, data, err)
		}
		if tt.want != "" && (err == nil || err.Error() != tt.want || data != nil) {
			t.Errorf("limit %d, total %d: %q, %v; want %s", tt.limit, tt.total, data, err, tt.want)
		}
	}
}

// A link that has turned back leaves each file where it was found, and the set is torn all the same.
func TestTurnedVolume(t *testing.T) {
	for _, tt := range []struct {
		a, b string // where two files of one folder were found
		want bool
	}{
		{"/etc/p/..one/portcullis.yaml", "/etc/p/..one/policy.json", false},
		{"/etc/p/..one/portcullis.yaml", "/etc/p/..two/policy.json", true},
		{"/etc/p/..one/portcullis.yaml", "/etc/p/..two/iam/keys.yaml", true},
		{"/etc/p/..one/portcullis.yaml", "/run/secrets/..two/key", false},
		{"/etc/p/..one/portcullis.yaml", "/etc/p/policy.json", false},
		{"../../p/portcullis.yaml", "../../q/policy.json", false},
		{"", "/etc/p/..one/policy.json", false},
	} {
		s := NewFiles()
		s.files["/etc/p/a"], s.files["/etc/p/b"] = &file{resolved: tt.a}, &file{resolved: tt.b}
		if strings.HasPrefix(tt.a, "..") {
			s.files = map[string]*file{tt.a: {resolved: tt.a}, tt.b: {resolved: tt.b}}
		}
		if got := s.turned(); got != tt.want {
			t.Errorf("%s, %s: %v", tt.a, tt.b, got)
		}
	}
	s := NewFiles()
	for _, name := range []string{"/etc/p/..one/a", "/etc/p/..two/b"} { // named so, and not by a link
		s.files[name] = &file{resolved: name}
	}
	if s.turned() {
		t.Error("files that are named by their folders are no turned volume")
	}
}

func TestFolderIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(dir, fmt.Sprintf("%d.json", i)), nil)
		write(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), nil)
	}
	for most, want := range map[int]bool{4: false, 5: true} {
		if names, err := NewFiles().List(dir, ".json", most); (err == nil) != want || want && len(names) != 5 {
			t.Errorf("at most %d: %q, %v", most, names, err)
		}
	}
}

// The set of names in a folder belongs to what must not change while it is read.
func TestStableFolder(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		want   bool
	}{
		"nothing":        {func(string) error { return nil }, true},
		"another ending": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "a.txt"), nil, 0o600) }, true},
		"added":          {func(dir string) error { return os.WriteFile(filepath.Join(dir, "c.json"), nil, 0o600) }, false},
		"removed":        {func(dir string) error { return os.Remove(filepath.Join(dir, "b.json")) }, false},
		"renamed":        {func(dir string) error { return os.Rename(filepath.Join(dir, "b.json"), filepath.Join(dir, "c.json")) }, false},
		"replaced": {func(dir string) error {
			return os.Rename(dir, dir+".old")
		}, false},
	} {
		dir := filepath.Join(t.TempDir(), "accounts")
		for _, file := range []string{"a.json", "b.json"} {
			write(t, filepath.Join(dir, file), []byte("x"))
		}
		s := NewFiles()
		if _, err := s.List(dir, ".json", 10); err != nil {
			t.Fatal(err)
		}
		must(t, c.change(dir))
		if got := s.Stable(); got != c.want {
			t.Errorf("%s: stable %v, want %v", name, got, c.want)
		}
	}
}

// An account's export is not kept, but what it was like when it was read is: a change is seen.
func TestStreamedFiles(t *testing.T) {
	const total = 1 << 30
	name := filepath.Join(t.TempDir(), "a.json")
	write(t, name, []byte("first"))
	s := NewFiles()
	data, err := s.Stream(name, 10, total)
	if err != nil || string(data) != "first" || s.files[name].data != nil || !s.Stable() {
		t.Fatalf("%q, %v", data, err)
	}
	digest := s.Digest()
	write(t, name, []byte("second"))
	other := NewFiles()
	if _, err := other.Stream(name, 10, total); err != nil || s.Stable() || other.Digest() == digest {
		t.Errorf("the change is not seen: %v", err)
	}
	if _, err := NewFiles().Stream(name, 5, total); err == nil {
		t.Error("a file that is too large is read")
	}
	if s.streamed = total - 3; true {
		if _, err := s.Stream(name, 10, total); err == nil {
			t.Error("more is read than of all accounts together")
		}
	}
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
