package server

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grpc.sock")
	// What a killed process leaves behind.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}

	r := serve(t, Config{Load: loads(allowAs("v1")), Listen: "unix:" + path, Admin: "off"})
	if r.grpc != "unix:"+path || r.admin != "" {
		t.Errorf("listens on %q and %q", r.grpc, r.admin)
	}
	if got := check(t, r.client()); got != "v1" {
		t.Errorf("answer %s", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	other := startProcess(t, Config{Load: loads(allowAs("v2")), Listen: "unix:" + path})
	if err := other.stop(); err == nil || !strings.Contains(err.Error(), "another process listens there") {
		t.Errorf("a second process: %v", err)
	}
	if got := check(t, r.client()); got != "v1" {
		t.Errorf("the first process afterwards: %s", got)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is still there")
	}
}

func TestAFileIsNoSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	write(t, path, "text")
	if err := startProcess(t, Config{Load: loads(allowAs("v1")), Listen: "unix:" + path}).stop(); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("got %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "text" {
		t.Error("the file is gone")
	}
}

// A port that strangers may ask, or listen to, is warned of once.
func TestWarnsOfAnOpenPort(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	cert, key := ca.issue(t, 1)
	write(t, files.Cert, cert)
	write(t, files.Key, key)
	write(t, filepath.Join(dir, "ca.crt"), ca.pem())
	mutual := files
	mutual.ClientCA = filepath.Join(dir, "ca.crt")
	for name, row := range map[string]struct {
		config Config
		want   string
	}{
		"TLS without a client CA": {Config{TLS: files}, "write --tls-client-ca"},
		"mutual TLS":              {Config{TLS: mutual}, ""},
		"plain text on loopback":  {Config{Listen: "127.0.0.1:0"}, ""},
		"a socket":                {Config{Listen: "unix:" + filepath.Join(dir, "s")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			row.config.Load = loads(allowAs("v1"))
			r := serve(t, row.config)
			if text := r.log.String(); !strings.Contains(text, row.want) || row.want == "" && strings.Contains(text, "anyone who reaches") {
				t.Errorf("log: %s", text)
			}
		})
	}
	for _, open := range []string{"0.0.0.0", "::", "10.0.0.5"} {
		if got := openness(&net.TCPAddr{IP: net.ParseIP(open), Port: 9001}, TLSFiles{}); !strings.Contains(got, "--tls-cert, --tls-key and --tls-client-ca") {
			t.Errorf("%s: %q", open, got)
		}
	}
}
