package iam

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const deployerARN, aliceARN = "arn:aws:iam::111122223333:role/ops/deployer", "arn:aws:iam::111122223333:user/staff/alice"

// mustRing returns a ring of keys with these ids, the first of which issues. The same id has the same key.
func mustRing(t testing.TB, ids ...string) *session.Ring {
	t.Helper()
	var keys []session.RingKey
	for i, id := range ids {
		secret := base64.StdEncoding.EncodeToString([]byte((id + ": abcdefghijklmnopqrstuvwxyz0123456789")[:32]))
		keys = append(keys, session.RingKey{At: fault.Root(nil), ID: id, Secret: secret, Issues: i == 0})
	}
	r, faults := session.NewRing(keys, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return r
}

func deployerSession() *session.Session {
	return &session.Session{
		Role: deployerARN, RoleID: "AROADEPLOYER0000EXAMPLE", Name: "ci", Issued: now.Add(-time.Minute), Expires: now.Add(time.Hour),
	}
}

func aliceSession() *session.Session {
	return &session.Session{User: aliceARN, UserID: "AIDAALICE0000000EXAMPLE", Issued: now.Add(-time.Minute), Expires: now.Add(time.Hour)}
}

func mustSeal(t testing.TB, r *session.Ring, s *session.Session) session.Credentials {
	t.Helper()
	c, err := r.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// storeOf returns a Store with a ring and an export.
func storeOf(t testing.TB, r *session.Ring, export string) *Store {
	t.Helper()
	b := NewBuilder()
	b.Sessions(r)
	if faults := b.AddAccount([]byte(export), testOrganization); len(faults) > 0 {
		t.Fatal(faults)
	}
	return b.Store()
}

func sessionSigner(c session.Credentials) sigv4test.Signer {
	return sigv4test.Signer{KeyID: c.AccessKeyID, Secret: c.SecretAccessKey, Token: c.SessionToken, Region: "eu-west-1", At: now}
}

// verify returns the caller of a request that is signed with credentials.
func verify(v *Verifier, c session.Credentials) (*Caller, error) {
	r := request()
	sessionSigner(c).Sign(r)
	return v.Verify(r)
}

func resumed(t testing.TB, s *session.Session) *Caller {
	t.Helper()
	r := mustRing(t, "k1")
	c, err := verify(mustVerifierOf(t, storeOf(t, r, accountExport), Options{}), mustSeal(t, r, s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each kind of session, as policies see it.
func TestSessionCallers(t *testing.T) {
	full := deployerSession()
	full.Tags = []session.Tag{{Key: "Team", Value: "pets"}, {Key: "level", Value: "2"}}
	full.TransitiveTagKeys = []string{"LEVEL"}
	full.SourceIdentity, full.FederatedProvider = "alice", "arn:aws:iam::111122223333:oidc-provider/issuer.test"
	root := deployerSession()
	root.Issued = time.Unix(0, 0)
	user := aliceSession()
	role := policy.Principal{
		Kind: policy.RoleSession, ARN: "arn:aws:sts::111122223333:assumed-role/deployer/ci", Account: "111122223333",
		ParentARN: deployerARN, ParentID: "AROADEPLOYER0000EXAMPLE",
	}
	for name, row := range map[string]struct {
		session   *session.Session
		principal policy.Principal
		facts     map[string]string
	}{
		"role": {deployerSession(), role, map[string]string{
			"aws:PrincipalArn": deployerARN, "aws:PrincipalType": "AssumedRole", "aws:userid": "AROADEPLOYER0000EXAMPLE:ci",
			"aws:PrincipalTag/TEAM": "ops", "aws:TokenIssueTime": "2026-11-23T05:59:00Z", "aws:MultiFactorAuthPresent": "false",
		}},
		"role, with everything": {full, role, map[string]string{
			"aws:PrincipalArn": deployerARN, "aws:PrincipalType": "AssumedRole", "aws:userid": "AROADEPLOYER0000EXAMPLE:ci",
			"aws:PrincipalTag/TEAM": "pets", "aws:PrincipalTag/level": "2", "aws:TokenIssueTime": "2026-11-23T05:59:00Z",
			"aws:MultiFactorAuthPresent": "false", "aws:SourceIdentity": "alice",
			"aws:FederatedProvider": "arn:aws:iam::111122223333:oidc-provider/issuer.test",
		}},
		"role, issue time not known": {root, role, map[string]string{
			"aws:PrincipalArn": deployerARN, "aws:PrincipalType": "AssumedRole", "aws:userid": "AROADEPLOYER0000EXAMPLE:ci",
			"aws:PrincipalTag/TEAM": "ops", "aws:TokenIssueTime": "1970-01-01T00:00:00Z", "aws:MultiFactorAuthPresent": "false",
		}},
		"user": {
			user,
			policy.Principal{Kind: policy.User, ARN: aliceARN, Account: "111122223333", ID: "AIDAALICE0000000EXAMPLE", Bounded: true},
			map[string]string{
				"aws:PrincipalArn": aliceARN, "aws:PrincipalType": "User", "aws:userid": "AIDAALICE0000000EXAMPLE", "aws:username": "alice",
				"aws:PrincipalTag/TEAM": "pets", "aws:PrincipalTag/level": "1", "aws:TokenIssueTime": "2026-11-23T05:59:00Z",
				"aws:MultiFactorAuthPresent": "false",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := resumed(t, row.session)
			maps.Copy(row.facts, map[string]string{
				"aws:PrincipalAccount": "111122223333", "aws:PrincipalOrgID": "o-pets", "aws:PrincipalIsAWSService": "false",
			})
			if diff := cmp.Diff(row.facts, facts(c)); diff != "" {
				t.Errorf("condition keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.principal, c.Principal()); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			if !c.identity.temporary {
				t.Error("the key is not temporary")
			}
			row.session.Issued = row.session.Issued.UTC()
			if diff := cmp.Diff(row.session, c.identity.session); diff != "" {
				t.Error(diff)
			}
		})
	}
	if c := callerOf(t, mustBuilder(t), aliceKey()); c.identity.session != nil || c.identity.temporary {
		t.Error("a long-term key has a session")
	}
}

// Policies are those of now: the role's, the session's, the user's with its groups and boundary, the organization's.
func TestSessionPolicies(t *testing.T) {
	const onlyPets = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/GET/pets"}}`
	const managed = "arn:aws:iam::111122223333:policy/Managed"
	for name, row := range map[string]struct {
		session  func() *session.Session
		resource string
		want     policy.Decision
	}{
		"role":                        {deployerSession, "/orders", policy.Allow},
		"inline policy":               {narrowed(onlyPets), "/pets", policy.Allow},
		"beyond the inline policy":    {narrowed(onlyPets), "/orders", policy.ImplicitDeny},
		"managed policy":              {narrowed("", managed), "/orders", policy.Allow},
		"either of two":               {narrowed(onlyPets, managed), "/orders", policy.Allow},
		"denied by the inline policy": {narrowed(strings.Replace(onlyPets, "Allow", "Deny", 1), managed), "/pets", policy.ExplicitDeny},
		"inline policy without Allow": {narrowed(strings.Replace(onlyPets, "execute-api:Invoke", "s3:GetObject", 1)), "/pets", policy.ImplicitDeny},
		"user":                        {aliceSession, "/pets", policy.Allow},
		"user, denied by a group":     {aliceSession, "/admin", policy.ExplicitDeny},
		"user without policies": {func() *session.Session {
			s := aliceSession()
			s.User, s.UserID = "arn:aws:iam::111122223333:user/bob", "AIDABOB000000000EXAMPLE"
			return s
		}, "/pets", policy.ImplicitDeny},
		"variables of a session's tag": {narrowed(strings.Replace(onlyPets, "/pets", "/${aws:PrincipalTag/team}", 1)), "/ops", policy.Allow},
	} {
		if got := invoke(resumed(t, row.session()), row.resource); got.Decision != row.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	r := mustRing(t, "k1")
	b := NewBuilder()
	b.Sessions(r)
	deny := parsePolicy(t, policy.SCP, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	if faults := b.AddAccount([]byte(accountExport), Organization{ServiceControlPolicies: [][]*policy.Policy{{deny}}}); len(faults) > 0 {
		t.Fatal(faults)
	}
	c, err := verify(mustVerifierOf(t, b.Store(), Options{}), mustSeal(t, r, deployerSession()))
	if err != nil || invoke(c, "/pets").Decision != policy.ExplicitDeny {
		t.Errorf("under a service control policy that denies: %v", err)
	}
}

// narrowed returns a session of deployer with session policies.
func narrowed(inline string, managed ...string) func() *session.Session {
	return func() *session.Session {
		s := deployerSession()
		s.Policy, s.PolicyARNs = inline, managed
		return s
	}
}

// What ends sessions before they expire. Each row changes the account or the ring after the session has begun.
func TestRevocation(t *testing.T) {
	const revoke = `{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"DateLessThan\":{\"aws:TokenIssueTime\":\"2026-11-23T05:59:30Z\"}}}`
	const grant = `{\"Sid\":\"Role\",\"Effect\":\"Allow\",\"Action\":\"execute-api:*\",\"Resource\":\"*\"}`
	const ownGrant = `[{"Sid": "Own", "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]`
	later := deployerSession()
	later.Issued = now
	unknown := deployerSession()
	unknown.Issued = time.Unix(0, 0)
	edit := func(old, changed string) string {
		if !strings.Contains(accountExport, old) {
			t.Fatalf("the export has no %s", old)
		}
		return strings.Replace(accountExport, old, changed, 1)
	}
	revoking := edit(grant, "["+grant+","+revoke+"]")
	for name, row := range map[string]struct {
		session *session.Session
		export  string
		ring    []string
		want    string // what the answer is
	}{
		"nothing changes":                        {deployerSession(), accountExport, []string{"k1"}, "allowed"},
		"the role denies older sessions":         {deployerSession(), revoking, []string{"k1"}, "explicitDeny"},
		"the role denies sessions of no time":    {unknown, revoking, []string{"k1"}, "explicitDeny"},
		"the session is newer":                   {later, revoking, []string{"k1"}, "allowed"},
		"the key only accepts":                   {deployerSession(), accountExport, []string{"k2", "k1"}, "allowed"},
		"the key has left the ring":              {deployerSession(), accountExport, []string{"k2"}, "unknown"},
		"the role is gone":                       {deployerSession(), strings.NewReplacer(`"deployer"`, `"another"`, "ops/deployer", "ops/another").Replace(accountExport), []string{"k1"}, "unknown"},
		"the role has another path":              {deployerSession(), strings.ReplaceAll(accountExport, "/ops/", "/new/"), []string{"k1"}, "unknown"},
		"the role is another one":                {deployerSession(), edit("AROADEPLOYER0000EXAMPLE", "AROADEPLOYER1111EXAMPLE"), []string{"k1"}, "unknown"},
		"the user is there":                      {aliceSession(), accountExport, []string{"k1"}, "allowed"},
		"the user has another name":              {aliceSession(), strings.NewReplacer(`"alice"`, `"alicia"`, "staff/alice", "staff/alicia").Replace(accountExport), []string{"k1"}, "unknown"},
		"the user is another one":                {aliceSession(), edit("AIDAALICE0000000EXAMPLE", "AIDAALICE1111111EXAMPLE"), []string{"k1"}, "unknown"},
		"the user denies older sessions":         {aliceSession(), edit(ownGrant, `[{"Effect":"Allow","Action":"*","Resource":"*"},`+strings.ReplaceAll(revoke, `\`, "")+"]"), []string{"k1"}, "explicitDeny"},
		"a user has the role's name and id":      {&session.Session{User: deployerARN, UserID: "AROADEPLOYER0000EXAMPLE", Issued: now, Expires: now.Add(time.Hour)}, accountExport, []string{"k1"}, "unknown"},
		"a role has the user's name and id":      {&session.Session{Role: aliceARN, RoleID: "AIDAALICE0000000EXAMPLE", Name: "x", Issued: now, Expires: now.Add(time.Hour)}, accountExport, []string{"k1"}, "unknown"},
		"another policy grants nothing any more": {deployerSession(), edit(grant, strings.Replace(grant, "execute-api", "s3", 1)), []string{"k1"}, "implicitDeny"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := verify(mustVerifierOf(t, storeOf(t, mustRing(t, row.ring...), row.export), Options{}), mustSeal(t, mustRing(t, "k1"), row.session))
			refused, _ := errors.AsType[*authz.Refusal](err)
			switch {
			case row.want == "unknown":
				if c != nil || refused == nil || refused.Reason.Code != authz.CodeUnknownKey {
					t.Errorf("%v, %v", c, err)
				}
			case err != nil:
				t.Error(err)
			default:
				if got := invoke(c, "/pets"); got.Decision.String() != row.want {
					t.Errorf("%+v, want %s", got, row.want)
				}
			}
		})
	}
}

// Everything that is wrong with a token gets the same answer, to the letter.
func TestRefusedTokensLookAlike(t *testing.T) {
	r := mustRing(t, "k1", "k2")
	v := mustVerifierOf(t, storeOf(t, r, accountExport), Options{})
	gone := deployerSession()
	gone.RoleID = "AROAANOTHER"
	forged := mustSeal(t, r, deployerSession())
	forged.SessionToken = strings.Replace(forged.SessionToken, forged.SessionToken[60:62], "AA", 1)
	var first *authz.Refusal
	for what, c := range map[string]session.Credentials{
		"forged": forged, "foreign": mustSeal(t, mustRing(t, "k3"), deployerSession()), "role gone": mustSeal(t, r, gone),
		"no token": {AccessKeyID: forged.AccessKeyID, SecretAccessKey: "x"}, "long-term": {AccessKeyID: "AKIANOBODY", SecretAccessKey: "x"},
		"a bad policy": mustSeal(t, r, narrowed("{}")()), "no such policy": mustSeal(t, r, narrowed("", "arn:aws:iam::aws:policy/None")()),
	} {
		_, err := verify(v, c)
		refused, ok := errors.AsType[*authz.Refusal](err)
		if !ok {
			t.Fatalf("%s: %v", what, err)
		}
		refused.Reason.Detail = "" // the operator's alone
		if first == nil {
			first = refused
		}
		if diff := cmp.Diff(first, refused); diff != "" || refused.Message != "The security token included in the request is invalid." {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// Opened sessions are found again, by one Store alone, and work as long as their own clock says.
func TestOpenedSessionsAreCached(t *testing.T) {
	r := mustRing(t, "k1")
	sessions, err := NewSessions(cache.Config{Name: "test", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	clock := now
	over := func(s *Store) *Verifier {
		v, err := New(Config{Store: s, Sessions: sessions, SigningKeys: mustCache[[32]byte](t), Now: func() time.Time { return clock }}).Verifier(Options{Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, c := over(storeOf(t, r, accountExport)), mustSeal(t, r, deployerSession())
	var first *identity
	for range 3 {
		caller, err := verify(v, c)
		if sessions.Wait(); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = caller.identity
		}
		if caller.identity != first {
			t.Error("a session is opened twice")
		}
	}
	for what, other := range map[string]*Verifier{
		"another ring":     over(storeOf(t, mustRing(t, "k2"), accountExport)),
		"no ring":          over(storeOf(t, nil, accountExport)),
		"another account":  over(storeOf(t, r, strings.Replace(accountExport, "AROADEPLOYER0000EXAMPLE", "AROADEPLOYER1111EXAMPLE", 1))),
		"the zero account": over(&Store{}),
	} {
		if caller, err := verify(other, c); err == nil {
			t.Errorf("%s: an opened session of another Store is used: %v", what, caller)
		}
	}
	for what, change := range map[string]func(*session.Credentials){
		"another id": func(c *session.Credentials) { c.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA" }, "another token": func(c *session.Credentials) { c.SessionToken += "A" },
		"another secret": func(c *session.Credentials) { c.SecretAccessKey = "x" },
	} {
		changed := c
		change(&changed)
		if _, err := verify(v, changed); err == nil {
			t.Errorf("%s finds an opened session", what)
		}
	}
	for _, at := range []struct {
		after time.Duration
		ok    bool
	}{{time.Hour + 59*time.Second, true}, {time.Hour + time.Minute, false}, {time.Hour + 61*time.Second, false}, {-time.Minute - maxAhead, true}, {-time.Minute - maxAhead - time.Second, false}} {
		clock = now.Add(at.after)
		req, s := request(), sessionSigner(c)
		s.At = clock
		s.Sign(req)
		if _, err := v.Verify(req); (err == nil) != at.ok {
			t.Errorf("%v after now: %v", at.after, err)
		}
	}
}

// Checks of one token at the same time, and of many, are checks each of its own.
func TestSessionsAtOnce(t *testing.T) {
	r := mustRing(t, "k1")
	sessions, err := NewSessions(cache.Config{Name: "test", MaxBytes: 64 << 10}) // room for some
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	v, err := New(Config{Store: storeOf(t, r, accountExport), Sessions: sessions, Now: func() time.Time { return now }}).Verifier(Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 40 {
				s := narrowed("", "arn:aws:iam::111122223333:policy/Managed")()
				s.Name = fmt.Sprintf("ci-%d-%d", i, n%20)
				c := mustSeal(t, r, s)
				for range 2 {
					caller, err := verify(v, c)
					if err != nil || caller.UserID() != s.RoleID+":"+s.Name || invoke(caller, "/pets").Decision != policy.Allow {
						t.Errorf("%v, %v", caller, err)
					}
				}
			}
		})
	}
	all.Wait()
}
