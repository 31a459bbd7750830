package sts

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const (
	mallory = "AKIAMALLORY000EXAMPLE" // may do nothing, and nothing denies it
	carol   = "AKIACAROL0000EXAMPLE"  // may assume roles
	first   = "arn:aws:iam::111122223333:role/x/first"
	second  = "arn:aws:iam::111122223333:role/second"
	third   = "arn:aws:iam::111122223333:role/third"
	opsTeam = "arn:aws:iam::111122223333:role/opsteam"
	foreign = "arn:aws:iam::444455556666:role/x/first"
)

// trusting returns a role of the chain.
func trusting(t testing.TB, role, trust string) *iam.Written {
	t.Helper()
	parse := func(kind policy.Kind, text string) *policy.Policy {
		p, faults := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [`+text+`]}`), policy.Options{Name: "p", Kind: kind, Format: policy.FormatJSON})
		if p == nil {
			t.Fatal(faults)
		}
		return p
	}
	return &iam.Written{
		ARN: role, Tags: map[string]string{"team": "ops", "level": "1"}, Trust: parse(policy.Trust, trust), MaxSession: 12 * 3600,
		Policies: []*policy.Policy{parse(policy.Identity, `{"Effect": "Allow", "Action": ["sts:*", "execute-api:*"], "Resource": "*"}`)},
	}
}

// chainStore has roles that can be assumed one from the other. A change replaces a part of the trust policy of second.
func chainStore(t testing.TB, ring *session.Ring, change ...string) *iam.Store {
	t.Helper()
	const all = `"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]`
	b, root := iam.NewBuilder(), fault.Root(nil)
	b.Sessions(ring)
	faults := b.AddUser(&iam.Written{ARN: "arn:aws:iam::111122223333:user/mallory", Tags: map[string]string{"team": "none"}}, root)
	carols := trusting(t, "arn:aws:iam::111122223333:user/carol", `{"Effect": "Deny", "Action": "sts:*", "Principal": "*"}`)
	faults = append(faults, b.AddUser(&iam.Written{ARN: carols.ARN, Policies: carols.Policies}, root)...)
	trustOfSecond := strings.NewReplacer(change...).Replace(`{"Effect": "Allow", ` + all + `, "Principal": {"AWS": "` + first + `"}}`)
	for role, trust := range map[string]string{
		first:   `{"Effect": "Allow", ` + all + `, "Principal": {"AWS": "arn:aws:iam::111122223333:user/carol"}}`,
		second:  trustOfSecond,
		third:   `{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}`,
		opsTeam: `{"Effect": "Allow", ` + all + `, "Principal": {"AWS": "111122223333"}, "Condition": {"StringEquals": {"aws:PrincipalTag/team": "admin"}}}`,
		foreign: `{"Effect": "Allow", ` + all + `, "Principal": {"AWS": "444455556666"}}`,
	} {
		faults = append(faults, b.AddRole(trusting(t, role, trust), root)...)
	}
	for id, user := range map[string]string{mallory: "mallory", carol: "carol"} {
		faults = append(faults, b.AddKey(&iam.AccessKey{ID: id, Secret: secret, User: "arn:aws:iam::111122223333:user/" + user}, root)...)
	}
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return b.Store()
}

// chain is a fixture with these roles.
type chain struct {
	*fixture
	store *iam.Store
}

func newChain(t testing.TB) *chain {
	t.Helper()
	c := &chain{}
	c.fixture = newFixture(t, func(config *Config) {
		c.store = chainStore(t, config.Sessions)
		config.Store = c.store
	})
	return c
}

// assume returns a call of AssumeRole.
func (c *chain) assume(t testing.TB, s sigv4test.Signer, role string, pairs ...string) *http.Request {
	t.Helper()
	v := form("AssumeRole", "RoleArn", role, "RoleSessionName", "chain")
	maps.Copy(v, form("AssumeRole", pairs...))
	return sign(t, s, post(v))
}

