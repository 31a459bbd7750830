package iam

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// An inactive key is answered like an unknown one, of each kind.
func TestInactiveKeys(t *testing.T) {
	for name, k := range map[string]*AccessKey{
		"a user": aliceKey(), "a role session": deployerKey(),
		"root":      {ID: "AKIAROOT", Secret: secret, User: "arn:aws:iam::111122223333:root"},
		"temporary": {ID: "ASIAALICE", Secret: secret, SessionToken: "t", User: aliceARN},
	} {
		for _, inactive := range []bool{false, true} {
			b := NewBuilder()
			if faults := b.AddAccount([]byte(accountExport), testOrganization); len(faults) > 0 {
				t.Fatal(faults)
			}
			k.Inactive = inactive
			mustAdd(t, b, k)
			r := request()
			signerOf(k).Sign(r)
			if v := mustVerifier(t, b); inactive {
				refused(t, v, r, name, authz.CodeUnknownKey)
			} else if _, err := v.Verify(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// The session of a role or user that is gone has no caller, also without a signature.
func TestSessionCallerOfARoleThatIsGone(t *testing.T) {
	s := storeOf(t, mustRing(t, "k1"), accountExport)
	if c := s.SessionCaller(deployerSession(), now); c == nil || c.Principal().ParentARN != deployerARN {
		t.Error("a session has no caller")
	}
	for name, change := range map[string]func(*session.Session){
		"another role": func(o *session.Session) { o.Role += "2" }, "another id": func(o *session.Session) { o.RoleID += "2" },
		"a wrong policy": func(o *session.Session) { o.Policy = "{" }, "no name": func(o *session.Session) { o.Name = "" },
	} {
		o := deployerSession()
		change(o)
		if c := s.SessionCaller(o, now); c != nil {
			t.Errorf("%s: %+v", name, c.Principal())
		}
	}
	if s.HasRole(aliceARN) || !s.HasRole(deployerARN) || s.HasRole("") {
		t.Error("a user counts as a role")
	}
}

// A role's greatest duration is one that IAM takes.
func TestMaxSessionDuration(t *testing.T) {
	for seconds, ok := range map[int]bool{3599: false, 3600: true, 43200: true, 43201: false, -1: false} {
		w := &Written{ARN: "arn:aws:iam::111122223333:role/r", MaxSession: seconds}
		if faults := NewBuilder().AddRole(w, fault.Root(nil)); (len(faults) == 0) != ok {
			t.Errorf("%d: %v", seconds, faults)
		}
		export := strings.Replace(trustingExport, `"MaxSessionDuration": 7200`, fmt.Sprintf(`"MaxSessionDuration": %d`, seconds), 1)
		if faults := NewBuilder().AddAccount([]byte(export), Organization{}); (len(faults) == 0) != ok {
			t.Errorf("%d in an export: %v", seconds, faults)
		}
	}
}

// Accounts share the text of AWS's managed policies only where it is the same, and a policy without a document narrows to nothing.
func TestManagedPoliciesOfSessions(t *testing.T) {
	ring := mustRing(t, "k1")
	export := func(account, versions string) string {
		return `{"RoleDetailList": [{"Path": "/", "RoleName": "r", "RoleId": "AROAROLE00000000EXAMPLE", "Arn": "arn:aws:iam::` + account + `:role/r",
			"RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}]}],
			"Policies": [{"Arn": "arn:aws:iam::aws:policy/Some", "DefaultVersionId": "v2", "PolicyVersionList": [` + versions + `]}]}`
	}
	version := func(id string, isDefault bool, action string) string {
		return fmt.Sprintf(`{"VersionId": %q, "IsDefaultVersion": %t, "Document": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": %q, "Resource": "*"}}}`, id, isDefault, action)
	}
	b := NewBuilder()
	b.Sessions(ring)
	for account, versions := range map[string]string{
		"111122223333": version("v1", false, "*") + ", " + version("v2", true, "execute-api:Invoke"), "222222223333": version("v2", true, "s3:GetObject"),
		"333322223333": version("v1", false, "*"), "444422223333": version("v2", true, "execute-api:Invoke"),
	} {
		if faults := b.AddAccount([]byte(export(account, versions)), Organization{}); len(faults) > 0 {
			t.Fatal(faults)
		}
	}
	s := b.Store()
	for account, want := range map[string]policy.Decision{
		"111122223333": policy.Allow, "222222223333": policy.ImplicitDeny, "444422223333": policy.Allow,
	} {
		o := &session.Session{
			Role: "arn:aws:iam::" + account + ":role/r", RoleID: "AROAROLE00000000EXAMPLE", Name: "s1", Issued: now, Expires: now, PolicyARNs: []string{"arn:aws:iam::aws:policy/Some"},
		}
		c := s.SessionCaller(o, now)
		if c == nil {
			t.Fatal(account)
		}
		policies := c.Policies()
		if got := policy.Evaluate(&policies, &policy.Request{
			Principal: c.Principal(), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:eu-west-1:" + account + ":a1b2c3d4e5/prod/GET/pets", ResourceAccount: account, Context: c,
		}); got.Decision != want {
			t.Errorf("%s: %v, want %v", account, got.Decision, want)
		}
	}
	o := &session.Session{
		Role: "arn:aws:iam::333322223333:role/r", RoleID: "AROAROLE00000000EXAMPLE", Name: "s1", Issued: now, Expires: now, PolicyARNs: []string{"arn:aws:iam::aws:policy/Some"},
	}
	if c := s.SessionCaller(o, now); c != nil {
		t.Error("a policy without a default version is used")
	}
}
