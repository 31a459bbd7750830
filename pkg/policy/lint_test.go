package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func lintTarget() Target {
	return Target{
		ARNPrefix: benchPrefix,
		Stages:    []string{"prod", "v1"},
		Routes:    []TargetRoute{{Method: "GET", Resource: "/"}, {Method: "GET", Resource: "/pets/{petId}"}, {Method: "ANY", Resource: "/orders/{proxy+}"}, {Method: "POST", Resource: "/pets"}},
		KeyPossible: func(k *Key) bool {
			return slices.Contains([]KeyID{KeySourceIP, KeySecureTransport, KeyCurrentTime, KeyUserAgent}, k.ID())
		},
	}
}

func TestLint(t *testing.T) {
	const everywhere = `"Action": "execute-api:Invoke", "Resource": "execute-api:/*"`
	for _, c := range []struct {
		statement string
		want      string // words of the fault; none if there is nothing to say
	}{
		{`"Principal": "*", ` + everywhere, ""},
		{`"Principal": "*", "Action": "execute-api:*", "Resource": "*"`, ""},
		{`"Principal": "*", "Action": "*", "Resource": ["execute-api:/prod/GET/", "execute-api:/*/GET/pets/*", "execute-api:/v1/PUT/orders/7/items", "execute-api:/v1/POST/pets/"]`, ""},
		{`"Principal": "*", "Action": "*", "Resource": "arn:aws:execute-api:*:*:*"`, ""},
		{`"Principal": "*", "Action": "*", "Resource": "arn:aws:execute-api:eu-*:1111????3333:a1b2*/prod/GET/pets/?"`, ""},
		{`"Principal": "*", "Action": "*", "Resource": "execute-api:/prod/GET/pets/a?c"`, ""},

		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "` + benchPrefix + `/"`, `is not a method of this API; write ` + benchPrefix + `/*`},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "` + benchPrefix + `"`, `write ` + benchPrefix + `/*`},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/test/*"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/DELETE/pets"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET/pets/7/toys"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET//pets/7"`, "no leading slash"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/get/pets/7"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:us-east-1:111122223333:a1b2c3d4e5/*"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:eu-west-1:account-id:api-id/*"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:s3:::bucket/*"`, "is not a method of this API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*/GET/pets/${aws:username}"`, "aws:username is never present"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*/GET/pets/${aws:username, 'x'}"`, ""},
		{`"Principal": "*", "Action": "execute-api:Invoke", "NotResource": "execute-api:/prod/GET/pets/*"`, ""},
		{`"Principal": "*", "Action": "execute-api:Invoke", "NotResource": "execute-api:/*"`, "leaves out the whole API"},
		{`"Principal": "*", "Action": "execute-api:Invoke", "NotResource": ["arn:aws:s3:::b", "*"]`, "leaves out the whole API"},
		{`"Principal": "*", "Action": "s3:GetObject", "Resource": "*"`, "do not include execute-api:Invoke"},
		{`"Principal": "*", "NotAction": "execute-api:*", "Resource": "*"`, "do not include execute-api:Invoke"},
		{`"Principal": {"AWS": "111122223333"}, ` + everywhere, "only routes with authorization AWS_IAM know"},
		{`"Principal": {"Service": "apigateway.amazonaws.com"}, ` + everywhere, "names nobody who can call an API"},

		{`"Principal": "*", ` + everywhere + `, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`, ""},
		{`"Principal": "*", ` + everywhere + `, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}`, "aws:PrincipalOrgID is never present"},
		{`"Principal": "*", ` + everywhere + `, "Condition": {"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgPaths": "o-1/"}}`, "aws:PrincipalOrgPaths is never present"},
		{`"Principal": "*", ` + everywhere + `, "Condition": {"Null": {"aws:username": "false"}}`, "aws:username is never present"},
		{`"Principal": "*", ` + everywhere + `, "Condition": {"StringEquals": {"aws:SourceIP": "10.0.0.1"}, "Bool": {"aws:SecureTrnsport": "false"}}`, "aws:SecureTrnsport is never present"},
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			p := lintPolicy(t, `{"Effect": "`+effect+`", `+c.statement+`}`)
			faults := p.Lint(lintTarget())
			if c.want == "" {
				if len(faults) > 0 {
					t.Errorf("%s %s: %v", effect, c.statement, faults)
				}
				continue
			}
			if len(faults) != 1 || !strings.Contains(faults[0].Message, c.want) || !strings.Contains(faults[0].Message, effect+" can never apply") {
				t.Errorf("%s %s: %v, want %q", effect, c.statement, faults, c.want)
				continue
			}
			if f := faults[0]; f.Warning != (effect == "Allow") || f.Line != 2 || f.Column < 1 || f.Statement != "Statement[0]" {
				t.Errorf("%s %s: %+v", effect, c.statement, f)
			}
		}
	}
}

func lintPolicy(t *testing.T, statement string) *Policy {
	t.Helper()
	p, faults := Parse([]byte(`{"Version": "2012-10-17", "Statement":
		[`+statement+`]}`), Options{Kind: Resource, ExpandPrefix: benchPrefix})
	if p == nil {
		t.Fatalf("%s: %v", statement, faults)
	}
	return p
}

// TestLintWarns holds what applies and is warned of whatever the effect.
func TestLintWarns(t *testing.T) {
	const everywhere = `"Action": "execute-api:Invoke", "Resource": "execute-api:/*"`
	for statement, want := range map[string]string{
		`"Principal": "*", "Action": "execute-api:InvalidateCache", "Resource": "*"`:                                          "asks for execute-api:Invoke only",
		`"Principal": "*", "Action": "*", "Resource": ["execute-api:/prod/*", "execute-api:/test/*"]`:                         "the resource \"execute-api:/test/*\" is not a method",
		`"Principal": "*", ` + everywhere + `, "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}`:                "StringNotEquals on it always holds",
		`"Principal": "*", ` + everywhere + `, "Condition": {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}`:           "always holds",
		`"Principal": "*", ` + everywhere + `, "Condition": {"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-1/"}}`: "always holds",
		`"Principal": "*", ` + everywhere + `, "Condition": {"Null": {"aws:username": "true"}}`:                               "always holds",
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			faults := lintPolicy(t, `{"Effect": "`+effect+`", `+statement+`}`).Lint(lintTarget())
			if len(faults) != 1 || !faults[0].Warning || !strings.Contains(faults[0].Message, want) {
				t.Errorf("%s %s: %v, want a warning with %q", effect, statement, faults, want)
			}
		}
	}
}

