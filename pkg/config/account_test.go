package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

var folderAPI = strings.Replace(signedAPI, "{file: iam/account.json}", "{folder: iam/accounts}", 1)

// accountOf is an account with a user who may call, and their key.
func accountOf(id, user string) string {
	return strings.NewReplacer("111122223333", id, "alice", user).Replace(account("Allow"))
}

const aliceAlone = `accessKeys:
  - {id: AKIAALICE, secret: {value: of alice}, user: "arn:aws:iam::111122223333:user/alice"}
`

// An account that is added to the folder counts, one that is removed no longer, and both change the digest.
func TestFolderOfAccounts(t *testing.T) {
	dir := signing(t, "portcullis.yaml", folderAPI, "iam/keys.yaml", aliceAlone, "iam/accounts/1.json", accountOf("111122223333", "alice"))
	one := mustLoad(t, dir)
	for _, name := range []string{"iam/accounts", "iam/accounts/1.json"} {
		if !slices.Contains(one.Files, filepath.Join(dir, name)) {
			t.Errorf("%s is not among the files to watch: %q", name, one.Files)
		}
	}
	if !allows(t, one, "AKIAALICE", "of alice") {
		t.Fatal("the key does not work to begin with")
	}

	write(t, filepath.Join(dir, "iam/accounts/2.json"), []byte(accountOf("444455556666", "bob")))
	two := mustLoad(t, dir)
	if two.Digest == one.Digest || !slices.Contains(two.Files, filepath.Join(dir, "iam/accounts/2.json")) {
		t.Error("the second account is not noticed")
	}

	must(t, os.Remove(filepath.Join(dir, "iam/accounts/1.json")))
	if s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry()); err == nil || s.Gateway != nil || !strings.Contains(err.Error(), "no account has the user") {
		t.Errorf("the key of an account that is gone: %v", err)
	}
}

// The organization of the entry applies to each account of the folder.
func TestOrganizationOfAFolder(t *testing.T) {
	denying := strings.Replace(folderAPI, "{folder: iam/accounts}", `{folder: iam/accounts, serviceControlPolicies: [{name: root, policies: [
      {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "*", Resource: "*"}, {Effect: Deny, Action: "*", Resource: "*", Condition: {StringEquals: {aws:PrincipalAccount: "111122223333"}}}]}]}]}`, 1)
	for api, want := range map[string]bool{folderAPI: true, denying: false} {
		dir := signing(t, "portcullis.yaml", api, "iam/keys.yaml", aliceAlone, "iam/accounts/1.json", accountOf("111122223333", "alice"))
		if got := allows(t, mustLoad(t, dir), "AKIAALICE", "of alice"); got != want {
			t.Errorf("allowed %v, want %v, under\n%s", got, want, api)
		}
	}
}

// An inactive key is as good as none, and what it says is checked all the same.
func TestInactiveKey(t *testing.T) {
	for status, want := range map[string]bool{"": true, ", status: Active": true, ", status: Inactive": false} {
		dir := signing(t, "iam/keys.yaml", strings.Replace(aliceAlone, `alice"}`, `alice"`+status+"}", 1))
		if got := allows(t, mustLoad(t, dir), "AKIAALICE", "of alice"); got != want {
			t.Errorf("status %q: allowed %v", status, got)
		}
	}
	dir := signing(t, "iam/keys.yaml", "accessKeys: [{id: AKIAX, secret: {value: a}, user: \"arn:aws:iam::111122223333:user/nobody\", status: Inactive}]\n")
	if _, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry()); err == nil || !strings.Contains(err.Error(), "no account has the user") {
		t.Errorf("an inactive key of nobody: %v", err)
	}
}

