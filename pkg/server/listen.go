package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/credentials"
)

// listen binds the address of a flag, host:port or unix:/path. A socket file is removed when its listener closes.
func listen(ctx context.Context, name, address string) (net.Listener, error) {
	l, err := bind(ctx, address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: another process listens on %s; stop it, or write another address", name, address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

func bind(ctx context.Context, address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil { //nolint:gosec // Envoy may run as another user of the same group
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on: a process that was killed leaves its own behind.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("listen unix:%s: the file is there and is not a socket", path)
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen unix:%s: another process listens there", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// address is how a listener is named to people and to Envoy.
func address(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}

// certificates are the TLS files, read again when they change. One goroutine at a time reads.
type certificates struct {
	files   TLSFiles
	metrics *metrics
	log     *slog.Logger
	digest  []byte
	// clients is the digest of the client CA, and renew ends the connections that were made under another one.
	clients [sha256.Size]byte
	renew   func()
	// current is for the gRPC port, sts for STS.
	current, sts atomic.Pointer[tls.Config]
	// refused says in one line when and why the files on disk do not serve; nil while they do.
	refused atomic.Pointer[string]
}

func (c *certificates) names() []string {
	if c.files.ClientCA == "" {
		return []string{c.files.Cert, c.files.Key}
	}
	return []string{c.files.Cert, c.files.Key, c.files.ClientCA}
}

// again reads the files once more; the last good ones stay where the new ones do not fit together.
func (c *certificates) again() {
	clients := c.clients
	changed, err := c.load()
	if err == nil {
		c.refused.Store(nil)
	}
	if c.clients != clients {
		c.renew()
		c.log.Info("the client CA has changed: all connections are made again")
	}
	switch {
	case err != nil:
		line := fmt.Sprintf("the TLS files of %s were refused, the last good ones serve: %s", time.Now().UTC().Format(time.RFC3339), oneLine(err))
		c.refused.Store(&line)
		c.metrics.tlsReloads.WithLabelValues(resultRefused).Inc()
		c.log.Error("TLS files refused, the last good ones serve on", "error", err)
	case changed:
		c.metrics.tlsReloads.WithLabelValues(resultLoaded).Inc()
		c.log.Info("TLS files loaded", "cert", c.files.Cert)
	default:
		c.metrics.tlsReloads.WithLabelValues(resultUnchanged).Inc()
	}
}

func (c *certificates) load() (changed bool, err error) {
	var pem [3][]byte
	for i, name := range c.names() {
		if pem[i], err = os.ReadFile(name); err != nil {
			return false, err
		}
	}
	digest := sha256.New()
	for _, b := range pem {
		part := sha256.Sum256(b)
		digest.Write(part[:])
	}
	if sum := digest.Sum(nil); !bytes.Equal(sum, c.digest) {
		config, err := tlsConfig(pem[0], pem[1], pem[2], c.files.ClientCA != "")
		if err != nil {
			return false, err
		}
		c.digest, c.clients = sum, sha256.Sum256(pem[2])
		c.current.Store(config)
		c.sts.Store(&tls.Config{Certificates: config.Certificates, MinVersion: config.MinVersion, NextProtos: []string{"http/1.1"}})
		return true, nil
	}
	return false, nil
}

func tlsConfig(cert, key, clientCA []byte, mutual bool) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if !mutual {
		return config, nil
	}
	// A session that is resumed is one of a client that was verified some time ago, and perhaps by another CA.
	config.SessionTicketsDisabled = true
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(clientCA) {
		return nil, errors.New("the client CA file holds no certificate")
	}
	return config, nil
}

// credentials serve each handshake with the current files. A connection ends when its client's certificate expires; some
// time before, expiring is called, so that a client with another certificate can come back first.
func (c *certificates) credentials(expiring func()) credentials.TransportCredentials {
	config := credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	})
	return expiringCredentials{config, expiring}
}

type expiringCredentials struct {
	credentials.TransportCredentials
	expiring func()
}

// ServerHandshake implements credentials.TransportCredentials.
func (c expiringCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	state, ok := info.(credentials.TLSInfo)
	if !ok || len(state.State.VerifiedChains) == 0 {
		return conn, info, nil
	}
	rest := time.Until(validUntil(state.State.VerifiedChains))
	return &expiringConn{
		conn, time.AfterFunc(rest-min(expiryNotice, rest/2), c.expiring), time.AfterFunc(rest, func() { _ = conn.Close() }),
	}, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c expiringCredentials) Clone() credentials.TransportCredentials {
	return expiringCredentials{c.TransportCredentials.Clone(), c.expiring}
}

// expiryNotice is how long before its certificate expires a client is asked to come back.
const expiryNotice = time.Minute

// validUntil is when the last of some chains ends; a chain ends with the first of its certificates.
func validUntil(chains [][]*x509.Certificate) (latest time.Time) {
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, cert := range chain[1:] {
			if cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
		if end.After(latest) {
			latest = end
		}
	}
	return latest
}

// expiringConn is a connection that a timer ends.
type expiringConn struct {
	net.Conn
	notice, end *time.Timer
}

// Close implements net.Conn.
func (c *expiringConn) Close() error {
	c.notice.Stop()
	c.end.Stop()
	return c.Conn.Close()
}
