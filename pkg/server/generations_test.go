package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// mutual is a process that asks its clients for certificates.
type mutual struct {
	*running
	ca    *authority
	files TLSFiles
}

func serveMutual(t *testing.T, clients string, c Config) *mutual {
	t.Helper()
	dir := t.TempDir()
	m := &mutual{ca: newAuthority(t), files: TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt")}}
	cert, key := m.ca.issue(t, 1)
	write(t, m.files.Cert, cert)
	write(t, m.files.Key, key)
	write(t, m.files.ClientCA, clients)
	c.TLS = m.files
	if c.Load == nil {
		c.Load = loads(allowAs("v1"))
	}
	m.running = serve(t, c)
	return m
}

// as is a client that shows what certificate returns for each connection.
func (m *mutual) as(certificate func() tls.Certificate) authv3.AuthorizationClient {
	return m.client(withTLS(credentials.NewTLS(&tls.Config{
		RootCAs: m.ca.pool, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { c := certificate(); return &c, nil },
	})))
}

func (a *authority) pair(t *testing.T, end time.Time) func() tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(toBytes(a.issueUntil(t, 2, end)))
	if err != nil {
		t.Fatal(err)
	}
	return func() tls.Certificate { return pair }
}

func toBytes(cert, key string) (certPEM, keyPEM []byte) { return []byte(cert), []byte(key) }

// load asks without a pause until it is stopped; not one check may fail.
func load(t *testing.T, client authv3.AuthorizationClient) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.Check(t.Context(), checkRequest()); err != nil {
					t.Errorf("check %d: %v", asked.Load(), err)
					return
				}
				asked.Add(1)
			}
		})
	}
	return func() int64 { cancel(); workers.Wait(); return asked.Load() }
}

// A client of an authority that is replaced cannot go on on the connection that it has, and the others lose no check.
func TestReplacedClientCAEndsConnections(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	m := serveMutual(t, old.pem()+next.pem(), Config{})
	hour := time.Now().Add(time.Hour)
	good, revoked := m.as(next.pair(t, hour)), m.as(old.pair(t, hour))
	if _, err := revoked.Check(t.Context(), checkRequest()); err != nil {
		t.Fatal(err)
	}
	stop := load(t, good)
	write(t, m.files.ClientCA, next.pem())
	replaced := time.Now()
	eventually(t, "the revoked client is refused", func() bool {
		_, err := revoked.Check(t.Context(), checkRequest())
		return err != nil
	})
	t.Logf("refused after %v", time.Since(replaced))
	time.Sleep(time.Second)
	for range 20 {
		if _, err := revoked.Check(t.Context(), checkRequest()); err == nil {
			t.Error("the revoked client is answered again")
		}
	}
	if n := stop(); n < 100 {
		t.Errorf("%d checks", n)
	}
	eventually(t, "the old connections are gone", func() bool { return strings.Contains(m.log.String(), "the client CA has changed") })
}

// A check in flight is answered, though the CA is replaced meanwhile; a stream that watches the health ends at once.
func TestReplacedClientCALetsChecksFinish(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	entered, release := make(chan struct{}), make(chan struct{})
	m := serveMutual(t, old.pem(), Config{Load: loads(func(context.Context, *authz.Request) authz.Decision {
		close(entered)
		<-release
		return allowAs("v1")(nil, nil)
	})})
	pair := old.pair(t, time.Now().Add(time.Hour))
	answered := make(chan error, 1)
	go func() {
		_, err := m.as(pair).Check(t.Context(), checkRequest())
		answered <- err
	}()
	<-entered
	watch, err := healthpb.NewHealthClient(m.dial(withTLS(credentials.NewTLS(&tls.Config{RootCAs: m.ca.pool, Certificates: []tls.Certificate{pair()}})))).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	write(t, m.files.ClientCA, next.pem())
	if _, err := watch.Recv(); err == nil {
		t.Error("the stream goes on")
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the check in flight: %v", err)
	}
}

