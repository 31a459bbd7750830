// Package compile turns a Config, which is API Gateway's terms in Go, into what requests are decided by. It checks every shape and every
// name, and reports all faults at once. Nothing here sees a request.
//
// Start with Config, and with New for the order of things.
package compile

import (
	"fmt"
	"net/netip"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// New compiles a configuration. It returns all faults at once, and nil if one of them is not a warning. The model holds no Place.
func New(c Config) (*model.Gateway, []fault.Fault) {
	var f faults
	g := &builder{&model.Gateway{
		APIs:     make(map[string]*model.API, len(c.APIs)),
		Hosts:    make(map[string]*model.Host, len(c.APIs)),
		Mappings: make(map[model.Domain]*model.Stage, len(c.APIs)),
		Folded:   map[model.Domain]*model.Stage{},

		RequireAPI: c.RequireAPI,
		Verifies:   c.Signatures != nil,
	}}
	v := verifiers{factory: c.Signatures, made: map[string]model.Verify{}}
	for _, name := range overrides {
		g.Mapped.Add(name)
	}
	compiled := make([]*apiBuilder, len(c.APIs))
	for i := range c.APIs {
		compiled[i] = g.compileAPI(&c.APIs[i], c.apiAt(i), &v, &f)
	}
	// Domains come last: whether one is another API's default endpoint is known only then.
	for i := range c.APIs {
		g.mapDomains(&c.APIs[i], compiled[i], c.apiAt(i), &f)
	}
	for i := range c.APIs {
		g.checkAliases(&c.APIs[i], compiled[i], c.apiAt(i), &f)
	}
	g.trustProxies(c.TrustedProxies, c.At.Field("clientAddress").Field("trustedProxies"), &f)
	g.addVPCEndpoints(c.VPCEndpoints, c.At.Field("vpcEndpoints"), &f)
	if f.fatal() {
		return nil, f
	}
	return g.Gateway, f
}

func (g *builder) trustProxies(networks []netip.Prefix, list *fault.Place, f *faults) {
	for i, network := range networks {
		at := list.Item(i)
		switch {
		case !network.IsValid():
			f.add(at, "write a network such as 10.0.0.0/8")
			continue
		case network.Addr().Is4In6():
			f.add(at, "write %s as an IPv4 network", network)
			continue
		case network.Bits() == 0:
			f.warn(at, "%s trusts everybody: the client is whoever the leftmost entry of X-Forwarded-For claims", network)
		}
		g.Clients.Trusted.Insert(network.Masked())
	}
}

// faults gathers what is wrong with a configuration.
type faults []fault.Fault

func (f *faults) add(at *fault.Place, format string, args ...any) {
	*f = append(*f, fault.Fault{At: at, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) warn(at *fault.Place, format string, args ...any) {
	*f = append(*f, fault.Fault{At: at, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (f *faults) fatal() bool { return fault.List(*f).Fatal() }
