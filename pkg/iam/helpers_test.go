package iam

import (
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var now = time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)

// accountExport is an account as the AWS CLI prints it.
const accountExport = `{
    "UserDetailList": [
        {
            "Path": "/staff/",
            "UserName": "alice",
            "UserId": "AIDAALICE0000000EXAMPLE",
            "Arn": "arn:aws:iam::111122223333:user/staff/alice",
            "CreateDate": "2020-01-01T00:00:00+00:00",
            "UserPolicyList": [
                {
                    "PolicyName": "own",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{"Sid": "Own", "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]
                    }
                }
            ],
            "GroupList": ["readers"],
            "AttachedManagedPolicies": [{"PolicyName": "Managed", "PolicyArn": "arn:aws:iam::111122223333:policy/Managed"}],
            "PermissionsBoundary": {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/Managed"
            },
            "Tags": [{"Key": "Team", "Value": "pets"}, {"Key": "Level", "Value": "1"}]
        },
        {
            "Path": "/",
            "UserName": "bob",
            "UserId": "AIDABOB000000000EXAMPLE",
            "Arn": "arn:aws:iam::111122223333:user/bob",
            "CreateDate": "2020-01-01T00:00:00+00:00",
            "GroupList": [],
            "AttachedManagedPolicies": [],
            "Tags": []
        }
    ],
    "GroupDetailList": [
        {
            "Path": "/",
            "GroupName": "readers",
            "GroupId": "AGPAREADERS00000EXAMPLE",
            "Arn": "arn:aws:iam::111122223333:group/readers",
            "CreateDate": "2020-01-01T00:00:00+00:00",
            "GroupPolicyList": [
                {
                    "PolicyName": "encoded",
                    "PolicyDocument": "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Sid%22%3A%22Group%22%2C%22Effect%22%3A%22Deny%22%2C%22Action%22%3A%22execute-api%3AInvoke%22%2C%22Resource%22%3A%22arn%3Aaws%3Aexecute-api%3A%2A%3A%2A%3A%2A%2F%2A%2FGET%2Fadmin%22%7D%7D"
                }
            ],
            "AttachedManagedPolicies": []
        }
    ],
    "RoleDetailList": [
        {
            "Path": "/ops/",
            "RoleName": "deployer",
            "RoleId": "AROADEPLOYER0000EXAMPLE",
            "Arn": "arn:aws:iam::111122223333:role/ops/deployer",
            "CreateDate": "2020-01-01T00:00:00+00:00",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
            "InstanceProfileList": [],
            "RolePolicyList": [
                {"PolicyName": "text", "PolicyDocument": "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"Role\",\"Effect\":\"Allow\",\"Action\":\"execute-api:*\",\"Resource\":\"*\"}}"}
            ],
            "AttachedManagedPolicies": [],
            "Tags": [{"Key": "team", "Value": "ops"}],
            "RoleLastUsed": {}
        }
    ],
    "Policies": [
        {
            "PolicyName": "Managed",
            "PolicyId": "ANPAMANAGED00000EXAMPLE",
            "Arn": "arn:aws:iam::111122223333:policy/Managed",
            "Path": "/",
            "DefaultVersionId": "v2",
            "AttachmentCount": 1,
            "PermissionsBoundaryUsageCount": 1,
            "IsAttachable": true,
            "CreateDate": "2020-01-01T00:00:00+00:00",
            "UpdateDate": "2020-01-01T00:00:00+00:00",
            "PolicyVersionList": [
                {"Document": {"Version": "2012-10-17", "Statement": {"Sid": "V2", "Effect": "Allow", "Action": "*", "Resource": "*"}}, "VersionId": "v2", "IsDefaultVersion": true, "CreateDate": "2020-01-01T00:00:00+00:00"},
                {"Document": {"Version": "2012-10-17", "Statement": {"Sid": "V1", "Effect": "Deny", "Action": "*", "Resource": "*"}}, "VersionId": "v1", "IsDefaultVersion": false, "CreateDate": "2020-01-01T00:00:00+00:00"}
            ]
        },
        {
            "Arn": "arn:aws:iam::aws:policy/NobodyHasIt",
            "PolicyVersionList": [{"Document": {"Version": "none"}, "VersionId": "v1", "IsDefaultVersion": true}]
        }
    ]
}`

var testOrganization = Organization{ID: "o-pets", Paths: []string{"o-pets/r-root/ou-one/"}}

// mustBuilder holds the account of accountExport.
func mustBuilder(t testing.TB) *Builder {
	t.Helper()
	b := NewBuilder()
	if faults := b.AddAccount([]byte(accountExport), testOrganization); len(faults) > 0 {
		t.Fatalf("the export is at fault: %+v", faults)
	}
	return b
}

func mustAdd(t testing.TB, b *Builder, k *AccessKey) {
	t.Helper()
	if faults := b.AddKey(k, nil); len(faults) > 0 {
		t.Fatalf("the key is at fault: %+v", faults)
	}
}

func aliceKey() *AccessKey {
	return &AccessKey{ID: "AKIAALICE", Secret: secret, User: "arn:aws:iam::111122223333:user/staff/alice"}
}

func deployerKey() *AccessKey {
	return &AccessKey{
		ID: "ASIADEPLOYER", Secret: secret, SessionToken: "token", SessionName: "ci",
		Role: "arn:aws:iam::111122223333:role/ops/deployer",
	}
}

func mustVerifier(t testing.TB, b *Builder) *Verifier {
	t.Helper()
	return mustVerifierOf(t, b.Store(), Options{})
}

// mustVerifierOf is a verifier for eu-west-1 at the time of now.
func mustVerifierOf(t testing.TB, s *Store, o Options) *Verifier {
	t.Helper()
	o.Region = "eu-west-1"
	v, err := New(Config{Store: s, Now: func() time.Time { return now }}).Verifier(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustCache[V any](t testing.TB) *cache.Cache[V] {
	t.Helper()
	c, err := cache.New[V](cache.Config{Name: "test", MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func request() *authz.Request {
	r := &authz.Request{Method: "GET", Target: "/pets?limit=5", Host: "pets.example.com", Time: now}
	r.SetBody(nil, authz.BodyComplete)
	return r
}

func signerOf(k *AccessKey) sigv4test.Signer {
	return sigv4test.Signer{KeyID: k.ID, Secret: k.Secret, Token: k.SessionToken, Region: "eu-west-1", At: now}
}

// callerOf is who a key's signature proves to be the caller.
func callerOf(t testing.TB, b *Builder, k *AccessKey) *Caller {
	t.Helper()
	mustAdd(t, b, k)
	r := request()
	signerOf(k).Sign(r)
	c, err := mustVerifier(t, b).Verify(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// invoke decides one request of a caller by the policies of the caller's side.
func invoke(c *Caller, resource string) policy.Result {
	policies := c.Policies()
	return policy.Evaluate(&policies, &policy.Request{
		Principal: c.Principal(), Action: "execute-api:Invoke", ResourceAccount: "111122223333", Context: c,
		Resource: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET" + resource,
	})
}