// Each option reaches what verifies.
func TestSignatureOptions(t *testing.T) {
	const routes = "routes: [{route: GET /pets, authorization: AWS_IAM}]"
	ask := func(api string, change func(*authz.Request, *sigv4test.Signer), then func(*authz.Request)) authz.Decision {
		dir := signing(t, "portcullis.yaml", strings.Replace(signedAPI, routes, api, 1), "iam/keys.yaml", aliceAlone)
		r := &authz.Request{Method: "GET", Target: "/pets?q=%2B", Host: "pets.example.com", Time: time.Now()}
		r.SetBody(nil, authz.BodyComplete)
		s := sigv4test.Signer{KeyID: "AKIAALICE", Secret: "of alice", Region: "eu-west-1", At: time.Now()}
		change(r, &s)
		if s.Expires > 0 {
			s.Presign(r)
		} else {
			s.Sign(r)
		}
		then(r)
		return mustLoad(t, dir).Gateway.Authorize(t.Context(), r)
	}
	asIs := func(*authz.Request, *sigv4test.Signer) {}
	nothing := func(*authz.Request) {}
	// aged signs in the query, seconds before the request comes.
	aged := func(seconds int) func(*authz.Request, *sigv4test.Signer) {
		return func(_ *authz.Request, s *sigv4test.Signer) {
			s.Expires, s.At = 300, s.At.Add(-time.Duration(seconds)*time.Second)
		}
	}
	for name, c := range map[string]struct {
		api    string
		change func(*authz.Request, *sigv4test.Signer)
		then   func(*authz.Request)
	}{
		"maxExpires":           {"signatures: {maxExpires: 60}\n    " + routes, aged(61), nothing},
		"a route's maxExpires": {"routes: [{route: GET /pets, authorization: AWS_IAM, signatures: {maxExpires: 60}}]", aged(61), nothing},
	} {
		if d := ask(routes, c.change, c.then); !d.Allow {
			t.Errorf("%s: without it: %+v", name, d.Reason)
		}
		if d := ask(c.api, c.change, c.then); d.Allow {
			t.Errorf("%s: with it: %+v", name, d.Reason)
		}
	}
	for name, c := range map[string]struct {
		api    string
		change func(*authz.Request, *sigv4test.Signer)
		then   func(*authz.Request)
	}{
		"literalPlus": {"signatures: {literalPlus: true}\n    " + routes, asIs, func(r *authz.Request) { r.Target = "/pets?q=+" }},
		"hostAliases": {"signatures: {hostAliases: [public.example.com]}\n    " + routes,
			func(r *authz.Request, _ *sigv4test.Signer) { r.Host = "public.example.com" }, func(r *authz.Request) { r.Host = "pets.example.com" }},
		"unsignedPayload": {"routes: [{route: GET /pets, authorization: AWS_IAM, signatures: {unsignedPayload: true}}]",
			func(r *authz.Request, _ *sigv4test.Signer) {
				r.SetHeaders([]authz.Field{{Name: "x-amz-content-sha256", Value: "UNSIGNED-PAYLOAD"}})
			}, func(r *authz.Request) { r.SetBody([]byte("any"), authz.BodyComplete) }},
	} {
		if d := ask(routes, c.change, c.then); d.Allow {
			t.Errorf("%s: without it: %+v", name, d.Reason)
		}
		if d := ask(c.api, c.change, c.then); !d.Allow {
			t.Errorf("%s: with it: %+v", name, d.Reason)
		}
	}
	for option, want := range map[string]string{"literalPlus: false": "SignedHeaders", "disableSigv4a: true": "Unsupported AWS"} {
		d := ask("signatures: {"+option+"}\n    "+routes, asIs, func(r *authz.Request) {
			r.SetHeaders([]authz.Field{{Name: "x-amz-date", Value: "20261123T120000Z"}, {Name: "x-amz-region-set", Value: "*"}, {Name: "authorization",
				Value: "AWS4-ECDSA-P256-SHA256 Credential=a/20261123/execute-api/aws4_request, SignedHeaders=b;a, Signature=00"}})
		})
		if !strings.Contains(d.Denial.Body, want) {
			t.Errorf("%s: %s", option, d.Denial.Body)
		}
	}
}

// With explainSignatures a client is told what its signature was compared with; the operator's log is not.
func TestExplainSignatures(t *testing.T) {
	const told = "The Canonical String for this request should have been"
	for explain, want := range map[string]bool{"": false, "  explainSignatures: false\n": false, "  explainSignatures: true\n": true} {
		dir := signing(t, "portcullis.yaml", signedAPI+explain, "iam/keys.yaml", aliceAlone)
		s := mustLoad(t, dir)
		if warned := len(s.Warnings) > 0; warned != want {
			t.Errorf("%q: warnings %v", explain, s.Warnings)
		}
		r := &authz.Request{Method: "GET", Target: "/pets", Host: "pets.example.com", Time: time.Now()}
		r.SetBody(nil, authz.BodyComplete)
		sigv4test.Signer{KeyID: "AKIAALICE", Secret: "another", Region: "eu-west-1", At: time.Now()}.Sign(r)
		d := s.Gateway.Authorize(t.Context(), r)
		if d.Allow || strings.Contains(d.Denial.Body, told) != want || strings.Contains(d.Reason.Detail, told) {
			t.Errorf("%q: %+v", explain, d)
		}
		var body struct{ Message string }
		if err := json.Unmarshal([]byte(d.Denial.Body), &body); err != nil {
			t.Fatal(err)
		}
		if want && !strings.Contains(body.Message, "details.\n\n"+told+"\n'GET\n/pets\n\nhost:pets.example.com\nx-amz-date:") {
			t.Errorf("not in AWS's words: %s", body.Message)
		}
	}
}

