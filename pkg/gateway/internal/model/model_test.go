package model

import (
	"net/netip"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// domains returns a gateway with a private API on its endpoint, and two stages of another on base paths of one host.
func domains() *Gateway {
	private := &API{ID: "p1", Private: true, Endpoint: true}
	private.Stages = []*Stage{{API: private, Name: "prod"}, {API: private, Name: DefaultStage}}
	public := &API{ID: "a1"}
	whole, below := &Stage{API: public, Name: "whole", Whole: true}, &Stage{API: public, Name: "below", Below: true}
	public.Stages = []*Stage{whole, below}
	return &Gateway{
		APIs: map[string]*API{"p1": private, "a1": public},
		Hosts: map[string]*Host{
			"p1.execute-api.eu-west-1.amazonaws.com": {Owner: private},
			"a1.execute-api.eu-west-1.amazonaws.com": {Owner: public},
			"api.example.com":                        {Depth: 2, Upper: true},
		},
		Mappings: map[Domain]*Stage{{"api.example.com", ""}: whole, {"api.example.com", "/V1/pets"}: below},
		Folded:   map[Domain]*Stage{{"api.example.com", "/v1/pets"}: below},
	}
}

func TestLocate(t *testing.T) {
	g := domains()
	const endpoint, named = "p1.execute-api.eu-west-1.amazonaws.com", "p1-vpce-1.execute-api.eu-west-1.amazonaws.com"
	for _, tt := range []struct {
		host, path, stage, base, within string
		known                           bool
	}{
		{"api.example.com", "/", "whole", "", "/", true},
		{"api.example.com", "/V1/pets", "below", "/V1/pets", "/", true},
		{"api.example.com", "/V1/pets//7", "below", "/V1/pets", "/7", true},
		{"api.example.com", "/V1/petsy", "whole", "", "/V1/petsy", true},
		{"api.example.com", "/v1/pets", "whole", "", "/v1/pets", true},
		{endpoint, "/prod/x", "prod", "/prod", "/x", true},
		{endpoint, "/other/x", DefaultStage, "", "/other/x", true},
		{endpoint, "/$default/x", DefaultStage, "", "/$default/x", true},
		{named, "/prod", "prod", "/prod", "/", true},
		{"a1.execute-api.eu-west-1.amazonaws.com", "/whole/x", "", "", "", true},
		{"a1-vpce-1.execute-api.eu-west-1.amazonaws.com", "/whole/x", "", "", "", false},
		{"p1-other.execute-api.eu-west-1.amazonaws.com", "/prod", "", "", "", false},
		{"", "/", "", "", "", false},
	} {
		l := g.Locate(tt.host, tt.path)
		stage := ""
		if l.Stage != nil {
			stage = l.Stage.Name
		}
		if l.Known != tt.known || stage != tt.stage || l.Base != tt.base || l.Path != tt.within {
			t.Errorf("%s%s: %+v, stage %q", tt.host, tt.path, l, stage)
		}
	}
	if l := (&Gateway{}).Locate("api.example.com", "/"); l != (Location{}) {
		t.Errorf("the zero Gateway has %+v", l)
	}
}

func TestLocateFolded(t *testing.T) {
	g := domains()
	for path, want := range map[string]string{"/v1/PETS/x": "below", "/V1/pets": "below", "/x": ""} {
		l := g.LocateFolded("api.example.com", g.Host("api.example.com"), path)
		if l.Stage != nil && l.Stage.Name != "whole" && l.Stage.Name != want || want != "" && l.Stage == nil {
			t.Errorf("%s: %+v", path, l)
		}
	}
	const endpoint = "p1.execute-api.eu-west-1.amazonaws.com"
	if l := g.LocateFolded(endpoint, g.Host(endpoint), "/PROD/x"); l.Stage == nil || l.Stage.Name != "prod" || l.Path != "/x" {
		t.Errorf("%+v", l)
	}
}

func TestSameGuard(t *testing.T) {
	a := &Authorizer{}
	base := func() *Route { return &Route{Guard: ByToken, Authorizer: a, Scopes: []string{"read"}} }
	for name, other := range map[string]*Route{
		"guard":      {Guard: ByFunction, Authorizer: a, Scopes: []string{"read"}},
		"authorizer": {Guard: ByToken, Authorizer: &Authorizer{Name: "b"}, Scopes: []string{"read"}},
		"scopes":     {Guard: ByToken, Authorizer: a},
		"signatures": {Guard: ByToken, Authorizer: a, Scopes: []string{"read"}, Signatures: RouteSignatures{UnsignedPayload: true}},
		"zero":       {},
	} {
		if SameGuard(base(), other) {
			t.Errorf("%s: a difference does not count", name)
		}
	}
	if !SameGuard(base(), base()) {
		t.Error("two equal routes are guarded differently")
	}
	if (&Route{}).IsOpen() || !(&Route{Guard: Open}).IsOpen() {
		t.Error("a route is open without the authorization NONE, or not open with it")
	}
}

func TestStageOnlyBelow(t *testing.T) {
	endpoint := &API{Endpoint: true}
	for _, tt := range []struct {
		stage Stage
		want  bool
	}{
		{Stage{API: &API{}}, false},
		{Stage{API: &API{}, Below: true}, true},
		{Stage{API: &API{}, Below: true, Whole: true}, false},
		{Stage{API: endpoint, Name: "prod"}, true},
		{Stage{API: endpoint, Name: "prod", Whole: true}, false},
		{Stage{API: endpoint, Name: DefaultStage}, false},
	} {
		if got := tt.stage.OnlyBelow(); got != tt.want {
			t.Errorf("%+v: %v", tt.stage, got)
		}
	}
}

func TestClientAddress(t *testing.T) {
	var c ClientAddresses
	c.Trusted.Insert(netip.MustParsePrefix("10.0.0.0/8"))
	for _, tt := range []struct {
		peer       string
		forwarded  []string
		byEndpoint bool
		want       string // empty for an error, "invalid" for no address
	}{
		{"192.0.2.1", []string{"203.0.113.7"}, false, "192.0.2.1"},
		{"10.0.0.1", nil, false, "10.0.0.1"},
		{"10.0.0.1", []string{"198.51.100.1, 203.0.113.7, 10.0.0.2"}, false, "203.0.113.7"},
		{"10.0.0.1", []string{"198.51.100.1", "203.0.113.7"}, false, "203.0.113.7"},
		{"10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, false, "10.0.0.3"},
		{"10.0.0.1", []string{"nonsense, 203.0.113.7"}, false, "203.0.113.7"},
		{"10.0.0.1", []string{"203.0.113.7, nonsense"}, false, ""},
		{"10.0.0.1", []string{"203.0.113.7:80"}, false, "203.0.113.7"},
		{"10.0.0.1", []string{"fe80::1%eth0"}, false, ""},
		{"10.0.0.1", []string{"203.0.113.7"}, true, "10.0.0.1"},
		{"", []string{"203.0.113.7"}, false, "invalid"},
	} {
		r := &authz.Request{}
		if tt.peer != "" {
			r.Peer = netip.MustParseAddr(tt.peer)
		}
		var lines []authz.Field
		for _, line := range tt.forwarded {
			lines = append(lines, authz.Field{Name: "x-forwarded-for", Value: line})
		}
		r.SetHeaders(lines)
		addr, err := c.Of(r, tt.byEndpoint)
		got := addr.String()
		switch {
		case err != nil:
			got = ""
		case !addr.IsValid():
			got = "invalid"
		}
		if got != tt.want {
			t.Errorf("%s %q: %s, %v; want %q", tt.peer, tt.forwarded, addr, err, tt.want)
		}
	}
}

func TestVPCEndpointOfRequest(t *testing.T) {
	known, internal, all, one := &VPCEndpoint{ID: "vpce-1"}, &VPCEndpoint{ID: "vpce-2"}, &VPCEndpoint{ID: "vpce-3"}, &VPCEndpoint{ID: "vpce-4"}
	e := &VPCEndpoints{
		ByID: map[string]*VPCEndpoint{"vpce-1": known}, ByListener: map[string]*VPCEndpoint{"internal": internal},
		ByPrincipal: map[string]*VPCEndpoint{"spiffe://a/ns/": all, "spiffe://a/ns/x": one},
	}
	for _, tt := range []struct {
		request authz.Request
		want    string
		refused bool
	}{
		{authz.Request{}, "", false},
		{authz.Request{VPCEndpoint: "vpce-1"}, "vpce-1", false},
		{authz.Request{VPCEndpoint: "vpce-9"}, "vpce-9", false},
		{authz.Request{Listener: "internal"}, "vpce-2", false},
		{authz.Request{Listener: "internal", VPCEndpoint: "vpce-1"}, "vpce-1", false},
		{authz.Request{Listener: "other"}, "", true},
		{authz.Request{Listener: "other", VPCEndpoint: "vpce-1"}, "", true},
	} {
		found, err := e.Attested(&tt.request)
		id := ""
		if found != nil {
			id = found.ID
		}
		if id != tt.want || (err != nil) != tt.refused {
			t.Errorf("%q by %q: %q, %v", tt.request.VPCEndpoint, tt.request.Listener, id, err)
		}
	}
	for id, want := range map[string]*VPCEndpoint{
		"spiffe://a/ns/x": one, "spiffe://a/ns/y": all, "spiffe://a/ns/y/z": all, "spiffe://a/nsx": nil, "spiffe://b/ns/x": nil, "": nil,
	} {
		if got := e.OfPrincipal(id); got != want {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
}
