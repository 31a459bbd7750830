package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// optioned is an API of signed routes: ANY /{proxy+} as the API has it, PUT /uploads and GET /links with options of their own.
func optioned(t *testing.T, o SignatureOptions) *Gateway {
	return callers{statement: statement("Allow", all)}.gateway(t, "", func(a *API) {
		a.Signatures = o
		a.Routes = append(a.Routes,
			Route{Method: "PUT", Resource: "/uploads", Authorization: IAM, Signatures: RouteSignatures{UnsignedPayload: true}},
			Route{Method: "GET", Resource: "/links", Authorization: IAM, Signatures: RouteSignatures{MaxExpires: 30 * time.Second}})
	})
}

// presigned is a request that was signed in its query some time before it comes.
func presigned(target string, expires int, before time.Duration) *authz.Request {
	r := get(target)
	r.SetBody(nil, authz.BodyComplete)
	s := signerOf(owner)
	s.Expires, s.At = expires, s.At.Add(-before)
	s.Presign(r)
	return r
}

// A presigned request is good for as long as it says, up to what the route or the API has, or else 300 seconds.
func TestMaxExpires(t *testing.T) {
	short, long := SignatureOptions{MaxExpires: time.Minute}, SignatureOptions{MaxExpires: 24 * time.Hour}
	for _, c := range []struct {
		options SignatureOptions
		target  string
		expires int
		good    time.Duration
	}{
		{SignatureOptions{}, "/pets", 604800, 300 * time.Second}, {SignatureOptions{}, "/pets", 60, time.Minute},
		{short, "/pets", 30, 30 * time.Second}, {short, "/pets", 86400, time.Minute},
		{long, "/pets", 86400, 24 * time.Hour}, {long, "/links", 86400, 30 * time.Second},
		{short, "/links", 31, 30 * time.Second}, {SignatureOptions{}, "/links", 10, 10 * time.Second},
	} {
		for late, allow := range map[time.Duration]bool{c.good: true, c.good + time.Second: false} {
			d := optioned(t, c.options).Authorize(t.Context(), presigned(c.target, c.expires, late))
			if d.Allow != allow {
				t.Errorf("%+v, %v later: %+v", c, late, d.Reason)
			}
		}
	}
	if d := optioned(t, SignatureOptions{}).Authorize(t.Context(), presigned("/pets", 604801, 0)); d.Allow {
		t.Error("more than a week is taken")
	}
}

// A plus sign in a query is a space or itself, and never both: a signed %2B cannot be changed to + on the way.
func TestLiteralPlus(t *testing.T) {
	for literal, meaning := range map[bool]string{false: "%20", true: "%2B"} {
		g := optioned(t, SignatureOptions{PlusLiteral: literal})
		for _, signedAs := range []string{"%20", "%2B"} {
			r := signed(signerOf(owner), "/pets?q=a"+signedAs+"b")
			r.Target = "/pets?q=a+b"
			if d := g.Authorize(t.Context(), r); d.Allow != (signedAs == meaning) {
				t.Errorf("literal %v: + for a signed %s: %+v", literal, signedAs, d.Reason)
			}
		}
	}
}

func TestHostAliases(t *testing.T) {
	for host, allow := range map[string]bool{
		"pets.example.com": true, "public.example.com": true, "public.example.com:8443": true, "other.example.com": false, "PUBLIC.example.com": false,
	} {
		r := get("/pets")
		r.SetBody(nil, authz.BodyComplete)
		r.Host = host
		signerOf(owner).Sign(r)
		r.Host = "pets.example.com" // as a proxy in front rewrites it
		g := optioned(t, SignatureOptions{HostAliases: []string{"public.example.com", "public.example.com:8443"}})
		if d := g.Authorize(t.Context(), r); d.Allow != allow {
			t.Errorf("signed for %s: %+v", host, d.Reason)
		}
		if d := optioned(t, SignatureOptions{}).Authorize(t.Context(), r); d.Allow != (host == "pets.example.com") {
			t.Errorf("signed for %s, without aliases: %+v", host, d.Reason)
		}
	}
}

func TestDisableSigV4A(t *testing.T) {
	for disabled, want := range map[bool]string{false: "'SignedHeaders' must be", true: "Unsupported AWS 'algorithm'"} {
		g := optioned(t, SignatureOptions{DisableSigV4A: disabled})
		d := g.Authorize(t.Context(), get("/pets", "x-amz-date", "20200312T190358Z", "x-amz-region-set", "*",
			"authorization", "AWS4-ECDSA-P256-SHA256 Credential=a/20200312/execute-api/aws4_request, SignedHeaders=b;a, Signature=00"))
		if d.Allow || !strings.Contains(d.Denial.Body, want) {
			t.Errorf("disabled %v: %s", disabled, d.Denial.Body)
		}
	}
}