// An HTTP API explains too, and where a rule refuses, the rule and the header are named: in the log always, in the answer where
// signatures are explained.
func TestExplainedRules(t *testing.T) {
	without := func(name string) func(*authz.Request) {
		return func(r *authz.Request) {
			var lines []authz.Field
			for n, v := range r.Headers() {
				if n != name {
					lines = append(lines, authz.Field{Name: n, Value: v})
				}
			}
			r.SetHeaders(lines)
		}
	}
	for name, c := range map[string]struct {
		change func(*authz.Request)
		rule   string
	}{
		"unsigned": {func(r *authz.Request) { addHeader(r, "x-amz-tag", "secret value") }, "an x-amz header is not signed: x-amz-tag; add it to SignedHeaders"},
		"absent":   {without("x-tag"), "a signed header is absent: x-tag; send it, or remove it from SignedHeaders"},
		"capitals": {func(r *authz.Request) {
			value, _ := r.Header("authorization")
			before, signature, _ := strings.Cut(value, "Signature=")
			without("authorization")(r)
			addHeader(r, "authorization", before+"Signature="+strings.ToUpper(signature))
		}, "the signature has capital letters; write it in lower-case hexadecimal"},
		"another body": {func(r *authz.Request) { r.SetBody([]byte("x"), authz.BodyComplete) }, "The Canonical String for this request should have been"},
	} {
		for kind, more := range map[string]string{"REST": "", "HTTP": "kind: HTTP\n    "} {
			for _, explain := range []bool{false, true} {
				api := strings.Replace(signedAPI, "account:", more+"account:", 1) + fmt.Sprintf("  explainSignatures: %t\n", explain)
				s := mustLoad(t, signing(t, "portcullis.yaml", api, "iam/keys.yaml", aliceAlone))
				r := &authz.Request{Method: "GET", Target: "/pets", Host: "pets.example.com", Time: time.Now()}
				r.SetHeaders([]authz.Field{{Name: "x-tag", Value: "a tag"}})
				r.SetBody(nil, authz.BodyComplete)
				sigv4test.Signer{KeyID: "AKIAALICE", Secret: "of alice", Region: "eu-west-1", At: time.Now()}.Sign(r)
				c.change(r)
				d := s.Gateway.Authorize(t.Context(), r)
				var body struct{ Message string }
				if err := json.Unmarshal([]byte(d.Denial.Body), &body); err != nil {
					t.Fatal(err)
				}
				if d.Allow || d.Denial.Status != 403 || strings.Contains(body.Message, c.rule) != explain || strings.Contains(body.Message+d.Reason.Detail, "secret value") {
					t.Errorf("%s, %s, explained %t: %s", name, kind, explain, d.Denial.Body)
				}
				if kind == "HTTP" && !explain && d.Denial.Body != `{"message":"Forbidden"}` {
					t.Errorf("%s: %s", name, d.Denial.Body)
				}
				if name != "another body" && d.Reason.Detail != c.rule {
					t.Errorf("%s: the operator is told %s", name, d.Reason.Detail)
				}
			}
		}
	}
}

func addHeader(r *authz.Request, name, value string) {
	lines := []authz.Field{{Name: name, Value: value}}
	for n, v := range r.Headers() {
		lines = append(lines, authz.Field{Name: n, Value: v})
	}
	r.SetHeaders(lines)
}

// Keys derived of a secret outlive the configuration that named it, and count for that secret alone.
func TestDerivedKeysOutliveAConfiguration(t *testing.T) {
	r, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dir := signing(t, "iam/keys.yaml", strings.Replace(aliceAlone, "{value: of alice}", "{file: secret}", 1))
	for _, held := range []string{"first", "second", "first"} {
		write(t, filepath.Join(dir, "iam/secret"), []byte(held))
		s, err := Load(filepath.Join(dir, "portcullis.yaml"), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, used := range []string{"first", "second", "first"} {
			if allows(t, s, "AKIAALICE", used) != (used == held) {
				t.Errorf("the secret is %s: the signature of %s is verified wrongly", held, used)
			}
			r.SigningKeys().Wait()
		}
		s.Close()
	}
	hits := 0.0
	for _, sample := range r.Samples() {
		if sample.Name == "portcullis_cache_hits_total" && slices.Contains(sample.Labels, authz.Field{Name: "cache", Value: "signing_keys"}) {
			hits = sample.Value
		}
	}
	if hits == 0 {
		t.Errorf("no key was found again: %v", r.Samples())
	}
}
