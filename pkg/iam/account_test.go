package iam

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

func TestPoliciesOfAUser(t *testing.T) {
	c := callerOf(t, mustBuilder(t), aliceKey())
	if got := invoke(c, "/pets"); got.Decision != policy.Allow || got.Policy != "inline/user/alice/own" || got.Statement != "Own" {
		t.Errorf("GET /pets: %+v", got)
	}
	if got := invoke(c, "/admin"); got.Decision != policy.ExplicitDeny || got.Policy != "inline/group/readers/encoded" || got.Statement != "Group" {
		t.Errorf("a group's policy does not count: %+v", got)
	}
	p := c.Policies()
	if len(p.Identity) != 3 || p.Identity[1].Name() != "arn:aws:iam::111122223333:policy/Managed" || p.Boundary.Kind() != policy.Boundary {
		t.Errorf("%d identity-based policies, boundary %v", len(p.Identity), p.Boundary)
	}
}

func TestUserWithoutPolicies(t *testing.T) {
	c := callerOf(t, mustBuilder(t), &AccessKey{ID: "AKIABOB", Secret: secret, User: "arn:aws:iam::111122223333:user/bob"})
	if got := invoke(c, "/pets"); got.Decision != policy.ImplicitDeny || got.Missing != policy.SideIdentity {
		t.Errorf("a user without policies: %+v", got)
	}
}

