package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/pool"
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
vpcEndpoints: [{id: vpce-1a2b3c4d, vpc: vpc-1a2b3c4d}]
issuers:
  https://id.example.com: {file: keys.json}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:partners": {command: [/bin/sh, -c, exec sleep 60]}
`

const oneKey = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// everything writes a configuration that uses every part.
func everything(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(withEverything))
	write(t, filepath.Join(dir, "keys.json"), []byte(oneKey))
	return dir
}

// loadEverything loads a configuration that uses every part, for looking at.
func loadEverything(t *testing.T) *Snapshot {
	t.Helper()
	s, err := Load(filepath.Join(everything(t), "portcullis.yaml"), pool.Dry())
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
