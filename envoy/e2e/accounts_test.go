package e2e

import (
	"fmt"
	"strings"
)

// owner is the account of the API, other one that is not.
const (
	owner = "111122223333"
	other = "444455556666"
)

// who is a principal with an access key.
type who struct {
	arn                 string
	id, secret, session string
}

// user and session are the principals of a name in an account; secrets are made from the names.
func user(account, name string) who {
	return who{
		arn: "arn:aws:iam::" + account + ":user/staff/" + name,
		id:  "AKIA" + account[:4] + strings.ToUpper(name), secret: "secret/of+" + name + account,
	}
}

func session(account, role string) who {
	return who{
		arn: "arn:aws:sts::" + account + ":assumed-role/" + role + "/ci",
		id:  "ASIA" + account[:4] + strings.ToUpper(role), secret: "secret/of+" + role + account, session: "token/of+" + role + account + "==",
	}
}

// Names of users and roles, most of which say what their policies do. The member of a group has the group's policy alone.
const (
	grants   = "grants"
	silent   = "silent"
	refuses  = "refuses"
	member   = "alice"
	narrowed = "narrowed"
	expired  = "expired"
)

const (
	allowPets = `{"Version": "2012-10-17", "Statement": [{"Sid": "Pets", "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/*"}]}`
	denyPets  = `{"Version": "2012-10-17", "Statement": [{"Sid": "NoPets", "Effect": "Deny", "Action": "execute-api:*", "Resource": "*"}]}`
)

// export is an account as `aws iam get-account-authorization-details` prints it.
func export(account string) string {
	var users, roles []string
	for name, policy := range map[string]string{grants: allowPets, silent: "", refuses: denyPets, member: ""} {
		groups := ""
		if name == member {
			groups = `"readers"`
		}
		users = append(users, fmt.Sprintf(`{"Path": "/staff/", "UserName": %q, "UserId": %q, "Arn": %q, "CreateDate": "2024-05-01T08:00:00+00:00",
			"UserPolicyList": %s, "GroupList": [%s], "AttachedManagedPolicies": []}`,
			name, "AIDA"+account[:4]+strings.ToUpper(name), user(account, name).arn, inline(policy), groups))
	}
	for name, policy := range map[string]string{grants: allowPets, silent: "", refuses: denyPets, narrowed: allowPets, expired: allowPets} {
		roles = append(roles, fmt.Sprintf(`{"Path": "/ops/", "RoleName": %q, "RoleId": %q, "Arn": %q, "CreateDate": "2024-05-01T08:00:00+00:00",
			"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}, "InstanceProfileList": [], "RolePolicyList": %s,
			"AttachedManagedPolicies": [], "RoleLastUsed": {}}`,
			name, "AROA"+account[:4]+strings.ToUpper(name), role(account, name), inline(policy)))
	}
	return fmt.Sprintf(`{"UserDetailList": [%s],
		"GroupDetailList": [{"Path": "/", "GroupName": "readers", "GroupId": "AGPA%sREADERS", "Arn": "arn:aws:iam::%s:group/readers",
			"CreateDate": "2024-05-01T08:00:00+00:00", "GroupPolicyList": %s, "AttachedManagedPolicies": []}],
		"RoleDetailList": [%s], "Policies": []}`,
		strings.Join(users, ","), account[:4], account, inline(allowPets), strings.Join(roles, ","))
}

func role(account, name string) string { return "arn:aws:iam::" + account + ":role/ops/" + name }

func inline(policy string) string {
	if policy == "" {
		return "[]"
	}
	return `[{"PolicyName": "own", "PolicyDocument": ` + policy + `}]`
}

// accessKeys is the file of all principals' keys.
func accessKeys() string {
	var b strings.Builder
	b.WriteString("accessKeys:\n")
	for _, account := range []string{owner, other} {
		for _, name := range []string{grants, silent, refuses, member} {
			u := user(account, name)
			fmt.Fprintf(&b, "  - {id: %s, secret: {value: %q}, user: %q}\n", u.id, u.secret, u.arn)
		}
		for _, name := range []string{grants, silent, refuses, narrowed, expired} {
			s := session(account, name)
			fmt.Fprintf(&b, "  - {id: %s, secret: {value: %q}, sessionToken: {value: %q}, role: %q, sessionName: ci, expires: %s%s}\n",
				s.id, s.secret, s.session, role(account, name), expiry(name), sessionPolicy(name))
		}
	}
	return b.String()
}

func expiry(name string) string {
	if name == expired {
		return "2024-05-01T09:00:00Z"
	}
	return "2099-01-01T00:00:00Z"
}

// sessionPolicy lets a narrowed session read one pet.
func sessionPolicy(name string) string {
	if name != narrowed {
		return ""
	}
	return `, sessionPolicies: [{Version: "2012-10-17", Statement: [{Effect: Allow, Action: execute-api:Invoke, Resource: "arn:aws:execute-api:*:*:a1b2c3d4e5/prod/GET/pets/7"}]}]`
}

// signedAPI is an API for callers who sign.
const signedAPI = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    upstreamHeaders: {x-caller: $context.identity.userArn}
    defaultAuthorization: AWS_IAM
    routes:
      - route: ANY /pets
      - route: ANY /pets/{proxy+}
      - route: ANY /uploads/{proxy+}
      - {route: GET /uploads/open, authorization: NONE}
      - {route: POST /uploads/open, authorization: NONE}
      - route: GET /granted
      - route: GET /unmentioned
      - route: GET /refused
iam:
  accounts: [{file: 111122223333.json}, {file: 444455556666.json}]
  accessKeys: [{file: access-keys.yaml}]
`

// signing is iam.yaml with the accounts; extra lines go to the API.
func signing(extra string) setup {
	return setup{
		file: "iam.yaml", config: strings.Replace(signedAPI, "    upstreamHeaders", extra+"    upstreamHeaders", 1),
		files: map[string]string{owner + ".json": export(owner), other + ".json": export(other), "access-keys.yaml": accessKeys()},
	}
}