// as returns the signer of a session.
func (c *chain) as(a answerOf) sigv4test.Signer {
	s := c.signer(a.texts["AccessKeyId"])
	s.Secret, s.Token = a.texts["SecretAccessKey"], a.texts["SessionToken"]
	return s
}

// begin returns the signer of a session of first that carol has, and its session.
func (c *chain) begin(t testing.TB, pairs ...string) sigv4test.Signer {
	t.Helper()
	return c.as(c.granted(t, "first", c.assume(t, c.signer(carol), first, pairs...)))
}

// may reports whether a session may invoke an API of its account, by its own policies alone.
func (c *chain) may(t testing.TB, store *iam.Store, s sigv4test.Signer, path string) (bool, error) {
	t.Helper()
	v, err := iam.New(iam.Config{Store: store}).Verifier(iam.Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	r := &authz.Request{Method: "GET", Target: path, Host: "pets.example.com"}
	r.SetBody(nil, authz.BodyComplete)
	s.Service, s.At = "execute-api", time.Now()
	s.Sign(r)
	caller, err := v.Verify(r)
	if err != nil {
		return false, err
	}
	policies := caller.Policies()
	return policy.Evaluate(&policies, &policy.Request{
		Principal: caller.Principal(), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET" + path,
		ResourceAccount: "111122223333", Context: caller,
	}).Decision == policy.Allow, nil
}

// A user without rights gets no session of a role, whatever it calls itself.
func TestUserWithoutRights(t *testing.T) {
	c := newChain(t)
	key := c.signer(mallory)
	own := c.as(c.granted(t, "GetSessionToken", sign(t, key, post(form("GetSessionToken")))))
	for name, s := range map[string]sigv4test.Signer{"the key": key, "a session of the user": own} {
		for _, role := range []string{first, second, third, opsTeam, foreign} {
			c.refused(t, name+", "+role, c.assume(t, s, role), 403, AccessDenied, "not authorized")
			c.refused(t, name+", with a tag, "+role, c.assume(t, s, role, "Tags.member.1.Key", "team", "Tags.member.1.Value", "admin"), 403, AccessDenied, "not authorized")
		}
	}
	c.refused(t, "a session of the session", sign(t, own, post(form("GetSessionToken"))), 403, AccessDenied, "")
	if ok, err := c.may(t, c.store, own, "/pets"); ok || err != nil {
		t.Errorf("the session of the user may invoke: %v", err)
	}
}

// The ARN of a role has one spelling.
func TestOtherSpellingsOfARole(t *testing.T) {
	c := newChain(t)
	key := c.signer(carol)
	c.granted(t, "first", c.assume(t, key, first))
	for _, role := range []string{
		"arn:aws:iam::111122223333:role/first", "arn:aws:iam::111122223333:role/x//first", "arn:aws:iam::111122223333:role/x/../x/first", "arn:aws:iam::111122223333:role/X/first",
		"arn:aws:iam::111122223333:role/x/FIRST", first + "/", "arn:aws-cn:iam::111122223333:role/x/first", "arn:aws:iam::444455556666:role/x/second", "arn:aws:iam::111122223333:role/x/*",
		"arn:aws:iam::*:role/x/first", "arn:aws:iam::111122223333:role/x/firs?", first + "\x00", first + " ", first + "%20", "ARN:aws:iam::111122223333:role/x/first", "arn:aws:IAM::111122223333:role/x/first",
		"arn:aws:iam:us-east-1:111122223333:role/x/first", "arn:aws:sts::111122223333:assumed-role/first/chain", "arn:aws:iam::111122223333:user/carol", "AROAFIRST", strings.Replace(first, "3333", "3333\u200b", 1),
		foreign,
	} {
		a := c.send(t, c.assume(t, key, role))
		if code := Code(a.texts["Code"]); a.status == http.StatusOK || code != AccessDenied && code != ValidationError {
			t.Errorf("%q: %d %s", role, a.status, a.body)
		}
	}
}

// What a session passes on cannot be changed by the one that it begins.
func TestChains(t *testing.T) {
	c := newChain(t)
	tag := func(key, value string) []string {
		return []string{"Tags.member.1.Key", key, "Tags.member.1.Value", value}
	}
	start := c.begin(t, append(tag("Team", "shop"), "TransitiveTagKeys.member.1", "Team", "SourceIdentity", "carol")...)
	for name, pairs := range map[string][]string{
		"another value":          tag("Team", "admin"),
		"the same value":         tag("Team", "shop"),
		"another case":           tag("TEAM", "admin"),
		"another case, ſ":        append(tag("team", "admin"), "Tags.member.2.Key", "Team", "Tags.member.2.Value", "x"),
		"transitive again":       append(tag("tEAM", "admin"), "TransitiveTagKeys.member.1", "tEAM"),
		"transitive without tag": {"TransitiveTagKeys.member.1", "level"},
	} {
		c.refused(t, name, c.assume(t, start, second, pairs...), 400, ValidationError, "")
	}
	for _, source := range []string{"mallory", "Carol", "carol2"} {
		c.refused(t, "the source identity "+source, c.assume(t, start, second, "SourceIdentity", source), 403, AccessDenied, "sts:SetSourceIdentity")
	}
	c.refused(t, "a source identity that is dropped", c.assume(t, start, third), 403, AccessDenied, "sts:TagSession")
	c.refused(t, "two hours", c.assume(t, start, second, "DurationSeconds", "7200"), 400, ValidationError, "1 hour")
	a := c.granted(t, "second", c.assume(t, start, second, tag("level", "9")...))
	s, _, _ := c.ring.Open(a.texts["AccessKeyId"], a.texts["SessionToken"])
	if s == nil || s.SourceIdentity != "carol" || len(s.Tags) != 2 || s.Tags[0] != (session.Tag{Key: "Team", Value: "shop"}) || len(s.TransitiveTagKeys) != 1 {
		t.Fatalf("%+v", s)
	}
	again := c.as(a)
	c.refused(t, "the tag after two roles", c.assume(t, again, second, tag("team", "admin")...), 400, ValidationError, "")
	c.refused(t, "a role that does not trust the second", c.assume(t, again, second), 403, AccessDenied, "")
	c.refused(t, "its own tag of the role decides", c.assume(t, again, opsTeam), 403, AccessDenied, "")
	c.refused(t, "the source identity after two roles", c.assume(t, again, first), 403, AccessDenied, "")

	plain := c.begin(t)
	c.granted(t, "third from a session without tags", c.assume(t, plain, third))
	c.refused(t, "a tag that the trust policy does not allow", c.assume(t, plain, third, tag("team", "admin")...), 403, AccessDenied, "sts:TagSession")
	c.refused(t, "a source identity that the trust policy does not allow", c.assume(t, plain, third, "SourceIdentity", "mallory"), 403, AccessDenied, "sts:SetSourceIdentity")
	c.refused(t, "the role's own tag", c.assume(t, plain, opsTeam), 403, AccessDenied, "")
}

// A session policy narrows what the session does, and which roles it assumes.
func TestSessionPoliciesInAChain(t *testing.T) {
	c := newChain(t)
	for name, row := range map[string]struct {
		statement           string
		pets, orders, third bool
	}{
		"everything":             {`"Effect": "Allow", "Action": "*", "Resource": "*"`, true, true, true},
		"NotAction of the API":   {`"Effect": "Allow", "NotAction": "execute-api:*", "Resource": "*"`, false, false, true},
		"NotAction of STS":       {`"Effect": "Allow", "NotAction": ["sts:*"], "Resource": "*"`, true, true, false},
		"NotAction in capitals":  {`"Effect": "Allow", "NotAction": ["EXECUTE-API:invoke", "STS:assumerole"], "Resource": "*"`, false, false, false},
		"NotResource":            {`"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:execute-api:*:*:*/*/GET/pets"`, false, true, true},
		"NotResource, the roles": {`"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::*:role/*"`, true, true, false},
		"Deny with NotAction":    {`"Effect": "Deny", "NotAction": "sts:*", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "*"`, false, false, true},
		"only a Deny":            {`"Effect": "Deny", "Action": "s3:*", "Resource": "*"`, false, false, false},
		"a tag that is absent":   {`"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/none": "x"}}`, false, false, false},
		"a tag of the role":      {`"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/TEAM": "ops"}}`, true, true, true},
	} {
		s := c.begin(t, "Policy", `{"Version": "2012-10-17", "Statement": [{`+row.statement+`}]}`)
		for path, want := range map[string]bool{"/pets": row.pets, "/orders": row.orders} {
			if got, err := c.may(t, c.store, s, path); got != want || err != nil {
				t.Errorf("%s: %s %t, %v", name, path, got, err)
			}
		}
		if row.third {
			c.granted(t, name, c.assume(t, s, third))
		} else {
			c.refused(t, name, c.assume(t, s, third), 403, AccessDenied, "")
			c.refused(t, name+", a role that names the caller's role", c.assume(t, s, second), 403, AccessDenied, "")
		}
		c.refused(t, name+", a session of its own", sign(t, s, post(form("GetSessionToken"))), 403, AccessDenied, "")
	}
	for _, text := range []string{
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": [], "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "s3:*", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "s3:*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotPrincipal": "*", "Action": "*", "Resource": "*"}]}`,
		`{"Version": "2013-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "ALLOW", "Action": "*", "Resource": "*"}]}`,
	} {
		c.refused(t, text, c.assume(t, c.signer(carol), first, "Policy", text), 400, MalformedPolicyDocument, "")
	}
}

