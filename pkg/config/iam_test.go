package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const signedAPI = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    routes: [{route: GET /pets, authorization: AWS_IAM}]
iam:
  accounts: [{file: iam/account.json}]
  accessKeys: [{file: iam/keys.yaml}]
`

func account(effect string) string {
	return `{"UserDetailList":[{"UserName":"alice","UserId":"AIDAALICE","Arn":"arn:aws:iam::111122223333:user/alice","UserPolicyList":[
		{"PolicyName":"own","PolicyDocument":{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"execute-api:Invoke","Resource":"*"}}}]}]}`
}

const keys = `accessKeys:
  - {id: AKIAFILE, secret: {file: secret}, user: "arn:aws:iam::111122223333:user/alice"}
  - {id: AKIAVALUE, secret: {value: by value}, user: "arn:aws:iam::111122223333:user/alice"}
  - {id: AKIAENV, secret: {env: PORTCULLIS_TEST_SECRET}, user: "arn:aws:iam::111122223333:user/alice"}
`

// signing writes a configuration for callers who sign; files are names and contents that replace or add to it.
func signing(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	files = append([]string{
		"portcullis.yaml", signedAPI, "iam/account.json", account("Allow"), "iam/keys.yaml", keys, "iam/secret", "of the file\n",
	}, files...)
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), []byte(files[i+1]))
	}
	return dir
}

func mustLoad(t *testing.T, dir string) *Snapshot {
	t.Helper()
	s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// allows reports whether a request signed with a key passes, now.
func allows(t *testing.T, s *Snapshot, id, secret string) bool {
	t.Helper()
	r := &authz.Request{Method: "GET", Target: "/pets", Host: "pets.example.com", Time: time.Now()}
	r.SetBody(nil, authz.BodyComplete)
	sigv4test.Signer{KeyID: id, Secret: secret, Region: "eu-west-1", At: time.Now()}.Sign(r)
	d := s.Gateway.Authorize(t.Context(), r)
	if d.Allow && d.Caller.Principal != "arn:aws:iam::111122223333:user/alice" {
		t.Errorf("allowed to %q", d.Caller.Principal)
	}
	return d.Allow
}

func TestSignaturesNeedBodies(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", "of the environment")
	if dir := signing(t); !mustLoad(t, dir).NeedsBodies {
		t.Error("a route with AWS_IAM needs no body")
	}
	if dir := signing(t, "portcullis.yaml", good); mustLoad(t, dir).NeedsBodies {
		t.Error("a route without AWS_IAM needs a body")
	}
}

func TestSecretsOfAccessKeys(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", "of the environment")
	s := mustLoad(t, signing(t))
	for id, secret := range map[string]string{"AKIAFILE": "of the file", "AKIAVALUE": "by value", "AKIAENV": "of the environment"} {
		if !allows(t, s, id, secret) {
			t.Errorf("%s: its signature is not taken", id)
		}
		if allows(t, s, id, secret+"\n") || allows(t, s, id, "") {
			t.Errorf("%s: another secret's signature is taken", id)
		}
	}
}

// What is taken away or changed in a file holds no longer once the configuration is read again, and every file is watched.
func TestKeysAreReadAgain(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", "of the environment")
	dir := signing(t)
	s := mustLoad(t, dir)
	for _, name := range []string{"portcullis.yaml", "iam/account.json", "iam/keys.yaml", "iam/secret"} {
		if !slices.Contains(s.Files, filepath.Join(dir, name)) {
			t.Errorf("%s is not among the files to watch: %q", name, s.Files)
		}
	}
	if !allows(t, s, "AKIAFILE", "of the file") {
		t.Fatal("the key does not work to begin with")
	}

	write(t, filepath.Join(dir, "iam/secret"), []byte("rotated"))
	rotated := mustLoad(t, dir)
	if rotated.Digest == s.Digest || allows(t, rotated, "AKIAFILE", "of the file") || !allows(t, rotated, "AKIAFILE", "rotated") {
		t.Error("a rotated secret: the old one still signs, or the new one does not")
	}

	write(t, filepath.Join(dir, "iam/account.json"), []byte(account("Deny")))
	if denied := mustLoad(t, dir); allows(t, denied, "AKIAFILE", "rotated") {
		t.Error("a policy that denies now is not in force")
	}

	write(t, filepath.Join(dir, "iam/account.json"), []byte(account("Allow")))
	write(t, filepath.Join(dir, "iam/keys.yaml"), []byte("accessKeys: []\n"))
	if deleted := mustLoad(t, dir); allows(t, deleted, "AKIAFILE", "rotated") || allows(t, deleted, "AKIAVALUE", "by value") {
		t.Error("a deleted key still signs")
	}
}

// A user that was deleted takes its keys along: they must not stay in force because nobody took them out of the file.
func TestKeyOfDeletedUser(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", "of the environment")
	dir := signing(t, "iam/account.json", strings.ReplaceAll(account("Allow"), "alice", "bob"))
	if s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry()); err == nil || s.Gateway != nil || !strings.Contains(err.Error(), "no account has the user") {
		t.Errorf("%v", err)
	}
}

func TestFaultsTellNoSecret(t *testing.T) {
	const secret = "wJalrXUtnFEMI"
	t.Setenv("PORTCULLIS_TEST_SECRET", secret)
	for _, keys := range []string{
		"secret: {value: " + secret + "}, x: 1", "secret: " + secret, "secret: {" + secret + "}", "secret: {" + secret + ": 1}",
		"secret: [" + secret + "]", "secret: {value: [" + secret + "]}", "secret: {value: {" + secret + ": 1}}",
		"secret: {value: " + secret + ", file: secret}", "secret: {value: &a " + secret + "}", "secret: !!str " + secret,
		"secret: {value: " + secret + "\t}, :", "secret: {value: \"" + secret + "}", "sessionToken: {value: " + secret + "}, secret: {value: a}",
		"secret: {env: PORTCULLIS_TEST_SECRET}, x: 1", "secret: {file: secret}, x: 1",
		"secret: {" + secret + ": 1, " + secret + ": 2}", "secret: {? [" + secret + "] : 1}",
		secret + ": 1", secret, "secret: {value: a}, expires: " + secret, "secret: {value: a}, sessionTags: " + secret,
	} {
		dir := signing(t, "iam/secret", secret, "iam/keys.yaml", "accessKeys:\n  - {id: AKIAX, user: \"arn:aws:iam::111122223333:user/alice\", "+keys+"}\n")
		_, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		if err == nil {
			t.Errorf("%s: loaded", keys)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the fault tells the secret: %v", keys, err)
		}
	}
}

// Many keys, in one file, load in seconds.
func TestManyAccessKeys(t *testing.T) {
	n := 20_000
	if raceEnabled || testing.Short() {
		n = 2_000
	}
	var file strings.Builder
	file.WriteString("accessKeys:\n")
	for i := range n {
		fmt.Fprintf(&file, "  - {id: AKIA%d, secret: {value: secret%d}, user: \"arn:aws:iam::111122223333:user/alice\"}\n", i, i)
	}
	dir := signing(t, "iam/keys.yaml", file.String())
	start := time.Now()
	s := mustLoad(t, dir)
	t.Logf("%d keys in %v", n, time.Since(start))
	last := n - 1
	if !allows(t, s, fmt.Sprintf("AKIA%d", last), fmt.Sprintf("secret%d", last)) || allows(t, s, fmt.Sprintf("AKIA%d", last), "secret0") {
		t.Error("the last key does not work, or another's secret does")
	}
}
