package e2e

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const (
	unauthorizedException = "UnauthorizedException"
	unauthorized          = `{"message":"Unauthorized"}`
	tokenExpired          = `{"message":"The incoming token has expired"}`
	authorizerFailed      = `{"message":null}`

	email    = "ann@example.com"
	password = "Correct-horse-9"
)

// byHost has the host choose API and stage, of several APIs.
func byHost(hosts ...string) []envoytest.Edit {
	return []envoytest.Edit{
		{Old: "domains: [pets.example.com]", New: "domains: [" + strings.Join(hosts, ", ") + "]"},
		{Old: "portcullis.api: a1b2c3d4e5", New: "unrelated.api: none"},
		{Old: "portcullis.stage: prod", New: "unrelated.stage: none"},
	}
}

// keysOf is the entry of issuers that says where an issuer's keys are.
func keysOf(issuer, jwks string) string {
	return fmt.Sprintf("  %q: {jwksUri: %q}\n", issuer, jwks)
}

// bearer is a token as an Authorization header.
func bearer(token string) string { return "Authorization: Bearer " + token }

// asked is a GET request for a host with header lines, over HTTP/1.1 and over HTTP/2.
type asked struct {
	host, target string
	headers      []string
}

// wire is the request as HTTP/1.1 has it.
func (r asked) wire() string {
	return strings.Join(append([]string{"GET " + r.target + " HTTP/1.1", "Host: " + r.host}, r.headers...), "\r\n") + "\r\n\r\n"
}

// ask is a request for the host of the first API.
func ask(target string, headers ...string) asked { return asked{"pets.example.com", target, headers} }

// fields are the request as HTTP/2 has it.
func (r asked) fields() []hpack.HeaderField {
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: r.host}, {Name: ":path", Value: r.target},
	}
	for _, h := range r.headers {
		name, value, _ := strings.Cut(h, ": ")
		fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: value})
	}
	return fields
}

// over are the ways to send a request.
func (s *stack) over(r asked) map[string]func(*testing.T) answer {
	return map[string]func(*testing.T) answer{
		"HTTP/1.1": func(t *testing.T) answer { t.Helper(); return s.send(t, r.wire()) },
		"HTTP/2":   func(t *testing.T) answer { t.Helper(); return s.send2(t, r.fields()) },
	}
}

// takes fails unless a request passes, and returns what the upstream saw of it.
func (s *stack) takes(t *testing.T, r asked) envoytest.Seen {
	t.Helper()
	var seen envoytest.Seen
	for how, send := range s.over(r) {
		a := send(t)
		if a.status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", how, r.target, a.status, a.body)
		}
		seen = s.allowed(t, a)
	}
	return seen
}

// refuses fails unless a request is answered so.
func (s *stack) refuses(t *testing.T, r asked, status int, errorType, body string) {
	t.Helper()
	for _, send := range s.over(r) {
		check(t, s, send(t), status, errorType, body)
	}
}

// isUnauthorized fails unless a request is answered with 401 Unauthorized.
func (s *stack) isUnauthorized(t *testing.T, r asked) {
	t.Helper()
	s.refuses(t, r, 401, unauthorizedException, unauthorized)
}

// noneTaken sends requests side by side over HTTP/1.1 and HTTP/2, for one with a key that is not known waits for the next fetch of
// the keys. It fails unless each is answered with 401 Unauthorized, and an error type, if the API is one that tells any.
func (s *stack) noneTaken(t *testing.T, requests []asked, errorType string) {
	t.Helper()
	work, failures := make(chan asked), make(chan string, 2*len(requests))
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			for r := range work {
				for how, send := range map[string]func(net.Conn) (answer, error){
					"HTTP/1.1": func(c net.Conn) (answer, error) { return converse(c, r.wire()) },
					"HTTP/2":   func(c net.Conn) (answer, error) { return converse2(c, r.fields(), nil) },
				} {
					var a answer
					c, err := net.Dial("tcp", s.addr)
					if err == nil {
						a, err = send(c)
					}
					if err != nil || a.status != 401 || a.body != unauthorized || a.header.Get("x-amzn-errortype") != errorType {
						failures <- fmt.Sprintf("%s %q: %d %s, %v", how, r.headers, a.status, a.body, err)
					}
				}
			}
		})
	}
	for _, r := range requests {
		work <- r
	}
	close(work)
	senders.Wait()
	close(failures)
	for failure := range failures {
		t.Error(failure)
	}
	if seen := s.upstream.Take(); len(seen) != 0 {
		t.Errorf("the upstream saw %+v", seen)
	}
}