func TestServiceControlPolicies(t *testing.T) {
	scp, faults := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`),
		policy.Options{Name: "scp", Kind: policy.SCP})
	if scp == nil {
		t.Fatal(faults)
	}
	b := NewBuilder()
	if faults := b.AddAccount([]byte(accountExport), Organization{ServiceControlPolicies: [][]*policy.Policy{{scp}}}); len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := invoke(callerOf(t, b, aliceKey()), "/pets"); got.Decision != policy.ImplicitDeny || got.Missing != policy.SideSCP {
		t.Errorf("a level of the organization that does not allow: %+v", got)
	}
}

func TestSharedPolicies(t *testing.T) {
	user := func(name string) string {
		return fmt.Sprintf(`{"UserName":%q,"UserId":"AIDA%s","Arn":"arn:aws:iam::111122223333:user/%s","Path":"/",
			"AttachedManagedPolicies":[{"PolicyArn":"arn:aws:iam::aws:policy/A"}]}`, name, name, name)
	}
	b := NewBuilder()
	faults := b.AddAccount([]byte(`{"UserDetailList":[`+user("a")+`,`+user("b")+`],"Policies":[{"Arn":"arn:aws:iam::aws:policy/A",
		"PolicyVersionList":[{"IsDefaultVersion":true,"Document":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}}]}]}`),
		Organization{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	of := func(name string) *policy.Policy {
		return b.principals["arn:aws:iam::111122223333:user/"+name].identity[0]
	}
	if of("a") == nil || of("a") != of("b") {
		t.Error("a managed policy is compiled for each of its users")
	}
}

// Each export is refused, and says where.
func TestExportFaults(t *testing.T) {
	replace := func(old, with string) string {
		if !strings.Contains(accountExport, old) {
			t.Fatalf("the export has no %s", old)
		}
		return strings.Replace(accountExport, old, with, 1)
	}
	const managed = `"PolicyArn": "arn:aws:iam::111122223333:policy/Managed"`
	for name, c := range map[string]struct{ export, want string }{
		"nothing":                {"", "1:1: not JSON"},
		"not JSON":               {accountExport[:200], "not JSON"},
		"a list":                 {"[]", "1:1: the export is not what the AWS CLI prints"},
		"no entity":              {`{"UserDetailList": []}`, "1:1: the export has no user, group or role"},
		"two documents":          {accountExport + "{}", "text after the end"},
		"not UTF-8":              {replace("pets", "\xff"), "1:1: the file is not UTF-8"},
		"truncated":              {replace(`"Policies": [`, `"IsTruncated": true, "Policies": [`), "the export is incomplete"},
		"next token":             {replace(`"Policies": [`, `"NextToken": "x", "Policies": [`), "the export is incomplete"},
		"unknown list":           {replace(`"Policies": [`, `"Polices": [], "Policies": [`), `unknown field "Polices" of the export`},
		"unknown field of user":  {replace(`"CreateDate"`, `"Limit"`), `8:13: unknown field "Limit" of the user`},
		"field in another case":  {replace(`"GroupList"`, `"groupList"`), `unknown field "groupList" of the user`},
		"field twice":            {replace(`"GroupList": ["readers"]`, `"GroupList": ["readers"], "GroupList": []`), `the user has "GroupList" twice`},
		"no list of AWS":         {replace(`"RoleDetailList": [`, `"UserDetailListX": [`), `unknown field "UserDetailListX"`},
		"missing policy":         {replace(managed, `"PolicyArn": "arn:aws:iam::aws:policy/ReadOnly"`), `19:41: the user "alice" has the policy "arn:aws:iam::aws:policy/ReadOnly", which is not among the Policies of the export`},
		"attachment without ARN": {replace(`, `+managed, ``), `the user "alice" has the policy ""`},
		"missing boundary":       {replace(`"PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/Managed"`, `"PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/B"`), `20:36: the user "alice" has the policy "arn:aws:iam::111122223333:policy/B"`},
		"boundary without ARN": {replace(`,
                "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/Managed"`, ``), `the user "alice" has the policy ""`},
		"boundary as text":   {replace(`"PermissionsBoundary": {`, `"PermissionsBoundary": "x", "Y": {`), "the permissions boundary is not what the AWS CLI prints"},
		"missing group":      {replace(`["readers"]`, `["writers"]`), `3:9: the user "alice" is in the group "writers", which is not in the export`},
		"no default version": {replace(`"IsDefaultVersion": true`, `"IsDefaultVersion": false`), "has no document for its default version"},
		"two defaults":       {replace(`"IsDefaultVersion": false`, `"IsDefaultVersion": true`), "has two default versions"},
		"other default":      {replace(`"DefaultVersionId": "v2"`, `"DefaultVersionId": "v1"`), "has no document for its default version"},
		"policy twice":       {replace(`"arn:aws:iam::aws:policy/NobodyHasIt"`, `"arn:aws:iam::111122223333:policy/Managed"`), "is given twice"},
		"bad inline policy":  {replace(`"Effect": "Allow", "Action": "execute-api:Invoke"`, `"Effect": "Alow", "Action": "execute-api:Invoke"`), `14:64: inline/user/alice/own: Own: `},
		"bad encoded policy": {replace(`Effect%22%3A%22Deny`, `Effect%22%3A%22Dany`), `47:39: inline/group/readers/encoded: Group: `},
		"no document":        {replace(`"PolicyName": "text", "PolicyDocument"`, `"PolicyName"`), "63:17: the policy"},
		"null document": {replace(`"PolicyName": "encoded",
                    "PolicyDocument": "`, `"PolicyName": "encoded",
                    "PolicyDocument": null, "X": "`), `unknown field "X"`},
		"other account":              {replace(`"arn:aws:iam::111122223333:user/bob"`, `"arn:aws:iam::444455556666:user/bob"`), "belongs to another account"},
		"other name":                 {replace(`"arn:aws:iam::111122223333:user/bob"`, `"arn:aws:iam::111122223333:user/bobby"`), "does not fit its name and path"},
		"other path":                 {replace(`"Path": "/staff/"`, `"Path": "/"`), "does not fit its name and path"},
		"no id":                      {replace(`"UserId": "AIDABOB000000000EXAMPLE",`, ``), "has no name, id or Arn"},
		"inline policy twice":        {replace(`"PolicyName": "text"`, `"PolicyName": "x", "PolicyDocument": {"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}}, {"PolicyName": "x"`), `the role "deployer" has the inline policy "x" twice`},
		"inline policy, no name":     {replace(`"PolicyName": "text", `, ``), "the inline policy has no PolicyName"},
		"inline policy, no document": {replace(`"RolePolicyList": [`, `"RolePolicyList": [{"PolicyName": "x"},`), `the policy "inline/role/deployer/x" has no document`},
		"broken URL encoding":        {replace(`"%7B%22Version`, `"%7G%22Version`), "neither an object nor URL-encoded text"},
		"group twice":                {replace(`"GroupDetailList": [`, `"GroupDetailList": [{"GroupName": "readers", "GroupId": "A", "Arn": "arn:aws:iam::111122223333:group/readers"},`), `the group "readers" is given twice`},
		"group of another account":   {replace(`arn:aws:iam::111122223333:group/`, `arn:aws:iam::444455556666:group/`), `the group "readers" belongs to another account`},
		"managed policy, no ARN":     {replace(`"Arn": "arn:aws:iam::aws:policy/NobodyHasIt",`, ``), "the managed policy has no Arn"},
		"ARN of another service":     {replace(`arn:aws:iam::111122223333:user/bob`, `arn:aws:sts::111122223333:user/bob`), "has an Arn that does not belong to IAM"},
		"number for text":            {replace(`"UserName": "alice"`, `"UserName": 7`), "5:25: the value must be text"},
		"text for a boolean":         {replace(`"IsDefaultVersion": true`, `"IsDefaultVersion": "true"`), "the value must be true or false"},
		"tag twice":                  {replace(`"Key": "Level"`, `"Key": "team"`), `the tag "team" is given twice`},
		"same user": {replace(`"UserName": "bob",
            "UserId": "AIDABOB000000000EXAMPLE",
            "Arn": "arn:aws:iam::111122223333:user/bob"`, `"UserName": "alice",
            "UserId": "AIDABOB000000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:user/alice"`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			faults := NewBuilder().AddAccount([]byte(c.export), Organization{})
			if c.want == "" { // alice below another path is another user
				if len(faults) > 0 {
					t.Error(faults)
				}
				return
			}
			for _, f := range faults {
				if text := fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message); strings.Contains(text, c.want) && !f.Warning {
					return
				}
			}
			t.Errorf("faults %+v, want one with %q", faults, c.want)
		})
	}
}

func TestAccountTwice(t *testing.T) {
	b := mustBuilder(t)
	got := b.AddAccount([]byte(accountExport), Organization{})
	if len(got) == 0 || got[0].Message != "the account 111122223333 is given twice: keep one export of it" {
		t.Error(cmp.Diff([]fault.Fault(nil), got))
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	export := strings.ReplaceAll(accountExport, `"Effect"`, `"Efect"`)
	if faults := NewBuilder().AddAccount([]byte(export), Organization{}); len(faults) < 2 {
		t.Errorf("%d faults: %+v", len(faults), faults)
	}
}
