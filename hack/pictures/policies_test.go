package main

import (
	"fmt"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// The tables are what pkg/policy decides for callers of the API's account and of another one.
func TestTablesAreWhatPoliciesDecide(t *testing.T) {
	t.Parallel()
	const api, owner = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5", "111122223333"
	for caller := range words {
		for resource := range words {
			for account, drawn := range map[string]func(caller, resource word) bool{owner: sameAccount, "444455556666": otherAccount} {
				ps := &policy.Policies{
					Identity: []*policy.Policy{says(t, policy.Identity, word(caller), api)},
					Resource: says(t, policy.Resource, word(resource), api),
				}
				got := policy.Evaluate(ps, &policy.Request{
					Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::" + account + ":user/ann", Account: account},
					Action:    "execute-api:Invoke", Resource: api + "/prod/GET/pets", ResourceAccount: owner,
				}).Decision == policy.Allow
				if want := drawn(word(caller), word(resource)); got != want {
					t.Errorf("account %s, caller's policy %s, resource policy %s: drawn %v, decided %v", account, words[caller], words[resource], want, got)
				}
			}
		}
	}
}

// says is a policy that says a word of the request for /pets. One that is silent is about another path.
func says(t *testing.T, kind policy.Kind, w word, api string) *policy.Policy {
	t.Helper()
	effect, path, principal := "Allow", "pets", ""
	if w == deny {
		effect = "Deny"
	}
	if w == silent {
		path = "toys"
	}
	if kind == policy.Resource {
		principal = `"Principal": "*", `
	}
	text := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": {"Effect": %q, %s"Action": "execute-api:Invoke", "Resource": "%s/prod/GET/%s"}}`, effect, principal, api, path)
	p, faults := policy.Parse([]byte(text), policy.Options{Name: kind.String(), Kind: kind})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}
