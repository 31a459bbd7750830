package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

const (
	forbiddenBody = `{"message":"Forbidden"}`
	vpceHost      = "a1b2c3d4e5-vpce-1a2b3c4d.execute-api.eu-west-1.amazonaws.com"
)

// privateAPI is a private API that lets everything in but for the statements given, and tells the upstream how a request
// came.
func privateAPI(t testing.TB, statements ...string) API {
	a := testAPI("ANY /", "GET /pets")
	a.Private, a.ExecuteAPIEndpoint = true, true
	a.UpstreamHeaders = []UpstreamHeader{
		{Name: "x-vpce", Value: "$context.identity.vpceId"}, {Name: "x-vpc", Value: "$context.identity.vpcId"}, {Name: "x-client", Value: "$context.identity.sourceIp"},
	}
	return guardedBy(t, a, allowBut(statements...))
}

// endpoints are one VPC endpoint for each way to come.
func endpoints() []VPCEndpoint {
	return []VPCEndpoint{
		{ID: "vpce-1a2b3c4d", VPC: "vpc-1a2b3c4d"},
		{ID: "vpce-11111111", VPC: "vpc-11111111", Listeners: []string{"internal", "other"}},
		{ID: "vpce-22222222", VPC: "vpc-22222222", Networks: prefixes("192.0.2.0/24", "2001:db8:1::/48")},
		{VPC: "vpc-33333333", Networks: prefixes("192.0.2.64/26")},
		{ID: "vpce-44444444", Networks: prefixes("198.51.100.0/24")},
		{ID: "vpce-55555555", VPC: "vpc-55555555", Principals: []string{"spiffe://cluster.local/ns/a/*", "spiffe://other.local/ns/*"}},
		{VPC: "vpc-66666666", Principals: []string{"spiffe://cluster.local/ns/a/sa/b"}},
	}
}

// by makes a request one that a load balancer took at a VPC endpoint.
func by(endpoint string, r *authz.Request) *authz.Request {
	r.VPCEndpoint = endpoint
	return r
}

// listener makes a request one that came in by a listener of Envoy's.
func listener(name string, r *authz.Request) *authz.Request {
	r.Listener = name
	return r
}

// workload makes a request one of a workload whose certificate Envoy has verified.
func workload(principal string, r *authz.Request) *authz.Request {
	r.SourcePrincipal = principal
	return r
}

// endpointPolicy compiles a VPC endpoint policy.
func endpointPolicy(t testing.TB, statements ...string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(`{"Statement":[`+strings.Join(statements, ",")+`]}`), policy.Options{Name: "endpoint-policy", Kind: policy.VPCEndpoint})
	if p == nil {
		t.Fatalf("the policy is at fault: %v", faults)
	}
	return p
}

// Nothing that a client has a hand in leads to a private API. Its policy would let each of these in.
func TestPrivateAPIWithoutAnEndpoint(t *testing.T) {
	c := Config{APIs: []API{privateAPI(t)}, VPCEndpoints: endpoints(), TrustedProxies: prefixes("10.0.0.0/8")}
	g := mustCompile(t, c)
	c.APIs[0].ResourcePolicy = nil
	unguarded := mustCompile(t, c)
	const claim = "vpce-1a2b3c4d"
	public := func(target string, lines ...string) *authz.Request { return from("203.0.113.5", get(target, lines...)) }
	for name, r := range map[string]*authz.Request{
		"as it is":                 public("/pets"),
		"no route":                 public("/nothing", "authorization", "Bearer x"),
		"no peer":                  with(get("/pets"), func(r *authz.Request) { r.Peer = netip.Addr{} }),
		"headers":                  public("/pets", "x-amzn-vpce-id", claim, "x-amzn-vpc-id", "vpc-1a2b3c4d", "x-amzn-vpce-config", "1", "x-apigw-api-id", "a1b2c3d4e5"),
		"the endpoint's name":      on(vpceHost, public("/prod/pets")),
		"the default endpoint":     on("a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", public("/prod/pets")),
		"forwarded":                public("/pets", "x-forwarded-for", "192.0.2.9", "forwarded", "for=192.0.2.9", "x-real-ip", "192.0.2.9", "x-envoy-external-address", "192.0.2.9"),
		"forwarded by a proxy":     from("10.1.1.1", get("/pets", "x-forwarded-for", "192.0.2.9, 203.0.113.5")),
		"a proxy of ours":          from("10.1.1.1", get("/pets")),
		"query":                    public("/pets?vpce=" + claim),
		"another workload":         workload("spiffe://cluster.local/ns/ab/sa/b", public("/pets")),
		"a workload's namespace":   workload("spiffe://cluster.local/ns/a", public("/pets")),
		"another trust domain":     workload("spiffe://evil.local/ns/a/sa/b", public("/pets")),
		"a longer trust domain":    workload("spiffe://other.local.evil/ns/a", public("/pets")),
		"a longer name":            workload("spiffe://cluster.local/ns/b/sa/b", public("/pets")),
		"named by Envoy":           as("a1b2c3d4e5", on("203.0.113.77", public("/pets"))),
		"near the network":         from("192.0.3.0", get("/pets")),
		"the network within IPv6":  from("2001:db8:2::c000:209", get("/pets")),
		"an upper case listener":   public("/pets", "portcullis.listener", "internal"),
		"a trailing slash and dot": on("pets.example.com.", public("/pets/")),
	} {
		t.Run(name, func(t *testing.T) {
			checkDenial(t, g.Authorize(t.Context(), r), 403, authz.CodeWrongEndpoint, "ForbiddenException", forbiddenBody)
			checkDenial(t, unguarded.Authorize(t.Context(), r), 403, authz.CodeWrongEndpoint, "ForbiddenException", forbiddenBody)
		})
	}
	unreadable := from("10.1.1.1", get("/pets", "x-forwarded-for", "192.0.2.9, unknown"))
	checkDenial(t, g.Authorize(t.Context(), unreadable), 403, authz.CodeBadClientAddress, "ForbiddenException", forbiddenBody)
}

