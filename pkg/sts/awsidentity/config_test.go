package awsidentity

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// An action that lacks a part is not made.
func TestActionsThatAreNotMade(t *testing.T) {
	good := func() Config {
		return Config{Client: NewClient(), Store: storeOf(t, newRing(t), nil, nil, nil), Listing: &Listing{}, URLs: []string{"https://sts.example.com", "https://sts.example.com:9003"}}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		ok     bool
	}{
		"good":             {func(*Config) {}, true},
		"no client":        {func(c *Config) { c.Client = nil }, false},
		"no store":         {func(c *Config) { c.Store = nil }, false},
		"no listing":       {func(c *Config) { c.Listing = nil }, false},
		"no URL":           {func(c *Config) { c.URLs = nil }, false},
		"a path":           {func(c *Config) { c.URLs = []string{"https://sts.example.com/x"} }, false},
		"a slash":          {func(c *Config) { c.URLs = []string{"https://sts.example.com/"} }, false},
		"capitals":         {func(c *Config) { c.URLs = []string{"https://STS.example.com"} }, false},
		"the usual port":   {func(c *Config) { c.URLs = []string{"https://sts.example.com:443"} }, false},
		"plain text":       {func(c *Config) { c.URLs = []string{"http://sts.example.com"} }, false},
		"an endpoint":      {func(c *Config) { c.Endpoint = &Endpoint{"https://aws.example.com", "us-iso-east-1", "aws-iso"} }, true},
		"no region":        {func(c *Config) { c.Endpoint = &Endpoint{"https://aws.example.com", "", "aws-iso"} }, false},
		"no partition":     {func(c *Config) { c.Endpoint = &Endpoint{"https://aws.example.com", "us-iso-east-1", ""} }, false},
		"an odd region":    {func(c *Config) { c.Endpoint = &Endpoint{"https://aws.example.com", "us/east", "aws-iso"} }, false},
		"a plain endpoint": {func(c *Config) { c.Endpoint = &Endpoint{"http://aws.example.com", "us-iso-east-1", "aws-iso"} }, false},
	} {
		config := good()
		c.change(&config)
		if a, err := New(config); (err == nil) != c.ok || (a != nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The answer has a secret, so it goes over TLS, or stays on the machine.
func TestCallsInPlainText(t *testing.T) {
	aws := newAWS(t)
	f := newFixture(t, aws.URL, entries)
	for peer, refused := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "192.0.2.1:1": true, "10.0.0.1:1": true, "[2001:db8::1]:1": true, "[::ffff:192.0.2.1]:1": true} {
		form := url.Values{"Action": {ActionName}, "Version": {"2011-06-15"}, "CallerIdentityUrl": {f.alice(t)}, "StsUrl": {here}, "RoleArn": {cart}}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		f.Config.Handler.ServeHTTP(w, r)
		if got := strings.Contains(w.Body.String(), "Call this action over TLS"); got != refused || got == strings.Contains(w.Body.String(), "SecretAccessKey") {
			t.Errorf("%s: %d %s", peer, w.Code, w.Body)
		}
	}
}

// Policies see a user as a user, and a session with its role.
func TestPrincipals(t *testing.T) {
	user := &identity{partition: "aws", account: "444455556666", arn: alice, userID: aliceID, name: "alice", id: aliceID}
	if got, want := user.principal(""), (policy.Principal{Kind: policy.User, ARN: alice, Account: "444455556666", ID: aliceID}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	role := &identity{partition: "aws-cn", account: "444455556666", arn: "arn:aws-cn:sts::444455556666:assumed-role/deploy/s1", role: true, name: "deploy", id: deployID, session: "s1"}
	want := policy.Principal{Kind: policy.RoleSession, ARN: role.arn, Account: "444455556666", ParentARN: "arn:aws-cn:iam::444455556666:role/deploy", ParentID: deployID}
	if got := role.principal(""); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if want.ParentARN = "arn:aws-cn:iam::444455556666:role/ci/deploy"; role.principal(want.ParentARN) != want {
		t.Errorf("%+v, want %+v", role.principal(want.ParentARN), want)
	}
	if user.sessionName() != "alice" || role.sessionName() != "s1" {
		t.Errorf("%s, %s", user.sessionName(), role.sessionName())
	}
}
