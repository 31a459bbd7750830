package iam

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

const trustingExport = `{
    "UserDetailList": [
        {"Path": "/", "UserName": "alice", "UserId": "AIDAALICE0000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:user/alice",
         "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
             {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::111122223333:role/*"}]}}]},
        {"Path": "/", "UserName": "bob", "UserId": "AIDABOB000000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:user/bob"}
    ],
    "RoleDetailList": [
        {"Path": "/", "RoleName": "bobs", "RoleId": "AROABOBS00000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:role/bobs",
         "MaxSessionDuration": 7200,
         "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
             {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "Action": "sts:AssumeRole"}]}},
        {"Path": "/ops/", "RoleName": "all", "RoleId": "AROAALL000000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:role/ops/all",
         "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
             {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}]}},
        {"Path": "/", "RoleName": "web", "RoleId": "AROAWEB000000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:role/web",
         "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
             {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/idp.example.com/a"},
              "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"idp.example.com/a:sub": "pod", "idp.example.com/a:aud": "portcullis"}}}]}},
        {"Path": "/", "RoleName": "none", "RoleId": "AROANONE00000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:role/none"}
    ],
    "Policies": [
        {"Arn": "arn:aws:iam::111122223333:policy/readers", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true,
         "Document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]}}]}
    ]
}`

func trustingStore(t testing.TB) *Store {
	t.Helper()
	b := NewBuilder()
	b.Sessions(&session.Ring{})
	if faults := b.AddAccount([]byte(trustingExport), testOrganization); len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, name := range []string{"alice", "bob"} {
		mustAdd(t, b, &AccessKey{ID: "AKIA" + name, Secret: secret, User: "arn:aws:iam::111122223333:user/" + name})
	}
	mustAdd(t, b, &AccessKey{ID: "AKIAroot", Secret: secret, User: "arn:aws:iam::111122223333:root"})
	return b.Store()
}

func pod() *WebIdentity {
	return &WebIdentity{Issuer: "https://idp.example.com/a", Subject: "pod", Audience: []string{"portcullis"}}
}

