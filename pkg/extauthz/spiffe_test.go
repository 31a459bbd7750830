package extauthz

import (
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// Envoy names a peer by its certificate, no matter who signed it. It counts where Envoy's configuration says that it is verified, and if it
// is a SPIFFE id.
func TestSourcePrincipal(t *testing.T) {
	const id = "spiffe://cluster.local/ns/pets/sa/caller_1"
	verified := extension("portcullis.sourcePrincipal", "verified")
	peer := func(principal string) func(*authv3.AttributeContext) {
		return func(a *authv3.AttributeContext) { a.Source.Principal = principal }
	}
	destination := func(a *authv3.AttributeContext) {
		a.Destination = &authv3.AttributeContext_Peer{Principal: id}
	}
	for name, tc := range map[string]struct {
		in   *authv3.CheckRequest
		want string
	}{
		"verified":                   {envoyRequest(peer(id), verified), id},
		"only a trust domain":        {envoyRequest(peer("spiffe://cluster.local"), verified), ""},
		"not said to be verified":    {envoyRequest(peer(id)), ""},
		"no certificate":             {envoyRequest(verified), ""},
		"said by the client":         {envoyRequest(verified, header("portcullis.sourceprincipal", "verified"), header("x-forwarded-client-cert", "URI="+id), header("x-spiffe-id", id)), ""},
		"the destination's":          {envoyRequest(verified, destination), ""},
		"a DNS name":                 {envoyRequest(peer("caller.example.com"), verified), ""},
		"a subject":                  {envoyRequest(peer("CN=spiffe://cluster.local/ns/pets"), verified), ""},
		"another scheme":             {envoyRequest(peer("https://cluster.local/ns/pets"), verified), ""},
		"the scheme in capitals":     {envoyRequest(peer("SPIFFE://cluster.local/ns/pets"), verified), ""},
		"a trust domain in capitals": {envoyRequest(peer("spiffe://Cluster.local/ns"), verified), ""},
		"no trust domain":            {envoyRequest(peer("spiffe:///ns/pets"), verified), ""},
		"a port":                     {envoyRequest(peer("spiffe://cluster.local:1/ns"), verified), ""},
		"a user":                     {envoyRequest(peer("spiffe://me@cluster.local/ns"), verified), ""},
		"a query":                    {envoyRequest(peer(id+"?a"), verified), ""},
		"an escape":                  {envoyRequest(peer("spiffe://cluster.local/n%2Fs"), verified), ""},
		"a dot segment":              {envoyRequest(peer("spiffe://cluster.local/../ns"), verified), ""},
		"an empty segment":           {envoyRequest(peer("spiffe://cluster.local//ns"), verified), ""},
		"a slash at the end":         {envoyRequest(peer(id+"/"), verified), ""},
		"a wildcard":                 {envoyRequest(peer("spiffe://cluster.local/*"), verified), ""},
		"a long one":                 {envoyRequest(peer("spiffe://a/"+strings.Repeat("x", 2048)), verified), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if !agree(t, marshal(t, tc.in)) {
				t.Error("decode did not understand it")
			}
			r := seen(t, tc.in)
			if r == nil {
				t.Fatal("refused")
			}
			if r.SourcePrincipal != tc.want {
				t.Errorf("got %q, want %q", r.SourcePrincipal, tc.want)
			}
		})
	}
}
