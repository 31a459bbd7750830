package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// Tables A and B of "How API Gateway resource policies affect authorization workflow", row by row, with and without a policy
// where a side is silent, for each kind of caller and each way to name one.
func TestTablesAAndB(t *testing.T) {
	const allow, implicit, explicit = authz.CodeAllowed, authz.CodeImplicitDeny, authz.CodeExplicitDeny
	for _, row := range []struct {
		identity, resource string
		a, b               authz.Code
	}{
		{"Allow", "Allow", allow, allow},
		{"Allow", "neither", allow, implicit},
		{"Allow", "Deny", explicit, explicit},
		{"neither", "Allow", allow, implicit},
		{"neither", "neither", implicit, implicit},
		{"neither", "Deny", explicit, explicit},
		{"Deny", "Allow", explicit, explicit},
		{"Deny", "neither", explicit, explicit},
		{"Deny", "Deny", explicit, explicit},
	} {
		c := callers{statement: identitySide(row.identity)}
		for account, want := range map[string]authz.Code{owner: row.a, foreign: row.b} {
			for who, s := range map[string]sigv4test.Signer{"user/alice": signerOf(account), "role/ops/deployer": sessionOf(account)} {
				principals := []string{`"*"`, `{"AWS":"*"}`, fmt.Sprintf(`{"AWS":"arn:aws:iam::%s:%s"}`, account, who)}
				if row.resource == "Deny" || account == foreign {
					principals = append(principals, fmt.Sprintf("{\"AWS\":%q}", account))
				}
				policies := map[string]bool{}
				for _, p := range principals {
					policies[granting(row.resource, p)] = true
				}
				if row.resource == "neither" {
					policies[""] = true
				}
				for document := range policies {
					d := c.gateway(t, document).Authorize(t.Context(), signed(s, "/pets"))
					if d.Reason.Code != want || d.Allow != (want == allow) {
						t.Errorf("%s of %s: identity %s, resource policy %s: %+v, want %s", who, account, row.identity, document, d.Reason, want)
					}
				}
			}
		}
	}
}

// A grant to the caller's own account leaves the decision to the account's policies; a foreign account needs both.
func TestGrantToTheAccount(t *testing.T) {
	for _, c := range []struct {
		account, identity string
		allow             bool
	}{
		{owner, "neither", false}, {owner, "Allow", true}, {foreign, "neither", false}, {foreign, "Allow", true},
	} {
		for _, principal := range []string{c.account, "arn:aws:iam::" + c.account + ":root"} {
			g := callers{statement: identitySide(c.identity)}.gateway(t, granting("Allow", fmt.Sprintf("{\"AWS\":%q}", principal)))
			if d := g.Authorize(t.Context(), signed(signerOf(c.account), "/pets")); d.Allow != c.allow {
				t.Errorf("%s of %s, identity %s: %+v", principal, c.account, c.identity, d.Reason)
			}
		}
	}
}

