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

// meshCA is what an agent of the mesh is to an Envoy: it hands it certificate, key and the authority's certificate.
type meshCA struct {
	secret.UnimplementedSecretDiscoveryServiceServer
	addr    string
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	secrets map[string]*tlsv3.Secret
}

// startMeshCA serves the secrets of a workload with an identity.
func startMeshCA(t *testing.T, identity string) *meshCA {
	t.Helper()
	a := &meshCA{}
	a.cert, a.key = issue(t, nil, "")
	own, key := issue(t, a, identity)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.secrets = map[string]*tlsv3.Secret{
		"default": {Name: "default", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: asPEM("CERTIFICATE", own.Raw), PrivateKey: asPEM("PRIVATE KEY", der),
		}}},
		"ROOTCA": {Name: "ROOTCA", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: asPEM("CERTIFICATE", a.cert.Raw),
		}}},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.addr = listener.Addr().String()
	server := grpc.NewServer()
	secret.RegisterSecretDiscoveryServiceServer(server, a)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until Stop
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return a
}

// issue makes a certificate for an identity, or the authority's own.
func issue(t *testing.T, by *meshCA, identity string) (*x509.Certificate, *ecdsa.PrivateKey) {
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
		id, err := url.Parse(identity)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs, template.KeyUsage = []*url.URL{id}, x509.KeyUsageDigitalSignature
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

func asPEM(kind string, der []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})}}
}

// StreamSecrets answers what an Envoy asks for, once; what it says after that is that it has it.
func (a *meshCA) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
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
			packed, err := anypb.New(proto.Message(a.secrets[name]))
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := a.client(t, identity)
	config.NextProtos = nil // the client behind it chooses the protocol
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
