package gateway

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const (
	owner   = "111122223333"
	foreign = "444455556666"
	secret  = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// signatures verifies what the keys of a builder have signed, at the time of get.
func signatures(b *iam.Builder) func(SignatureOptions) (Verify, error) {
	return signaturesAt(b, get("/").Time)
}

// signaturesAt is signatures at a time of its own.
func signaturesAt(b *iam.Builder, now time.Time) func(SignatureOptions) (Verify, error) {
	a := iam.New(iam.Config{Store: b.Store(), Now: func() time.Time { return now }})
	return func(o SignatureOptions) (Verify, error) {
		v, err := a.Verifier(iam.Options{
			Region: o.Region, MaxExpires: o.MaxExpires, PlusLiteral: o.PlusLiteral, HostAliases: o.HostAliases,
			DisableSigV4A: o.DisableSigV4A, AllowUnsignedPayload: o.UnsignedPayload,
		})
		if err != nil {
			return nil, err
		}
		return func(r *authz.Request) (*Signed, error) {
			caller, err := v.Verify(r)
			if err != nil {
				return nil, err
			}
			return &Signed{
				Principal: caller.Principal(), Policies: caller.Policies(), Facts: caller,
				AccessKey: caller.AccessKeyID(), UserID: caller.UserID(), OrganizationID: caller.OrganizationID(),
				Host: caller.SignedHost(), SpentHeaders: caller.SpentHeaders(), SpentQuery: caller.SpentQuery(),
			}, nil
		}, nil
	}
}

const all = "arn:aws:execute-api:*:*:*"

// statement is a statement of an identity-based policy, which may be "neither".
func statement(effect, resource string) string {
	return fmt.Sprintf(`{"Sid":"Own","Effect":%q,"Action":"execute-api:Invoke","Resource":%q}`, effect, resource)
}

// identitySide is the policy of a caller whose side says Allow, Deny or neither.
func identitySide(side string) string {
	if side == "neither" {
		return statement("Allow", all+"/*/GET/other")
	}
	return statement(side, all)
}

// callers have an account each of the two: the user alice and the session ci of the role ops/deployer.
type callers struct {
	// statement is that of both, in both accounts; boundary and session are statements of policies that limit them.
	statement, boundary, session string
	organization                 iam.Organization
}

func (c callers) builder(t testing.TB) *iam.Builder {
	t.Helper()
	b := iam.NewBuilder()
	for _, account := range []string{owner, foreign} {
		boundary := ""
		if c.boundary != "" {
			boundary = `"PermissionsBoundary":{"PermissionsBoundaryArn":"arn:aws:iam::aws:policy/Boundary"},`
		}
		entity := func(kind, id, path, name string) string {
			return fmt.Sprintf(`{"%[1]sName":%[2]q,"%[1]sId":%[3]q,"Path":%[4]q,"Arn":"arn:aws:iam::%[5]s:%[6]s%[4]s%[2]s",%[7]s
				"%[1]sPolicyList":[{"PolicyName":"own","PolicyDocument":{"Version":"2012-10-17","Statement":%[8]s}}],"Tags":[{"Key":"team","Value":"pets"}]}`,
				kind, name, id, path, account, strings.ToLower(kind), boundary, c.statement)
		}
		export := fmt.Sprintf(`{"UserDetailList":[%s],"RoleDetailList":[%s],"Policies":[{"Arn":"arn:aws:iam::aws:policy/Boundary","PolicyVersionList":[
			{"IsDefaultVersion":true,"Document":{"Version":"2012-10-17","Statement":%s}}]}]}`,
			entity("User", "AIDAALICE", "/", "alice"), entity("Role", "AROADEPLOYER", "/ops/", "deployer"), cmp.Or(c.boundary, statement("Deny", "*")))
		if faults := b.AddAccount([]byte(export), c.organization); len(faults) > 0 {
			t.Fatal(faults)
		}
		session := &iam.AccessKey{
			ID: "ASIA" + account, Secret: secret, SessionToken: "token", Role: "arn:aws:iam::" + account + ":role/ops/deployer", SessionName: "ci",
		}
		if c.session != "" {
			session.SessionPolicies = []*policy.Policy{mustPolicy(t, policy.Session, c.session)}
		}
		for _, k := range []*iam.AccessKey{
			{ID: "AKIA" + account, Secret: secret, User: "arn:aws:iam::" + account + ":user/alice"}, session,
		} {
			if faults := b.AddKey(k, nil); len(faults) > 0 {
				t.Fatal(faults)
			}
		}
	}
	return b
}

func mustPolicy(t testing.TB, kind policy.Kind, statement string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":`+statement+`}`), policy.Options{Name: kind.String(), Kind: kind})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

// gateway guards an API by AWS_IAM, but for GET /open.
func (c callers) gateway(t testing.TB, resourcePolicy string, change ...func(*API)) *Gateway {
	t.Helper()
	a := testAPI("GET /open", "ANY /{proxy+}")
	a.Routes[1].Authorization = IAM
	if resourcePolicy != "" {
		a = guardedBy(t, a, resourcePolicy)
	}
	for _, f := range change {
		f(&a)
	}
	config := Config{APIs: []API{a}}
	config.Signatures = signatures(c.builder(t))
	return mustCompile(t, config)
}

func signerOf(account string) sigv4test.Signer {
	return sigv4test.Signer{KeyID: "AKIA" + account, Secret: secret, Region: "eu-west-1", At: get("/").Time}
}

func sessionOf(account string) sigv4test.Signer {
	s := signerOf(account)
	s.KeyID, s.Token = "ASIA"+account, "token"
	return s
}

// signed is a request that a signer has signed.
func signed(s sigv4test.Signer, target string, lines ...string) *authz.Request {
	r := get(target, lines...)
	r.SetBody(nil, authz.BodyComplete)
	s.Sign(r)
	return r
}

// granting is a resource policy that says Allow or Deny of a principal, or nothing of this request.
func granting(side, principal string) string {
	if side == "neither" {
		return `{"Version":"2012-10-17","Statement":{"Sid":"RP","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/other"}}`
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Sid":"RP","Effect":%q,"Principal":%s,"Action":"execute-api:Invoke","Resource":"execute-api:/*"}}`, side, principal)
}
