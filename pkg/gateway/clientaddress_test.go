package gateway

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestClientAddress(t *testing.T) {
	const unreadable = "unreadable"
	proxies := prefixes("10.0.0.0/8", "2001:db8:aaaa::/48")
	for _, tt := range []struct {
		name, peer string
		lines      []string
		want       string
	}{
		{"no header", "192.0.2.9", nil, "192.0.2.9"},
		{"a stranger's header is not read", "192.0.2.9", []string{"203.0.113.1"}, "192.0.2.9"},
		{"nor is it when it is garbage", "192.0.2.9", []string{"unknown"}, "192.0.2.9"},
		{"trusted peer without header", "10.1.1.1", nil, "10.1.1.1"},
		{"one entry", "10.1.1.1", []string{"192.0.2.9"}, "192.0.2.9"},
		{"leftmost entry is the client's word", "10.1.1.1", []string{"203.0.113.1, 192.0.2.9"}, "192.0.2.9"},
		{"garbage left of the client", "10.1.1.1", []string{"what, ever;, 192.0.2.9"}, "192.0.2.9"},
		{"past trusted entries", "10.1.1.1", []string{"203.0.113.1, 192.0.2.9, 10.2.2.2,10.3.3.3"}, "192.0.2.9"},
		{"all trusted", "10.1.1.1", []string{"10.9.9.9, 10.2.2.2"}, "10.9.9.9"},
		{"lines are joined", "10.1.1.1", []string{"203.0.113.1", "192.0.2.9", "10.2.2.2"}, "192.0.2.9"},
		{"lines are joined to the first", "10.1.1.1", []string{"10.9.9.9, 10.8.8.8", "10.2.2.2"}, "10.9.9.9"},
		{"five lines", "10.1.1.1", []string{"192.0.2.9", "10.1.1.1", "10.1.1.1", "10.1.1.1", "10.1.1.1"}, "192.0.2.9"},
		{"IPv6", "2001:db8:aaaa::1", []string{"2001:db8:bbbb::7"}, "2001:db8:bbbb::7"},
		{"IPv6 past a trusted one", "10.1.1.1", []string{"2001:db8:bbbb::7, 2001:DB8:AAAA:0::2"}, "2001:db8:bbbb::7"},
		{"mapped peer", "::ffff:10.1.1.1", []string{"192.0.2.9"}, "192.0.2.9"},
		{"mapped entry", "10.1.1.1", []string{"::ffff:192.0.2.9"}, "192.0.2.9"},
		{"mapped trusted entry", "10.1.1.1", []string{"192.0.2.9, ::ffff:10.2.2.2"}, "192.0.2.9"},
		{"port", "10.1.1.1", []string{"192.0.2.9:4711"}, "192.0.2.9"},
		{"brackets", "10.1.1.1", []string{"[2001:db8:bbbb::7]"}, "2001:db8:bbbb::7"},
		{"brackets and port", "10.1.1.1", []string{"[2001:db8:bbbb::7]:4711"}, "2001:db8:bbbb::7"},
		{"white space", "10.1.1.1", []string{"\t 192.0.2.9 \t"}, "192.0.2.9"},
		{"mapped with port", "10.1.1.1", []string{"[::ffff:192.0.2.9]:80"}, "192.0.2.9"},
		{"zone of the peer", "fe80::1%eth0", []string{"192.0.2.9"}, "fe80::1"},

		{"empty line", "10.1.1.1", []string{""}, unreadable},
		{"empty entry", "10.1.1.1", []string{"192.0.2.9,"}, unreadable},
		{"empty entry in between", "10.1.1.1", []string{"192.0.2.9,,10.2.2.2"}, unreadable},
		{"unknown", "10.1.1.1", []string{"192.0.2.9, unknown"}, unreadable},
		{"obfuscated", "10.1.1.1", []string{"_hidden"}, unreadable},
		{"name", "10.1.1.1", []string{"proxy.example.com"}, unreadable},
		{"quoted", "10.1.1.1", []string{`"192.0.2.9"`}, unreadable},
		{"Forwarded's form", "10.1.1.1", []string{"for=192.0.2.9"}, unreadable},
		{"octal", "10.1.1.1", []string{"192.0.02.9"}, unreadable},
		{"short", "10.1.1.1", []string{"192.0.2"}, unreadable},
		{"number", "10.1.1.1", []string{"3221225993"}, unreadable},
		{"network", "10.1.1.1", []string{"192.0.2.0/24"}, unreadable},
		{"bad port", "10.1.1.1", []string{"192.0.2.9:http"}, unreadable},
		{"huge port", "10.1.1.1", []string{"192.0.2.9:70000"}, unreadable},
		{"brackets around IPv4", "10.1.1.1", []string{"[192.0.2.9]"}, unreadable},
		{"open bracket", "10.1.1.1", []string{"[2001:db8:bbbb::7"}, unreadable},
		{"zone", "10.1.1.1", []string{"fe80::1%eth0"}, unreadable},
		{"zone and port", "10.1.1.1", []string{"[fe80::1%eth0]:80"}, unreadable},
		{"two lines, the last broken", "10.1.1.1", []string{"192.0.2.9", "x"}, unreadable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := mustCompile(t, Config{APIs: []API{testAPI("GET /")}, TrustedProxies: proxies})
			r := get("/")
			r.Peer = netip.MustParseAddr(tt.peer)
			var fields []authz.Field
			for _, line := range tt.lines {
				fields = append(fields, authz.Field{Name: "x-forwarded-for", Value: line})
			}
			r.SetHeaders(fields)
			got, err := g.model.Clients.Of(r, false)
			if tt.want == unreadable {
				if err == nil || got.IsValid() {
					t.Fatalf("%v, %v; want none", got, err)
				}
				return
			}
			if err != nil || got != netip.MustParseAddr(tt.want) {
				t.Errorf("%v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestClientAddressWithoutPeer(t *testing.T) {
	g := mustCompile(t, Config{APIs: []API{testAPI("GET /")}, TrustedProxies: prefixes("10.0.0.0/8", "0.0.0.0/0", "::/0")})
	r := get("/", "x-forwarded-for", "192.0.2.9")
	r.Peer = netip.Addr{}
	if got, err := g.model.Clients.Of(r, false); err != nil || got.IsValid() {
		t.Errorf("%v, %v; want no address", got, err)
	}
}

func TestClientAddressOfALongHeader(t *testing.T) {
	g := mustCompile(t, Config{APIs: []API{testAPI("GET /")}, TrustedProxies: prefixes("10.0.0.0/8")})
	r := get("/", "x-forwarded-for", "192.0.2.9"+strings.Repeat(",10.1.1.1", 100_000))
	r.Peer = netip.MustParseAddr("10.1.1.1")
	start := time.Now()
	if got, err := g.model.Clients.Of(r, false); err != nil || got != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("%v, %v", got, err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestClientAddressMatters(t *testing.T) {
	const private = `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`
	trusted := prefixes("10.0.0.0/8")
	behindProxy := func(forwardedFor string) *authz.Request {
		return with(get("/", "x-forwarded-for", forwardedFor), func(r *authz.Request) { r.Peer = netip.MustParseAddr("10.1.1.1") })
	}
	guarded := mustCompile(t, Config{APIs: []API{guardedBy(t, testAPI("GET /"), allowBut(private))}, TrustedProxies: trusted})
	if d := guarded.Authorize(t.Context(), behindProxy("203.0.113.1, 192.0.2.9")); !d.Allow {
		t.Errorf("denied: %+v", d)
	}
	if d := guarded.Authorize(t.Context(), behindProxy("192.0.2.9, 203.0.113.1")); d.Allow || d.Reason.Code != authz.CodeExplicitDeny {
		t.Errorf("%+v, want an explicit deny", d)
	}
	checkDenial(t, guarded.Authorize(t.Context(), behindProxy("192.0.2.9, unknown")), 403, authz.CodeBadClientAddress, "ForbiddenException", `{"message":"Forbidden"}`)

	// A policy that does not look at addresses is not hurt by one that cannot be read; nor is an API without a policy.
	indifferent := mustCompile(t, Config{APIs: []API{guardedBy(t, testAPI("GET /"), allowBut())}, TrustedProxies: trusted})
	open := mustCompile(t, Config{APIs: []API{testAPI("GET /")}, TrustedProxies: trusted})
	for _, g := range []*Gateway{indifferent, open} {
		if d := g.Authorize(t.Context(), behindProxy("unknown")); !d.Allow {
			t.Errorf("denied: %+v", d)
		}
	}

	// A mapping that cannot be made denies too: the upstream would take its absence for "no proxy".
	mapped := testAPI("GET /")
	mapped.UpstreamHeaders = []UpstreamHeader{{Name: "x-client", Value: "$context.identity.sourceIp"}}
	g := mustCompile(t, Config{APIs: []API{mapped}, TrustedProxies: trusted})
	checkDenial(t, g.Authorize(t.Context(), behindProxy("unknown")), 403, authz.CodeBadClientAddress, "ForbiddenException", `{"message":"Forbidden"}`)
}
