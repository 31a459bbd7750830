package config

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// Keys for session tokens.
var (
	ringOne = base64.StdEncoding.EncodeToString([]byte("one: abcdefghijklmnopqrstuvwxyz0"))
	ringTwo = base64.StdEncoding.EncodeToString([]byte("two: abcdefghijklmnopqrstuvwxyz0"))
)

// sessions is a configuration whose callers have nothing but session credentials.
func sessions(keys string) string {
	return strings.Replace(signedAPI, "  accessKeys: [{file: iam/keys.yaml}]\n", "  sessions:\n    keys:\n"+keys, 1)
}

func aliceSession() *session.Session {
	return &session.Session{
		User: "arn:aws:iam::111122223333:user/alice", UserID: "AIDAALICE", Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	}
}

// sealed returns credentials of alice that a key of a ring has sealed.
func sealed(t *testing.T, id, secret string) session.Credentials {
	t.Helper()
	ring, faults := session.NewRing([]session.RingKey{{ID: id, Secret: secret, Issues: true}}, fault.Root(nil))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c, err := ring.Seal(aliceSession())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func allowsSession(t *testing.T, s *Snapshot, c session.Credentials) bool {
	t.Helper()
	r := &authz.Request{Method: "GET", Target: "/pets", Host: "pets.example.com", Time: time.Now()}
	r.SetBody(nil, authz.BodyComplete)
	sigv4test.Signer{KeyID: c.AccessKeyID, Secret: c.SecretAccessKey, Token: c.SessionToken, Region: "eu-west-1", At: time.Now()}.Sign(r)
	return s.Gateway.Authorize(t.Context(), r).Allow
}

func TestSessions(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", ringTwo)
	dir := signing(t, "portcullis.yaml", sessions("    - {id: a, secret: {file: iam/ring}, use: ISSUE}\n    - {id: b, secret: {env: PORTCULLIS_TEST_SECRET}, use: ACCEPT}\n"),
		"iam/ring", ringOne+"\n")
	s := mustLoad(t, dir)
	c := sealed(t, "a", ringOne)
	if !allowsSession(t, s, c) {
		t.Error("a session is refused")
	}
	if !slices.Contains(s.Files, filepath.Join(dir, "iam/ring")) {
		t.Errorf("the file of a key is not watched: %v", s.Files)
	}
	changed := strings.ReplaceAll(ringTwo, "d", "e")
	write(t, filepath.Join(dir, "iam/ring"), []byte(changed))
	next := mustLoad(t, dir)
	if next.Digest == s.Digest || allowsSession(t, next, c) {
		t.Error("a session is allowed after its key has changed")
	}
	if !allowsSession(t, s, c) || !allowsSession(t, next, sealed(t, "a", changed)) {
		t.Error("a session under its own key is refused")
	}
}

// A replica that accepts the key of another one opens its tokens.
func TestReplicasShareSessions(t *testing.T) {
	load := func(one, two string) *Snapshot {
		return mustLoad(t, signing(t, "portcullis.yaml", sessions(fmt.Sprintf(
			"    - {id: a, secret: {value: %q}, use: %s}\n    - {id: b, secret: {value: %q}, use: %s}\n", ringOne, one, ringTwo, two))))
	}
	before, after := load("ISSUE", "ACCEPT"), load("ACCEPT", "ISSUE")
	if !allowsSession(t, before, sealed(t, "b", ringTwo)) || !allowsSession(t, after, sealed(t, "a", ringOne)) {
		t.Error("a session of another replica is refused")
	}
}

func TestSessionFaults(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", ringOne[:20])
	good := fmt.Sprintf("    - {id: a, secret: {value: %q}, use: ISSUE}\n", ringOne)
	for name, row := range map[string]struct{ keys, want string }{
		"no keys":           {"      []\n", ":11:7: no key of the ring issues: write use: ISSUE for one key"},
		"no use":            {strings.Replace(good, ", use: ISSUE", "", 1), "the key has no use: write ISSUE for the one key"},
		"another use":       {strings.Replace(good, "ISSUE", "BOTH", 1), "BOTH"},
		"none issues":       {strings.Replace(good, "ISSUE", "ACCEPT", 1), "no key of the ring issues"},
		"no id":             {strings.Replace(good, "id: a, ", "", 1), "must have 1 to 32 letters"},
		"no secret":         {"    - {id: a, use: ISSUE}\n", ":11:7: the key has no secret: create one with openssl rand -base64 32"},
		"an empty secret":   {"    - {id: a, secret: {}, use: ISSUE}\n", "secret must have one of value, file and env"},
		"no such file":      {"    - {id: a, secret: {file: iam/none}, use: ISSUE}\n", "the file that is named here cannot be read"},
		"no variable":       {"    - {id: a, secret: {env: PORTCULLIS_NONE}, use: ISSUE}\n", "is not set, or empty"},
		"half a key":        {"    - {id: a, secret: {env: PORTCULLIS_TEST_SECRET}, use: ISSUE}\n", "must be 32 random bytes in base64: create it with openssl"},
		"a key for redis":   {"    - {id: a, secret: {value: " + strings.Repeat("0123456789abcdef", 4) + "}, use: ISSUE}\n", "must be 32 random bytes in base64"},
		"two issue":         {good + strings.NewReplacer("id: a", "id: b", ringOne, ringTwo).Replace(good), ":12:85: two keys of the ring issue"},
		"one id":            {good + strings.NewReplacer("ISSUE", "ACCEPT", ringOne, ringTwo).Replace(good), "the key is given twice: keep one"},
		"one secret":        {good + strings.NewReplacer("ISSUE", "ACCEPT", "id: a", "id: b").Replace(good), "another key of the ring has the same secret"},
		"an unknown field":  {strings.Replace(good, "use:", "usage: x, use:", 1), "usage"},
		"secret as text":    {"    - {id: a, secret: " + ringOne + ", use: ISSUE}\n", ":11:23: secret must be fields"},
		"key without a map": {"    - " + ringOne + "\n", ":11:7:"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(filepath.Join(signing(t, "portcullis.yaml", sessions(row.keys)), "portcullis.yaml"), pool.Dry())
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("%v, want %s", err, row.want)
			}
			for _, secret := range []string{ringOne, ringOne[:20], ringTwo, "0123456789abcdef"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("a fault shows a key: %v", err)
				}
			}
			if n := strings.Count(err.Error(), "\n"); n > 0 {
				t.Errorf("%d faults: %v", n+1, err)
			}
		})
	}
}
