package iam

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

const writtenRole, writtenUser = "arn:aws:iam::444455556666:role/ops/deployer", "arn:aws:iam::444455556666:user/staff/alice"

// writtenStore has a user and a role of an account without an export. The role has the id that is given.
func writtenStore(t testing.TB, ring *session.Ring, id string) *Store {
	t.Helper()
	b := NewBuilder()
	b.Sessions(ring)
	must := func(faults []fault.Fault) {
		t.Helper()
		if len(faults) > 0 {
			t.Fatal(faults)
		}
	}
	must(b.AddUser(&Written{Name: "staff/alice", Account: "444455556666", Tags: map[string]string{"Team": "pets"}}, nil))
	must(b.AddRole(&Written{
		ARN: writtenRole, ID: id, MaxSession: 7200, Tags: map[string]string{"Team": "ops", "Level": "1"},
		Policies: []*policy.Policy{mustPolicy(t, policy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["execute-api:Invoke","sts:AssumeRole"],
			"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"cats"}}}}`)},
		Trust: mustPolicy(t, policy.Trust, `{"Statement":[
			{"Effect":"Allow","Principal":{"AWS":"`+writtenUser+`"},"Action":["sts:AssumeRole","sts:TagSession"]},
			{"Effect":"Allow","Principal":{"AWS":"`+writtenRole+`"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`),
	}, nil))
	mustAdd(t, b, &AccessKey{ID: "AKIAALICE", Secret: secret, User: writtenUser})
	return b.Store()
}

// A session of a written role works, with the tags that were passed, and may be chained. A role with another id has other sessions.
func TestSessionsOfWrittenRoles(t *testing.T) {
	ring := mustRing(t, "a")
	s := writtenStore(t, ring, "")
	first, err := s.AssumeRole(&AssumeRequest{
		Role: writtenRole, SessionName: "ci", At: now, Duration: 2 * time.Hour, Caller: s.Caller(writtenUser, now),
		Tags: []session.Tag{{Key: "Team", Value: "cats"}}, TransitiveTagKeys: []string{"Team"},
	})
	if err != nil {
		t.Fatal(err)
	}
	credentials := mustSeal(t, ring, first)
	c, err := verify(mustVerifierOf(t, s, Options{}), credentials)
	if err != nil {
		t.Fatal(err)
	}
	if got := invoke(c, "/pets"); got.Decision == policy.ExplicitDeny || c.Principal().ARN != "arn:aws:sts::444455556666:assumed-role/deployer/ci" {
		t.Errorf("%+v, %+v", got, c.Principal())
	}
	second, err := s.AssumeRole(&AssumeRequest{Role: writtenRole, SessionName: "again", At: now, Caller: c})
	if err != nil || len(second.Tags) != 1 || second.Tags[0].Value != "cats" || second.Expires.Sub(second.Issued) != time.Hour {
		t.Errorf("%+v, %v", second, err)
	}
	if _, err := verify(mustVerifierOf(t, writtenStore(t, ring, ""), Options{}), credentials); err != nil {
		t.Errorf("the same role with its derived id: %v", err)
	}
	if _, err := verify(mustVerifierOf(t, writtenStore(t, ring, "AROA00000000000000NEW"), Options{}), credentials); err == nil {
		t.Error("a role with a new id accepts sessions of the old one")
	}
}

// A root user's session is the root user again, and only of its own account.
func TestSessionOfTheRootUser(t *testing.T) {
	ring := mustRing(t, "a")
	s := storeOf(t, ring, trustingExport)
	session := &session.Session{User: "arn:aws:iam::111122223333:root", UserID: "111122223333", Issued: now, Expires: now.Add(time.Hour)}
	c, err := verify(mustVerifierOf(t, s, Options{}), mustSeal(t, ring, session))
	if err != nil || c.Principal().Kind != policy.Root || !c.identity.temporary || c.UserID() != "111122223333" {
		t.Fatalf("%v, %v", c, err)
	}
	if _, err := s.UserSession(&UserRequest{Caller: c, At: now}); err == nil {
		t.Error("a session gets a session of its user")
	}
	for _, change := range [][2]string{
		{"arn:aws:iam::111122223333:root", "444455556666"}, {"arn:aws:iam::444455556666:root", "444455556666"}, {"arn:aws-cn:iam::111122223333:root", "111122223333"},
		{"arn:aws:iam::111122223333:root", "-"}, {"arn:aws:iam::111122223333:user/alice", "-"}, {":root", "x"}, {"arn::iam::x:root", "x"},
	} {
		other := *session
		other.User, other.UserID = change[0], change[1]
		if _, err := verify(mustVerifierOf(t, s, Options{}), mustSeal(t, ring, &other)); err == nil {
			t.Errorf("%v is accepted", change)
		}
	}
}

// A session whose issue time is not known passes that on, so that a policy that revokes older sessions finds the next one.
func TestChainedSessionOfUnknownAge(t *testing.T) {
	b := NewBuilder()
	if faults := b.AddAccount([]byte(strings.Replace(trustingExport, "user/bob\"}, \"Action\"", "role/none\"}, \"Action\"", 1)), testOrganization); len(faults) > 0 {
		t.Fatal(faults)
	}
	key := &AccessKey{ID: "ASIAOLD", Secret: secret, SessionToken: "t", Role: "arn:aws:iam::111122223333:role/none", SessionName: "ci"}
	mustAdd(t, b, key)
	known := *key
	known.ID, known.IssueTime = "ASIANEW", now.Add(-time.Hour)
	mustAdd(t, b, &known)
	s := b.Store()
	for id, want := range map[string]time.Time{"ASIAOLD": time.Unix(0, 0).UTC(), "ASIANEW": now} {
		got, err := s.AssumeRole(&AssumeRequest{Role: "arn:aws:iam::111122223333:role/bobs", SessionName: "ci", At: now, Caller: s.of(id)})
		if err != nil || !got.Issued.Equal(want) || !got.Expires.Equal(now.Add(time.Hour)) {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
}

func TestDerivedIDs(t *testing.T) {
	a, again := derivedID("AROA", "arn:aws:iam::111122223333:role/a"), derivedID("AROA", "arn:aws:iam::111122223333:role/a")
	other := derivedID("AROA", "arn:aws:iam::111122223333:role/b")
	if a != again || a == other || len(a) != 21 || !strings.HasPrefix(a, "AROA") || !writtenID.MatchString(a) {
		t.Errorf("%s, %s, %s", a, again, other)
	}
}
