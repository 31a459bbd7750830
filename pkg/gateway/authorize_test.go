package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

func TestAuthorizeOpenRoute(t *testing.T) {
	g := mustNew(t, testAPI("GET /pets/{petId}"))
	got := g.Authorize(t.Context(), get("/pets/7"))
	want := authz.Decision{
		Allow: true, Reason: authz.Reason{Code: authz.CodeNoPolicy}, RequestID: testID,
		API: "a1b2c3d4e5", Stage: "prod", Route: "GET /pets/{petId}",
		Step: authz.StepPass, Method: "GET", Host: "pets.example.com", Path: "/pets/7", ClientAddress: netip.MustParseAddr("192.0.2.9"),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAuthorizeByResourcePolicy(t *testing.T) {
	const deny = `{"Sid":"NoAdmin","Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/admin"}`
	g := mustNew(t, guardedBy(t, testAPI("ANY /{proxy+}"), allowBut(deny)))
	got := g.Authorize(t.Context(), get("/pets"))
	want := authz.Decision{
		Allow: true, Reason: authz.Reason{Code: authz.CodeAllowed, Policy: "resource-policy", Statement: "All"}, RequestID: testID,
		API: "a1b2c3d4e5", Stage: "prod", Route: "ANY /{proxy+}",
		Step: authz.StepPass, Method: "GET", Host: "pets.example.com", Path: "/pets", ClientAddress: netip.MustParseAddr("192.0.2.9"),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	got = g.Authorize(t.Context(), get("/admin"))
	checkDenial(t, got, 403, authz.CodeExplicitDeny, "AccessDeniedException",
		`{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: `+
			`arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/admin with an explicit deny in a resource-based policy"}`)
	if got.Reason.Policy != "resource-policy" || got.Reason.Statement != "NoAdmin" || got.Route != "ANY /{proxy+}" || got.Stage != "prod" {
		t.Errorf("%+v", got)
	}
}

func TestDenialTexts(t *testing.T) {
	const deny = `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/denied"}`
	const user = `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/`
	document := `{"Version":"2012-10-17","Statement":[` + deny + `]}`
	for _, tt := range []struct {
		path, want string
		legacy     bool
	}{
		{"/denied", `denied with an explicit deny in a resource-based policy"}`, false},
		{"/denied", `denied with an explicit deny"}`, true},
		{"/silent", `silent because no resource-based policy allows the execute-api:Invoke action"}`, false},
		{"/silent", `silent"}`, true},
		{"/a%22%2Cb", `a\",b because no resource-based policy allows the execute-api:Invoke action"}`, false},
		{"/%3Cscript%3E", `<script>"}`, true},
		{"/", `"}`, true},
		{"/caf%C3%A9/", `café/"}`, true},
	} {
		a := testAPI("ANY /", "ANY /{proxy+}")
		a.LegacyMessages = tt.legacy
		d := mustNew(t, guardedBy(t, a, document)).Authorize(t.Context(), get(tt.path))
		code := authz.CodeImplicitDeny
		if tt.path == "/denied" {
			code = authz.CodeExplicitDeny
		}
		checkDenial(t, d, 403, code, "AccessDeniedException", user+tt.want)
	}
}

func TestNoRoute(t *testing.T) {
	const date = "x-amz-date"
	const complete = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20200312/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=0a"
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	notPairs := func(s string) string {
		return "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" + hash(s) + "'."
	}
	requires := func(value string, parts ...string) string {
		text := ""
		for _, part := range parts {
			text += "Authorization header requires " + part + ". "
		}
		return text + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + hash(value)
	}
	const credential, signature, signed = "'Credential' parameter", "'Signature' parameter", "'SignedHeaders' parameter"
	const dates = "existence of either a 'X-Amz-Date' or a 'Date' header"
	const missing = "Missing Authentication Token"
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{nil, missing},
		{[]string{"authorization", ""}, missing},
		{[]string{"authorization", complete, date, "20200312T190358Z"}, missing},
		{[]string{"authorization", complete}, requires(complete, dates)},
		{[]string{"authorization", "Bearer secret"}, notPairs("Bearer secret")},
		{[]string{"authorization", "secret"}, notPairs("secret")},
		{[]string{"authorization", "Basic dXNlcjpwYXNz"}, notPairs("Basic dXNlcjpwYXNz")},
		{[]string{"authorization", "Basic dXNlcg==", date, "x"}, requires("Basic dXNlcg==", credential, signature, signed)},
		{[]string{"authorization", "Basic dXNlcg=="}, requires("Basic dXNlcg==", credential, signature, signed, dates)},
		{[]string{"authorization", "AWS4-HMAC-SHA256 Credential=a, Secret"}, notPairs("AWS4-HMAC-SHA256 Credential=a, Secret")},
		{[]string{"authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=b", date, "x"}, requires("AWS4-HMAC-SHA256 Credential=a, Signature=b", signed)},
		{[]string{"authorization", complete, "authorization", complete, date, "x"}, "The request has more than one Authorization header."},
		{[]string{"authorization", "", "authorization", "Bearer secret"}, "The request has more than one Authorization header."},
	} {
		g := mustNew(t, testAPI("POST /pets"))
		d := g.Authorize(t.Context(), get("/pets", tt.lines...))
		errorType := "IncompleteSignatureException"
		if tt.want == missing {
			errorType = "MissingAuthenticationTokenException"
		}
		checkDenial(t, d, 403, authz.CodeNoRoute, errorType, `{"message":"`+tt.want+`"}`)
		if strings.Contains(d.Denial.Body+d.Reason.Detail, "secret") || strings.Contains(d.Denial.Body, "dXNl") {
			t.Errorf("the answer echoes the token: %s", d.Denial.Body)
		}
		if d.API != "a1b2c3d4e5" || d.Stage != "prod" || d.Route != "" {
			t.Errorf("%+v", d)
		}
	}
}

func TestLongARN(t *testing.T) {
	prefix := len("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/")
	open, guarded := testAPI("ANY /{proxy+}"), guardedBy(t, testAPI("ANY /{proxy+}"), allowBut())
	fits, long := "/"+strings.Repeat("a", 1600-prefix), "/"+strings.Repeat("a", 1601-prefix)
	if d := mustNew(t, guarded).Authorize(t.Context(), get(fits)); !d.Allow {
		t.Errorf("1600 bytes are denied: %+v", d)
	}
	checkDenial(t, mustNew(t, guarded).Authorize(t.Context(), get(long)), 414, authz.CodeTooLong, "", `{"message":"Request URI too long"}`)
	if d := mustNew(t, open).Authorize(t.Context(), get(long)); !d.Allow {
		t.Errorf("an API without policy has no limit: %+v", d)
	}
}

// A Deny must hold for the spellings of a path that routing takes for the same.
func TestDenyOnOtherSpellings(t *testing.T) {
	deny := func(resource string) string {
		return `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET` + resource + `"}`
	}
	for _, tt := range []struct{ denied, path string }{
		{"/admin", "/admin"}, {"/admin", "/admin/"}, {"/admin", "/admin//"}, {"/admin", "/admin///"}, {"/admin", "//admin"},
		{"/admin/", "/admin"}, {"/admin/", "/admin///"},
		{"/a/b", "/a//b"}, {"/a/b", "/a//b/"}, {"/a/b", "/a///b//"}, {"/a/b/", "/a//b"}, {"/a/b", "/%61//%62"},
		{"/a//b", "/a//b/"}, {"/a//b/", "/a//b"}, {"/a//b/", "/a//b///"},
		{"/a b", "/a%20b"}, {"/a%2Fb", "/a%2fb"},
	} {
		g := mustNew(t, guardedBy(t, testAPI("ANY /{proxy+}"), allowBut(deny(tt.denied))))
		if d := g.Authorize(t.Context(), get(tt.path)); d.Allow || d.Reason.Code != authz.CodeExplicitDeny {
			t.Errorf("a Deny on %s lets %s pass: %+v", tt.denied, tt.path, d)
		}
	}
	// What an Allow leaves out, it leaves out in every spelling.
	but := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","NotResource":"execute-api:/prod/GET/admin"}}`
	for path, want := range map[string]bool{"/admin": false, "/admin/": false, "/admin//": false, "//admin": false, "/admin/x": true, "/pets": true} {
		g := mustNew(t, guardedBy(t, testAPI("ANY /{proxy+}"), but))
		if d := g.Authorize(t.Context(), get(path)); d.Allow != want {
			t.Errorf("an Allow for all but /admin: %s: allow %v, want %v", path, d.Allow, want)
		}
	}
	// An Allow is no wider than it is written.
	g := mustNew(t, guardedBy(t, testAPI("ANY /{proxy+}"), allowOnly("execute-api:/prod/GET/pets")))
	for path, want := range map[string]bool{"/pets": true, "/pets/": false, "//pets": true, "/pets//": false} {
		if d := g.Authorize(t.Context(), get(path)); d.Allow != want {
			t.Errorf("%s: allow %v, want %v", path, d.Allow, want)
		}
	}
}

func TestConditionKeys(t *testing.T) {
	condition := func(operator, key, value string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*",` +
			`"Condition":{"` + operator + `":{"` + key + `":"` + value + `"}}}}`
	}
	transport := func(r *authz.Request, how authz.SecureTransport) *authz.Request {
		r.Transport = how
		return r
	}
	tls := with(get("/"), func(r *authz.Request) { r.ServerName = "pets.example.com" })
	workload := with(get("/"), func(r *authz.Request) { r.SourcePrincipal = "spiffe://a/b" })
	for _, tt := range []struct {
		operator, key, value string
		request              *authz.Request
		want                 bool
	}{
		{"DateEquals", "aws:CurrentTime", "2020-03-12T19:03:58Z", get("/"), true},
		{"DateLessThan", "aws:CurrentTime", "2020-03-12T19:03:58Z", get("/"), false},
		{"NumericEquals", "aws:EpochTime", "1584039838", get("/"), true},
		{"DateEquals", "aws:EpochTime", "1584039838", get("/"), true},
		{"Bool", "aws:SecureTransport", "true", tls, true},
		{"Bool", "aws:SecureTransport", "false", get("/"), true},
		{"Bool", "aws:SecureTransport", "false", get("/", "x-forwarded-proto", "https"), true},
		{"Bool", "aws:SecureTransport", "true", transport(get("/"), authz.TransportSecure), true},
		{"Bool", "aws:SecureTransport", "false", transport(with(get("/"), func(r *authz.Request) { r.ServerName = "x" }), authz.TransportInsecure), true},
		{"Bool", "aws:SecureTransport", "true", transport(get("/", "x-forwarded-proto", "https"), authz.TransportForwardedProto), true},
		{"Bool", "aws:SecureTransport", "true", transport(get("/", "x-forwarded-proto", "http"), authz.TransportForwardedProto), false},
		{"Bool", "aws:SecureTransport", "true", transport(get("/"), authz.TransportForwardedProto), false},
		{"Bool", "aws:SecureTransport", "true", transport(get("/", "x-forwarded-proto", "https", "x-forwarded-proto", "http"), authz.TransportForwardedProto), false},
		{"IpAddress", "aws:SourceIp", "192.0.2.0/24", get("/"), true},
		{"IpAddress", "aws:SourceIp", "192.0.2.0/24", with(get("/"), func(r *authz.Request) { r.Peer = netip.MustParseAddr("::ffff:192.0.2.1") }), true},
		{"Null", "aws:SourceIp", "true", with(get("/"), func(r *authz.Request) { r.Peer = netip.Addr{} }), true},
		{"Null", "aws:SourceIp", "true", get("/"), false},
		{"StringEquals", "aws:Referer", "https://a.example/", get("/", "referer", "https://a.example/"), true},
		{"StringEquals", "aws:UserAgent", "curl/8", get("/", "user-agent", "curl/8"), true},
		{"Null", "aws:UserAgent", "true", get("/"), true},
		{"Null", "aws:UserAgent", "false", get("/", "user-agent", ""), true},
		{"StringEquals", "portcullis:SourcePrincipal", "spiffe://a/b", workload, true},
		{"StringEquals", "PORTCULLIS:sourceprincipal", "spiffe://a/c", workload, false},
		{"StringLike", "portcullis:SourcePrincipal", "spiffe://a/*", workload, true},
		{"StringNotEquals", "portcullis:SourcePrincipal", "spiffe://a/b", workload, false},
		{"StringNotEquals", "portcullis:SourcePrincipal", "spiffe://a/b", get("/"), true},
		{"StringLike", "portcullis:SourcePrincipal", "*", get("/"), false},
		{"Null", "portcullis:SourcePrincipal", "true", get("/", "portcullis:sourceprincipal", "spiffe://a/b", "x-forwarded-client-cert", "URI=spiffe://a/b"), true},
		{"Null", "portcullis:SourcePrincipal", "false", workload, true},
		{"Bool", "aws:ViaAWSService", "false", get("/"), true},
		{"StringEquals", "aws:PrincipalType", "Anonymous", get("/"), true},
		{"Null", "aws:PrincipalArn", "true", get("/"), true},
		{"Null", "aws:PrincipalAccount", "true", get("/"), true},
		{"Null", "aws:userid", "true", get("/"), true},
		{"Null", "aws:SourceVpce", "true", get("/"), true},
		{"Null", "aws:SourceVpc", "true", get("/", "x-vpc", "vpc-1"), true},
		{"Null", "aws:RequestedRegion", "true", get("/"), true},
		{"Null", "aws:PrincipalOrgID", "true", get("/"), true},
		{"Null", "custom:key", "true", get("/"), true},
	} {
		g := mustNew(t, guardedBy(t, testAPI("ANY /"), condition(tt.operator, tt.key, tt.value)))
		if d := g.Authorize(t.Context(), tt.request); d.Allow != tt.want {
			t.Errorf("%s %s %s: allow %v, want %v (%+v)", tt.operator, tt.key, tt.value, d.Allow, tt.want, d.Reason)
		}
	}
}

// A value that cannot be told denies even where the policy would allow whatever it is.
func TestUntellableConditionValues(t *testing.T) {
	harmless := func(key string) string {
		return allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"StringEquals":{"` + key + `":"never"}}}`)
	}
	for _, name := range []string{"Referer", "UserAgent"} {
		header := map[string]string{"Referer": "referer", "UserAgent": "user-agent"}[name]
		g := mustNew(t, guardedBy(t, testAPI("GET /"), harmless("aws:"+name)))
		checkDenial(t, g.Authorize(t.Context(), get("/", header, "a", header, "b")), 400, authz.CodeBadRequest, "BadRequestException", `{"message":"Bad Request"}`)
		if d := g.Authorize(t.Context(), get("/", header, "a")); !d.Allow {
			t.Errorf("%s: %+v", name, d)
		}
	}
	timeless := with(get("/"), func(r *authz.Request) { r.Time = time.Time{} })
	dated := allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2019-01-01T00:00:00Z"}}}`)
	d := mustNew(t, guardedBy(t, testAPI("GET /"), dated)).Authorize(t.Context(), timeless)
	checkDenial(t, d, 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`)
}

func TestZeroGatewayDenies(t *testing.T) {
	d := new(Gateway).Authorize(t.Context(), get("/"))
	checkDenial(t, d, 403, authz.CodeUnknownHost, "ForbiddenException", `{"message":"Forbidden"}`)
	if d := new(Gateway).Authorize(t.Context(), &authz.Request{}); d.Allow || d.Denial.Status != 400 {
		t.Errorf("an empty request: %+v", d)
	}
}

func TestCanceledCheckDenies(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, ctx := range []context.Context{canceled, late} {
		for _, a := range []API{testAPI("GET /"), guardedBy(t, testAPI("GET /"), allowBut())} {
			d := mustNew(t, a).Authorize(ctx, get("/"))
			checkDenial(t, d, 500, authz.CodeCanceled, "InternalServerErrorException", `{"message":"Internal server error"}`)
		}
	}
}

// A step that forgets to decide, or fails in a way nobody thought of, must not let anything pass.
func TestUnknownFailuresDeny(t *testing.T) {
	fails := guard{
		refuse:       nothing,
		authenticate: func(*invocation, context.Context) outcome { return denyFor(context.DeadlineExceeded) },
		decide: func(in *invocation) outcome {
			return in.allowIf(authz.Reason{Code: authz.CodeAllowed}, nil)
		},
	}
	breaks := guard{refuse: nothing, authenticate: anonymous, decide: func(*invocation) outcome { return denyFor(errors.ErrUnsupported) }}
	undecided := guard{refuse: nothing, authenticate: anonymous, decide: nothing}
	zero := guard{refuse: nothing, authenticate: anonymous, decide: func(*invocation) outcome { return outcome{} }}
	for name, broken := range map[string]guard{"authenticate": fails, "decide": breaks, "undecided": undecided, "zero outcome": zero} {
		g := mustNew(t, testAPI("GET /"))
		whole := guards[model.Open]
		guards[model.Open] = broken
		d := g.Authorize(t.Context(), get("/"))
		guards[model.Open] = whole
		t.Run(name, func(t *testing.T) {
			checkDenial(t, d, 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`)
		})
	}
	t.Run("no guard", func(t *testing.T) {
		g := mustNew(t, testAPI("GET /"))
		g.model.APIs["a1b2c3d4e5"].Routes.Find("/", "GET").Guard = model.Unguarded
		d := g.Authorize(t.Context(), get("/"))
		checkDenial(t, d, 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`)
	})
}

// TestOrder holds the list of steps to what authorize.go says of it.
func TestOrder(t *testing.T) {
	seen := map[authz.Step]bool{}
	for _, s := range order {
		if s.name == "" || s.run == nil || seen[s.name] {
			t.Errorf("the step %q has no name or nothing to run, or is there twice", s.name)
		}
		seen[s.name] = true
	}
	if last := order[len(order)-1]; last.name != authz.StepPass {
		t.Errorf("the last step is %q", last.name)
	}
	if (outcome{}).verdict != denies {
		t.Error("the zero outcome does not deny")
	}
}

func TestRequestID(t *testing.T) {
	g := mustNew(t, testAPI("GET /"))
	seen := map[string]bool{}
	for _, id := range []string{"", "1", "x\r\nset-cookie: a", strings.Repeat("a", 36), testID + "0", strings.ReplaceAll(testID, "-", "0"), "0f6d2f0e-9a3b-4c58-8d0a-5f0f5b1c2d3g"} {
		r := get("/nowhere")
		r.ID = id
		d := g.Authorize(t.Context(), r)
		if !isUUID(d.RequestID) || d.RequestID == id || seen[d.RequestID] || d.RequestID[14] != '4' || header(d, "x-amzn-RequestId") != d.RequestID {
			t.Errorf("id %q becomes %q", id, d.RequestID)
		}
		seen[d.RequestID] = true
	}
	for _, id := range []string{testID, strings.ToUpper(testID)} {
		r := get("/")
		r.ID = id
		if d := g.Authorize(t.Context(), r); d.RequestID != id {
			t.Errorf("id %q becomes %q", id, d.RequestID)
		}
	}
}