func TestAssumeRole(t *testing.T) {
	s := trustingStore(t)
	for _, c := range []struct {
		caller, role string
		ok           bool
	}{
		{"user/alice", "role/bobs", false}, // her own policy is not enough
		{"user/bob", "role/bobs", true},    // the trust policy names him
		{"user/alice", "role/ops/all", true},
		{"user/bob", "role/ops/all", false}, // his account is trusted, his policies allow nothing
		{"root", "role/ops/all", false},
		{"user/alice", "role/none", false},
		{"user/alice", "role/missing", false},
		{"user/alice", "role/web", false},
	} {
		r := &AssumeRequest{
			Role: "arn:aws:iam::111122223333:" + c.role, SessionName: "ci", At: now,
			Caller: s.Caller("arn:aws:iam::111122223333:"+c.caller, now),
		}
		got, err := s.AssumeRole(r)
		if (err == nil) != c.ok || (got != nil) != c.ok {
			t.Errorf("%s assumes %s: %v, %v", c.caller, c.role, got, err)
		}
	}
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	s := trustingStore(t)
	web := func(change func(*WebIdentity)) error {
		w := pod()
		change(w)
		_, err := s.AssumeRole(&AssumeRequest{Role: "arn:aws:iam::111122223333:role/web", SessionName: "ci", At: now, Web: w})
		return err
	}
	if err := web(func(*WebIdentity) {}); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*WebIdentity){
		"another subject":   func(w *WebIdentity) { w.Subject = "pods" },
		"another issuer":    func(w *WebIdentity) { w.Issuer = "https://idp.example.com/b" },
		"a trailing slash":  func(w *WebIdentity) { w.Issuer += "/" },
		"another audience":  func(w *WebIdentity) { w.Audience = []string{"sts.amazonaws.com"} },
		"two audiences":     func(w *WebIdentity) { w.Audience = append(w.Audience, "other") },
		"authorized party":  func(w *WebIdentity) { w.AuthorizedParty = "other" },
		"tags":              func(w *WebIdentity) { w.Tags = []session.Tag{{Key: "a", Value: "b"}} },
		"a source identity": func(w *WebIdentity) { w.SourceIdentity = "alice" },
	} {
		refused, _ := errors.AsType[*Refused](web(change))
		if refused == nil || refused.Code != "AccessDenied" {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func TestSessionOfARole(t *testing.T) {
	s := trustingStore(t)
	got, err := s.AssumeRole(&AssumeRequest{
		Role: "arn:aws:iam::111122223333:role/bobs", SessionName: "ci", At: now.Add(time.Millisecond), Duration: 2 * time.Hour,
		Caller:     s.Caller("arn:aws:iam::111122223333:user/bob", now),
		PolicyARNs: []string{"arn:aws:iam::111122223333:policy/readers"}, Policy: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &session.Session{
		Role: "arn:aws:iam::111122223333:role/bobs", RoleID: "AROABOBS00000000EXAMPLE", Name: "ci", Issued: now, Expires: now.Add(2 * time.Hour),
		PolicyARNs: []string{"arn:aws:iam::111122223333:policy/readers"}, Policy: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUserSession(t *testing.T) {
	s := trustingStore(t)
	got, err := s.UserSession(&UserRequest{Caller: s.Caller("arn:aws:iam::111122223333:user/bob", now), At: now})
	if err != nil {
		t.Fatal(err)
	}
	want := &session.Session{User: "arn:aws:iam::111122223333:user/bob", UserID: "AIDABOB000000000EXAMPLE", Issued: now, Expires: now.Add(12 * time.Hour)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	root, err := s.UserSession(&UserRequest{Caller: s.Caller("arn:aws:iam::111122223333:root", now), At: now, Duration: 36 * time.Hour})
	if err != nil || root.Expires.Sub(root.Issued) != time.Hour {
		t.Errorf("%v, %v", root, err)
	}
}

// What is wrong with a role's trust policy is reported at its place.
func TestTrustPolicyFaults(t *testing.T) {
	for _, c := range []struct{ from, to, fault string }{
		{`"Action": "sts:AssumeRoleWithWebIdentity",`, `"Action": "sts:AssumeRoleWithWebIdentity", "Resource": "*",`, "Resource"},
		{`"MaxSessionDuration": 7200`, `"MaxSessionDuration": 100`, "MaxSessionDuration must be 3600 to 43200"},
		{`"MaxSessionDuration": 7200`, `"MaxSessionDuration": "7200"`, "must be a number"},
		{`"Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, `, ``, "Principal is missing"},
		{`"Principal": {"AWS": "111122223333"}`, `"NotPrincipal": {"AWS": "111122223333"}`, "no NotPrincipal"},
		{`oidc-provider/idp`, `oidc-provider/https://idp`, "with its https://"},
		{`oidc-provider/idp`, `oidc-provider/*idp`, "wildcard"},
	} {
		broken := strings.Replace(trustingExport, c.from, c.to, 1)
		faults := NewBuilder().AddAccount([]byte(broken), Organization{})
		if len(faults) == 0 || !strings.Contains(faults[0].Message, c.fault) || faults[0].Line < 9 {
			t.Errorf("%s for %s: %v", c.to, c.from, faults)
		}
	}
}

// A request without a caller is refused, in each way in which it may have none.
func TestWithoutACaller(t *testing.T) {
	s := trustingStore(t)
	var nobody *Caller
	for name, r := range map[string]*AssumeRequest{
		"none": {}, "a nil caller": {Caller: nobody}, "two": {Caller: s.Caller("arn:aws:iam::111122223333:user/bob", now), Web: pod()},
		"an empty token": {Web: &WebIdentity{}}, "no subject": {Web: &WebIdentity{Issuer: "https://idp.example.com/a"}}, "no issuer": {Web: &WebIdentity{Issuer: "https://", Subject: "pod"}},
	} {
		r.Role, r.SessionName, r.At = "arn:aws:iam::111122223333:role/bobs", "ci", now
		got, err := s.AssumeRole(r)
		refused, _ := errors.AsType[*Refused](err)
		if got != nil || refused == nil || refused.Code != "InternalFailure" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := s.UserSession(&UserRequest{At: now}); err == nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := s.AssumeRole(&AssumeRequest{Role: "arn:aws:iam::111122223333:role/bobs", SessionName: "ci", Caller: s.Caller("arn:aws:iam::111122223333:user/bob", now)}); err == nil {
		t.Errorf("without a time: %v", got)
	}
}

func TestUserSessionsAreRefused(t *testing.T) {
	s := trustingStore(t)
	bob := s.Caller("arn:aws:iam::111122223333:user/bob", now)
	temporary := &identity{}
	*temporary = *bob.identity
	temporary.temporary = true
	for name, r := range map[string]*UserRequest{
		"too short":   {Caller: bob, Duration: 899 * time.Second, At: now},
		"too long":    {Caller: bob, Duration: 36*time.Hour + time.Second, At: now},
		"negative":    {Caller: bob, Duration: -time.Hour, At: now},
		"a device":    {Caller: bob, MFADevice: "arn:aws:iam::111122223333:mfa/bob", At: now},
		"a code":      {Caller: bob, MFACode: "123456", At: now},
		"a temporary": {Caller: &Caller{identity: temporary}, At: now},
		"no time":     {Caller: bob},
	} {
		if got, err := s.UserSession(r); err == nil || got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, err := s.UserSession(&UserRequest{Caller: bob, Duration: 36 * time.Hour, At: now}); err != nil || got.Expires.Sub(got.Issued) != 36*time.Hour {
		t.Errorf("%v, %v", got, err)
	}
}

// The limits of a request in figures: 50 tags, keys of 128 and values of 256 characters, 2048 characters of policy, 10 policies.
func TestLimitsOfRequests(t *testing.T) {
	s := trustingStore(t)
	tags := func(n, key, value int) (all []session.Tag) {
		for i := range n {
			all = append(all, session.Tag{Key: strings.Repeat("ä", key-2) + string(rune('a'+i/26)) + string(rune('a'+i%26)), Value: strings.Repeat("ö", value)})
		}
		return all
	}
	policyOf := func(n int) string {
		text := `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
		return text + strings.Repeat(" ", n-len(text))
	}
	readers := func(n int) []string {
		return strings.Split(strings.Repeat("arn:aws:iam::111122223333:policy/readers,", n-1)+"arn:aws:iam::111122223333:policy/readers", ",")
	}
	for name, c := range map[string]struct {
		change func(*AssumeRequest)
		code   string
	}{
		"50 tags":              {func(r *AssumeRequest) { r.Tags = tags(50, 128, 256) }, "AccessDenied"}, // bob may not pass tags
		"51 tags":              {func(r *AssumeRequest) { r.Tags = tags(51, 5, 5) }, "ValidationError"},
		"a key of 129":         {func(r *AssumeRequest) { r.Tags = tags(1, 129, 5) }, "ValidationError"},
		"a value of 257":       {func(r *AssumeRequest) { r.Tags = tags(1, 5, 257) }, "ValidationError"},
		"a policy of 2048":     {func(r *AssumeRequest) { r.Policy = policyOf(2048) }, ""},
		"a policy of 2049":     {func(r *AssumeRequest) { r.Policy = policyOf(2049) }, "ValidationError"},
		"10 policies":          {func(r *AssumeRequest) { r.PolicyARNs = readers(10) }, ""},
		"11 policies":          {func(r *AssumeRequest) { r.PolicyARNs = readers(11) }, "ValidationError"},
		"a name of 64":         {func(r *AssumeRequest) { r.SessionName = strings.Repeat("a", 64) }, ""},
		"a name of 65":         {func(r *AssumeRequest) { r.SessionName = strings.Repeat("a", 65) }, "ValidationError"},
		"a name with a line":   {func(r *AssumeRequest) { r.SessionName = "ci\n" }, "ValidationError"},
		"no name":              {func(r *AssumeRequest) { r.SessionName = "" }, "ValidationError"},
		"an id of 1224":        {func(r *AssumeRequest) { r.ExternalID = strings.Repeat("a", 1224) }, ""},
		"an id of 1225":        {func(r *AssumeRequest) { r.ExternalID = strings.Repeat("a", 1225) }, "ValidationError"},
		"a source of 65":       {func(r *AssumeRequest) { r.SourceIdentity = strings.Repeat("a", 65) }, "ValidationError"},
		"text that is no JSON": {func(r *AssumeRequest) { r.Policy = "Statement: {}" }, "MalformedPolicyDocument"},
		"a role of 2049":       {func(r *AssumeRequest) { r.Role += strings.Repeat("a", 2049) }, "ValidationError"},
	} {
		r := &AssumeRequest{Role: "arn:aws:iam::111122223333:role/bobs", SessionName: "ci", At: now, Caller: s.Caller("arn:aws:iam::111122223333:user/bob", now)}
		c.change(r)
		_, err := s.AssumeRole(r)
		refused, _ := errors.AsType[*Refused](err)
		if (refused == nil) != (c.code == "") || refused != nil && string(refused.Code) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A trust policy that cannot be read trusts nobody, and may deny whom the configuration lists.
func TestTrustPolicyThatCannotBeRead(t *testing.T) {
	s := trustingStore(t)
	const bobs, none = "arn:aws:iam::111122223333:role/bobs", "arn:aws:iam::111122223333:role/none"
	who := &AWSIdentity{
		Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::444455556666:user/carol", Account: "444455556666", ID: "AIDACAROL0000000EXAMPLE"},
		UserID:    "AIDACAROL0000000EXAMPLE", SessionName: "carol", At: now,
	}
	for role, what := range map[string]string{none: "without trust policy", bobs: "with a trust policy"} {
		if _, err := s.ExchangeAWS(role, who); err != nil {
			t.Errorf("a role %s: %v", what, err)
		}
	}
	s.principals[bobs].trust = &storedPolicy{name: TrustPolicyName, kind: policy.Trust, text: "{"}
	if _, err := s.ExchangeAWS(bobs, who); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("an identity of AWS: %v", err)
	}
	if _, err := s.AssumeRole(&AssumeRequest{Role: bobs, SessionName: "ci", At: now, Caller: s.Caller("arn:aws:iam::111122223333:user/bob", now)}); err == nil {
		t.Error("a user has a session of the role")
	}
}

// Explanations name users and role sessions that have no access key.
func TestCallersWithoutAKey(t *testing.T) {
	s := storeOf(t, mustRing(t, "k1"), accountExport)
	for text, want := range map[string]map[string]string{
		aliceARN: {"aws:PrincipalArn": aliceARN, "aws:PrincipalType": "User", "aws:userid": "AIDAALICE0000000EXAMPLE"},
		"arn:aws:sts::111122223333:assumed-role/deployer/ci": {
			"aws:PrincipalArn": deployerARN, "aws:PrincipalType": "AssumedRole", "aws:userid": "AROADEPLOYER0000EXAMPLE:ci",
			"aws:PrincipalTag/TEAM": "ops", "aws:TokenIssueTime": "2026-11-23T06:00:00Z", "aws:MultiFactorAuthPresent": "false",
		},
	} {
		c := s.Caller(text, now)
		if c == nil {
			t.Fatal(text)
		}
		got := facts(c)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q", text, key, got[key], value)
			}
		}
		if c.Principal().ARN != text || len(c.Policies().Identity) == 0 {
			t.Errorf("%s: %+v", text, c.Principal())
		}
	}
	for _, text := range []string{
		"", deployerARN, "arn:aws:sts::111122223333:assumed-role/deployer", "arn:aws:sts::111122223333:assumed-role/deployer/", "arn:aws:sts::111122223333:assumed-role/none/ci",
		"arn:aws:sts::111122223333:assumed-role/ops/deployer/ci", "arn:aws:sts::999922223333:assumed-role/deployer/ci", "arn:aws-cn:sts::111122223333:assumed-role/deployer/ci",
		"arn:aws:iam::111122223333:assumed-role/deployer/ci", "arn:aws:sts:eu-west-1:111122223333:assumed-role/deployer/ci", "arn:aws:sts::111122223333:assumed-role/deployer/a b",
		"arn:aws:iam::111122223333:user/none", "arn:aws:iam::111122223333:root",
	} {
		if c := s.Caller(text, now); c != nil {
			t.Errorf("%s is %+v", text, c.Principal())
		}
	}
}