// Session tags stand before the tags of the role, in any case of their letters.
func TestTagsThatReplaceThoseOfTheRole(t *testing.T) {
	c := newChain(t)
	a := c.granted(t, "a tag of the role", c.assume(t, c.signer(carol), first, "Tags.member.1.Key", "TEAM", "Tags.member.1.Value", "admin"))
	c.granted(t, "the tag that opens a role", c.assume(t, c.as(a), opsTeam))
	c.refused(t, "the same tag twice", c.assume(t, c.signer(carol), first, "Tags.member.1.Key", "team", "Tags.member.1.Value", "a", "Tags.member.2.Key", "Team", "Tags.member.2.Value", "b"),
		400, ValidationError, "Duplicate")
	for _, key := range []string{"aws:PrincipalTag", "AWS:x", "a*", "a?", "${x}", "a\n", ""} {
		c.refused(t, "the key "+key, c.assume(t, c.signer(carol), first, "Tags.member.1.Key", key, "Tags.member.1.Value", "a"), 400, ValidationError, "")
	}
	for _, value := range []string{"*", "?", "${aws:username}", "aws:x", "a\x00"} {
		c.refused(t, "the value "+value, c.assume(t, c.signer(carol), first, "Tags.member.1.Key", "a", "Tags.member.1.Value", value), 400, ValidationError, "")
	}
}

