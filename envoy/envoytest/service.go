package envoytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// startTime bounds how long a part may take to start.
	startTime = 30 * time.Second
	// portTries is how many ports are tried for a part that has to be told one.
	portTries = 5
)

// service is a real part that runs as a process until the test ends. A test may kill it and start it again.
type service struct {
	*Process
	// command makes the process, and ready says whether it serves.
	command func() *exec.Cmd
	ready   func(*Process) bool
}

// begin starts the service, which Stop or the end of the test ends.
func (s *service) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	p, err := StartCommand(s.command())
	if err != nil {
		return err
	}
	s.Process = p
	if err := p.Await(ctx, func() bool { return s.ready(p) }); err != nil {
		p.Stop()
		return err
	}
	return nil
}

// keep stops the service when the test ends, and shows what it wrote if the test has failed.
func (s *service) keep(tb testing.TB) {
	tb.Helper()
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			tb.Logf("%s wrote:\n%s%s", s.cmd.Path, s.Stdout(), s.Stderr())
		}
	})
}

// Restart starts the service again, at the address that it had. It is for one that was stopped or killed.
func (s *service) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.begin(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// onFreePort starts what takes no port 0, and keeps the port for it until release. Where a port cannot be held, somebody else may take it
// before: then it gets another one.
func onFreePort(try func(port string) error) (release func(), err error) {
	var failures []error
	for range portTries {
		port, release, err := holdPort()
		if err != nil {
			return nil, err
		}
		if err = try(port); err == nil {
			return release, nil
		}
		release()
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("no start on %d ports: %w", portTries, errors.Join(failures...))
}

// FreePort is a free loopback port, for what takes no port 0 or has to come back where it was. Until the test ends the kernel gives it to
// nobody else.
func FreePort(tb testing.TB) string {
	tb.Helper()
	port, release, err := holdPort()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release)
	return port
}

// post sends a body. What is answered is read as JSON into out, unless that is nil.
func post(ctx context.Context, url string, header http.Header, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// writeCertificate writes a certificate for 127.0.0.1 and localhost to a folder, and its key. It is its own authority.
func writeCertificate(dir string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return "", "", err
	}
	return cert, key, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}
