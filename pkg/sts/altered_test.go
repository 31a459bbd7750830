package sts

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Nobody who sees a signed call can change it, and a signature that leaves out the body does not count.
func TestAlteredCalls(t *testing.T) {
	f := newFixture(t, nil)
	alice := f.signer("AKIAALICE0000EXAMPLE")
	call := assumeForm().Encode()
	asForm := func(r *http.Request) *http.Request {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	for _, payload := range []string{"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"} {
		a := &authz.Request{Method: http.MethodPost, Target: "/", Host: "example.com"}
		a.SetHeaders([]authz.Field{{Name: "content-type", Value: "application/x-www-form-urlencoded"}, {Name: "x-amz-content-sha256", Value: payload}})
		a.SetBody([]byte(call), authz.BodyComplete)
		alice.Sign(a)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(call))
		for name, value := range a.Headers() {
			r.Header.Set(name, value)
		}
		f.refused(t, payload, r, 403, SignatureDoesNotMatch, "")
	}
	for name, body := range map[string]string{"another body": "Action=GetCallerIdentity", "a body added": ""} {
		a := &authz.Request{Method: http.MethodPost, Target: "/?x=y", Host: "example.com"}
		a.SetBody([]byte(body), authz.BodyComplete)
		alice.Presign(a)
		f.refused(t, "presigned, "+name, asForm(httptest.NewRequest(http.MethodPost, a.Target, strings.NewReader(call))), 403, SignatureDoesNotMatch, "")
	}
	r := post(url.Values{"Version": {version}})
	r.URL.RawQuery = "Action=GetCallerIdentity&x=a%2Bb"
	r = sign(t, alice, r)
	r.URL.RawQuery = "Action=GetCallerIdentity&x=a+b"
	f.refused(t, "a plus that becomes a blank", r, 403, SignatureDoesNotMatch, "")
	r = post(assumeForm())
	r.URL.RawQuery = "RoleArn=" + url.QueryEscape(ops)
	f.refused(t, "a parameter in the query and the body", sign(t, alice, r), 400, MalformedQueryString, "twice")
}

// A session policy that another reader could take for a wider one, or for none, is refused.
func TestDoubtfulSessionPolicies(t *testing.T) {
	f := newFixture(t, nil)
	alice := f.signer("AKIAALICE0000EXAMPLE")
	const statement = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	for _, text := range []string{
		" ", "null", `""`, `{"Version":"2012-10-17","Statement":[]}`, `{"Version":"2012-10-17","Statement":` + statement + `}{}`,
		`{"Version":"2012-10-17","Statement":[],"Statement":` + statement + `}`, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}`,
	} {
		f.refused(t, text, sign(t, alice, post(assumeForm("Policy", text))), 400, MalformedPolicyDocument, "")
	}
	f.refused(t, "a policy of another account", sign(t, alice, post(assumeForm("PolicyArns.member.1.arn", "arn:aws:iam::444455556666:policy/Narrow"))), 400, ValidationError, "does not exist")
	f.refused(t, "no list", sign(t, alice, post(assumeForm("Policy.member.1", "{}"))), 400, ValidationError, "Policy.member.1 is not known")
	f.refused(t, "no member", sign(t, alice, post(assumeForm("PolicyArns.1.arn", "x"))), 400, MalformedQueryString, "PolicyArns.1.arn")
}