// What API Gateway says of each denial, and what it said until 2025.
func TestSignedDenials(t *testing.T) {
	const (
		resource = "arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/pets"
		user     = "arn:aws:iam::111122223333:user/alice"
		session  = "arn:aws:sts::111122223333:assumed-role/deployer/ci"
	)
	allow, other := statement("Allow", all), statement("Allow", all+"/*/GET/other")
	scp := iam.Organization{ServiceControlPolicies: [][]*policy.Policy{{mustPolicy(t, policy.SCP, other)}}}
	denyingSCP := iam.Organization{ServiceControlPolicies: [][]*policy.Policy{{mustPolicy(t, policy.SCP, statement("Deny", "*"))}}}
	for name, c := range map[string]struct {
		callers        callers
		resourcePolicy string
		signer         sigv4test.Signer
		who, how       string
		since2025      string
	}{
		"identity silent":          {callers{statement: other}, "", signerOf(owner), user, "", " because no identity-based policy allows the execute-api:Invoke action"},
		"session's role silent":    {callers{statement: other}, "", sessionOf(owner), session, "", " because no identity-based policy allows the execute-api:Invoke action"},
		"boundary silent":          {callers{statement: allow, boundary: other}, "", signerOf(owner), user, "", " because no permissions boundary allows the execute-api:Invoke action"},
		"session policy silent":    {callers{statement: allow, session: other}, "", sessionOf(owner), session, "", " because no session policy allows the execute-api:Invoke action"},
		"organization silent":      {callers{statement: allow, organization: scp}, "", signerOf(owner), user, "", " because no service control policy allows the execute-api:Invoke action"},
		"identity denies":          {callers{statement: statement("Deny", "*")}, "", signerOf(owner), user, " with an explicit deny", " in an identity-based policy"},
		"boundary denies":          {callers{statement: allow, boundary: statement("Deny", "*")}, "", signerOf(owner), user, " with an explicit deny", " in a permissions boundary"},
		"session policy denies":    {callers{statement: allow, session: statement("Deny", "*")}, "", sessionOf(owner), session, " with an explicit deny", " in a session policy"},
		"organization denies":      {callers{statement: allow, organization: denyingSCP}, "", signerOf(owner), user, " with an explicit deny", " in a service control policy"},
		"resource policy denies":   {callers{statement: allow}, granting("Deny", `"*"`), signerOf(owner), user, " with an explicit deny", " in a resource-based policy"},
		"foreign, both silent":     {callers{statement: other}, "", signerOf(foreign), "arn:aws:iam::444455556666:user/alice", "", " because no identity-based policy allows the execute-api:Invoke action"},
		"foreign, policy silent":   {callers{statement: allow}, "", signerOf(foreign), "arn:aws:iam::444455556666:user/alice", "", " because no resource-based policy allows the execute-api:Invoke action"},
		"foreign, caller silent":   {callers{statement: other}, granting("Allow", `"*"`), signerOf(foreign), "arn:aws:iam::444455556666:user/alice", "", " because no identity-based policy allows the execute-api:Invoke action"},
		"foreign, boundary silent": {callers{statement: allow, boundary: other}, granting("Allow", `"*"`), signerOf(foreign), "arn:aws:iam::444455556666:user/alice", "", " because no permissions boundary allows the execute-api:Invoke action"},
	} {
		t.Run(name, func(t *testing.T) {
			code := authz.CodeImplicitDeny
			if c.how != "" {
				code = authz.CodeExplicitDeny
			}
			message := "User: " + c.who + " is not authorized to perform: execute-api:Invoke on resource: " + resource + c.how
			d := c.callers.gateway(t, c.resourcePolicy).Authorize(t.Context(), signed(c.signer, "/pets"))
			checkDenial(t, d, 403, code, "AccessDeniedException", `{"Message":"`+message+c.since2025+`"}`)
			if d.Caller.Principal != c.who || d.Reason.Detail == "" && d.Reason.Policy == "" {
				t.Errorf("caller %+v, reason %+v", d.Caller, d.Reason)
			}
			g := c.callers.gateway(t, c.resourcePolicy, func(a *API) { a.LegacyMessages = true })
			checkDenial(t, g.Authorize(t.Context(), signed(c.signer, "/pets")), 403, code, "AccessDeniedException", `{"Message":"`+message+`"}`)
		})
	}
}