// UNSIGNED-PAYLOAD counts on the route that allows it alone, needs no body there, and frees no other request from showing its.
func TestUnsignedPayload(t *testing.T) {
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		target, hash string
		state        authz.BodyState
		want         authz.Code
	}{
		{"/uploads", "UNSIGNED-PAYLOAD", authz.BodyComplete, authz.CodeAllowed},
		{"/uploads", "UNSIGNED-PAYLOAD", authz.BodyUnknown, authz.CodeAllowed},
		{"/uploads", "UNSIGNED-PAYLOAD", authz.BodyPartial, authz.CodeAllowed},
		{"/other", "UNSIGNED-PAYLOAD", authz.BodyComplete, authz.CodeBadSignature},
		{"/other", "UNSIGNED-PAYLOAD", authz.BodyUnknown, authz.CodeEnvoyConfig},
		{"/uploads", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", authz.BodyComplete, authz.CodeBadSignature},
		{"/uploads", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", authz.BodyComplete, authz.CodeBadSignature},
		{"/uploads", "unsigned-payload", authz.BodyComplete, authz.CodeBadSignature},
		{"/uploads", "", authz.BodyUnknown, authz.CodeEnvoyConfig},
		{"/uploads", emptyHash, authz.BodyUnknown, authz.CodeEnvoyConfig},
		{"/uploads", emptyHash, authz.BodyComplete, authz.CodeBadSignature},
	} {
		r := get(c.target)
		if c.hash != "" {
			setHeaders(r, "x-amz-content-sha256", c.hash)
		}
		r.Method = "PUT"
		signerOf(owner).Sign(r)
		r.SetBody([]byte("sent later"), c.state)
		if d := optioned(t, SignatureOptions{}).Authorize(t.Context(), r); d.Reason.Code != c.want || d.Allow != (c.want == authz.CodeAllowed) {
			t.Errorf("%+v: %+v", c, d.Reason)
		}
	}
	r := get("/uploads")
	r.Method = "PUT"
	signerOf(owner).Sign(r) // with the hash of the body, to which UNSIGNED-PAYLOAD is added later
	var lines []string
	for name, value := range r.Headers() {
		lines = append(lines, name, value)
	}
	setHeaders(r, append(lines, "x-amz-content-sha256", "UNSIGNED-PAYLOAD")...)
	r.SetBody([]byte("another"), authz.BodyComplete)
	if d := optioned(t, SignatureOptions{}).Authorize(t.Context(), r); d.Allow {
		t.Error("UNSIGNED-PAYLOAD that nobody signed frees the body")
	}
}

func TestSignatureOptionFaults(t *testing.T) {
	minute := RouteSignatures{MaxExpires: time.Minute}
	for name, c := range map[string]struct {
		change func(*API)
		want   string
	}{
		"an open route":        {func(a *API) { a.Routes[0].Signatures.UnsignedPayload = true }, "apis[0].routes[0].signatures: only a route"},
		"an open route's time": {func(a *API) { a.Routes[0].Signatures = minute }, "apis[0].routes[0].signatures: only a route"},
		"an open API":          {func(a *API) { a.Signatures.DisableSigV4A = true; a.Routes = a.Routes[:1] }, "apis[0].signatures: no route"},
		"too long":             {func(a *API) { a.Signatures.MaxExpires = 604801 * time.Second }, "apis[0].signatures: sigv4: MaxExpires must be a number of seconds from 1 to 604800"},
		"too long, route":      {func(a *API) { a.Routes[1].Signatures.MaxExpires = 604801 * time.Second }, "apis[0].routes[1].signatures: sigv4: MaxExpires must be"},
		"too many":             {func(a *API) { a.Signatures.HostAliases = strings.Split("abcdefghi", "") }, "apis[0].signatures: sigv4: HostAliases holds more than 8"},
		"no host":              {func(a *API) { a.Signatures.HostAliases = []string{"https://a"} }, "apis[0].signatures.hostAliases[0]: \"https://a\" is not a host"},
		"a wildcard":           {func(a *API) { a.Signatures.HostAliases = []string{"*.example.com"} }, "is not a host"},
		"another API's domain": {func(a *API) { a.Signatures.HostAliases = []string{"a", "CATS.example.com:443"} }, "apis[0].signatures.hostAliases[1]: CATS.example.com:443 is a host of API"},
		"another API's endpoint": {func(a *API) { a.Signatures.HostAliases = []string{"cats.execute-api.eu-west-1.amazonaws.com"} },
			"is a host of API cats"},
		"fine": {func(a *API) {
			a.Signatures = SignatureOptions{HostAliases: []string{"a.example.com", "[::1]:80"}}
			a.Routes[1].Signatures = minute
		}, ""},
		"of its own": {func(a *API) { a.Signatures.HostAliases = []string{"pets.example.com:8443"} }, ""},
		"a private API's": {func(a *API) {
			a.Signatures.DisableSigV4A, a.Private, a.Routes = true, true, a.Routes[:1]
			*a = guardedBy(t, *a, granting("Allow", `"*"`))
		}, ""},
	} {
		a, cats := testAPI("GET /open", "GET /pets"), testAPI("GET /cats")
		a.Routes[1].Authorization = IAM
		cats.ID, cats.Stages = "cats", []Stage{{Name: "prod", Domains: []string{"cats.example.com/v1"}}}
		c.change(&a)
		g, faults := New(Config{APIs: []API{a, cats}, Signatures: signatures(callers{statement: statement("Allow", "*")}.builder(t))})
		var text []string
		for _, f := range faults {
			text = append(text, f.At.String()+": "+f.Message)
		}
		if got := strings.Join(text, "\n"); (g == nil) != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Of several APIs that share an alias as their host, the fault names the same one each time.
func TestAliasOfSeveralAPIs(t *testing.T) {
	c := Config{Signatures: signatures(callers{statement: statement("Allow", "*")}.builder(t))}
	for _, id := range []string{"pets", "dogs", "cats", "birds"} {
		a := testAPI("GET /" + id)
		a.ID, a.Stages = id, []Stage{{Name: "prod", Domains: []string{"api.example.com/" + id}}}
		c.APIs = append(c.APIs, a)
	}
	c.APIs[0].Routes[0].Authorization = IAM
	c.APIs[0].Stages[0].Domains = []string{"pets.example.com"}
	c.APIs[0].Signatures.HostAliases = []string{"api.example.com"}
	for range 30 {
		_, faults := New(c)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Message, "api.example.com is a host of API birds,") {
			t.Fatal(faults)
		}
	}
}

// One verifier serves all routes of the same options, however many APIs there are.
func TestVerifiersAreShared(t *testing.T) {
	made := map[string]int{}
	config := Config{Signatures: func(o SignatureOptions) (Verify, error) {
		made[fmt.Sprint(o)]++
		return func(*authz.Request) (*Signed, error) { return nil, &authz.Refusal{} }, nil
	}}
	for i := range 20 {
		a := testAPI("GET /open", "GET /pets", "GET /uploads")
		a.ID, a.Stages = fmt.Sprint("a", i), []Stage{{Name: "prod", Domains: []string{fmt.Sprintf("a%d.example.com", i)}}}
		a.Routes[1].Authorization, a.Routes[2].Authorization = IAM, IAM
		a.Routes[2].Signatures.UnsignedPayload = i%2 == 0
		config.APIs = append(config.APIs, a)
	}
	mustCompile(t, config)
	if len(made) != 2 {
		t.Errorf("%v", made)
	}
	for options, n := range made {
		if n != 1 {
			t.Errorf("%s: made %d times", options, n)
		}
	}
}

// On an HTTP API, where a slash at the end can be read in two ways, what one route allows of signatures is no way into the other.
func TestASlashDoesNotChangeTheOptions(t *testing.T) {
	for name, lax := range map[string]RouteSignatures{"unsigned payload": {UnsignedPayload: true}, "expires": {MaxExpires: time.Hour}} {
		g := callers{statement: statement("Allow", all)}.gateway(t, "", func(a *API) {
			a.HTTP, a.Stages[0].Name = true, DefaultStage
			a.Signatures.MaxExpires = time.Minute
			a.Routes = []Route{
				{Method: "GET", Resource: "/lax", Authorization: IAM, Signatures: lax},
				{Method: "GET", Resource: "/lax/{proxy+}", Authorization: IAM},
				{Method: "GET", Resource: "/same", Authorization: IAM, Signatures: RouteSignatures{MaxExpires: time.Minute}},
				{Method: "GET", Resource: "/same/{proxy+}", Authorization: IAM},
			}
		})
		for target, want := range map[string]authz.Code{
			"/lax": authz.CodeAllowed, "/lax/x": authz.CodeAllowed, "/lax/": authz.CodeBadPath, "/lax//": authz.CodeBadPath, "/same/": authz.CodeAllowed,
		} {
			if d := g.Authorize(t.Context(), signed(signerOf(owner), target)); d.Reason.Code != want || d.Allow != (want == authz.CodeAllowed) {
				t.Errorf("%s, %s: %+v", name, target, d.Reason)
			}
		}
	}
}