// How a request came, and what it is known by: the load balancer's word goes before the listener, the listener before the
// network, and the smaller network before the larger one.
func TestVPCEndpointOfARequest(t *testing.T) {
	g := mustCompile(t, Config{APIs: []API{privateAPI(t)}, VPCEndpoints: endpoints(), TrustedProxies: prefixes("10.0.0.0/8")})
	for _, tt := range []struct {
		name              string
		request           *authz.Request
		vpce, vpc, client string
	}{
		{"load balancer", by("vpce-1a2b3c4d", from("203.0.113.5", get("/pets"))), "vpce-1a2b3c4d", "vpc-1a2b3c4d", "203.0.113.5"},
		{"load balancer, an endpoint that is not listed", by("vpce-ffffffff", from("203.0.113.5", get("/pets"))), "vpce-ffffffff", "", "203.0.113.5"},
		{"load balancer before listener", by("vpce-1a2b3c4d", listener("internal", get("/pets"))), "vpce-1a2b3c4d", "vpc-1a2b3c4d", "192.0.2.9"},
		{"not listed, before listener and network", by("vpce-ffffffff", listener("internal", get("/pets"))), "vpce-ffffffff", "", "192.0.2.9"},
		{"load balancer before network", by("vpce-44444444", get("/pets")), "vpce-44444444", "", "192.0.2.9"},
		{"load balancer, a client among our proxies' addresses", by("vpce-1a2b3c4d", from("10.1.1.1", get("/pets", "x-forwarded-for", "192.0.2.70"))), "vpce-1a2b3c4d", "vpc-1a2b3c4d", "10.1.1.1"},
		{"load balancer, a header that cannot be read", by("vpce-1a2b3c4d", from("10.1.1.1", get("/pets", "x-forwarded-for", "?"))), "vpce-1a2b3c4d", "vpc-1a2b3c4d", "10.1.1.1"},
		{"listener", listener("internal", from("203.0.113.5", get("/pets"))), "vpce-11111111", "vpc-11111111", "203.0.113.5"},
		{"its other name", listener("other", from("203.0.113.5", get("/pets"))), "vpce-11111111", "vpc-11111111", "203.0.113.5"},
		{"listener before network", listener("internal", get("/pets")), "vpce-11111111", "vpc-11111111", "192.0.2.9"},
		{"listener, a client among our proxies' addresses", listener("internal", from("10.1.1.1", get("/pets", "x-forwarded-for", "203.0.113.5"))), "vpce-11111111", "vpc-11111111", "10.1.1.1"},
		{"principal, a client among our proxies' addresses", workload("spiffe://cluster.local/ns/a/sa/c", from("10.1.1.1", get("/pets", "x-forwarded-for", "192.0.2.9"))), "vpce-55555555", "vpc-55555555", "10.1.1.1"},
		{"principal", workload("spiffe://cluster.local/ns/a/sa/c", from("203.0.113.5", get("/pets"))), "vpce-55555555", "vpc-55555555", "203.0.113.5"},
		{"principal, deep below", workload("spiffe://other.local/ns/z/sa/c/d", from("203.0.113.5", get("/pets"))), "vpce-55555555", "vpc-55555555", "203.0.113.5"},
		{"principal, whole before what holds it", workload("spiffe://cluster.local/ns/a/sa/b", from("203.0.113.5", get("/pets"))), "", "vpc-66666666", "203.0.113.5"},
		{"principal before network", workload("spiffe://cluster.local/ns/a/sa/c", get("/pets")), "vpce-55555555", "vpc-55555555", "192.0.2.9"},
		{"principal that nothing is said of, network", workload("spiffe://cluster.local/ns/b/sa/c", get("/pets")), "vpce-22222222", "vpc-22222222", "192.0.2.9"},
		{"listener before principal", listener("internal", workload("spiffe://cluster.local/ns/a/sa/c", get("/pets"))), "vpce-11111111", "vpc-11111111", "192.0.2.9"},
		{"load balancer before principal", by("vpce-1a2b3c4d", workload("spiffe://cluster.local/ns/a/sa/c", get("/pets"))), "vpce-1a2b3c4d", "vpc-1a2b3c4d", "192.0.2.9"},
		{"network", get("/pets"), "vpce-22222222", "vpc-22222222", "192.0.2.9"},
		{"network of IPv6", from("2001:db8:1::7", get("/pets")), "vpce-22222222", "vpc-22222222", "2001:db8:1::7"},
		{"network within IPv6", from("::ffff:192.0.2.9", get("/pets")), "vpce-22222222", "vpc-22222222", "192.0.2.9"},
		{"smaller network, no id", from("192.0.2.65", get("/pets")), "", "vpc-33333333", "192.0.2.65"},
		{"network, no VPC", from("198.51.100.1", get("/pets")), "vpce-44444444", "", "198.51.100.1"},
		{"network, behind a proxy", from("10.1.1.1", get("/pets", "x-forwarded-for", "203.0.113.5, 192.0.2.9")), "vpce-22222222", "vpc-22222222", "192.0.2.9"},
		{"listener, no address", listener("internal", with(get("/pets"), func(r *authz.Request) { r.Peer = netip.Addr{} })), "vpce-11111111", "vpc-11111111", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := g.Authorize(t.Context(), tt.request)
			if !d.Allow {
				t.Fatalf("%+v", d)
			}
			got := map[string]string{}
			for _, f := range d.SetHeaders {
				got[f.Name] = f.Value
			}
			if got["x-vpce"] != tt.vpce || got["x-vpc"] != tt.vpc || got["x-client"] != tt.client {
				t.Errorf("%v, want %q %q %q", got, tt.vpce, tt.vpc, tt.client)
			}
		})
	}
}