// A signature that does not count is answered in API Gateway's words, whatever the policies say.
func TestSignatureFaults(t *testing.T) {
	g := callers{statement: statement("Allow", "*")}.gateway(t, granting("Allow", `"*"`))
	other := func(change func(*sigv4test.Signer)) *authz.Request {
		s := signerOf(owner)
		change(&s)
		return signed(s, "/pets")
	}
	unbuffered := signed(signerOf(owner), "/pets")
	unbuffered.SetBody(nil, authz.BodyUnknown)
	for name, c := range map[string]struct {
		request   *authz.Request
		status    int
		code      authz.Code
		errorType string
		body      string
	}{
		"not signed": {get("/pets"), 403, authz.CodeNotSigned, "MissingAuthenticationTokenException", `{"message":"Missing Authentication Token"}`},
		"bearer": {get("/pets", "authorization", "Bearer abc"), 403, authz.CodeBadSignature, "IncompleteSignatureException",
			`{"message":"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'w1Xc6WwWEogNEZQP/dkBTThsJT4MNlKmzQanIm970rY='."}`},
		"other secret": {other(func(s *sigv4test.Signer) { s.Secret = "other" }), 403, authz.CodeBadSignature, "InvalidSignatureException",
			`{"message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}`},
		"unknown key": {other(func(s *sigv4test.Signer) { s.KeyID = "AKIANOBODY" }), 403, authz.CodeUnknownKey, "UnrecognizedClientException",
			`{"message":"The security token included in the request is invalid."}`},
		"too old": {other(func(s *sigv4test.Signer) { s.At = s.At.Add(-time.Hour) }), 403, authz.CodeBadSignature, "InvalidSignatureException",
			`{"message":"Signature expired: 20200312T180358Z is now earlier than 20200312T185858Z (20200312T190358Z - 5 min.)"}`},
		"another service": {other(func(s *sigv4test.Signer) { s.Service = "s3" }), 403, authz.CodeBadSignature, "InvalidSignatureException",
			`{"message":"Credential should be scoped to correct service: 'execute-api'. "}`},
		"unbuffered": {unbuffered, 500, authz.CodeEnvoyConfig, "InternalServerErrorException", `{"message":"Internal server error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := g.Authorize(t.Context(), c.request)
			checkDenial(t, d, c.status, c.code, c.errorType, c.body)
			if c.code == authz.CodeEnvoyConfig && !strings.Contains(d.Reason.Detail, "portcullis.body: buffered") {
				t.Errorf("the reason does not name the setting: %+v", d.Reason)
			}
		})
	}
}

// The gateway response of a signature's fault can be customized under its type.
func TestCustomizedSignatureFault(t *testing.T) {
	for typ, request := range map[string]*authz.Request{
		"MISSING_AUTHENTICATION_TOKEN": get("/pets"),
		"INVALID_SIGNATURE":            get("/pets", "authorization", "Bearer abc"),
		"ACCESS_DENIED":                signed(sigv4test.Signer{KeyID: "AKIANOBODY", Region: "eu-west-1", At: get("/").Time}, "/pets"),
		"EXPIRED_TOKEN":                nil,
	} {
		c := callers{statement: statement("Allow", "*")}
		g := c.gateway(t, "", func(a *API) { a.GatewayResponses = map[string]GatewayResponse{typ: {StatusCode: 423}} })
		if request == nil {
			g.model.APIs["a1b2c3d4e5"].Verify = func(*authz.Request) (*Signed, error) {
				return nil, &authz.Refusal{ResponseType: "EXPIRED_TOKEN", ErrorType: "ExpiredTokenException", Message: "expired"}
			}
			request = get("/pets")
		}
		if d := g.Authorize(t.Context(), request); d.Allow || d.Denial.Status != 423 {
			t.Errorf("%s: %d %s", typ, d.Denial.Status, d.Denial.Body)
		}
	}
}

// A request for which there is no route is one that should have been signed.
func TestNoRouteIsLikeIAM(t *testing.T) {
	g := callers{statement: statement("Allow", "*")}.gateway(t, "", func(a *API) { a.Routes = a.Routes[:1] })
	bad := signerOf(owner)
	bad.Secret = "other"
	unbuffered := signed(signerOf(owner), "/none")
	unbuffered.SetBody(nil, authz.BodyUnknown)
	for name, c := range map[string]struct {
		request   *authz.Request
		errorType string
	}{
		"not signed":    {get("/none"), "MissingAuthenticationTokenException"},
		"signed":        {signed(signerOf(owner), "/none"), "MissingAuthenticationTokenException"},
		"unbuffered":    {unbuffered, "MissingAuthenticationTokenException"},
		"bearer":        {get("/none", "authorization", "Bearer abc"), "IncompleteSignatureException"},
		"bad signature": {signed(bad, "/none"), "InvalidSignatureException"},
	} {
		d := g.Authorize(t.Context(), c.request)
		if d.Allow || d.Denial.Status != 403 || header(d, "x-amzn-ErrorType") != c.errorType || d.Reason.Code != authz.CodeNoRoute {
			t.Errorf("%s: %d %s %+v", name, d.Denial.Status, header(d, "x-amzn-ErrorType"), d.Reason)
		}
	}
}

// A route without authorization knows nobody: neither a good signature nor a bad one changes anything.
func TestOpenRouteIgnoresSignatures(t *testing.T) {
	known := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"Null":{"aws:PrincipalArn":"false"}}}}`
	bad := signerOf(owner)
	bad.Secret = "other"
	for name, s := range map[string]sigv4test.Signer{"good": signerOf(owner), "bad": bad} {
		if d := (callers{statement: statement("Deny", "*")}).gateway(t, "").Authorize(t.Context(), signed(s, "/open")); !d.Allow || d.Caller.Principal != "" {
			t.Errorf("%s signature, no policy: %+v", name, d)
		}
		d := (callers{statement: statement("Allow", "*")}).gateway(t, known).Authorize(t.Context(), signed(s, "/open"))
		if d.Allow || !strings.Contains(d.Denial.Body, "User: anonymous is") {
			t.Errorf("%s signature, policy on aws:PrincipalArn: %+v", name, d)
		}
	}
}

// What has signed does not reach the upstream, and what it says of the caller does.
func TestSignedUpstream(t *testing.T) {
	variables := map[string]string{
		"x-account": "$context.identity.accountId", "x-caller": "$context.identity.caller", "x-user": "$context.identity.user",
		"x-arn": "$context.identity.userArn", "x-key": "$context.identity.accessKey", "x-org": "$context.identity.principalOrgId",
		"x-principal": "$context.authorizer.principalId",
	}
	mapping := func(a *API) {
		for name, value := range variables {
			a.UpstreamHeaders = append(a.UpstreamHeaders, UpstreamHeader{Name: name, Value: value})
		}
	}
	g := callers{statement: statement("Allow", "*"), organization: iam.Organization{ID: "o-pets"}}.gateway(t, "", mapping)
	d := g.Authorize(t.Context(), signed(sessionOf(owner), "/pets"))
	want := map[string]string{
		"x-account": owner, "x-caller": "AROADEPLOYER:ci", "x-user": "AROADEPLOYER:ci", "x-key": "ASIA" + owner, "x-org": "o-pets",
		"x-arn": "arn:aws:sts::111122223333:assumed-role/deployer/ci",
	}
	got := map[string]string{}
	for _, f := range d.SetHeaders {
		got[f.Name] = f.Value
	}
	if !d.Allow || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v: %v, want %v", d.Reason, got, want)
	}
	if !slices.Equal(d.RemoveHeaders, []string{"authorization", "x-amz-security-token"}) || d.Target != "" {
		t.Errorf("removed: %q, target %q", d.RemoveHeaders, d.Target)
	}

	for target, want := range map[string]string{
		"/pets?limit=5": "/pets?limit=5", "/pets": "/pets", "/pets?b=1&a=2": "/pets?b=1&a=2", "/pets?flag": "/pets?flag", "/pets?flag=&x": "/pets?flag=&x",
		"/pets?a=%7e+b&&c==d?e/f": "/pets?a=%7e+b&&c==d?e/f", "/pets/x/?q": "/pets/x/?q",
	} {
		r := get(target)
		r.SetBody(nil, authz.BodyComplete)
		sessionOf(owner).Presign(r)
		if d := g.Authorize(t.Context(), r); !d.Allow || d.Target != want || d.RemoveHeaders != nil {
			t.Errorf("%s: target %q, removed %q, %+v", target, d.Target, d.RemoveHeaders, d.Reason)
		}
	}

	d = g.Authorize(t.Context(), get("/open"))
	if !d.Allow || len(d.SetHeaders) > 0 {
		t.Errorf("variables of nobody: %+v", d)
	}
}

// Every parameter that another reader might read as a spent one is removed.
func TestWithoutParameters(t *testing.T) {
	names := []string{"X-Amz-Signature", "X-Amz-Date"}
	for target, want := range map[string]string{
		"/a?X-Amz-Signature=1": "/a", "/a?X-Amz-Signature": "/a", "/a?x-amz-signature=1&b": "/a?b", "/a?%58-Amz-Dat%65=1&b&X-Amz-Date=2": "/a?b",
		"/a?X-Amz-Signature=1&X-Amz-Signature=2": "/a", "/a?&X-Amz-Date=1&": "/a?&", "/a?X-Amz-Dates=1": "/a?X-Amz-Dates=1", "/a?b=X-Amz-Date=1": "/a?b=X-Amz-Date=1",
		"/X-Amz-Date=1?X-Amz-Date=1": "/X-Amz-Date=1",
	} {
		if got := withoutParameters(get(target), names); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// A signature that nobody asked for is not verified, and does not reach the upstream either.
func TestSignatureOnAnOpenRoute(t *testing.T) {
	g := mustCompile(t, Config{APIs: []API{testAPI("GET /open")}})
	for value, want := range map[string][]string{
		"AWS4-HMAC-SHA256 Credential=a": {"authorization", "x-amz-security-token"},
		"Bearer x":                      nil,
	} {
		d := g.Authorize(t.Context(), get("/open", "authorization", value, "x-amz-security-token", "t"))
		if !d.Allow || !slices.Equal(d.RemoveHeaders, want) {
			t.Errorf("%s: %+v; want %q removed", value, d, want)
		}
	}
}

// A header that is mapped is set, and not removed as a spent one.
func TestMappedAuthorizationHeader(t *testing.T) {
	g := callers{statement: statement("Allow", "*")}.gateway(t, "", func(a *API) {
		a.UpstreamHeaders = []UpstreamHeader{{Name: "authorization", Value: "Basic Zm9v"}}
	})
	d := g.Authorize(t.Context(), signed(signerOf(owner), "/pets"))
	if !d.Allow || len(d.SetHeaders) != 1 || len(d.RemoveHeaders) != 0 {
		t.Errorf("%+v", d)
	}
}

// Conditions on who has signed. Each key is asked for by an Allow and by a Deny.
func TestConditionKeysOfSignedRequests(t *testing.T) {
	for key, value := range map[string]string{
		"aws:PrincipalArn": "arn:aws:iam::111122223333:user/alice", "aws:PrincipalAccount": owner, "aws:PrincipalType": "User",
		"aws:userid": "AIDAALICE", "aws:username": "alice", "aws:PrincipalOrgID": "o-pets", "aws:PrincipalTag/team": "pets",
		"aws:RequestedRegion": "eu-west-1", "aws:ResourceAccount": owner,
	} {
		for equal, value := range map[bool]string{true: value, false: "other"} {
			c := callers{statement: identitySide("neither"), organization: iam.Organization{ID: "o-pets"}}
			condition := fmt.Sprintf(`"Condition":{"StringEquals":{%q:%q}}}}`, key, value)
			g := c.gateway(t, strings.TrimSuffix(granting("Allow", `"*"`), "}}")+","+condition)
			if d := g.Authorize(t.Context(), signed(signerOf(owner), "/pets")); d.Allow != equal {
				t.Errorf("%s is %s: %+v", key, value, d.Reason)
			}
			c.statement = identitySide("Allow")
			g = c.gateway(t, strings.TrimSuffix(granting("Deny", `"*"`), "}}")+","+condition)
			if d := g.Authorize(t.Context(), signed(signerOf(owner), "/pets")); d.Allow == equal {
				t.Errorf("denied where %s is %s: %+v", key, value, d.Reason)
			}
		}
	}
}

func TestLongARNOfSignedRequest(t *testing.T) {
	g := callers{statement: statement("Allow", "*")}.gateway(t, "")
	d := g.Authorize(t.Context(), signed(signerOf(owner), "/"+strings.Repeat("a", 1600)))
	if d.Allow || d.Denial.Status != http.StatusRequestURITooLong {
		t.Errorf("%+v", d)
	}
}

// A request is denied for every failure of the verifier.
func TestVerifierThatFails(t *testing.T) {
	for name, verify := range map[string]Verify{
		"nothing": func(*authz.Request) (*Signed, error) { return nil, nil },
		"nobody":  func(*authz.Request) (*Signed, error) { return &Signed{Facts: &asker{in: &invocation{}}}, nil },
		"no facts": func(*authz.Request) (*Signed, error) {
			return &Signed{Principal: policy.Principal{Kind: policy.User}}, nil
		},
		"an error":      func(*authz.Request) (*Signed, error) { return nil, errors.New("secret") },
		"zero refusal":  func(*authz.Request) (*Signed, error) { return nil, &authz.Refusal{} },
		"other refusal": func(*authz.Request) (*Signed, error) { return nil, &authz.Refusal{ResponseType: "NONE"} },
		"none":          nil,
	} {
		g := callers{statement: statement("Allow", "*")}.gateway(t, granting("Allow", `"*"`))
		g.model.APIs["a1b2c3d4e5"].Verify = verify
		d := g.Authorize(t.Context(), signed(signerOf(owner), "/pets"))
		if d.Allow || d.Denial.Status != 500 || d.Denial.Body != `{"message":"Internal server error"}` {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestCanceledSignedRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := (callers{statement: statement("Allow", "*")}).gateway(t, "").Authorize(ctx, signed(signerOf(owner), "/pets")); d.Allow {
		t.Errorf("%+v", d)
	}
}

func TestIAMRouteWithoutVerifier(t *testing.T) {
	a := testAPI("GET /pets")
	a.Routes[0].Authorization = IAM
	if g, faults := New(Config{APIs: []API{a}}); g != nil || len(faults) != 1 || faults[0].At.String() != "apis[0].routes[0].authorization" {
		t.Errorf("%v, %v", g, faults)
	}
}

// A VPC endpoint policy is asked about who has signed, on every route.
func TestEndpointPolicyOfSignedRequest(t *testing.T) {
	bad := signerOf(owner)
	bad.Secret = "other"
	for name, c := range map[string]struct {
		request *authz.Request
		allow   bool
	}{
		"the role":            {signed(sessionOf(owner), "/open"), true},
		"the role, guarded":   {signed(sessionOf(owner), "/pets"), true},
		"another caller":      {signed(signerOf(owner), "/open"), false},
		"nobody":              {get("/open"), false},
		"a bearer of a token": {get("/open", "authorization", "Bearer x"), false},
		"a bad signature":     {signed(bad, "/open"), false},
	} {
		endpoint := VPCEndpoint{ID: "vpce-1", Policy: mustPolicy(t, policy.VPCEndpoint,
			`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/ops/deployer"},"Action":"*","Resource":"*"}`)}
		a := guardedBy(t, testAPI("GET /open", "ANY /{proxy+}"), granting("Allow", `"*"`))
		a.Routes[1].Authorization, a.Private = IAM, true
		config := Config{APIs: []API{a}, VPCEndpoints: []VPCEndpoint{endpoint}}
		config.Signatures = signatures(callers{statement: statement("Allow", "*")}.builder(t))
		c.request.VPCEndpoint = "vpce-1"
		d := mustCompile(t, config).Authorize(t.Context(), c.request)
		if d.Allow != c.allow {
			t.Errorf("%s: %+v", name, d)
		}
		if d.Allow && !slices.Contains(d.RemoveHeaders, "authorization") {
			t.Errorf("%s: the signature reaches the upstream", name)
		}
	}
}

func BenchmarkAuthorizeSigned(b *testing.B) {
	g := callers{statement: statement("Allow", all)}.gateway(b, granting("Allow", `"*"`))
	r := signed(signerOf(owner), "/pets")
	b.ReportAllocs()
	for b.Loop() {
		if d := g.Authorize(b.Context(), r); !d.Allow {
			b.Fatal(d)
		}
	}
}

// With a route for callers who sign, a policy may name them and ask for what is known of them.
func TestPolicyTargetOfSignedRoutes(t *testing.T) {
	a := testAPI("GET /open", "GET /pets")
	for _, signed := range []bool{false, true} {
		if signed {
			a.Routes[1].Authorization = IAM
		}
		target := a.PolicyTarget(nil)
		if target.AWSPrincipals != signed {
			t.Errorf("AWS principals: %v, want %v", target.AWSPrincipals, signed)
		}
		for _, key := range []string{"aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalTag/team", "aws:userid", "aws:MultiFactorAuthPresent"} {
			if got := target.KeyPossible(policy.NewKey(key)); got != signed {
				t.Errorf("%s: %v, want %v", key, got, signed)
			}
		}
	}
}
