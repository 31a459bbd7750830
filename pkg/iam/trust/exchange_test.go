package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// A Deny may name the caller's role with its path, which AWS does not tell, and a trust policy that cannot be read may deny.
func TestExchangeWithADenyThatMayMatch(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/cart"
	parse := func(effect string) *policy.Policy {
		p, faults := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"`+effect+`","Principal":{"AWS":"arn:aws:iam::444455556666:role/jobs/ci"},"Action":"sts:AssumeRole"}}`),
			policy.Options{Name: "trust-policy", Kind: policy.Trust, Format: policy.FormatJSON})
		if p == nil {
			t.Fatal(faults)
		}
		return p
	}
	for _, c := range []struct {
		name, role string
		trust      *policy.Policy
		unknown    bool
		faulty     bool
		want       bool
	}{
		{"no trust policy", "role/ci", nil, true, false, true},
		{"a trust policy that cannot be read", "role/ci", nil, false, true, false},
		{"an Allow, path unknown", "role/ci", parse("Allow"), true, false, true},
		{"a Deny of the role, path unknown", "role/ci", parse("Deny"), true, false, false},
		{"a Deny of the role", "role/jobs/ci", parse("Deny"), false, false, false},
		{"a Deny of another role", "role/ci", parse("Deny"), false, false, true},
	} {
		_, err := ExchangeAWS(&Role{ARN: arn, ID: "AROACART00000000EXAMPLE", Partition: "aws", Account: "111122223333", Trust: c.trust, TrustFaulty: c.faulty}, arn, &AWSIdentity{
			Principal: policy.Principal{
				Kind: policy.RoleSession, ARN: "arn:aws:sts::444455556666:assumed-role/ci/s1", Account: "444455556666",
				ParentARN: "arn:aws:iam::444455556666:" + c.role, ParentID: "AROACI0000000000EXAMPLE",
			},
			PathUnknown: c.unknown, UserID: "AROACI0000000000EXAMPLE:s1", SessionName: "s1", Temporary: true, At: time.Now(),
		})
		if got := err == nil; got != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A Deny that asks for what AWS does not tell of a caller may match.
func TestExchangeWithADenyOfWhatIsNotKnown(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/cart"
	for condition, want := range map[string]struct{ user, session bool }{
		`"StringEquals": {"aws:PrincipalTag/suspended": "yes"}`:                                         {false, false},
		`"StringNotEquals": {"aws:PrincipalTag/team": "shop"}`:                                          {false, false},
		`"StringEquals": {"aws:PrincipalOrgID": "o-evil"}`:                                              {false, false},
		`"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-evil/*"}`:                               {false, false},
		`"StringEquals": {"aws:SourceIdentity": "mallory"}`:                                             {false, false},
		`"StringLike": {"aws:FederatedProvider": "*"}`:                                                  {false, false},
		`"Bool": {"aws:MultiFactorAuthPresent": "true"}`:                                                {true, false},
		`"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}`:                                       {false, false},
		`"NumericGreaterThan": {"aws:MultiFactorAuthAge": "60"}`:                                        {true, false},
		`"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}`:                                {true, false},
		`"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/ci"}`:                        {true, false},
		`"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:user/alice"}`:                     {false, true},
		`"StringEquals": {"aws:username": "alice"}`:                                                     {false, true},
		`"StringEquals": {"aws:username": "bob"}`:                                                       {true, true},
		`"StringEquals": {"aws:PrincipalAccount": "444455556666"}`:                                      {false, false},
		`"StringEquals": {"aws:PrincipalAccount": "999955556666"}`:                                      {true, true},
		`"StringEquals": {"aws:PrincipalType": "AssumedRole"}`:                                          {true, false},
		`"StringLike": {"aws:userid": "AROACI0000000000EXAMPLE:*"}`:                                     {true, false},
		`"Bool": {"aws:PrincipalIsAWSService": "true"}`:                                                 {true, true},
		`"StringEquals": {"aws:PrincipalAccount": "999955556666", "aws:PrincipalTag/suspended": "yes"}`: {true, true},
	} {
		trusted, faults := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{`+condition+`}}}`),
			policy.Options{Name: "trust-policy", Kind: policy.Trust, Format: policy.FormatJSON})
		if trusted == nil {
			t.Fatal(faults)
		}
		role := &Role{ARN: arn, ID: "AROACART00000000EXAMPLE", Partition: "aws", Account: "111122223333", Trust: trusted}
		user := &AWSIdentity{
			Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::444455556666:user/alice", Account: "444455556666", ID: "AIDAALICE0000000EXAMPLE"},
			UserID:    "AIDAALICE0000000EXAMPLE", SessionName: "alice", At: time.Now(),
		}
		session := &AWSIdentity{
			Principal: policy.Principal{
				Kind: policy.RoleSession, ARN: "arn:aws:sts::444455556666:assumed-role/ci/s1", Account: "444455556666",
				ParentARN: "arn:aws:iam::444455556666:role/ci", ParentID: "AROACI0000000000EXAMPLE",
			},
			UserID: "AROACI0000000000EXAMPLE:s1", SessionName: "s1", Temporary: true, At: time.Now(),
		}
		for who, granted := range map[*AWSIdentity]bool{user: want.user, session: want.session} {
			if _, err := ExchangeAWS(role, arn, who); (err == nil) != granted {
				t.Errorf("%s, %s: %v", condition, who.SessionName, err)
			}
		}
	}
}

// A session of an identity of AWS does not outlive what is known of the identity's own credentials.
func TestExchangedSessions(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/cart"
	now := time.Date(2026, 11, 28, 12, 0, 0, 5e8, time.UTC)
	for name, c := range map[string]struct {
		change          func(*AWSIdentity)
		want            Code
		issued, expires time.Time
	}{
		"a user":         {func(*AWSIdentity) {}, "", now.Truncate(time.Second), now.Truncate(time.Second).Add(time.Hour)},
		"temporary":      {func(i *AWSIdentity) { i.Temporary = true }, "", time.Unix(0, 0), now.Truncate(time.Second).Add(time.Hour)},
		"an end":         {func(i *AWSIdentity) { i.Until = now.Add(10 * time.Minute) }, "", now.Truncate(time.Second), now.Truncate(time.Second).Add(9 * time.Minute)},
		"a later end":    {func(i *AWSIdentity) { i.Until = now.Add(10 * time.Hour) }, "", now.Truncate(time.Second), now.Truncate(time.Second).Add(time.Hour)},
		"an early end":   {func(i *AWSIdentity) { i.Until = now.Add(time.Minute) }, ExpiredToken, now, now},
		"an end before":  {func(i *AWSIdentity) { i.Until = now.Add(-time.Minute) }, ExpiredToken, now, now},
		"half an hour":   {func(i *AWSIdentity) { i.Duration = 30 * time.Minute }, "", now.Truncate(time.Second), now.Truncate(time.Second).Add(30 * time.Minute)},
		"two hours":      {func(i *AWSIdentity) { i.Duration = 2 * time.Hour }, ValidationError, now, now},
		"negative":       {func(i *AWSIdentity) { i.Duration = -time.Hour }, ValidationError, now, now},
		"no time":        {func(i *AWSIdentity) { i.At = time.Time{} }, InternalFailure, now, now},
		"no ARN":         {func(i *AWSIdentity) { i.Principal.ARN = "" }, InternalFailure, now, now},
		"no account":     {func(i *AWSIdentity) { i.Principal.Account = "" }, InternalFailure, now, now},
		"no id":          {func(i *AWSIdentity) { i.Principal.ID = "" }, AccessDenied, now, now},
		"root":           {func(i *AWSIdentity) { i.Principal.Kind = policy.Root }, AccessDenied, now, now},
		"federated user": {func(i *AWSIdentity) { i.Principal.Kind = policy.FederatedUser }, AccessDenied, now, now},
		"federated, role": {func(i *AWSIdentity) {
			i.Principal.Kind, i.Principal.ParentARN, i.Principal.ParentID = policy.FederatedUser, "arn", "AROA"
		}, AccessDenied, now, now},
		"no role":       {func(i *AWSIdentity) { i.Principal.Kind, i.Principal.ParentID = policy.RoleSession, "AROA" }, AccessDenied, now, now},
		"no role's id":  {func(i *AWSIdentity) { i.Principal.Kind, i.Principal.ParentARN = policy.RoleSession, "arn" }, AccessDenied, now, now},
		"no name":       {func(i *AWSIdentity) { i.SessionName = "" }, AccessDenied, now, now},
		"a long name":   {func(i *AWSIdentity) { i.SessionName = strings.Repeat("a", 65) }, AccessDenied, now, now},
		"a name, slash": {func(i *AWSIdentity) { i.SessionName = "a/b" }, AccessDenied, now, now},
	} {
		i := &AWSIdentity{
			Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::444455556666:user/alice", Account: "444455556666", ID: "AIDAALICE0000000EXAMPLE"},
			UserID:    "AIDAALICE0000000EXAMPLE", SessionName: "alice", At: now,
		}
		c.change(i)
		s, err := ExchangeAWS(&Role{ARN: arn, ID: "AROACART00000000EXAMPLE", Partition: "aws", Account: "111122223333"}, arn, i)
		if code(err) != c.want || (s == nil) != (err != nil) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if s != nil && (!s.Issued.Equal(c.issued) || !s.Expires.Equal(c.expires) || s.Name != "alice" || s.Role != arn) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s, err := ExchangeAWS(nil, arn, &AWSIdentity{
		Principal:   policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::444455556666:user/alice", Account: "444455556666", ID: "AIDAALICE0000000EXAMPLE"},
		SessionName: "alice", At: now,
	}); err == nil || s != nil {
		t.Error("a role that does not exist has a session")
	}
}

// What a trust policy asks for in an Allow does not matter, and a policy of another kind in its place refuses.
func TestExchangeWithoutADeny(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/cart"
	for name, c := range map[string]struct {
		trust *policy.Policy
		want  Code
	}{
		"an Allow with a tag": {trustPolicy(t, policy.Trust, `{"Effect": "Allow", "Action": "sts:*", "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}}`), ""},
		"a resource policy":   {trustPolicy(t, policy.Resource, `{"Effect": "Allow", "Action": "*", "Principal": "*", "Resource": "*"}`), InternalFailure},
	} {
		for _, account := range []string{"444455556666", "111122223333"} {
			_, err := ExchangeAWS(&Role{ARN: arn, ID: "AROACART00000000EXAMPLE", Partition: "aws", Account: "111122223333", Trust: c.trust}, arn, &AWSIdentity{
				Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::" + account + ":user/alice", Account: account, ID: "AIDAALICE0000000EXAMPLE"},
				UserID:    "AIDAALICE0000000EXAMPLE", SessionName: "alice", At: time.Now(),
			})
			if code(err) != c.want {
				t.Errorf("%s, %s: %v, want %q", name, account, err, c.want)
			}
		}
	}
}
