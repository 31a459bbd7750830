package e2e

import (
	"strings"
	"testing"
)

// What policies say of a caller who has signed, as denials put it.
const (
	allowed       = ""
	deniedByOwn   = " with an explicit deny in an identity-based policy"
	deniedByAPI   = " with an explicit deny in a resource-based policy"
	ownSilent     = " because no identity-based policy allows the execute-api:Invoke action"
	apiSilent     = " because no resource-based policy allows the execute-api:Invoke action"
	boundedByRole = " because no session policy allows the execute-api:Invoke action"
)

// denial is the answer to a caller on a path, allowed for none.
func denial(w who, path, because string) string {
	if because == allowed {
		return ""
	}
	return `{"Message":"User: ` + w.arn + ` is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET` + path + because + `"}`
}

// decides sends a caller's signed request for a path and holds the answer against what is expected.
func (s *stack) decides(t *testing.T, w who, path, because string) {
	t.Helper()
	for _, m := range []mode{inHeader, presigned} {
		r := goClient().mustSign(t, by(w, m, "GET", path))
		if because == allowed {
			seen := s.allowed(t, s.send11(t, r))
			if got := seen.Header("x-caller"); len(got) != 1 || got[0] != w.arn {
				t.Errorf("the upstream was told of %q, want %s", got, w.arn)
			}
			continue
		}
		check(t, s, s.send11(t, r), 403, accessDenied, denial(w, path, because))
		check(t, s, s.send20(t, r), 403, accessDenied, denial(w, path, because))
	}
}

// granting is a resource policy that grants /granted to users and to sessions of roles of both accounts by name, refuses
// /refused to all and says nothing of /unmentioned.
func granting() string {
	var principals []string
	for _, account := range []string{owner, other} {
		for _, name := range []string{grants, silent, refuses} {
			principals = append(principals, `"`+user(account, name).arn+`"`, `"`+role(account, name)+`"`)
		}
	}
	return `    resourcePolicy: {Version: "2012-10-17", Statement: [
      {Effect: Allow, Principal: {AWS: [` + strings.Join(principals, ", ") + `]}, Action: execute-api:Invoke, Resource: "execute-api:/prod/GET/granted"},
      {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/GET/refused"}]}
`
}

// Tables A and B of "How API Gateway resource policies affect authorization workflow", row by row.
func TestTablesAAndB(t *testing.T) {
	t.Parallel()
	s := start(t, signing(granting()))
	for _, tc := range []struct{ row, account, own, path, want string }{
		{"A1", owner, grants, "/granted", allowed},
		{"A2", owner, grants, "/unmentioned", allowed},
		{"A3", owner, grants, "/refused", deniedByAPI},
		{"A4", owner, silent, "/granted", allowed},
		{"A5", owner, silent, "/unmentioned", ownSilent},
		{"A6", owner, silent, "/refused", deniedByAPI},
		{"A7", owner, refuses, "/granted", deniedByOwn},
		{"A8", owner, refuses, "/unmentioned", deniedByOwn},
		{"A9", owner, refuses, "/refused", deniedByOwn},
		{"B1", other, grants, "/granted", allowed},
		{"B2", other, grants, "/unmentioned", apiSilent},
		{"B3", other, grants, "/refused", deniedByAPI},
		{"B4", other, silent, "/granted", ownSilent},
		{"B5", other, silent, "/unmentioned", ownSilent},
		{"B6", other, silent, "/refused", deniedByAPI},
		{"B7", other, refuses, "/granted", deniedByOwn},
		{"B8", other, refuses, "/unmentioned", deniedByOwn},
		{"B9", other, refuses, "/refused", deniedByOwn},
	} {
		t.Run(tc.row+"/user", func(t *testing.T) { s.decides(t, user(tc.account, tc.own), tc.path, tc.want) })
		t.Run(tc.row+"/role session", func(t *testing.T) { s.decides(t, session(tc.account, tc.own), tc.path, tc.want) })
	}
}

// Without a resource policy, the API's account decides for its own callers, and nobody for those of another.
func TestTablesAAndBWithoutAResourcePolicy(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	for _, tc := range []struct {
		name   string
		caller who
		path   string
		want   string
	}{
		{"A2, a user", user(owner, grants), "/granted", allowed},
		{"A2, a user by a group's policy", user(owner, member), "/granted", allowed},
		{"A2, a session of a role with a path", session(owner, grants), "/granted", allowed},
		{"A2, what a session policy leaves", session(owner, narrowed), "/pets/7", allowed},
		{"A5, what a session policy takes", session(owner, narrowed), "/pets/8", boundedByRole},
		{"A5", user(owner, silent), "/granted", ownSilent},
		{"A8", user(owner, refuses), "/granted", deniedByOwn},
		{"B2", user(other, grants), "/granted", apiSilent},
		{"B2, a user by a group's policy", user(other, member), "/granted", apiSilent},
		{"B2, a session", session(other, grants), "/granted", apiSilent},
		{"B5", user(other, silent), "/granted", ownSilent},
		{"B8", session(other, refuses), "/granted", deniedByOwn},
	} {
		t.Run(tc.name, func(t *testing.T) { s.decides(t, tc.caller, tc.path, tc.want) })
	}
}