// A session outlives a change of its role's trust policy, as at AWS, and no new one is made. A role that is gone ends its sessions.
func TestSessionsOfARoleThatChanges(t *testing.T) {
	c := newChain(t)
	start := c.begin(t)
	next := c.as(c.granted(t, "second", c.assume(t, start, second)))
	distrusting := chainStore(t, c.ring, first, third)
	service, err := New(Config{Store: distrusting, Sessions: c.ring, CallsPerSecond: 10000, Hosts: []string{"example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	c.config.Current = func() (*Service, func()) { return service, func() {} }
	c.refused(t, "a new session", c.assume(t, start, second), 403, AccessDenied, "")
	if a := c.send(t, sign(t, next, post(form("GetCallerIdentity")))); a.status != http.StatusOK {
		t.Error(a.body)
	}
	b := iam.NewBuilder()
	b.Sessions(c.ring)
	changed := trusting(t, second, `{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "`+first+`"}}`)
	changed.ID = "AROANEWSECOND000EXAMPLE"
	if faults := append(b.AddRole(trusting(t, first, `{"Effect": "Deny", "Action": "sts:*", "Principal": "*"}`), fault.Root(nil)), b.AddRole(changed, fault.Root(nil))...); len(faults) > 0 {
		t.Fatal(faults)
	}
	recreated := b.Store()
	if ok, err := c.may(t, recreated, start, "/pets"); !ok || err != nil {
		t.Errorf("a session of the role that is the same: %t, %v", ok, err)
	}
	if ok, err := c.may(t, recreated, next, "/pets"); ok || err == nil {
		t.Error("a session of the role that was created anew may invoke")
	}
}

// Texts of clients are texts in an answer, and one line in the log.
func TestMarkupInParameters(t *testing.T) {
	f := newFixture(t, nil)
	for _, text := range []string{
		`<script>alert(1)</script>`, `]]><Credentials>`, `&lt;b&gt;`, "</Message><Code>OK</Code>", "a\r\nHTTP/1.1 200 OK", `","Code":"OK`, "\u2028\u202e", "\x1b[2J",
	} {
		for _, parameters := range []url.Values{
			assumeForm("RoleSessionName", text), assumeForm("RoleArn", "arn:aws:iam::111122223333:role/"+text), assumeForm("Policy", text), assumeForm("SourceIdentity", text),
			assumeForm("ExternalId", text), assumeForm("Tags.member.1.Key", text, "Tags.member.1.Value", text), assumeForm("PolicyArns.member.1.arn", text),
			assumeForm("DurationSeconds", text), form(text), webForm(t, nil, "RoleSessionName", text), webForm(t, nil, "WebIdentityToken", text), assumeForm(text, text),
		} {
			for _, accept := range []string{"", "application/json"} {
				r := sign(t, f.signer("AKIAALICE0000EXAMPLE"), post(parameters))
				r.Header.Set("Accept", accept)
				a := f.send(t, r) // which reads the XML
				if strings.Contains(a.body, "<script>") || strings.Contains(a.body, "\x1b") || strings.Contains(a.header.Get("Content-Type"), "html") ||
					a.texts["Code"] == "OK" || a.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%q: %s", text, a.body)
				}
			}
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(f.log.String()), "\n") {
		if !strings.HasPrefix(line, "time=") || strings.ContainsAny(line, "\x1b\r\u202e") {
			t.Fatalf("the log has the line %q", line)
		}
	}
}

// Session policies and tags fit into a token, or the session is refused: a cut one would be wider.
func TestSizesOfSessions(t *testing.T) {
	c := newChain(t)
	var granted, refused int
	for n := range 51 {
		pairs := []string{"Policy", policyOf(2048)}
		for i := range n {
			pairs = append(pairs, fmt.Sprintf("Tags.member.%d.Key", i+1), fmt.Sprintf("key%d", i), fmt.Sprintf("Tags.member.%d.Value", i+1), fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i)})))
		}
		a := c.send(t, c.assume(t, c.signer(carol), first, pairs...))
		switch s, _, ok := c.ring.Open(a.texts["AccessKeyId"], a.texts["SessionToken"]); {
		case a.status == http.StatusOK && ok && len(s.Tags) == n && len(s.Policy) == 2048 && len(a.texts["SessionToken"]) <= 2048:
			granted++
		case a.texts["Code"] == string(PackedPolicyTooLarge) && a.texts["SessionToken"] == "":
			refused++
		default:
			t.Errorf("%d tags: %d %s", n, a.status, a.body)
		}
	}
	if granted == 0 || refused == 0 {
		t.Errorf("%d are granted, %d refused", granted, refused)
	}
}