func TestLintPrincipals(t *testing.T) {
	const everywhere = `"Action": "execute-api:Invoke", "Resource": "*"`
	target := lintTarget()
	target.AWSPrincipals = true
	for statement, want := range map[string]string{
		`"Principal": {"AWS": "111122223333"}, ` + everywhere:                             "",
		`"NotPrincipal": {"AWS": "111122223333"}, ` + everywhere:                          "",
		`"NotPrincipal": "*", ` + everywhere:                                              "leaves out everyone",
		`"Principal": {"Federated": "cognito-identity.amazonaws.com"}, ` + everywhere:     "names nobody",
		`"Principal": {"AWS": "*", "Service": "apigateway.amazonaws.com"}, ` + everywhere: "",
	} {
		faults := lintPolicy(t, `{"Effect": "Deny", `+statement+`}`).Lint(target)
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || faults[0].Warning || !strings.Contains(faults[0].Message, want)) {
			t.Errorf("%s: %v, want %q", statement, faults, want)
		}
	}
}

func TestLintWithoutRoutes(t *testing.T) {
	target := Target{ARNPrefix: benchPrefix, AWSPrincipals: true}
	for resource, dead := range map[string]bool{
		"execute-api:/*": false, "execute-api:/any/GET/thing": false, "execute-api:/any/GET/": false, "execute-api:/any": true, "execute-api:/": true, "arn:aws:s3:::b": true,
	} {
		faults := lintPolicy(t, `{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "`+resource+`"}`).Lint(target)
		if dead != (len(faults) == 1) {
			t.Errorf("%s: %v", resource, faults)
		}
	}
	if faults := (*Policy)(nil).Lint(target); len(faults) > 0 {
		t.Errorf("no policy: %v", faults)
	}
}

// TestLintIsBounded takes a policy and an API that are both large.
func TestLintIsBounded(t *testing.T) {
	target := Target{ARNPrefix: benchPrefix, AWSPrincipals: true, Stages: []string{"prod"}}
	for i := range 49 {
		target.Routes = append(target.Routes, TargetRoute{Method: "GET", Resource: fmt.Sprintf("/things/%d/y", i)})
	}
	document := benchDocument(1000, func(int) string { return "execute-api:/*/*/*/*/*/*z" })
	start := time.Now()
	if faults := benchPolicy(t, document).Lint(target); len(faults) < 900 {
		t.Errorf("%d faults", len(faults))
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}
