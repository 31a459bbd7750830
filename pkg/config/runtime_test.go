package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const withEverything = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      staff: {jwt: {issuer: https://id.example.com, audiences: [pets]}}
      partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:partners"}}
      again: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:partners", resultTtl: 10s}}
    routes: [{route: GET /, authorizer: staff}, {route: GET /a, authorizer: partners}, {route: GET /b, authorizer: again}]
issuers:
  https://id.example.com: {file: keys.json}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:partners": {command: [/bin/sh, -c, exec sleep 60]}
`

const oneKey = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// held is how often a runtime's parts are held, and what of it runs.
type held struct{ sets, functions, holders, memories int }

func holds(r *Runtime) held {
	h := held{functions: len(r.functions.known), memories: len(r.memories.known)}
	for _, f := range r.functions.known {
		h.holders += f.holders
	}
	for _, s := range r.keys.Samples() {
		if s.Name == "portcullis_jwks_keys" {
			h.sets++
		}
	}
	return h
}

// What has not changed is neither fetched nor started again, and what nobody needs any more ends.
func TestRuntimeOutlivesConfigurations(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	name := filepath.Join(dir, "portcullis.yaml")
	write(t, name, []byte(withEverything))
	write(t, filepath.Join(dir, "keys.json"), []byte(oneKey))
	r, err := NewRuntime(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	load := func() *Snapshot {
		t.Helper()
		s, err := r.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := load()
	if got, want := holds(r), (held{functions: 1, holders: 2, memories: 1}); got != want {
		t.Errorf("loaded: %+v, want %+v", got, want)
	}
	begun := time.Now()
	first.Start(t.Context())
	first.Wait(t.Context())
	if took := time.Since(begun); took > 2*patience {
		t.Errorf("the start took %v: an issuer without keys is waited for", took)
	}
	if got, want := holds(r), (held{sets: 1, functions: 1, holders: 2, memories: 1}); got != want {
		t.Errorf("started: %+v, want %+v", got, want)
	}

	write(t, name, []byte(withEverything+"# another\n"))
	second := load()
	second.Start(t.Context())
	second.Wait(t.Context())
	if got, want := holds(r), (held{sets: 1, functions: 1, holders: 4, memories: 1}); got != want {
		t.Errorf("loaded again: %+v, want %+v", got, want)
	}
	if first.answers.answers != second.answers.answers {
		t.Error("the answers are forgotten")
	}
	first.Close()
	first.Close()
	if got, want := holds(r), (held{sets: 1, functions: 1, holders: 2, memories: 1}); got != want {
		t.Errorf("the first closed: %+v, want %+v", got, want)
	}

	// A configuration that is refused leaves nothing behind.
	write(t, name, []byte(strings.Replace(withEverything, "sleep 60", "sleep 61", 1)+"cach: {}\n"))
	if _, err := r.Load(name); err == nil {
		t.Error("loaded")
	}
	if got, want := holds(r), (held{sets: 1, functions: 1, holders: 2, memories: 1}); got != want {
		t.Errorf("one was refused: %+v, want %+v", got, want)
	}
	second.Close()
	if got := holds(r); got != (held{}) {
		t.Errorf("all closed: %+v", got)
	}
}

// loadEverything loads a configuration that uses every part, for looking at.
func loadEverything(t *testing.T) *Snapshot {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "portcullis.yaml")
	write(t, name, []byte(withEverything))
	write(t, filepath.Join(dir, "keys.json"), []byte(oneKey))
	s, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestFlushFindsStages(t *testing.T) {
	s := loadEverything(t)
	for what, want := range map[[3]string]bool{
		{"a1b2c3d4e5", "prod", ""}: true, {"a1b2c3d4e5", "prod", "partners"}: true,
		{"a1b2c3d4e5", "prod", "staff"}: false, {"a1b2c3d4e5", "dev", ""}: false, {"other", "prod", ""}: false,
	} {
		if found, err := s.Flush(t.Context(), what[0], what[1], what[2]); found != want || err != nil {
			t.Errorf("%v: %v, %v", what, found, err)
		}
	}
}

// An authorizer that cannot be asked denies.
func TestUnstartedConfigurationDenies(t *testing.T) {
	s := loadEverything(t)
	r := &authz.Request{Method: "GET", Target: "/", Host: "pets.example.com", Time: time.Now()}
	r.SetHeaders([]authz.Field{{Name: "authorization", Value: "a.b.c"}})
	if d := s.Gateway.Authorize(t.Context(), r); d.Allow || d.Denial.Status != 401 {
		t.Errorf("%+v", d)
	}
}

// Whatever is about the shared Redis, in the file or in one that it names, makes another memory of it; what is not does not.
func TestMemoryIsOfItsRedis(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "portcullis.yaml")
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	files := map[string]string{
		"portcullis.yaml": good + "cache: {redis: {addresses: [127.0.0.1:1], password: {file: password}, key: {file: key}, tls: {caFile: ca.pem}}}\n",
		"password":        "one", "key": key, "ca.pem": certificate(t),
	}
	r, err := NewRuntime(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	load := func() [32]byte {
		t.Helper()
		for name, text := range files {
			write(t, filepath.Join(dir, name), []byte(text))
		}
		s, err := r.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.answers.digest
	}
	first := load()
	files["portcullis.yaml"] += "# another\n"
	if load() != first {
		t.Error("a comment makes another memory")
	}
	for name, text := range map[string]string{"password": "two", "key": strings.Replace(key, "00", "ff", 1), "ca.pem": certificate(t)} {
		was := files[name]
		files[name] = text
		if load() == first {
			t.Errorf("another %s is not seen", name)
		}
		files[name] = was
	}
}

// certificate is a new certificate in PEM.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestTokenBytes(t *testing.T) {
	for memory, want := range map[int64]int64{
		0: maxTokenBytes, -1: maxTokenBytes, 1 << 20: minTokenBytes, 256 << 20: 64 << 20, 1 << 30: 256 << 20, 1 << 40: maxTokenBytes,
	} {
		if got := tokenBytes(memory); got != want {
			t.Errorf("of %d bytes %d, want %d", memory, got, want)
		}
	}
}