func TestUnknownListener(t *testing.T) {
	regional := testAPI("GET /pets")
	for name, a := range map[string]API{"private": privateAPI(t), "regional": regional} {
		g := mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: endpoints()})
		for _, r := range []*authz.Request{listener("Internal", get("/pets")), by("vpce-1a2b3c4d", listener("nowhere", get("/pets")))} {
			t.Run(name, func(t *testing.T) {
				checkDenial(t, g.Authorize(t.Context(), r), 500, authz.CodeEnvoyConfig, "InternalServerErrorException", `{"message":"Internal server error"}`)
			})
		}
	}
}

// A public API cannot be called by a VPC endpoint, and does not care in which network its clients are.
func TestRegionalAPIByAnEndpoint(t *testing.T) {
	plain := guardedBy(t, testAPI("GET /pets"), allowBut(
		`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:SourceIp":"true"}}}`,
		`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"false"}}}`,
		`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:SourceVpc":"false"}}}`,
		`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:VpcSourceIp":"false"}}}`))
	closed := endpoints()
	for i := range closed {
		closed[i].Policy = endpointPolicy(t, `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`)
	}
	g := mustCompile(t, Config{APIs: []API{plain}, VPCEndpoints: closed})
	for _, r := range []*authz.Request{
		by("vpce-1a2b3c4d", get("/pets")), by("vpce-ffffffff", get("/pets")), listener("internal", get("/pets")), by("vpce-1a2b3c4d", get("/nothing")),
	} {
		checkDenial(t, g.Authorize(t.Context(), r), 403, authz.CodeWrongEndpoint, "ForbiddenException", forbiddenBody)
	}
	if d := g.Authorize(t.Context(), workload("spiffe://cluster.local/ns/a/sa/c", get("/pets"))); !d.Allow {
		t.Errorf("a mapped workload changes a public API: %+v", d.Reason)
	}
	if d := g.Authorize(t.Context(), get("/pets")); !d.Allow {
		t.Errorf("a mapped network changes a public API: %+v", d.Reason)
	}
}

