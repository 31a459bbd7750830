package pool_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

const good = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    routes: [{route: GET /pets, authorization: NONE}]
`

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

// held is how often a pool's parts are held, and what of it runs.
type held struct{ sets, functions, holders, memories int }

func holds(r *pool.Pool) held {
	var h held
	h.functions, h.holders, h.memories = r.Held()
	for _, s := range r.KeySets().Samples() {
		if s.Name == "portcullis_jwks_keys" {
			h.sets++
		}
	}
	return h
}

// What has not changed is neither fetched nor started again, and what nobody needs any more ends.
func TestPoolOutlivesConfigurations(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	name := filepath.Join(dir, "portcullis.yaml")
	write(t, name, []byte(withEverything))
	write(t, filepath.Join(dir, "keys.json"), []byte(oneKey))
	r, err := pool.New(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	load := func() *config.Snapshot {
		t.Helper()
		s, err := config.Load(name, r)
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
	if took := time.Since(begun); took > 6*time.Second {
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
	if _, holders := r.Memory(); holders != 2 {
		t.Error("the answers are forgotten")
	}
	first.Close()
	first.Close()
	if got, want := holds(r), (held{sets: 1, functions: 1, holders: 2, memories: 1}); got != want {
		t.Errorf("the first closed: %+v, want %+v", got, want)
	}

	// A configuration that is refused leaves nothing behind.
	write(t, name, []byte(strings.Replace(withEverything, "sleep 60", "sleep 61", 1)+"cach: {}\n"))
	if _, err := config.Load(name, r); err == nil {
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

// Every change to the shared Redis, in the file or in one that it names, selects another cache; other changes do not.
func TestMemoryIsOfItsRedis(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "portcullis.yaml")
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	files := map[string]string{
		"portcullis.yaml": good + "cache: {redis: {addresses: [127.0.0.1:1], password: {file: password}, key: {file: key}, tls: {caFile: ca.pem}}}\n",
		"password":        "one", "key": key, "ca.pem": certificate(t),
	}
	r, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	load := func() [32]byte {
		t.Helper()
		for name, text := range files {
			write(t, filepath.Join(dir, name), []byte(text))
		}
		s, err := config.Load(name, r)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		digest, _ := r.Memory()
		return digest
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

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
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
