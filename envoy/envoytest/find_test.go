package envoytest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// outcome is a testing.TB that remembers how a test ended.
type outcome struct {
	testing.TB
	end string
}

func (o *outcome) Helper() {}

func (o *outcome) Skip(...any) {
	o.end = "skipped"
	runtime.Goexit()
}

func (o *outcome) Fatal(...any) {
	o.end = "failed"
	runtime.Goexit()
}

// A missing Envoy skips on a laptop, and fails where somebody relies on the tests.
func TestRequire(t *testing.T) {
	empty, full := t.TempDir(), t.TempDir()
	for _, file := range []string{filepath.Join(full, "envoy"), filepath.Join(full, "portcullis", "envoy-"+Version, "envoy", "_bin", "envoy")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"nowhere", nil, "skipped"},
		{"nowhere, in a CI", map[string]string{"CI": "true"}, "failed"},
		{"nowhere, but required", map[string]string{"E2E": "required"}, "failed"},
		{"named, but not there, in a CI", map[string]string{"ENVOY_BIN": filepath.Join(empty, "envoy"), "PATH": full, "CI": "true"}, "failed"},
		{"named", map[string]string{"ENVOY_BIN": filepath.Join(full, "envoy"), "CI": "true"}, "found"},
		{"installed", map[string]string{"XDG_CACHE_HOME": full, "CI": "true"}, "found"},
		{"on the PATH", map[string]string{"PATH": full, "CI": "true"}, "found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range map[string]string{"ENVOY_BIN": "", "CI": "", "E2E": "", "XDG_CACHE_HOME": empty, "PATH": empty} {
				if set, ok := tc.env[name]; ok {
					value = set
				}
				t.Setenv(name, value)
			}
			o, done := &outcome{}, make(chan struct{})
			go func() {
				defer close(done)
				if Require(o) != "" {
					o.end = "found"
				}
			}()
			<-done
			if o.end != tc.want {
				t.Errorf("%q, want %q", o.end, tc.want)
			}
		})
	}
}

func TestApplyReplacesWhatIsThereOnce(t *testing.T) {
	got, err := Apply("a: 1, b: {port_value: 80}", Edit{"a: 1", "a: 2"}, Port(80, "0"))
	if want := "a: 2, b: {port_value: 0}"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"", "a: 1 a: 1"} {
		if _, err := Apply(text, Edit{"a: 1", "a: 2"}); err == nil {
			t.Errorf("%q: the edit does not hit once, and is let pass", text)
		}
	}
}

// A missing part does the same.
func TestRequireParts(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Part{PythonClients, NodeClients, AWSCLI, JavaClients, RustClient, NodeIssuers, MotoServer, PythonRuntime, NodeRuntime} {
		pinned, err := os.ReadFile(filepath.Join(root, c.Lock))
		if err != nil {
			t.Fatal(err)
		}
		if c.Source != "" {
			source, err := os.ReadFile(filepath.Join(root, c.Source))
			if err != nil {
				t.Fatal(err)
			}
			pinned = append(pinned, source...)
		}
		cache, sum := t.TempDir(), sha256.Sum256(pinned)
		dir := filepath.Join(cache, "portcullis", fmt.Sprintf("%s-%x", c.Folder, sum[:6]))
		if err := os.MkdirAll(filepath.Join(dir, c.Holds), 0o700); err != nil {
			t.Fatal(err)
		}
		inCI := "failed"
		if c.Optional {
			inCI = "skipped"
		}
		for _, tc := range []struct{ cache, ci, want string }{
			{cache, "true", "found"},
			{t.TempDir(), "true", inCI},
			{t.TempDir(), "", "skipped"},
		} {
			t.Run(c.Name+" "+tc.want, func(t *testing.T) {
				t.Setenv("XDG_CACHE_HOME", tc.cache)
				t.Setenv("CI", tc.ci)
				t.Setenv("E2E", "")
				o, done := &outcome{}, make(chan struct{})
				go func() {
					defer close(done)
					if c.Require(o) == dir {
						o.end = "found"
					}
				}()
				<-done
				if o.end != tc.want {
					t.Errorf("%q, want %q", o.end, tc.want)
				}
			})
		}
	}
}

// Redis is installed in the system, not in a folder of the tests.
func TestRequireRedis(t *testing.T) {
	empty, full := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "redis-server"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, ci, want string }{
		{full, "true", "found"},
		{empty, "true", "failed"},
		{empty, "", "skipped"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Setenv("PATH", tc.path)
			t.Setenv("CI", tc.ci)
			t.Setenv("E2E", "")
			o, done := &outcome{}, make(chan struct{})
			go func() {
				defer close(done)
				if RequireRedis(o) != "" {
					o.end = "found"
				}
			}()
			<-done
			if o.end != tc.want {
				t.Errorf("%q, want %q", o.end, tc.want)
			}
		})
	}
}

// The oldest Envoy is that version and no other.
func TestRequireOldest(t *testing.T) {
	other, full := t.TempDir(), t.TempDir()
	for cache, version := range map[string]string{other: Version, full: OldestVersion} {
		dir := filepath.Join(cache, "portcullis", "envoy-"+version, "envoy", "_bin")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "envoy"), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ cache, ci, want string }{
		{full, "true", "found"},
		{other, "true", "failed"},
		{other, "", "skipped"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", tc.cache)
			t.Setenv("ENVOY_BIN", filepath.Join(other, "portcullis", "envoy-"+Version, "envoy", "_bin", "envoy"))
			t.Setenv("CI", tc.ci)
			t.Setenv("E2E", "")
			o, done := &outcome{}, make(chan struct{})
			go func() {
				defer close(done)
				if RequireOldest(o) != "" {
					o.end = "found"
				}
			}()
			<-done
			if o.end != tc.want {
				t.Errorf("%q, want %q", o.end, tc.want)
			}
		})
	}
}
