package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// facts are all condition keys about the principal that are there.
func facts(c *Caller) map[string]string {
	found := map[string]string{}
	for _, name := range []string{
		"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:userid", "aws:username", "aws:PrincipalOrgID",
		"aws:PrincipalTag/TEAM", "aws:PrincipalTag/level", "aws:TokenIssueTime", "aws:MultiFactorAuthPresent",
		"aws:MultiFactorAuthAge", "aws:SourceIdentity", "aws:PrincipalIsAWSService", "aws:SourceIp", "aws:FederatedProvider",
	} {
		if v, ok := c.Lookup(policy.NewKey(name)); ok {
			found[name] = v.String()
		}
	}
	return found
}

// Each kind of caller, as policies see it.
func TestCallers(t *testing.T) {
	session := parsePolicy(t, policy.Session, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}}`)
	for name, row := range map[string]struct {
		key       *AccessKey
		principal policy.Principal
		facts     map[string]string
	}{
		"user": {
			aliceKey(),
			policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::111122223333:user/staff/alice", Account: "111122223333", ID: "AIDAALICE0000000EXAMPLE", Bounded: true},
			map[string]string{
				"aws:PrincipalArn": "arn:aws:iam::111122223333:user/staff/alice", "aws:PrincipalType": "User", "aws:userid": "AIDAALICE0000000EXAMPLE",
				"aws:username": "alice", "aws:PrincipalTag/TEAM": "pets", "aws:PrincipalTag/level": "1",
			},
		},
		"temporary key of a user": {
			&AccessKey{ID: "ASIAALICE", Secret: secret, SessionToken: "token", User: "arn:aws:iam::111122223333:user/staff/alice", MFATime: now.Add(-time.Minute), IssueTime: now},
			policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::111122223333:user/staff/alice", Account: "111122223333", ID: "AIDAALICE0000000EXAMPLE", Bounded: true},
			map[string]string{
				"aws:PrincipalArn": "arn:aws:iam::111122223333:user/staff/alice", "aws:PrincipalType": "User", "aws:userid": "AIDAALICE0000000EXAMPLE",
				"aws:username": "alice", "aws:PrincipalTag/TEAM": "pets", "aws:PrincipalTag/level": "1",
				"aws:TokenIssueTime": "2026-11-23T06:00:00Z", "aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "60",
			},
		},
		"role session": {
			&AccessKey{
				ID: "ASIADEPLOYER", Secret: secret, SessionToken: "token", Role: "arn:aws:iam::111122223333:role/ops/deployer", SessionName: "ci",
				SessionTags: map[string]string{"Team": "pets", "level": "2"}, SourceIdentity: "alice", SessionPolicies: []*policy.Policy{session},
			},
			policy.Principal{
				Kind: policy.RoleSession, ARN: "arn:aws:sts::111122223333:assumed-role/deployer/ci", Account: "111122223333",
				ParentARN: "arn:aws:iam::111122223333:role/ops/deployer", ParentID: "AROADEPLOYER0000EXAMPLE",
			},
			map[string]string{
				"aws:PrincipalArn": "arn:aws:iam::111122223333:role/ops/deployer", "aws:PrincipalType": "AssumedRole",
				"aws:userid": "AROADEPLOYER0000EXAMPLE:ci", "aws:PrincipalTag/TEAM": "pets", "aws:PrincipalTag/level": "2",
				"aws:TokenIssueTime": "1970-01-01T00:00:00Z", "aws:MultiFactorAuthPresent": "false", "aws:SourceIdentity": "alice",
			},
		},
		"federated user": {
			&AccessKey{ID: "ASIAFED", Secret: secret, SessionToken: "token", User: "arn:aws:iam::111122223333:user/staff/alice", FederatedUser: "carol", IssueTime: now},
			policy.Principal{
				Kind: policy.FederatedUser, ARN: "arn:aws:sts::111122223333:federated-user/carol", Account: "111122223333",
				ParentARN: "arn:aws:iam::111122223333:user/staff/alice", ParentID: "AIDAALICE0000000EXAMPLE", Bounded: true,
			},
			map[string]string{
				"aws:PrincipalArn": "arn:aws:sts::111122223333:federated-user/carol", "aws:PrincipalType": "FederatedUser",
				"aws:userid": "111122223333:carol", "aws:PrincipalTag/TEAM": "pets", "aws:PrincipalTag/level": "1",
				"aws:TokenIssueTime": "2026-11-23T06:00:00Z", "aws:MultiFactorAuthPresent": "false",
			},
		},
		"root user": {
			&AccessKey{ID: "AKIAROOT", Secret: secret, User: "arn:aws:iam::111122223333:root"},
			policy.Principal{Kind: policy.Root, ARN: "arn:aws:iam::111122223333:root", Account: "111122223333"},
			map[string]string{"aws:PrincipalArn": "arn:aws:iam::111122223333:root", "aws:PrincipalType": "Account", "aws:userid": "111122223333"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := callerOf(t, mustBuilder(t), row.key)
			maps.Copy(row.facts, map[string]string{
				"aws:PrincipalAccount": "111122223333", "aws:PrincipalOrgID": "o-pets", "aws:PrincipalIsAWSService": "false",
			})
			if diff := cmp.Diff(row.facts, facts(c)); diff != "" {
				t.Errorf("condition keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.principal, c.Principal()); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			if c.AccessKeyID() != row.key.ID || c.OrganizationID() != "o-pets" || c.UserID() != row.facts["aws:userid"] {
				t.Errorf("%s, %s, %s", c.AccessKeyID(), c.OrganizationID(), c.UserID())
			}
			if paths, ok := c.Lookup(policy.NewKey("aws:PrincipalOrgPaths")); !ok || fmt.Sprintf("%#v", paths) != fmt.Sprintf("%#v", policy.ListValue(testOrganization.Paths)) {
				t.Errorf("aws:PrincipalOrgPaths %v", paths)
			}
		})
	}
}

func parsePolicy(t testing.TB, kind policy.Kind, document string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(document), policy.Options{Name: kind.String(), Kind: kind})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

func TestSessionPolicyLimits(t *testing.T) {
	k := deployerKey()
	k.SessionPolicies = []*policy.Policy{parsePolicy(t, policy.Session,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/GET/pets"}}`)}
	c := callerOf(t, mustBuilder(t), k)
	if got := invoke(c, "/pets"); got.Decision != policy.Allow {
		t.Errorf("what role and session policy allow: %+v", got)
	}
	if got := invoke(c, "/orders"); got.Decision != policy.ImplicitDeny || got.Missing != policy.SideSession {
		t.Errorf("what the session policy does not allow: %+v", got)
	}
}