func TestPrivateConditionKeys(t *testing.T) {
	condition := func(operator, key, value string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"` + operator + `":{"` + key + `":"` + value + `"}}}}`
	}
	tlv := func() *authz.Request { return by("vpce-1a2b3c4d", get("/pets")) }
	unlisted := func() *authz.Request { return by("vpce-ffffffff", get("/pets")) }
	for _, tt := range []struct {
		operator, key, value string
		request              *authz.Request
		want                 bool
	}{
		{"StringEquals", "aws:SourceVpce", "vpce-1a2b3c4d", tlv(), true},
		{"StringNotEquals", "aws:SourceVpce", "vpce-1a2b3c4d", tlv(), false},
		{"StringEquals", "aws:SourceVpce", "vpce-1a2b3c4d", unlisted(), false},
		{"StringEquals", "aws:SourceVpce", "vpce-ffffffff", unlisted(), true},
		{"Null", "aws:SourceVpce", "true", from("192.0.2.65", get("/pets")), true},
		{"StringEquals", "aws:sourcevpc", "vpc-1a2b3c4d", tlv(), true},
		{"StringEquals", "aws:SourceVpc", "vpc-22222222", get("/pets"), true},
		{"Null", "aws:SourceVpc", "true", unlisted(), true},
		{"Null", "aws:SourceVpc", "true", from("198.51.100.1", get("/pets")), true},
		{"IpAddress", "aws:VpcSourceIp", "192.0.2.9", tlv(), true},
		{"NotIpAddress", "aws:VpcSourceIp", "192.0.2.9", tlv(), false},
		{"IpAddress", "aws:VpcSourceIp", "192.0.2.9", get("/pets"), true},
		{"IpAddress", "aws:VpcSourceIp", "192.0.2.9", by("vpce-1a2b3c4d", from("::ffff:192.0.2.9", get("/pets"))), true},
		{"Null", "aws:VpcSourceIp", "true", by("vpce-1a2b3c4d", with(get("/pets"), func(r *authz.Request) { r.Peer = netip.Addr{} })), true},
		{"Null", "aws:SourceIp", "true", tlv(), true},
		{"Null", "aws:SourceIp", "true", listener("internal", get("/pets")), true},
		{"Null", "aws:SourceIp", "true", get("/pets"), true},
		{"IpAddress", "aws:SourceIp", "0.0.0.0/0", get("/pets"), false},
		{"Null", "aws:SourceVpcArn", "true", tlv(), true},
	} {
		a := testAPI("GET /pets")
		a.Private = true
		g := mustCompile(t, Config{APIs: []API{guardedBy(t, a, condition(tt.operator, tt.key, tt.value))}, VPCEndpoints: endpoints()})
		if d := g.Authorize(t.Context(), tt.request); d.Allow != tt.want {
			t.Errorf("%s %s %s: allow %v, want %v (%+v)", tt.operator, tt.key, tt.value, d.Allow, tt.want, d.Reason)
		}
	}
}

func TestPrivateAPIWithoutAPolicy(t *testing.T) {
	a := privateAPI(t)
	a.ResourcePolicy = nil
	g, faults := New(Config{APIs: []API{a}, VPCEndpoints: endpoints()})
	if g == nil || len(faults) != 1 || !faults[0].Warning || faults[0].At.String() != "apis[0].resourcePolicy" {
		t.Fatalf("%+v", faults)
	}
	const user = `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/pets`
	const because = ` because no resource-based policy allows the execute-api:Invoke action"}`
	for _, r := range []*authz.Request{get("/pets"), by("vpce-1a2b3c4d", get("/pets")), listener("internal", get("/pets"))} {
		checkDenial(t, g.Authorize(t.Context(), r), 403, authz.CodeImplicitDeny, "AccessDeniedException", user+because)
	}
	a.LegacyMessages = true
	checkDenial(t, mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: endpoints()}).Authorize(t.Context(), get("/pets")),
		403, authz.CodeImplicitDeny, "AccessDeniedException", user+`"}`)
}

