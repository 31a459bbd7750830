package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// archive is an OCI archive: its files by name.
type archive map[string][]byte

func openArchive(t *testing.T, file string) archive {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	files, _ := untar(t, f)
	return files
}

// untar reads the regular files of an archive, and the modes of all that is in it.
func untar(t *testing.T, r io.Reader) (files archive, modes map[string]os.FileMode) {
	t.Helper()
	files, modes = archive{}, map[string]os.FileMode{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, modes
		}
		must(t, err)
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		modes[name] = h.FileInfo().Mode()
		if h.Typeflag == tar.TypeReg {
			files[name], err = io.ReadAll(in)
			must(t, err)
		}
	}
}

type descriptor struct {
	Digest   string
	Platform struct{ OS, Architecture string }
}

func (a archive) blob(t *testing.T, d descriptor, into any) []byte {
	t.Helper()
	data, ok := a["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if !ok {
		t.Fatalf("no blob %s", d.Digest)
	}
	if into != nil {
		must(t, json.Unmarshal(data, into))
	}
	return data
}

// The image is built for real, and holds for each platform the program, the authorities, and nothing else.
func TestImage(t *testing.T) {
	mesh(t)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.tar"), filepath.Join(dir, "second.tar")
	for _, file := range []string{first, second} {
		if out, err := command(t, "./image.sh", "v1.2.3-test", file); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	a := openArchive(t, first)
	var index struct{ Manifests []descriptor }
	must(t, json.Unmarshal(a["index.json"], &index))
	a.blob(t, index.Manifests[0], &index)
	var platforms []string
	for _, d := range index.Manifests {
		platforms = append(platforms, d.Platform.OS+"/"+d.Platform.Architecture)
		t.Run(d.Platform.Architecture, func(t *testing.T) { a.checkPlatform(t, d) })
	}
	if slices.Sort(platforms); !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms %v", platforms)
	}
	runImage(t, first)
	if again := openArchive(t, second); !bytes.Equal(a["index.json"], again["index.json"]) {
		t.Errorf("the same sources made another image:\n%s\n%s", a["index.json"], again["index.json"])
	}
}

func (a archive) checkPlatform(t *testing.T, d descriptor) {
	t.Helper()
	var m struct {
		Config descriptor
		Layers []descriptor
	}
	a.blob(t, d, &m)
	var c struct {
		Architecture string
		Config       map[string]any
	}
	a.blob(t, m.Config, &c)
	delete(c.Config["Labels"].(map[string]any), "io.buildah.version")
	want := map[string]any{
		"User": "65532:65532", "Entrypoint": []any{"/portcullis"}, "Cmd": []any{"serve"},
		"Env": []any{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		"Labels": map[string]any{
			"org.opencontainers.image.title": "portcullis", "org.opencontainers.image.version": "v1.2.3-test",
			"org.opencontainers.image.description": "Amazon API Gateway's access control, for any Envoy",
		},
	}
	if diff := cmp.Diff(want, c.Config); diff != "" || c.Architecture != d.Platform.Architecture {
		t.Errorf("architecture %s, configuration (-want +got):\n%s", c.Architecture, diff)
	}
	files, modes := archive{}, map[string]os.FileMode{}
	for _, l := range m.Layers {
		z, err := gzip.NewReader(bytes.NewReader(a.blob(t, l, nil)))
		must(t, err)
		f, x := untar(t, z)
		for name := range x {
			files[name], modes[name] = f[name], x[name]
		}
	}
	if diff := cmp.Diff(map[string]os.FileMode{
		"portcullis": 0o755, "etc": os.ModeDir | 0o755, "etc/ssl": os.ModeDir | 0o755, "etc/ssl/certs": os.ModeDir | 0o755, "etc/ssl/certs/ca-certificates.crt": 0o644,
	}, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if !bytes.Contains(files["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")) {
		t.Error("the authorities are missing")
	}
	checkProgram(t, d.Platform.Architecture, files["portcullis"])
}

// checkProgram finds a program that needs a library, and runs what this machine can.
func checkProgram(t *testing.T, arch string, program []byte) {
	t.Helper()
	e, err := elf.NewFile(bytes.NewReader(program))
	must(t, err)
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]; e.Machine != want {
		t.Errorf("a program for %v", e.Machine)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a dynamic linker, which the image has not got")
		}
	}
	if arch != runtime.GOARCH {
		return
	}
	file := filepath.Join(t.TempDir(), "portcullis")
	must(t, os.WriteFile(file, program, 0o700))
	if out, err := command(t, file, "version"); err != nil || !strings.HasPrefix(out, "portcullis v1.2.3-test ") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := command(t, file, "validate", "--config", chart+"/files/example/portcullis.yaml"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// runImage runs the image as its own user, in a root that holds its files alone, with the example's configuration mounted.
func runImage(t *testing.T, file string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "config"), 0o755))
	must(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"portcullis.yaml", "pets.policy.json"} {
		config := filepath.Join(dir, "config", name)
		must(t, os.WriteFile(config, []byte(read(t, filepath.Join(chart, "files/example", name))), 0o644))
	}
	store := []string{"--storage-driver", "vfs", "--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run")}
	name, err := command(t, "buildah", append(store, "from", "--quiet", "oci-archive:"+file)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, name)
	}
	run := append(store, "run", "--isolation", "chroot", "--volume", filepath.Join(dir, "config")+":/etc/portcullis/config:ro", strings.TrimSpace(name), "--")
	out, err := command(t, "buildah", append(run, "/portcullis", "validate", "--config", "/etc/portcullis/config/portcullis.yaml")...)
	if err != nil || !strings.Contains(out, "1 API, 3 routes") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := command(t, "buildah", append(run, "/bin/sh", "-c", "true")...); err == nil {
		t.Errorf("the image has a shell: %s", out)
	}
}
