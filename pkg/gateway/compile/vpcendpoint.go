package compile

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// addVPCEndpoints compiles the VPC endpoints. It needs the trusted proxies.
func (g *builder) addVPCEndpoints(endpoints []VPCEndpoint, list *fault.Place, f *faults) {
	g.Endpoints.ByID, g.Endpoints.ByListener = map[string]*model.VPCEndpoint{}, map[string]*model.VPCEndpoint{}
	g.Endpoints.ByPrincipal = map[string]*model.VPCEndpoint{}
	for i := range endpoints {
		c, at := &endpoints[i], cmp.Or(endpoints[i].At, list.Item(i))
		f.checkVPCEndpoint(c, at)
		e := &model.VPCEndpoint{ID: c.ID, VPC: c.VPC, Policy: c.Policy}
		if c.ID != "" {
			if g.Endpoints.ByID[c.ID] != nil {
				f.add(at.Field("id"), "the VPC endpoint %s is given twice; remove one", c.ID)
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
		f.add(at, "the entry names neither a VPC endpoint nor a VPC; write id, vpc or both")
	case c.ID == "" && len(c.Networks)+len(c.Listeners)+len(c.Principals) == 0:
		f.add(at, "no request can match this entry; write id, networks, listeners or principals")
	}
}

// mapNetwork maps a network to an endpoint. Trusted proxies must not lie in it, because an address would be both a client's and a
// proxy's: the proxy's own requests would count as those of the endpoint.
func (g *builder) mapNetwork(network netip.Prefix, e *model.VPCEndpoint, at *fault.Place, f *faults) {
	if !network.IsValid() {
		f.add(at, "the network is not valid; write one such as 10.1.0.0/16")
		return
	}
	if network.Addr().Is4In6() {
		f.add(at, "%s is an IPv4 network in IPv6 notation; write it as an IPv4 network", network)
		return
	}
	network = network.Masked()
	if g.Clients.Trusted.OverlapsPrefix(network) {
		f.add(at, "%s overlaps clientAddress.trustedProxies, so an address could be a client's and a proxy's; write networks that do not overlap", network)
	}
	if _, mapped := g.Endpoints.ByNetwork.Get(network); mapped {
		f.add(at, "the network %s is given twice; remove one", network)
	}
	if network.Bits() == 0 {
		f.warn(at, "%s contains every address, so every client counts as one that came by the VPC endpoint; write a smaller network", network)
	}
	g.Endpoints.ByNetwork.Insert(network, e)
}

func (g *builder) mapListener(name string, e *model.VPCEndpoint, at *fault.Place, f *faults) {
	switch {
	case name == "":
		f.add(at, "the listener is empty; write the value of portcullis.listener in the context_extensions of Envoy's configuration")
	case g.Endpoints.ByListener[name] != nil:
		f.add(at, "the listener %q is given twice; remove one", name)
	}
	g.Endpoints.ByListener[name] = e
}

// mapPrincipal maps a SPIFFE id, or all ids below one, to an endpoint. A wildcard stands for whole segments, because anyone who can choose
// a name could match ".../sa/api*".
func (g *builder) mapPrincipal(id string, e *model.VPCEndpoint, at *fault.Place, f *faults) {
	text := id
	above, all := strings.CutSuffix(id, "/*")
	switch {
	case all && authz.IsSPIFFE(above+"/x"):
		id = above + "/"
	case !authz.IsSPIFFE(id):
		f.add(at, "%q is not a SPIFFE id of a workload; write one such as spiffe://cluster.local/ns/orders/sa/api, or spiffe://cluster.local/ns/orders/* for all below it", id)
		return
	}
	if g.Endpoints.ByPrincipal[id] != nil {
		f.add(at, "the principal %q is given twice; remove one", text)
	}
	if all && strings.Count(above, "/") == 2 {
		f.warn(at, "%q contains every workload of the trust domain, so all count as ones that came by the VPC endpoint; write a longer id", text)
	}
	g.Endpoints.ByPrincipal[id] = e
}

func (g *builder) trustProxies(networks []netip.Prefix, list *fault.Place, f *faults) {
	for i, network := range networks {
		at := list.Item(i)
		switch {
		case !network.IsValid():
			f.add(at, "the network is not valid; write one such as 10.0.0.0/8")
			continue
		case network.Addr().Is4In6():
			f.add(at, "%s is an IPv4 network in IPv6 notation; write it as an IPv4 network", network)
			continue
		case network.Bits() == 0:
			f.warn(at, "%s trusts every address, so clients choose their address by the leftmost entry of X-Forwarded-For; write a smaller network", network)
		}
		g.Clients.Trusted.Insert(network.Masked())
	}
}
