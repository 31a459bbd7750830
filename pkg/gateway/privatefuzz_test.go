package gateway

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// A request passes a private API only if something but the request itself says where it came from.
func FuzzPrivate(f *testing.F) {
	f.Add("/pets", "pets.example.com", "192.0.2.9", "x-forwarded-for", "192.0.2.9", "vpce-1a2b3c4d", "internal")
	f.Add("/prod/pets", vpceHost, "10.1.1.1", "x-amzn-vpce-id", "vpce-1a2b3c4d", "", "")
	f.Add("/pets?X-Amz-Signature=a", "pets.example.com", "203.0.113.5", "authorization", "AWS4-HMAC-SHA256", "vpce-11111111", "")
	f.Add("//pets/", "a1b2c3d4e5-vpce-.execute-api.eu-west-1.amazonaws.com", "::1", "x-apigw-api-id", "a1b2c3d4e5", "", "other")
	all := endpoints()
	for i := range all {
		all[i].Policy = endpointPolicy(f, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`)
	}
	g := mustCompile(f, Config{APIs: []API{privateAPI(f)}, VPCEndpoints: all, TrustedProxies: prefixes("10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, target, host, peer, name, value, endpoint, from string) {
		r := listener(from, by(endpoint, on(host, get(target, name, value))))
		r.Peer, _ = netip.ParseAddr(peer)
		d := g.Authorize(t.Context(), r)
		if !d.Allow {
			if d.Denial.Status < 400 || d.Denial.Body == "" || d.Reason.Code == authz.CodeInternal {
				t.Fatalf("%+v", d)
			}
			return
		}
		known := endpoint != "" || from == "internal" || from == "other"
		for _, network := range slices.Concat(all[2].Networks, all[3].Networks, all[4].Networks, prefixes("10.0.0.0/8")) {
			known = known || network.Contains(r.Peer.Unmap().WithZone(""))
		}
		listed := endpoint == "" || g.model.Endpoints.ByID[endpoint] != nil
		if !known || claimsSignature(r) && listed {
			t.Fatalf("%+v passes: %+v", r, d)
		}
	})
}