// The VPC endpoint policy comes first, and both policies have to allow.
func TestVPCEndpointPolicy(t *testing.T) {
	const (
		arn      = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5"
		all      = `{"Sid":"All","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
		noPets   = `{"Sid":"NoPets","Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"` + arn + `/prod/GET/pets"}`
		user     = `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/pets`
		denied   = ` with an explicit deny in a VPC endpoint policy"}`
		unsaid   = ` because no VPC endpoint policy allows the execute-api:Invoke action"}`
		resource = ` with an explicit deny in a resource-based policy"}`
	)
	tests := map[string]struct {
		endpoint  []string // none: no policy
		resource  []string
		code      authz.Code
		text      string
		statement string
	}{
		"both allow":                     {[]string{all}, nil, authz.CodeAllowed, "", "All"},
		"no policy":                      {nil, nil, authz.CodeAllowed, "", "All"},
		"denied":                         {[]string{all, noPets}, nil, authz.CodeExplicitDeny, denied, "NoPets"},
		"silent":                         {[]string{strings.Replace(all, `"*"}`, `"`+arn+`/prod/GET/other"}`, 1)}, nil, authz.CodeImplicitDeny, unsaid, ""},
		"for somebody":                   {[]string{strings.Replace(all, `"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::111122223333:role/dev"}`, 1)}, nil, authz.CodeImplicitDeny, unsaid, ""},
		"for another endpoint":           {[]string{strings.Replace(all, `"Resource"`, `"Condition":{"StringEquals":{"aws:SourceVpce":"vpce-0"}},"Resource"`, 1)}, nil, authz.CodeImplicitDeny, unsaid, ""},
		"for this VPC":                   {[]string{strings.Replace(all, `"Resource"`, `"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1a2b3c4d"}},"Resource"`, 1)}, nil, authz.CodeAllowed, "", "All"},
		"another action":                 {[]string{strings.Replace(all, `"Action":"*"`, `"Action":"execute-api:ManageConnections"`, 1)}, nil, authz.CodeImplicitDeny, unsaid, ""},
		"allowed, and denied by the API": {[]string{all}, []string{noPets}, authz.CodeExplicitDeny, resource, "NoPets"},
		"denied by both":                 {[]string{all, noPets}, []string{noPets}, authz.CodeExplicitDeny, denied, "NoPets"},
		"silent, and denied by the API":  {[]string{strings.Replace(all, `"*"}`, `"`+arn+`/prod/GET/other"}`, 1)}, []string{noPets}, authz.CodeImplicitDeny, unsaid, ""},
		"denied with a slash behind":     {[]string{all, strings.Replace(noPets, `/pets"`, `/pets/"`, 1)}, nil, authz.CodeExplicitDeny, denied, "NoPets"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			all := endpoints()
			if tt.endpoint != nil {
				all[0].Policy = endpointPolicy(t, tt.endpoint...)
			}
			a := privateAPI(t, tt.resource...)
			d := mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: all}).Authorize(t.Context(), by("vpce-1a2b3c4d", get("/pets")))
			if tt.text == "" {
				if !d.Allow || d.Reason.Code != tt.code || d.Reason.Statement != tt.statement || d.Reason.Policy != "resource-policy" {
					t.Errorf("%+v", d)
				}
				return
			}
			checkDenial(t, d, 403, tt.code, "AccessDeniedException", user+tt.text)
			if d.Reason.Statement != tt.statement {
				t.Errorf("%+v", d.Reason)
			}
			a.LegacyMessages = true
			legacy := mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: all}).Authorize(t.Context(), by("vpce-1a2b3c4d", get("/pets")))
			if strings.Contains(legacy.Denial.Body, "policy") || legacy.Allow {
				t.Errorf("%+v", legacy)
			}
		})
	}
	t.Run("before a missing resource policy", func(t *testing.T) {
		all, a := endpoints(), privateAPI(t)
		all[0].Policy, a.ResourcePolicy = endpointPolicy(t, noPets), nil
		d := mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: all}).Authorize(t.Context(), by("vpce-1a2b3c4d", get("/pets")))
		checkDenial(t, d, 403, authz.CodeExplicitDeny, "AccessDeniedException", user+denied)
	})
	t.Run("a value that cannot be told", func(t *testing.T) {
		all := endpoints()
		all[0].Policy = endpointPolicy(t, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`,
			`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:Referer":"never"}}}`)
		g := mustCompile(t, Config{APIs: []API{privateAPI(t)}, VPCEndpoints: all})
		d := g.Authorize(t.Context(), by("vpce-1a2b3c4d", get("/pets", "referer", "a", "referer", "b")))
		checkDenial(t, d, 400, authz.CodeBadRequest, "BadRequestException", `{"message":"Bad Request"}`)
	})
}

