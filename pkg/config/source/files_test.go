package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
			s := newFileSet()
			for _, name := range []string{"a", "b", "missing", "..one"} {
				_, _ = s.read(filepath.Join(dir, name), 10)
			}
			tt.change(t, dir)
			if got := s.stable(); got != tt.want {
				t.Errorf("stable() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	for _, changes := range []int{0, 1, maxReadings - 1, maxReadings} {
		readings := 0
		l := settled(func() *loading {
			write(t, name, bytes.Repeat([]byte("#"), readings))
			l := (&Runtime{}).read(name)
			if readings++; readings <= changes {
				write(t, name, bytes.Repeat([]byte("#"), readings))
			}
			return l
		})
		if got, want := l != nil, changes < maxReadings; got != want {
			t.Errorf("after %d changes: settled %v, want %v", changes, got, want)
		}
		if want := min(changes+1, maxReadings); readings != want {
			t.Errorf("after %d changes: %d readings, want %d", changes, readings, want)
		}
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
		s := newFileSet()
		s.total = tt.total
		data, err := s.read(name, tt.limit)
		if tt.want == "" && (err != nil || string(data) != "12345") {
			t.Errorf("limit %d, total %d: %q, %v", tt.limit, tt.total, data, err)
		}
		if tt.want != "" && (err == nil || err.Error() != tt.want || data != nil) {
			t.Errorf("limit %d, total %d: %q, %v; want %s", tt.limit, tt.total, data, err, tt.want)
		}
	}
}

// A ConfigMap is turned from one state to another and back while it is loaded: what loads is one state or the other.
func TestConfigMapTurns(t *testing.T) {
	dir := t.TempDir()
	states := map[string]string{ // policy by API id; each policy names its own API, so a torn set is at fault
		"..one": "apione",
		"..two": "apitwo",
	}
	for state, id := range states {
		write(t, filepath.Join(dir, state, "portcullis.yaml"), []byte(`apis:
  - id: `+id+`
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    resourcePolicy: {file: policy.json}
    routes: [{route: GET /, authorization: NONE}]
`))
		write(t, filepath.Join(dir, state, "policy.json"), []byte(`{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
  {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:eu-west-1:111122223333:`+id+`/*",
   "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}`))
	}
	must(t, os.Symlink("..one", filepath.Join(dir, "..data")))
	for _, name := range []string{"portcullis.yaml", "policy.json"} {
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}

	stop := make(chan struct{})
	var turning sync.WaitGroup
	turning.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(i%7) * 100 * time.Microsecond):
			}
			link := filepath.Join(dir, "..data_tmp")
			_ = os.Symlink([]string{"..one", "..two"}[i%2], link)
			_ = os.Rename(link, filepath.Join(dir, "..data"))
		}
	})
	loaded := 0
	for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); {
		s, err := Load(filepath.Join(dir, "portcullis.yaml"))
		if err == nil {
			loaded++
			continue
		}
		if faults := checkResult(t, s, err); len(faults) != 1 || faults[0].Line != 0 {
			t.Errorf("a torn set was used: %v", err)
		}
	}
	close(stop)
	turning.Wait()
	if loaded == 0 {
		t.Error("nothing was ever loaded")
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
		s := newFileSet()
		s.files["/etc/p/a"], s.files["/etc/p/b"] = &file{resolved: tt.a}, &file{resolved: tt.b}
		if strings.HasPrefix(tt.a, "..") {
			s.files = map[string]*file{tt.a: {resolved: tt.a}, tt.b: {resolved: tt.b}}
		}
		if got := s.turned(); got != tt.want {
			t.Errorf("%s, %s: %v", tt.a, tt.b, got)
		}
	}
	s := newFileSet()
	for _, name := range []string{"/etc/p/..one/a", "/etc/p/..two/b"} { // named so, and not by a link
		s.files[name] = &file{resolved: name}
	}
	if s.turned() {
		t.Error("files that are named by their folders are no turned volume")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
