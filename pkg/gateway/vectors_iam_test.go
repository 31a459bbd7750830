package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// callerAccount is the account of the caller that a row speaks of.
func (v *vector) callerAccount() string {
	if v.Given.CallerAccount != "" {
		return v.Given.CallerAccount
	}
	return v.Given.Account
}

// signatures knows the caller that a row speaks of, as a session of a role.
func (v *vector) signatures(t *testing.T) func(SignatureOptions) (Verify, error) {
	t.Helper()
	role, session := "dev", "s"
	if v.Given.CallerARN != "" {
		parts := strings.Split(v.Given.CallerARN, "/")
		role, session = parts[1], parts[2]
	}
	own := identitySide("neither")
	switch {
	case v.Given.IdentityPolicyResource != "":
		own = statement("Allow", v.Given.IdentityPolicyResource)
	case v.Given.IdentityPolicy != "":
		own = identitySide(v.Given.IdentityPolicy)
	}
	arn := fmt.Sprintf("arn:aws:iam::%s:role/%s", v.callerAccount(), role)
	b := iam.NewBuilder()
	faults := b.AddAccount([]byte(fmt.Sprintf(`{"RoleDetailList":[{"RoleName":%q,"RoleId":"AROAROLE","Arn":%q,
		"RolePolicyList":[{"PolicyName":"own","PolicyDocument":{"Version":"2012-10-17","Statement":%s}}]}]}`, role, arn, own)),
		iam.Organization{ID: v.Request.PrincipalOrgID})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if faults := b.AddKey(&iam.AccessKey{ID: "ASIAROLE", Secret: secret, SessionToken: "token", Role: arn, SessionName: session}, nil); len(faults) > 0 {
		t.Fatal(faults)
	}
	_, now := v.signedAt(t)
	return signaturesAt(b, now)
}

// signedAt is when a row's request is signed, and when it comes.
func (v *vector) signedAt(t *testing.T) (signed, now time.Time) {
	t.Helper()
	dates, ok := strings.CutPrefix(v.Request.SigV4, "date ")
	if !ok {
		return get("/").Time, get("/").Time
	}
	first, second, _ := strings.Cut(dates, ", now ")
	var times [2]time.Time
	for i, text := range []string{first, second} {
		at, err := time.Parse("20060102T150405Z", text)
		if err != nil {
			t.Fatal(err)
		}
		times[i] = at
	}
	return times[0], times[1]
}

// sign does to a request what a row says of its signature.
func (v *vector) sign(t *testing.T, r *authz.Request) {
	t.Helper()
	s := sigv4test.Signer{KeyID: "ASIAROLE", Secret: secret, Token: "token", Region: v.Given.Region}
	s.At, _ = v.signedAt(t)
	scope, scoped := strings.CutPrefix(v.Request.SigV4, "scope ")
	switch {
	case v.Request.SigV4 == "":
		return
	case scoped:
		s.Region, s.Service, _ = strings.Cut(scope, "/")
	case v.Request.SigV4 == "unknown access key":
		s.KeyID = "ASIANOBODY"
	case v.Request.SigV4 == "wrong secret", v.Request.SigV4 == "bad signature":
		s.Secret = "other"
	case v.Request.SigV4 == "valid", v.Request.SigV4 == "valid role/dev", strings.HasPrefix(v.Request.SigV4, "date "):
	default:
		t.Fatalf("what is %q?", v.Request.SigV4)
	}
	r.SetBody(nil, authz.BodyComplete)
	s.Sign(r)
}
