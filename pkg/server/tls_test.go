package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

// authority is a CA of the test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool(), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// issue makes a certificate for 127.0.0.1 and a client alike.
func (a *authority) issue(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	return a.issueUntil(t, serial, time.Now().Add(time.Hour))
}

func (a *authority) issueUntil(t *testing.T, serial int64, end time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: end, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// serial is the serial number of the certificate that the process shows.
func serial(t *testing.T, address string, c *tls.Config) int64 {
	t.Helper()
	c = c.Clone()
	c.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestTLSRotation(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	put := func(cert, key string) { write(t, files.Cert, cert); write(t, files.Key, key) }
	put(ca.issue(t, 11))
	r := serve(t, Config{Load: loads(allowAs("v1")), TLS: files})
	trust := &tls.Config{RootCAs: ca.pool}
	client := r.client(withTLS(credentials.NewTLS(trust)))
	if got := check(t, client); got != "v1" {
		t.Errorf("answer %s", got)
	}
	if got := serial(t, r.grpc, trust); got != 11 {
		t.Errorf("serial %d", got)
	}
	put(ca.issue(t, 12))
	eventually(t, "the second certificate", func() bool { return serial(t, r.grpc, trust) == 12 })

	cert, _ := ca.issue(t, 13)
	_, key := ca.issue(t, 14)
	put(cert, key)
	eventually(t, "a pair that does not fit is refused", func() bool { return strings.Contains(r.log.String(), "TLS files refused") })
	if got := serial(t, r.grpc, trust); got != 12 {
		t.Errorf("serial %d after a bad pair", got)
	}
	if _, body := r.get("/metrics"); !strings.Contains(body, `portcullis_tls_reloads_total{result="refused"} `) || strings.Contains(body, `portcullis_tls_reloads_total{result="refused"} 0`) {
		t.Error("the refusal is not counted")
	}
	put(ca.issue(t, 15))
	eventually(t, "the next good one", func() bool { return serial(t, r.grpc, trust) == 15 })
	if got := check(t, client); got != "v1" {
		t.Errorf("the first connection afterwards: %s", got)
	}
	if strings.Contains(r.log.String(), "PRIVATE KEY") {
		t.Error("a key is in the log")
	}
}

// TestTLSFilesThatChangeDuringTheStart replaces them while the configuration is being loaded.
func TestTLSFilesThatChangeDuringTheStart(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	put := func(cert, key string) { write(t, files.Cert, cert); write(t, files.Key, key) }
	put(ca.issue(t, 21))
	r := serve(t, Config{TLS: files, Load: func() (Loaded, error) {
		put(ca.issue(t, 22))
		return loads(allowAs("v1"))()
	}})
	eventually(t, "the second certificate", func() bool { return serial(t, r.grpc, &tls.Config{RootCAs: ca.pool}) == 22 })
}

func TestMutualTLS(t *testing.T) {
	ca, clients, strangers, dir := newAuthority(t), newAuthority(t), newAuthority(t), t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt")}
	cert, key := ca.issue(t, 1)
	write(t, files.Cert, cert)
	write(t, files.Key, key)
	write(t, files.ClientCA, clients.pem())
	r := serve(t, Config{Load: loads(allowAs("v1")), TLS: files})
	ask := func(c *tls.Config) error {
		_, err := r.client(withTLS(credentials.NewTLS(c))).Check(t.Context(), checkRequest())
		return err
	}
	as := func(a *authority) *tls.Config {
		cert, key := a.issue(t, 2)
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{pair}}
	}
	if err := ask(as(clients)); err != nil {
		t.Errorf("a client of the authority: %v", err)
	}
	for name, c := range map[string]*tls.Config{
		"no certificate": {RootCAs: ca.pool},
		"a stranger":     as(strangers),
		"TLS 1.1":        {RootCAs: ca.pool, Certificates: as(clients).Certificates, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
	} {
		if err := ask(c); err == nil {
			t.Errorf("%s: served", name)
		}
	}
	if _, err := r.client().Check(t.Context(), checkRequest()); err == nil {
		t.Error("plain text: served")
	}
	write(t, files.ClientCA, strangers.pem())
	eventually(t, "another authority", func() bool { return ask(as(strangers)) == nil })
	if ask(as(clients)) == nil {
		t.Error("the first authority's clients are still served")
	}
}

func TestBadTLSFilesDoNotStart(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	good := TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt")}
	cert, key := ca.issue(t, 1)
	write(t, good.Cert, cert)
	write(t, good.Key, key)
	write(t, good.ClientCA, "no certificate")
	missing := good
	missing.Key += "x"
	for _, files := range []TLSFiles{good, missing} {
		r := startProcess(t, Config{Load: loads(allowAs("v1")), TLS: files})
		if err := r.stop(); err == nil {
			t.Errorf("%+v: starts", files)
		}
	}
}

// The names of the certificate are those of one server: wildcards do not count.
func TestCertifiedNames(t *testing.T) {
	c := &certificates{}
	c.sts.Store(&tls.Config{Certificates: []tls.Certificate{{Leaf: &x509.Certificate{
		DNSNames: []string{"STS.shop.svc", "*.shop.svc", "sts"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1), net.ParseIP("2001:db8::1")},
	}}}})
	if got, want := (&process{tls: c}).certifiedNames(), []string{"sts.shop.svc", "sts", "10.0.0.1", "2001:db8::1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (&process{}).certifiedNames(); got != nil {
		t.Errorf("without TLS: %q", got)
	}
}