// Who claims to have signed is denied unless the signature is verified, and is not anonymous.
func TestVPCEndpointPolicyAndSignatures(t *testing.T) {
	open := endpoints()
	open[0].Policy = endpointPolicy(t, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`)
	guarded := mustCompile(t, Config{APIs: []API{privateAPI(t)}, VPCEndpoints: open})
	unguarded := mustCompile(t, Config{APIs: []API{privateAPI(t)}, VPCEndpoints: endpoints()})
	const v4 = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20200312/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=0a"
	for _, tt := range []struct {
		target string
		lines  []string
		signed bool
	}{
		{"/pets", nil, false},
		{"/pets", []string{"authorization", ""}, false},
		{"/pets", []string{"authorization", "Bearer AWS4-HMAC-SHA256"}, false},
		{"/pets", []string{"authorization", "Basic dXNlcjpwYXNz"}, false},
		{"/pets", []string{"authorization", "AWS3-HTTPS AWSAccessKeyId=a"}, false},
		{"/pets", []string{"x-amz-date", "20200312T190358Z", "x-amz-security-token", "t"}, false},
		{"/pets?X-Amz-Date=20200312T190358Z&X-Amz-Expires=60", nil, false},
		{"/pets?q=X-Amz-Signature", nil, false},
		{"/pets", []string{"authorization", v4}, true},
		{"/pets", []string{"authorization", "AWS4-ECDSA-P256-SHA256 Credential=a"}, true},
		{"/pets", []string{"authorization", "aws4-hmac-sha256"}, true},
		{"/pets", []string{"authorization", " \tAWS4-HMAC-SHA256"}, true},
		{"/pets", []string{"authorization", "Bearer x", "authorization", v4}, true},
		{"/pets", []string{"authorization", "Bearer x, " + v4}, true},
		{"/pets?X-Amz-Algorithm=AWS4-HMAC-SHA256", nil, true},
		{"/pets?a=b&X-Amz-Credential=a", nil, true},
		{"/pets?X-Amz-Signature", nil, true},
		{"/pets?x-amz-signature=a", nil, true},
		{"/pets?X%2DAmz-Signatur%65=a", nil, true},
	} {
		d := guarded.Authorize(t.Context(), by("vpce-1a2b3c4d", get(tt.target, tt.lines...)))
		if d.Allow == tt.signed {
			t.Errorf("%s %q: %+v", tt.target, tt.lines, d)
		}
		if tt.signed {
			if d.Denial.Status != 403 || d.Reason.Code != authz.CodeBadSignature && d.Reason.Code != authz.CodeNotSigned {
				t.Errorf("%d %+v", d.Denial.Status, d.Reason)
			}
		}
		if d := unguarded.Authorize(t.Context(), by("vpce-1a2b3c4d", get(tt.target, tt.lines...))); !d.Allow {
			t.Errorf("without an endpoint policy, %s %q: %+v", tt.target, tt.lines, d)
		}
	}
}

// The names of a private API's default endpoint: its own, and one for each VPC endpoint, which only that endpoint leads to.
func TestPrivateHosts(t *testing.T) {
	const suffix = ".execute-api.eu-west-1.amazonaws.com"
	public := testAPI("GET /pets")
	public.ID, public.Stages, public.ExecuteAPIEndpoint = "public", []Stage{{Name: "prod"}}, true
	off := privateAPI(t)
	off.ID, off.Stages, off.ExecuteAPIEndpoint = "off", []Stage{{Name: "prod", Domains: []string{"off-vpce-1a2b3c4d" + suffix}}}, false
	china := privateAPI(t)
	china.ID, china.Region, china.Stages = "china", "cn-north-1", []Stage{{Name: "prod"}}
	off, china = guardedBy(t, off, allowBut()), guardedBy(t, china, allowBut())
	g := mustCompile(t, Config{APIs: []API{privateAPI(t), public, off, china}, VPCEndpoints: endpoints()})
	lb := func(host, target string) *authz.Request { return by("vpce-1a2b3c4d", on(host, get(target))) }
	for _, tt := range []struct {
		request *authz.Request
		code    authz.Code
	}{
		{lb("a1b2c3d4e5"+suffix, "/prod/pets"), authz.CodeAllowed},
		{lb("a1b2c3d4e5-vpce-1a2b3c4d"+suffix, "/prod/pets"), authz.CodeAllowed},
		{lb("A1B2C3D4E5-VPCE-1A2B3C4D"+suffix+".:443", "/prod/pets"), authz.CodeAllowed},
		{as("a1b2c3d4e5", lb("a1b2c3d4e5-vpce-1a2b3c4d"+suffix, "/prod/pets")), authz.CodeAllowed},
		{listener("internal", on("a1b2c3d4e5-vpce-11111111"+suffix, get("/prod/pets"))), authz.CodeAllowed},
		{on("a1b2c3d4e5-vpce-22222222"+suffix, get("/prod/pets")), authz.CodeAllowed},
		{lb("a1b2c3d4e5-vpce-1a2b3c4d"+suffix, "/test/pets"), authz.CodeUnknownHost},
		{lb("a1b2c3d4e5-vpce-ffffffff"+suffix, "/prod/pets"), authz.CodeWrongEndpoint},
		{lb("a1b2c3d4e5-vpce-11111111"+suffix, "/prod/pets"), authz.CodeWrongEndpoint},
		{lb("a1b2c3d4e5-vpce-"+suffix, "/prod/pets"), authz.CodeWrongEndpoint},
		{lb("a1b2c3d4e5-vpce-1a2b3c4d-vpce-1a2b3c4d"+suffix, "/prod/pets"), authz.CodeWrongEndpoint},
		{as("a1b2c3d4e5", lb("a1b2c3d4e5-vpce-ffffffff"+suffix, "/prod/pets")), authz.CodeWrongEndpoint},
		{on("a1b2c3d4e5-vpce-33333333"+suffix, from("192.0.2.65", get("/prod/pets"))), authz.CodeWrongEndpoint},
		{on("a1b2c3d4e5-vpce-1a2b3c4d"+suffix, from("203.0.113.5", get("/prod/pets"))), authz.CodeWrongEndpoint},
		{as("public", lb("a1b2c3d4e5-vpce-1a2b3c4d"+suffix, "/prod/pets")), authz.CodeHostMismatch},
		{as("public", on("a1b2c3d4e5-vpce-1a2b3c4d"+suffix, get("/prod/pets"))), authz.CodeHostMismatch},
		{as("a1b2c3d4e5", lb("public"+suffix, "/prod/pets")), authz.CodeHostMismatch},
		{lb("a1b2c3d4e5-vpce-1a2b3c4d.execute-api.us-east-1.amazonaws.com", "/prod/pets"), authz.CodeUnknownHost},
		{lb("vpce-1a2b3c4d-abcdefgh.execute-api.eu-west-1.vpce.amazonaws.com", "/prod/pets"), authz.CodeUnknownHost},
		{lb("nobody-vpce-1a2b3c4d"+suffix, "/prod/pets"), authz.CodeUnknownHost},
		{lb("pets-vpce-1a2b3c4d.example.com", "/pets"), authz.CodeUnknownHost},
		{lb("a1b2c3d4e5-vpc-1a2b3c4d"+suffix, "/prod/pets"), authz.CodeUnknownHost},
		{lb("public-vpce-1a2b3c4d"+suffix, "/prod/pets"), authz.CodeUnknownHost},
		{on("public-vpce-1a2b3c4d"+suffix, get("/prod/pets")), authz.CodeUnknownHost},
		{lb("off"+suffix, "/prod/pets"), authz.CodeUnknownHost},
		{lb("off-vpce-11111111"+suffix, "/prod/pets"), authz.CodeUnknownHost},
		{lb("off-vpce-1a2b3c4d"+suffix, "/pets"), authz.CodeAllowed},
		{by("vpce-11111111", on("off-vpce-1a2b3c4d"+suffix, get("/pets"))), authz.CodeWrongEndpoint},
		{lb("china-vpce-1a2b3c4d.execute-api.cn-north-1.amazonaws.com.cn", "/prod/pets"), authz.CodeAllowed},
	} {
		d := g.Authorize(t.Context(), tt.request)
		if d.Reason.Code != tt.code || d.Allow != (tt.code == authz.CodeAllowed) {
			t.Errorf("%s by %q, as %q: %+v, want %s", tt.request.Host, tt.request.VPCEndpoint, tt.request.API, d.Reason, tt.code)
		}
	}
	header := with(lb("vpce-1a2b3c4d-abcdefgh.execute-api.eu-west-1.vpce.amazonaws.com", "/prod/pets"), func(r *authz.Request) {
		setHeaders(r, "x-apigw-api-id", "a1b2c3d4e5")
	})
	checkDenial(t, g.Authorize(t.Context(), header), 403, authz.CodeUnknownHost, "ForbiddenException", forbiddenBody)
}

// Every private API has the limit of guarded ones, because it has a policy.
func TestPrivateLongARN(t *testing.T) {
	a := testAPI("ANY /{proxy+}")
	a.Private = true
	g := mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: endpoints()})
	d := g.Authorize(t.Context(), get("/"+strings.Repeat("a", 1600)))
	checkDenial(t, d, 414, authz.CodeTooLong, "", `{"message":"Request URI too long"}`)
}

func TestVPCEndpointFaults(t *testing.T) {
	with := func(all ...VPCEndpoint) Config {
		return Config{APIs: []API{testAPI("GET /")}, VPCEndpoints: all, TrustedProxies: prefixes("10.0.0.0/8", "::/0")}
	}
	network := func(n netip.Prefix) Config { return with(VPCEndpoint{ID: "vpce-1", Networks: []netip.Prefix{n}}) }
	conflict := func(domain string) Config {
		a, b := privateAPI(t), testAPI("GET /")
		b.ID, b.Stages = "b", []Stage{{Name: "prod", Domains: []string{domain}}}
		return Config{APIs: []API{a, b}}
	}
	for _, tt := range []struct {
		config        Config
		path, message string
	}{
		{with(VPCEndpoint{}), "vpcEndpoints[0]", "id, vpc or both"},
		{with(VPCEndpoint{Networks: prefixes("192.0.2.0/24")}), "vpcEndpoints[0]", "id, vpc or both"},
		{with(VPCEndpoint{VPC: "vpc-1"}), "vpcEndpoints[0]", "no request can match this entry; write"},
		{with(VPCEndpoint{ID: "vpce-1"}, VPCEndpoint{ID: "vpce-1"}), "vpcEndpoints[1].id", "twice"},
		{with(VPCEndpoint{ID: "vpce-1", Listeners: []string{"a"}}, VPCEndpoint{ID: "vpce-2", Listeners: []string{"b", "a"}}), "vpcEndpoints[1].listeners[1]", "twice"},
		{with(VPCEndpoint{ID: "vpce-1", Listeners: []string{""}}), "vpcEndpoints[0].listeners[0]", "portcullis.listener"},
		{with(VPCEndpoint{ID: "vpce-1", Networks: prefixes("192.0.2.0/24", "192.0.2.9/24")}), "vpcEndpoints[0].networks[1]", "twice"},
		{with(VPCEndpoint{ID: "vpce-1", Networks: prefixes("192.0.2.0/24")}, VPCEndpoint{ID: "vpce-2", Networks: prefixes("192.0.2.0/24")}), "vpcEndpoints[1].networks[0]", "twice"},
		{network(netip.Prefix{}), "vpcEndpoints[0].networks[0]", "such as"},
		{network(netip.MustParsePrefix("::ffff:192.0.2.0/120")), "vpcEndpoints[0].networks[0]", "IPv4 network"},
		{network(netip.MustParsePrefix("10.0.0.0/8")), "vpcEndpoints[0].networks[0]", "overlaps"},
		{network(netip.MustParsePrefix("10.1.2.3/32")), "vpcEndpoints[0].networks[0]", "overlaps"},
		{network(netip.MustParsePrefix("8.0.0.0/5")), "vpcEndpoints[0].networks[0]", "overlaps"},
		{network(netip.MustParsePrefix("2001:db8::/32")), "vpcEndpoints[0].networks[0]", "overlaps"},
		{conflict(vpceHost), "apis[1].stages[0].domains[0]", "execute-api endpoint of API a1b2c3d4e5"},
	} {
		g, faults := New(tt.config)
		if g != nil {
			t.Errorf("%s %q: compiled", tt.path, tt.message)
		}
		if !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.At.String() == tt.path && strings.Contains(f.Message, tt.message) && !f.Warning
		}) {
			t.Errorf("%s %q is not among %+v", tt.path, tt.message, faults)
		}
	}
	everybody := Config{APIs: []API{testAPI("GET /")}, VPCEndpoints: []VPCEndpoint{{ID: "vpce-1", Networks: prefixes("0.0.0.0/0")}}}
	if g, faults := New(everybody); g == nil || len(faults) != 1 || !faults[0].Warning {
		t.Errorf("%+v", faults)
	}
}

func TestPrivatePolicyTargets(t *testing.T) {
	a := testAPI("GET /")
	a.Private = true
	withVPC, withoutVPC := endpoints(), []VPCEndpoint{{ID: "vpce-1"}}
	byVPC := VPCEndpoint{VPC: "vpc-1"}
	for _, tt := range []struct {
		name                                   string
		target                                 policy.Target
		sourceIP, vpcSourceIP, sourceVpce, vpc bool
	}{
		{"private", a.PolicyTarget(withVPC), false, true, true, true},
		{"private, no VPC", a.PolicyTarget(withoutVPC), false, true, true, false},
		{"private, no endpoints", a.PolicyTarget(nil), false, true, true, false},
		{"endpoint", withoutVPC[0].PolicyTarget(), false, true, true, false}, // requests may be signed
		{"VPC", byVPC.PolicyTarget(), false, true, false, true},
	} {
		for key, want := range map[string]bool{
			"aws:SourceIp": tt.sourceIP, "aws:VpcSourceIp": tt.vpcSourceIP, "aws:SourceVpce": tt.sourceVpce, "aws:SourceVpc": tt.vpc,
			"aws:CurrentTime": true, "aws:PrincipalArn": tt.target.AWSPrincipals, "aws:SourceVpcArn": false,
		} {
			if got := tt.target.KeyPossible(policy.NewKey(key)); got != want {
				t.Errorf("%s: %s: %v, want %v", tt.name, key, got, want)
			}
		}
	}
}

func TestWhoseBodiesAreNeeded(t *testing.T) {
	open, private, signed := testAPI("GET /pets"), testAPI("GET /pets"), testAPI("GET /pets")
	private.Private, signed.Routes[0].Authorization = true, IAM
	endpoint, guarded := VPCEndpoint{ID: "vpce-1"}, VPCEndpoint{ID: "vpce-1", Policy: &policy.Policy{}}
	for _, tt := range []struct {
		name string
		c    Config
		want bool
	}{
		{"open", Config{APIs: []API{open}}, false},
		{"signed", Config{APIs: []API{open, signed}}, true},
		{"private", Config{APIs: []API{private}, VPCEndpoints: []VPCEndpoint{endpoint}}, false},
		{"private, with an endpoint policy", Config{APIs: []API{private}, VPCEndpoints: []VPCEndpoint{guarded}}, true},
		{"public beside an endpoint policy", Config{APIs: []API{open}, VPCEndpoints: []VPCEndpoint{guarded}}, false},
	} {
		if got := tt.c.NeedsBodies(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
