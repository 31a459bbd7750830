package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
)

// certificates are the TLS files, read again when they change. One goroutine at a time reads.
type certificates struct {
	files   TLSFiles
	metrics *metrics
	log     *slog.Logger
	digest  []byte
	current atomic.Pointer[tls.Config]
}

func (c *certificates) names() []string {
	if c.files.ClientCA == "" {
		return []string{c.files.Cert, c.files.Key}
	}
	return []string{c.files.Cert, c.files.Key, c.files.ClientCA}
}

// again reads the files once more; the last good ones stay where the new ones do not fit together.
func (c *certificates) again() {
	changed, err := c.load()
	switch {
	case err != nil:
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
		c.digest = sum
		c.current.Store(config)
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
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(clientCA) {
		return nil, errors.New("the client CA file holds no certificate")
	}
	return config, nil
}

// credentials serve each handshake with the files of the moment.
func (c *certificates) credentials() credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	})
}