// A certificate that expires does so on open connections, too. A client that has another one in time loses no check.
func TestExpiredClientCertificate(t *testing.T) {
	t.Parallel()
	clients := newAuthority(t)
	m := serveMutual(t, clients.pem(), Config{})
	hour := clients.pair(t, time.Now().Add(time.Hour))
	end := time.Now().Add(6 * time.Second)
	short := clients.pair(t, end)
	var renewed atomic.Bool
	careful := m.as(func() tls.Certificate {
		if renewed.Load() {
			return hour()
		}
		return short()
	})
	careless := m.as(short)
	for _, c := range []authv3.AuthorizationClient{careful, careless} {
		if _, err := c.Check(t.Context(), checkRequest()); err != nil {
			t.Fatal(err)
		}
	}
	renewed.Store(true)
	stop := load(t, careful)
	time.Sleep(time.Until(end) + 1500*time.Millisecond) // a certificate's time has no fractions
	for range 20 {
		if _, err := careless.Check(t.Context(), checkRequest()); err == nil {
			t.Error("a client is answered after its certificate has expired")
		}
	}
	if n := stop(); n < 100 {
		t.Errorf("%d checks", n)
	}
}

// A connection has an age at which its client makes another one, and no check is lost by it.
func TestConnectionAge(t *testing.T) {
	clients := newAuthority(t)
	m := serveMutual(t, clients.pem(), Config{maxConnectionAge: 100 * time.Millisecond})
	var connections atomic.Int64
	pair := clients.pair(t, time.Now().Add(time.Hour))
	stop := load(t, m.as(func() tls.Certificate { connections.Add(1); return pair() }))
	eventually(t, "the client connects again", func() bool { return connections.Load() > 5 })
	if n := stop(); n < 100 {
		t.Errorf("%d checks", n)
	}
}

// However often the CA changes, connections that come at that moment are served.
func TestRenewLosesNoConnection(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	m := serveMutual(t, old.pem(), Config{})
	hour := time.Now().Add(time.Hour)
	pair := old.pair(t, hour)
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	var asked atomic.Int64
	for range 4 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if _, err := m.as(pair).Check(t.Context(), checkRequest()); err != nil {
					t.Errorf("a new connection: %v", err)
				}
				asked.Add(1)
			}
		})
	}
	for i := range 10 {
		write(t, m.files.ClientCA, old.pem()+strings.Repeat(next.pem(), 1+i%2))
		time.Sleep(200 * time.Millisecond)
	}
	cancel()
	workers.Wait()
	if asked.Load() < 50 {
		t.Errorf("%d connections", asked.Load())
	}
	if err := m.stop(); err != nil {
		t.Error(err)
	}
}

// A chain ends with its first certificate to expire, and a client is known for as long as its longest chain.
func TestValidUntil(t *testing.T) {
	day := func(n int) *x509.Certificate { return &x509.Certificate{NotAfter: time.Unix(int64(n)*86400, 0)} }
	got := validUntil([][]*x509.Certificate{{day(9), day(3), day(20)}, {day(9), day(5)}, {day(4), day(30)}})
	if !got.Equal(time.Unix(5*86400, 0)) {
		t.Errorf("%v", got)
	}
}

// A client CA that is refused shows, because it may have been the one that revokes.
func TestRefusedClientCAShows(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	m := serveMutual(t, old.pem(), Config{})
	write(t, m.files.ClientCA, "nothing")
	eventually(t, "it shows", func() bool {
		status, body := m.get("/readyz")
		return status == 200 && strings.HasPrefix(body, "ready\n") && strings.Contains(body, "TLS files") && strings.Contains(body, "holds no certificate")
	})
	write(t, m.files.ClientCA, next.pem())
	eventually(t, "it is over", func() bool { _, body := m.get("/readyz"); return body == "ready\n" })
}
