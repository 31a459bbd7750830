package gateway

import (
	"net/netip"
	pathpkg "path"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// bypassed is what the attacks are aimed at: /admin is closed to everybody by a Deny, the internal API by host, and the rest
// is open. The open API is reached by a name of its own.
func bypassed(t *testing.T) *Gateway {
	const closed = `{"Sid":"Closed","Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":["execute-api:/*/*/admin","execute-api:/*/*/admin/*"]}`
	const office = `{"Sid":"Office","Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/*/office","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`
	pets := guardedBy(t, testAPI("ANY /", "ANY /{proxy+}", "GET /admin", "GET /open/{id}", "GET /open/{id}/photo"), allowBut(closed, office))
	pets.UpstreamHeaders = []UpstreamHeader{{Name: "x-user", Value: "$context.authorizer.principalId"}}
	admin := testAPI("ANY /", "ANY /{proxy+}")
	admin.ID = "adm1n00000"
	admin = guardedBy(t, admin, allowOnly("execute-api:/*/GET/health"))
	admin.Stages = []Stage{{Name: "prod", Domains: []string{"admin.example.com", "shared.example.com/admin/v1"}}}
	shared := testAPI("ANY /{proxy+}")
	shared.ID = "shared0000"
	shared.Stages = []Stage{
		{Name: "prod", Domains: []string{"shared.example.com", "shared.example.com/admin"}},
		{Name: "beta", Domains: []string{"shared.example.com/beta/v1"}},
	}
	return mustCompile(t, Config{APIs: []API{pets, admin, shared}, TrustedProxies: prefixes("10.0.0.0/8")})
}

// Each row is a bypass that another ext_authz service or gateway had. None may be allowed.
func TestBypasses(t *testing.T) {
	g := bypassed(t)
	for _, tt := range []struct {
		name    string
		request *authz.Request
		want    authz.Code
	}{
		// A path that starts with // read as an authority.
		{"double slash", get("//admin"), authz.CodeExplicitDeny},
		{"triple slash", get("///admin"), authz.CodeExplicitDeny},
		{"slashes and authority", get("//pets.example.com/../admin"), authz.CodeBadPath},
		{"slash inside", get("/admin//x"), authz.CodeExplicitDeny},
		{"doubled slash leads to another route", get("/open//7"), authz.CodeBadPath},
		{"doubled slash hides a parameter", get("/open//7/photo"), authz.CodeBadPath},
		{"doubled slash in front of a base path's second segment", on("shared.example.com", get("/admin//v1/x")), authz.CodeBadPath},
		{"doubled slash leads to another stage", on("shared.example.com", get("/beta//v1/x")), authz.CodeBadPath},
		// The query taken as path, or the other way round.
		{"query behind", get("/admin?foo"), authz.CodeExplicitDeny},
		{"query with a path", get("/admin?/../open/1"), authz.CodeExplicitDeny},
		{"fragment", get("/open/1#/../../admin"), authz.CodeBadPath},
		{"encoded question mark", get("/admin/%3F/open"), authz.CodeExplicitDeny},
		// Encoded and dot paths.
		{"encoded letters", get("/%61dmin"), authz.CodeExplicitDeny},
		{"all letters encoded", get("/%61%64%6d%69%6E"), authz.CodeExplicitDeny},
		{"dots", get("/open/../admin"), authz.CodeBadPath},
		{"encoded dots", get("/open/%2e%2e/admin"), authz.CodeBadPath},
		{"encoded slash behind dots", get("/open/..%2fadmin"), authz.CodeBadPath},
		{"encoded slash around dots", get("/open%2f..%2fadmin"), authz.CodeBadPath},
		{"doubly encoded dots", get("/open/%252e%252e/admin"), authz.CodeBadPath},
		{"doubly encoded slash", get("/open/..%252fadmin"), authz.CodeBadPath},
		{"backslash", get(`/open/..\admin`), authz.CodeBadPath},
		{"encoded backslash", get("/open/..%5cadmin"), authz.CodeBadPath},
		{"doubly encoded backslash", get("/open/..%255Cadmin"), authz.CodeBadPath},
		{"path parameters behind dots", get("/open/..;/admin"), authz.CodeBadPath},
		{"null", get("/admin%00.png"), authz.CodeBadPath},
		{"newline", get("/admin%0a"), authz.CodeBadPath},
		{"overlong dots", get("/open/%c0%ae%c0%ae/admin"), authz.CodeBadPath},
		{"broken escape", get("/admin%"), authz.CodeBadPath},
		{"IIS escape", get("/%u0061dmin"), authz.CodeBadPath},
		{"absolute form", get("http://pets.example.com/admin"), authz.CodeBadPath},
		{"asterisk form", get("*"), authz.CodeBadPath},
		{"no path", get(""), authz.CodeBadPath},
		// A Deny that a slash escapes.
		{"trailing slash", get("/admin/"), authz.CodeExplicitDeny},
		{"trailing slashes", get("/admin//"), authz.CodeExplicitDeny},
		// An open greedy route beside a guarded verb: the policy guards the path, whatever the verb.
		{"other verb", method("POST", get("/admin")), authz.CodeExplicitDeny},
		{"lower case verb", method("get", get("/admin")), authz.CodeNoRoute},
		{"unknown verb", method("TRACE", get("/admin")), authz.CodeNoRoute},
		{"ANY as a verb", method("ANY", get("/admin")), authz.CodeNoRoute},
		{"method override", method("TRACE", get("/admin", "x-http-method-override", "GET")), authz.CodeNoRoute},
		// The host spelled otherwise, and names that the client would like to choose.
		{"host in capitals", on("ADMIN.example.com", get("/")), authz.CodeImplicitDeny},
		{"host with port", on("admin.example.com:443", get("/")), authz.CodeImplicitDeny},
		{"host with dot and port", on("Admin.Example.com.:443", get("/")), authz.CodeImplicitDeny},
		{"unknown host", on("open.example.net", get("/open/1")), authz.CodeUnknownHost},
		{"two hosts", on("pets.example.com,admin.example.com", get("/open/1")), authz.CodeUnknownHost},
		{"user in front of the host", on("pets.example.com@admin.example.com", get("/open/1")), authz.CodeUnknownHost},
		{"execute-api host while it is off", on("a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", get("/prod/open/1")), authz.CodeUnknownHost},
		{"x-apigw-api-id", on("admin.example.com", get("/open/1", "x-apigw-api-id", "a1b2c3d4e5")), authz.CodeImplicitDeny},
		{"x-apigw-api-id without host", on("vpce-1.execute-api.eu-west-1.vpce.amazonaws.com", get("/open/1", "x-apigw-api-id", "a1b2c3d4e5")), authz.CodeUnknownHost},
		{"host header beside :authority", on("admin.example.com", get("/", "host", "pets.example.com")), authz.CodeImplicitDeny},
		{"X-Forwarded-Host", on("admin.example.com", get("/", "x-forwarded-host", "pets.example.com")), authz.CodeImplicitDeny},
		{"X-Original-URL", get("/admin", "x-original-url", "/open/1", "x-rewrite-url", "/open/1"), authz.CodeExplicitDeny},
		{"another API's host than Envoy names", as("adm1n00000", get("/open/1")), authz.CodeHostMismatch},
		{"the same the other way round", as("a1b2c3d4e5", on("admin.example.com", get("/open/1"))), authz.CodeHostMismatch},
		{"base path in front of another", on("shared.example.com", get("/admin/v1/x")), authz.CodeImplicitDeny},
		{"base path encoded", on("shared.example.com", get("/adm%69n/v1/x")), authz.CodeBadPath},
		// Forwarded headers believed.
		{"X-Forwarded-For from a stranger", from("203.0.113.1", get("/office", "x-forwarded-for", "192.0.2.1")), authz.CodeExplicitDeny},
		{"leftmost X-Forwarded-For", from("10.0.0.1", get("/office", "x-forwarded-for", "192.0.2.1, 203.0.113.1")), authz.CodeExplicitDeny},
		{"two X-Forwarded-For lines", from("10.0.0.1", get("/office", "x-forwarded-for", "192.0.2.1", "x-forwarded-for", "203.0.113.1")), authz.CodeExplicitDeny},
		{"X-Forwarded-For that is no address", from("10.0.0.1", get("/office", "x-forwarded-for", "192.0.2.1, for=192.0.2.1")), authz.CodeBadClientAddress},
		{"Forwarded", from("10.0.0.1", get("/office", "forwarded", `for="192.0.2.1"`)), authz.CodeExplicitDeny},
		{"X-Real-IP", from("10.0.0.1", get("/office", "x-real-ip", "192.0.2.1", "x-envoy-external-address", "192.0.2.1")), authz.CodeExplicitDeny},
		{"no peer", with(get("/office", "x-forwarded-for", "192.0.2.1"), func(r *authz.Request) { r.Peer = netip.Addr{} }), authz.CodeExplicitDeny},
	} {
		if d := g.Authorize(t.Context(), tt.request); d.Allow || d.Reason.Code != tt.want || d.Denial.Status < 400 {
			t.Errorf("%s: allow %v, %v %+v; want %s", tt.name, d.Allow, d.Denial.Status, d.Reason, tt.want)
		}
	}
}

// A policy opens what ends in .css, or in /public, and the rest to nobody.
func TestAWildcardTakesNoTextThatServersCutOff(t *testing.T) {
	g := mustNew(t, guardedBy(t, testAPI("ANY /{proxy+}"), `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":["execute-api:/*/GET/*.css","execute-api:/*/GET/*/public","execute-api:/*/GET/files/*"]}]}`))
	for _, target := range []string{
		"/admin;.css", "/admin;x.css", "/admin%3B.css", "/admin%253B.css", "/admin%3F.css", "/admin%3f/x.css", "/admin%23.css", "/admin%253F/public", "/admin%3F/public",
		"/admin;x/y;.css", "/admin%20%3F.css",
	} {
		if d := g.Authorize(t.Context(), get(target)); d.Allow || d.Denial.Status != 403 {
			t.Errorf("%s: allow %v, %+v", target, d.Allow, d.Reason)
		}
	}
	for _, target := range []string{"/a.css", "/x;y/a.css", "/a;v=1/public", "/x%2Fy.css", "/files/a;b", "/files/a%2Fb%3Fc", "/100%25.css"} {
		if d := g.Authorize(t.Context(), get(target)); !d.Allow {
			t.Errorf("%s: %+v", target, d.Reason)
		}
	}
}

// The same paths without the attack pass: nothing of the above is denied by accident.
func TestBypassesAreNotTooWide(t *testing.T) {
	g := bypassed(t)
	for _, r := range []*authz.Request{
		get("/open/1"), get("/open/1/"), get("//open/1"), get("/open/a%2Fb"), get("/open/100%25"), get("/open/a;b"), get("/open/x?next=/../admin"), get("/adminx"),
		get("/Admin"), get("/"), on("Pets.Example.com.:443", get("/open/1")), on("admin.example.com", get("/health")), on("shared.example.com", get("/admin/v2")),
		as("a1b2c3d4e5", get("/open/1")), as("a1b2c3d4e5", on("10.0.0.7", get("/open/1"))), get("/office"),
		from("10.0.0.1", get("/office", "x-forwarded-for", "203.0.113.1, 192.0.2.1")), get("/x//y"), get("/.well-known/a"),
	} {
		if d := g.Authorize(t.Context(), r); !d.Allow {
			t.Errorf("%s %s: %+v", r.Host, r.Target, d.Reason)
		}
	}
}

func TestStrictPaths(t *testing.T) {
	a := testAPI("ANY /{proxy+}")
	a.StrictPaths = true
	g := mustNew(t, a)
	for _, target := range []string{"/a%2Fb", "/a%2fb", "/a%252Fb", "/a;b", "/a%3Bb", "/a%253bb", "/a%3Fb", "/a%3f", "/a%23b", "/a%253Fb"} {
		d := g.Authorize(t.Context(), get(target))
		checkDenial(t, d, 400, authz.CodeBadPath, "BadRequestException", `{"message":"Bad Request"}`)
	}
	for _, target := range []string{"/a", "/100%25", "/a%20b", "/a//b", "/a?x=%2F;%3F%23?"} {
		if d := g.Authorize(t.Context(), get(target)); !d.Allow {
			t.Errorf("%s: %+v", target, d.Reason)
		}
	}
}

func on(host string, r *authz.Request) *authz.Request {
	r.Host = host
	return r
}

func method(m string, r *authz.Request) *authz.Request {
	r.Method = m
	return r
}

func as(api string, r *authz.Request) *authz.Request {
	r.API = api
	return r
}

func from(peer string, r *authz.Request) *authz.Request {
	r.Peer = netip.MustParseAddr(peer)
	return r
}

// No request that passes has the closed path for a parser that decodes once, cuts path parameters off, merges slashes and resolves
// dots.
func FuzzAuthorize(f *testing.F) {
	for _, seed := range []string{"/admin", "/%61dmin/x", "/open/..%2fadmin", "/x;/../admin", "/open//1", "//admin/?x", "/./admin", "/adm%69n;x", "/admin%2Fx", "/%2e/admin", "/a/b%2F..%2F..%2Fadmin"} {
		f.Add(seed, "pets.example.com", "192.0.2.9", "x-forwarded-for", "GET")
	}
	a := guardedBy(f, testAPI("ANY /", "ANY /{proxy+}", "GET /open/{id}"),
		allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":["execute-api:/*/*/admin","execute-api:/*/*/admin/*"]}`))
	a.StrictPaths = true
	g := mustNew(f, a)
	f.Fuzz(func(t *testing.T, target, host, value, name, verb string) {
		r := get(target, name, value, "authorization", value)
		r.Host, r.Method = host, verb
		d := g.Authorize(t.Context(), r)
		if !d.Allow {
			if d.Denial.Status < 400 || d.Denial.Body == "" || d.Reason.Code == authz.CodeInternal {
				t.Fatalf("%+v", d)
			}
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		var segments []string
		for segment := range strings.SplitSeq(decodeOnce(raw), "/") {
			segment, _, _ = strings.Cut(segment, ";")
			segments = append(segments, segment)
		}
		if clean := pathpkg.Clean("/" + strings.Join(segments, "/")); clean == "/admin" || strings.HasPrefix(clean, "/admin/") {
			t.Fatalf("%q is allowed and means %q", target, clean)
		}
	})
}

// Beside one open method of one path, no spelling of host, path and method gets past the guard of all others.
func TestAnOpenMethodOpensNoOther(t *testing.T) {
	guarded := testAPI("ANY /", "ANY /{proxy+}", "GET /open")
	guarded.Routes[0].Authorization, guarded.Routes[1].Authorization = IAM, IAM
	open := testAPI("ANY /", "ANY /{proxy+}")
	open.ID = "0pen000000"
	open.Stages = []Stage{{Name: "prod", Domains: []string{"open.example.com"}}}
	g := mustNew(t, guarded, open)
	hosts := []string{
		"pets.example.com%00", "pets.example.com.", "pets.example.com..", ".pets.example.com", "pets.example.com:", "pets.example.com:0", "pets.example.com:99999", "pets.example.com:443:80",
		"[pets.example.com]", "PETS.EXAMPLE.COM", "pets\uff0eexample.com", "pet\u017f.example.com", "xn--pets.example.com", "pets.example.com\u200b", "pets.example.com,open.example.com",
		"open.example.com@pets.example.com", "pets.example.com#open.example.com", "pets.example.com?open.example.com", "pets.example.com/open", "pets.example.com\\open", "[::1]",
		"[::ffff:1.2.3.4]", "[::1%25eth0]", "pets.example.com:\u0668\u0660", "p\u00e9ts.example.com",
	}
	for _, host := range hosts {
		for _, api := range []string{"", "a1b2c3d4e5"} {
			for _, target := range []string{"/admin", "/open/", "/OPEN", "/open%2F", "/open;", "/open.", "/open%20", "/ope%6E;", "/%6Fpen/x", "/open//x", "/open%EF%BC%8Fx", "/%EF%BD%8Fpen"} {
				for _, verb := range []string{"GET", "get", "Get", "HEAD", "POST", "TRACE", "CONNECT", "PRI", "GET-", "-", "OPTIONS", "QUERY"} {
					d := g.Authorize(t.Context(), as(api, method(verb, on(host, get(target)))))
					if d.Allow && (verb != "GET" || target != "/open/") {
						t.Errorf("host %q, API %q: %s %s: allowed, %+v", host, api, verb, target, d.Reason)
					}
				}
			}
		}
	}
}
