package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// meshCA is the authority of a mesh.
type meshCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMeshCA(t *testing.T) *meshCA {
	t.Helper()
	a := &meshCA{}
	a.cert, a.key = issue(t, nil, "")
	return a
}

// meshAgent is what an agent of the mesh is to an Envoy: it hands it certificate, key and the authority's certificate, and whatever
// files a Gateway names.
type meshAgent struct {
	secret.UnimplementedSecretDiscoveryServiceServer
	secrets map[string]*tlsv3.Secret
}

// agent serves the secrets of a workload with an identity, and returns where.
func (a *meshCA) agent(t *testing.T, identity string) string {
	t.Helper()
	own, key := issue(t, a, identity)
	agent := &meshAgent{secrets: map[string]*tlsv3.Secret{
		"default": {Name: "default", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inlined(asPEM("CERTIFICATE", own.Raw)), PrivateKey: inlined(keyPEM(t, key)),
		}}},
		"ROOTCA": {Name: "ROOTCA", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: inlined(asPEM("CERTIFICATE", a.cert.Raw)),
		}}},
	}}
	server := grpc.NewServer()
	secret.RegisterSecretDiscoveryServiceServer(server, agent)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, server, listener)
	return listener.Addr().String()
}

// serveUntilEnd runs a server until the test ends.
func serveUntilEnd(t *testing.T, server *grpc.Server, listener net.Listener) {
	t.Helper()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until Stop
	t.Cleanup(func() { server.Stop(); serving.Wait() })
}

// files writes the certificate of a workload, its key and the authority's certificate to a folder, as an agent does with OUTPUT_CERTS.
func (a *meshCA) files(t *testing.T, dir, identity string) {
	t.Helper()
	own, key := issue(t, a, identity)
	writePEM(t, dir, map[string][]byte{
		"cert-chain.pem": asPEM("CERTIFICATE", own.Raw), "key.pem": keyPEM(t, key), "root-cert.pem": asPEM("CERTIFICATE", a.cert.Raw),
	})
}

// serverFiles writes a certificate for a server's names, and its key, to a folder.
func (a *meshCA) serverFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	own, key := issue(t, a, "", names...)
	writePEM(t, dir, map[string][]byte{"tls.crt": asPEM("CERTIFICATE", own.Raw), "tls.key": keyPEM(t, key)})
}

func writePEM(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// issue makes a certificate for an identity, for a server's names, or the authority's own.
func issue(t *testing.T, by *meshCA, identity string, names ...string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	parent, signer := template, key
	if by == nil {
		template.Subject, template.IsCA, template.BasicConstraintsValid, template.KeyUsage = pkix.Name{CommonName: "mesh"}, true, true, x509.KeyUsageCertSign
	} else {
		if identity != "" {
			id, err := url.Parse(identity)
			if err != nil {
				t.Fatal(err)
			}
			template.URIs = []*url.URL{id}
		}
		template.DNSNames, template.KeyUsage = names, x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func asPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("PRIVATE KEY", der)
}

func inlined(text []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: text}}
}

// StreamSecrets answers what an Envoy asks for, once; what it says after that is that it has it.
func (a *meshAgent) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if request.GetErrorDetail() != nil {
			return errors.New(request.GetErrorDetail().GetMessage())
		}
		if request.GetResponseNonce() != "" {
			continue
		}
		response := &discovery.DiscoveryResponse{VersionInfo: "1", Nonce: "1", TypeUrl: request.GetTypeUrl()}
		for _, name := range request.GetResourceNames() {
			packed, err := anypb.New(proto.Message(a.secret(name)))
			if err != nil {
				return err
			}
			response.Resources = append(response.Resources, packed)
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

// secret is one that Envoy asks for by its name. For a Gateway's files that is file-cert:certificate~key.
func (a *meshAgent) secret(name string) *tlsv3.Secret {
	paths, is := strings.CutPrefix(name, "file-cert:")
	if !is {
		return a.secrets[name]
	}
	cert, key, _ := strings.Cut(paths, "~")
	file := func(path string) *core.DataSource {
		return &core.DataSource{Specifier: &core.DataSource_Filename{Filename: path}}
	}
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: file(cert), PrivateKey: file(key)}}}
}

// client is how a workload with an identity connects. Whom it reaches is checked by the tests of Istio, not by these.
func (a *meshCA) client(t *testing.T, identity string) *tls.Config {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
	if identity != "" {
		cert, key := issue(t, a, identity)
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
	}
	return config
}

// sidecar listens in plain text and passes bytes on over mutual TLS, as the sidecar of a client with an identity does.
func (a *meshCA) sidecar(t *testing.T, addr, identity string) string {
	t.Helper()
	config := a.client(t, identity)
	config.NextProtos = nil // the client behind it chooses the protocol
	return overTLS(t, addr, config)
}

// overTLS listens in plain text and passes bytes on over TLS.
func overTLS(t *testing.T, addr string, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pipe(client, addr, config) })
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return listener.Addr().String()
}

// pipe passes bytes both ways until one side has ended.
func pipe(client net.Conn, addr string, config *tls.Config) {
	defer client.Close()
	envoy, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return
	}
	defer envoy.Close()
	var out sync.WaitGroup
	out.Go(func() {
		_, _ = io.Copy(envoy, client) // how it ends, the client sees
		envoy.Close()
	})
	_, _ = io.Copy(client, envoy)
	client.Close()
	out.Wait()
}