// A federated user has nothing but what a session policy gives.
func TestFederatedUserWithoutSessionPolicy(t *testing.T) {
	k := &AccessKey{ID: "ASIAFED", Secret: secret, SessionToken: "token", User: "arn:aws:iam::111122223333:user/staff/alice", FederatedUser: "carol"}
	if got := invoke(callerOf(t, mustBuilder(t), k), "/pets"); got.Decision != policy.ImplicitDeny {
		t.Errorf("%+v", got)
	}
}

// A policy that revokes older sessions hits one whose issue time nobody wrote down.
func TestRevokedSession(t *testing.T) {
	export := strings.Replace(accountExport, `\"Effect\":\"Allow\",\"Action\":\"execute-api:*\",\"Resource\":\"*\"}`,
		`\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"DateLessThan\":{\"aws:TokenIssueTime\":\"2026-11-23T05:00:00Z\"}}}`, 1)
	for _, c := range []struct {
		issued time.Time
		want   policy.Decision
	}{
		{time.Time{}, policy.ExplicitDeny},
		{now.Add(-2 * time.Hour), policy.ExplicitDeny},
		{now, policy.ImplicitDeny},
	} {
		b := NewBuilder()
		if faults := b.AddAccount([]byte(export), Organization{}); len(faults) > 0 {
			t.Fatal(faults)
		}
		k := deployerKey()
		k.IssueTime = c.issued
		if got := invoke(callerOf(t, b, k), "/pets"); got.Decision != c.want {
			t.Errorf("issued %v: %+v", c.issued, got)
		}
	}
}

