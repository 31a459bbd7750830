package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	identity, faults := Parse([]byte(`{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Mine", "Effect": "Allow", "Action": "execute-api:Invoke",
     "Resource": "arn:aws:execute-api:*:*:*/prod/GET/${aws:username}/*"},
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Sid": "Tagged", "Effect": "Allow", "Action": "*", "Resource": "*",
     "Condition": {"StringEquals": {"aws:PrincipalTag/Team": "pets", "aws:RequestedRegion": "eu-west-1"}, "Null": {"aws:SourceVpc": "true"}}},
    {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
  ]
}`), Options{Name: "inline/alice/p1"})
	if identity == nil {
		t.Fatal(faults)
	}
	resource := must(t, Resource, "resource-policy", `Deny {"AWS": "444455556666"}`, "Deny@execute-api:/prod/GET/pets/")
	r := &Request{Principal: alice, Action: "execute-api:Invoke", Resource: getPets, Spellings: []string{getPets + "/"}, ResourceAccount: owner, Context: mapContext{"aws:requestedregion": StringValue("eu-west-1")}}
	got := Explain(&Policies{Identity: []*Policy{identity}, Resource: resource}, r)
	outcome := func(statement, because string, start, end Position) StatementOutcome {
		return StatementOutcome{Policy: "inline/alice/p1", Statement: statement, Start: start, End: end, Because: because, Applies: because == ""}
	}
	want := Explanation{
		Result: Result{Decision: ExplicitDeny, Policy: "resource-policy", Statement: "Statement[1]", By: Resource},
		Statements: []StatementOutcome{
			outcome("Mine", "Resource", Position{Line: 4, Column: 5}, Position{Line: 5, Column: 72}),
			outcome("Statement[1]", "Action", Position{Line: 6, Column: 5}, Position{Line: 6, Column: 58}),
			outcome("Tagged", "StringEquals aws:PrincipalTag/Team", Position{Line: 7, Column: 5}, Position{Line: 8, Column: 141}),
			outcome("All", "", Position{Line: 9, Column: 5}, Position{Line: 9, Column: 69}),
			{Policy: "resource-policy", Kind: Resource, Statement: "Statement[0]", Deny: true, Start: Position{Line: 1, Column: 41}, End: Position{Line: 1, Column: 145}, Because: "Principal"},
			{Policy: "resource-policy", Kind: Resource, Statement: "Statement[1]", Deny: true, Start: Position{Line: 1, Column: 147}, End: Position{Line: 1, Column: 257}, Applies: true},
		},
		MissingKeys: []string{"aws:PrincipalTag/Team", "aws:SourceVpc", "aws:username"},
	}
	want.Statements[2].Conditions = []string{"StringEquals aws:PrincipalTag/Team", "StringEquals aws:RequestedRegion", "Null aws:SourceVpc"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if matched := got.Matched(); len(matched) != 2 || matched[0].Statement != "All" || matched[1].Statement != "Statement[1]" {
		t.Errorf("matched %+v", matched)
	}
}

// TestExplainClosed looks at what Evaluate refuses, too.
func TestExplainClosed(t *testing.T) {
	if got := Explain(nil, nil); got.Decision != ImplicitDeny || len(got.Statements) > 0 {
		t.Errorf("%+v", got)
	}
	if got := (*Policy)(nil).Explain(nil); got.Decision != ImplicitDeny || len(got.Statements) > 0 {
		t.Errorf("%+v", got)
	}
	anonymous := Explain(&Policies{Identity: []*Policy{must(t, Identity, "identity", "Allow")}}, &Request{Action: "execute-api:Invoke", Resource: getPets})
	if anonymous.Decision != ImplicitDeny || len(anonymous.Statements) > 0 {
		t.Errorf("%+v", anonymous)
	}
}

// TestDecidingCondition names the condition of what is missing, and not one of a side that allows.
func TestDecidingCondition(t *testing.T) {
	const (
		fails    = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`
		narrow   = `{"Effect":"Allow","Action":"*","Resource":"` + getPets + `","Condition":{"Null":{"aws:SourceVpc":"false"}}}`
		allows   = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		other    = `{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:*/prod/GET/other","Condition":{"Null":{"aws:Referer":"false"}}}`
		resource = `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:UserAgent":"false"}}}`
		deny     = `{"Sid":"No","Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"true"},"StringNotEquals":{"aws:Referer":"x"}}}`
	)
	parse := func(kind Kind, statements string) *Policy {
		p, faults := Parse([]byte(`{"Version":"2012-10-17","Statement":[`+statements+`]}`), Options{Name: kind.String(), Kind: kind})
		if p == nil {
			t.Fatal(faults)
		}
		return p
	}
	for name, c := range map[string]struct {
		identity, resource, account string
		want                        string
	}{
		"the first in the document":                {fails + "," + narrow, resource, owner, "Bool aws:SecureTransport"},
		"the first in the document, found later":   {narrow + "," + fails, resource, owner, "Null aws:SourceVpc"},
		"another resource":                         {other, resource, owner, "Null aws:UserAgent"},
		"another account, its own side is missing": {other, resource, "444455556666", " "},
		"another account, its own side allows":     {fails + "," + allows, resource, "444455556666", "Null aws:UserAgent"},
		"a Deny":                                   {allows + "," + deny, resource, owner, "Null aws:SourceVpce"},
	} {
		ps := &Policies{Identity: []*Policy{parse(Identity, c.identity)}, Resource: parse(Resource, c.resource)}
		r := &Request{Principal: alice, Action: "execute-api:Invoke", Resource: getPets, ResourceAccount: c.account, Context: mapContext{}}
		denied := Evaluate(ps, r)
		if operator, key := ps.DecidingCondition(r, denied); denied.Decision == Allow || operator+" "+key != c.want {
			t.Errorf("%s: %q of %+v, want %q", name, operator+" "+key, denied, c.want)
		}
	}
}
