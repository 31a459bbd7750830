package compile

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// addVPCEndpoints compiles the VPC endpoints. The trusted proxies are known by then.
func (g *builder) addVPCEndpoints(endpoints []VPCEndpoint, list *fault.Place, f *faults) {
	g.Endpoints.ByID, g.Endpoints.ByListener = map[string]*model.VPCEndpoint{}, map[string]*model.VPCEndpoint{}
	g.Endpoints.ByPrincipal = map[string]*model.VPCEndpoint{}
	for i := range endpoints {
		c, at := &endpoints[i], cmp.Or(endpoints[i].At, list.Item(i))
		f.checkVPCEndpoint(c, at)
		e := &model.VPCEndpoint{ID: c.ID, VPC: c.VPC, Policy: c.Policy}
		if c.ID != "" {
			if g.Endpoints.ByID[c.ID] != nil {
				f.add(at.Field("id"), "the VPC endpoint %s is written twice", c.ID)
			}
			g.Endpoints.ByID[c.ID] = e
		}
		for j, network := range c.Networks {
			g.mapNetwork(network, e, at.Field("networks").Item(j), f)
		}
		for j, name := range c.Listeners {
			g.mapListener(name, e, at.Field("listeners").Item(j), f)
		}
		for j, id := range c.Principals {
			g.mapPrincipal(id, e, at.Field("principals").Item(j), f)
		}
	}
}

func (f *faults) checkVPCEndpoint(c *VPCEndpoint, at *fault.Place) {
	switch {
	case c.ID == "" && c.VPC == "":
		f.add(at, "the entry names no VPC endpoint and no VPC: write id, vpc or both")
	case c.ID == "" && len(c.Networks)+len(c.Listeners)+len(c.Principals) == 0:
		f.add(at, "no request leads to this entry: write id, networks, listeners or principals")
	}
}

// mapNetwork maps a network to an endpoint. A trusted proxy must not lie in it: its own requests would be those of an
// endpoint, and an address of it would be looked for further left in X-Forwarded-For.
func (g *builder) mapNetwork(network netip.Prefix, e *model.VPCEndpoint, at *fault.Place, f *faults) {
	if !network.IsValid() {
		f.add(at, "write a network such as 10.1.0.0/16")
		return
	}
	if network.Addr().Is4In6() {
		f.add(at, "write %s as an IPv4 network", network)
		return
	}
	network = network.Masked()
	if g.Clients.Trusted.OverlapsPrefix(network) {
		f.add(at, "%s overlaps clientAddress.trustedProxies: an address is a client's or a proxy's, not both", network)
	}
	if _, mapped := g.Endpoints.ByNetwork.Get(network); mapped {
		f.add(at, "the network %s is written twice", network)
	}
	if network.Bits() == 0 {
		f.warn(at, "%s is everybody: every client counts as one that came by the VPC endpoint", network)
	}
	g.Endpoints.ByNetwork.Insert(network, e)
}

func (g *builder) mapListener(name string, e *model.VPCEndpoint, at *fault.Place, f *faults) {
	switch {
	case name == "":
		f.add(at, "write what Envoy's configuration says in context_extensions portcullis.listener")
	case g.Endpoints.ByListener[name] != nil:
		f.add(at, "the listener %q is written twice", name)
	}
	g.Endpoints.ByListener[name] = e
}

// mapPrincipal maps a SPIFFE id, or all below one, to an endpoint. A wildcard stands for whole segments: ".../sa/api*" would be that of
// whoever may make up a name that begins so.
func (g *builder) mapPrincipal(id string, e *model.VPCEndpoint, at *fault.Place, f *faults) {
	text := id
	above, all := strings.CutSuffix(id, "/*")
	switch {
	case all && authz.IsSPIFFE(above+"/x"):
		id = above + "/"
	case !authz.IsSPIFFE(id):
		f.add(at, "%q is no SPIFFE id of a workload; write one such as spiffe://cluster.local/ns/orders/sa/api, or spiffe://cluster.local/ns/orders/* for all below it", id)
		return
	}
	if g.Endpoints.ByPrincipal[id] != nil {
		f.add(at, "the principal %q is written twice", text)
	}
	if all && strings.Count(above, "/") == 2 {
		f.warn(at, "%q is everybody in the trust domain: every workload counts as one that came by the VPC endpoint", text)
	}
	g.Endpoints.ByPrincipal[id] = e
}