func TestKeyFaults(t *testing.T) {
	const role, user = "arn:aws:iam::111122223333:role/ops/deployer", "arn:aws:iam::111122223333:user/staff/alice"
	for name, c := range map[string]struct {
		base   *AccessKey
		change func(*AccessKey)
		field  string
	}{
		"no id":                       {aliceKey(), func(k *AccessKey) { k.ID = "" }, "id"},
		"slash in id":                 {aliceKey(), func(k *AccessKey) { k.ID = "AKIA/A" }, "id"},
		"twice":                       {aliceKey(), func(k *AccessKey) { k.ID = "AKIATAKEN" }, "id"},
		"no secret":                   {aliceKey(), func(k *AccessKey) { k.Secret = "" }, "secret"},
		"nobody":                      {aliceKey(), func(k *AccessKey) { k.User = "" }, "user"},
		"user and role":               {aliceKey(), func(k *AccessKey) { k.Role = role }, "user"},
		"user that is not there":      {aliceKey(), func(k *AccessKey) { k.User = "arn:aws:iam::111122223333:user/alice" }, "user"},
		"user that is a role":         {aliceKey(), func(k *AccessKey) { k.User = role }, "user"},
		"root of another account":     {aliceKey(), func(k *AccessKey) { k.User = "arn:aws:iam::444455556666:root" }, "user"},
		"root of another partition":   {aliceKey(), func(k *AccessKey) { k.User = "arn:aws-cn:iam::111122223333:root" }, "user"},
		"root with federated user":    {aliceKey(), func(k *AccessKey) { k.User, k.FederatedUser = "arn:aws:iam::111122223333:root", "carol" }, "federatedUser"},
		"role without its path":       {deployerKey(), func(k *AccessKey) { k.Role = "arn:aws:iam::111122223333:role/deployer" }, "role"},
		"role that is a user":         {deployerKey(), func(k *AccessKey) { k.Role = user }, "role"},
		"role with federated user":    {deployerKey(), func(k *AccessKey) { k.FederatedUser = "carol" }, "federatedUser"},
		"session without name":        {deployerKey(), func(k *AccessKey) { k.SessionName = "" }, "sessionName"},
		"slash in session name":       {deployerKey(), func(k *AccessKey) { k.SessionName = "a/b" }, "sessionName"},
		"name without a session":      {aliceKey(), func(k *AccessKey) { k.SessionName = "ci" }, "sessionName"},
		"ASIA without token":          {aliceKey(), func(k *AccessKey) { k.ID = "ASIAALICE" }, "sessionToken"},
		"AKIA with token":             {aliceKey(), func(k *AccessKey) { k.SessionToken = "token" }, "sessionToken"},
		"role without token":          {deployerKey(), func(k *AccessKey) { k.SessionToken = "" }, "sessionToken"},
		"issue time of a lasting key": {aliceKey(), func(k *AccessKey) { k.IssueTime = now }, "issueTime"},
		"MFA of a lasting key":        {aliceKey(), func(k *AccessKey) { k.MFATime = now }, "mfaTime"},
		"MFA of a federated user":     {&AccessKey{ID: "ASIAFED", Secret: secret, SessionToken: "t", User: user, FederatedUser: "carol"}, func(k *AccessKey) { k.MFATime = now }, "mfaTime"},
		"federated user with a slash": {&AccessKey{ID: "ASIAFED", Secret: secret, SessionToken: "t", User: user}, func(k *AccessKey) { k.FederatedUser = "a/b" }, "federatedUser"},
		"session policy of a user":    {aliceKey(), func(k *AccessKey) { k.SessionPolicies = []*policy.Policy{nil} }, "sessionPolicies"},
		"unreadable session policy":   {deployerKey(), func(k *AccessKey) { k.SessionPolicies = []*policy.Policy{nil} }, "sessionPolicies"},
		"session tags of a user":      {aliceKey(), func(k *AccessKey) { k.SessionTags = map[string]string{"a": "b"} }, "sessionTags"},
		"session tag twice":           {deployerKey(), func(k *AccessKey) { k.SessionTags = map[string]string{"a": "b", "A": "c"} }, "sessionTags"},
		"source identity of a user":   {aliceKey(), func(k *AccessKey) { k.SourceIdentity = "x" }, "sourceIdentity"},
	} {
		t.Run(name, func(t *testing.T) {
			b := mustBuilder(t)
			mustAdd(t, b, &AccessKey{ID: "AKIATAKEN", Secret: secret, User: user})
			mustAdd(t, mustBuilder(t), c.base)
			k := *c.base
			c.change(&k)
			faults := b.AddKey(&k, nil)
			is := func(f fault.Fault) bool { return f.At.String() == c.field && f.Message != "" }
			if !slices.ContainsFunc(faults, is) || len(b.keys) != 1 {
				t.Errorf("faults %+v, want one of %s; %d keys", faults, c.field, len(b.keys))
			}
			if strings.Contains(fmt.Sprint(faults), secret) {
				t.Error("a fault tells the secret")
			}
		})
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	b := mustBuilder(t)
	k := deployerKey()
	k.SessionToken = "T0KEN"
	mustAdd(t, b, k)
	a := mustVerifier(t, b)
	r := request()
	signerOf(k).Sign(r)
	c, err := a.Verify(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{*k, k, b, b.Store(), *b.Store(), a, c, *c, *c.identity} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) || strings.Contains(text, "T0KEN") {
				t.Errorf("%s of %T prints a secret", verb, v)
			}
		}
	}
}