// logsNoToken fails if a token, or its signature, is in what the programs wrote.
func (s *stack) logsNoToken(t *testing.T, tokens ...string) {
	t.Helper()
	for _, text := range []string{s.envoy.Stdout(), s.envoy.Stderr(), s.portcullis.Stdout(), s.portcullis.Stderr()} {
		for _, token := range tokens {
			if signature := token[strings.LastIndexByte(token, '.')+1:]; strings.Contains(text, signature) {
				t.Errorf("a token's signature is in a log")
			}
		}
		if strings.Contains(text, "eyJ") {
			t.Errorf("a part of a token is in a log: %.200s", text[strings.Index(text, "eyJ"):])
		}
	}
}

// claimsOf are the claims of a token, which is not verified.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	segments := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// withHeader is a token with another header; the signature stays, unless secret signs it with HS256.
func withHeader(t *testing.T, token string, change map[string]any, secret []byte) string {
	t.Helper()
	segments := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]any
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	for name, value := range change {
		header[name] = value
	}
	if text, err = json.Marshal(header); err != nil {
		t.Fatal(err)
	}
	segments[0] = base64.RawURLEncoding.EncodeToString(text)
	if secret != nil {
		mac := hmac.New(sha256.New, secret)
		_, _ = io.WriteString(mac, segments[0]+"."+segments[1])
		segments[2] = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(segments, ".")
}

// withPayload is a token with another payload and the signature of the old one.
func withPayload(token, payload string) string {
	segments := strings.Split(token, ".")
	segments[1] = base64.RawURLEncoding.EncodeToString([]byte(payload))
	return strings.Join(segments, ".")
}

// flipped are tokens in each of which one bit of another byte is changed, n of them all over the token.
func flipped(token string, n int) (all []string) {
	for i := range n {
		at := i * (len(token) - 1) / (n - 1)
		b := []byte(token)
		b[at] ^= 1 << (i % 7)
		if b[at] <= ' ' || b[at] == 0x7f { // no header may hold it
			b[at] = 'A' + (token[at]+1)%16
		}
		all = append(all, string(b))
	}
	return all
}

// publicKeys are the RSA keys of a key set as PEM and DER: what an HMAC could be made with by who knows no secret.
func publicKeys(t *testing.T, jwks string) (secrets [][]byte) {
	t.Helper()
	set, err := jwk.Fetch(t.Context(), jwks)
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Len() {
		k, _ := set.Key(i)
		if k.KeyType() != "RSA" || k.KeyUsage() == "enc" {
			continue
		}
		var public any
		if err := k.Raw(&public); err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	if len(secrets) == 0 {
		t.Fatal("the set has no RSA key")
	}
	return secrets
}

// metric is the value of a metric of portcullis, 0 where it is not there. The name goes with its labels.
func (s *stack) metric(t *testing.T, name string) float64 {
	t.Helper()
	resp, err := http.Get("http://" + s.portcullis.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		var value float64
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(text, &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

func decodeSegment(segment string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(segment)
	return string(text), err
}

// signer is an issuer's RSA key, and the set that it is in.
type signer struct {
	key         *rsa.PrivateKey
	set, header string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key: key, header: `{"alg":"RS256","kid":"own"}`, set: fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","kid":"own","n":%q,"e":"AQAB"}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()))}
}

// sign signs a header and a payload as they are, with RS256.
func (s *signer) sign(t *testing.T, header, payload string) string {
	t.Helper()
	return s.signAs(t, crypto.SHA256, header, payload)
}

// signAs is sign with another hash.
func (s *signer) signAs(t *testing.T, hash crypto.Hash, header, payload string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := hash.New()
	sum.Write([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, s.key, hash, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
