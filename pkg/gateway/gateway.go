package gateway

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Gateway is a compiled Config. It is immutable and safe for concurrent use. Its zero value owns no host and denies.
type Gateway struct {
	apis     map[string]*api
	hosts    map[string]*host
	mappings map[domain]*stage
	// folded are the mappings whose base path holds a letter from A to Z, by the base path in lower case.
	folded  map[domain]*stage
	clients clientAddresses
	// requireAPI refuses requests of which Envoy's configuration does not say which API they are for.
	requireAPI bool
	// endpoints are the VPC endpoints by which private APIs are called.
	endpoints vpcEndpoints
	// mapped are the names of the headers that any API maps: no client may send them to any upstream.
	mapped headerNames
	// signatures makes what verifies signatures, verifiers is what it has made.
	signatures func(SignatureOptions) (Verify, error)
	verifiers  map[string]Verify
}

type api struct {
	id, account, region         string
	private, endpoint           bool
	strictPaths, legacyMessages bool
	stages                      []*stage
	policy                      *policy.Policy
	authorizers                 map[string]*authorizer
	router                      router
	// folded is the router that strictPaths looks paths up in as if case did not count, upper says that the other one has a fixed path
	// part with a letter from A to Z.
	folded router
	upper  bool
	// http says that this is an HTTP API. fallback is its route $default, cors its CORS configuration; nil where it has none.
	http      bool
	fallback  *route
	cors      *cors
	responses map[responseType]*customResponse
	// signatures are the API's options, verify what they make.
	signatures SignatureOptions
	verify     Verify
	// aliases are the canonical hosts of the aliases that clients may have signed.
	aliases []string
}

type stage struct {
	api  *api
	name string
	// arn is a method ARN up to the verb, maskedARN the same as clients are told it.
	arn, maskedARN string
	variables      map[string]string
	// whole says that a host leads to the stage without a base path, below that one leads to it with a base path.
	whole, below bool
	// hosts are those of the stage's domains.
	hosts map[string]bool
}

type route struct {
	method, resource string
	// key names the route: "GET /pets/{petId}".
	key   string
	guard *guard
	// authorizer and scopes are those of the guards that ask an authorizer.
	authorizer *authorizer
	scopes     []string
	upstream   []mappedHeader
	// verify takes the place of the API's where it is not nil, and signatures are what it verifies by.
	verify     Verify
	signatures RouteSignatures
}

// stage returns the stage of a name, nil if there is none.
func (a *api) stage(name string) *stage {
	for _, s := range a.stages {
		if s.name == name {
			return s
		}
	}
	return nil
}

// stageInAnyCase returns the stage that has a name in a path, whatever the name's case; nil if there is none.
func (a *api) stageInAnyCase(name string) *stage {
	for _, s := range a.stages {
		if s.name != DefaultStage && strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

// New compiles a configuration. It returns all faults at once; the Gateway is nil if one of them is not a warning.
func New(c Config) (*Gateway, []Fault) {
	var f faults
	g := &Gateway{
		apis:     make(map[string]*api, len(c.APIs)),
		hosts:    make(map[string]*host, len(c.APIs)),
		mappings: make(map[domain]*stage, len(c.APIs)),
		folded:   map[domain]*stage{},

		requireAPI: c.RequireAPI,
		signatures: c.Signatures,
	}
	for _, name := range overrides {
		g.mapped.add(name)
	}
	if len(c.APIs) == 0 {
		f.add("apis", "there is no API: write at least one")
	}
	compiled := make([]*api, len(c.APIs))
	for i := range c.APIs {
		compiled[i] = g.compileAPI(&c.APIs[i], fmt.Sprintf("apis[%d]", i), &f)
	}
	// Domains come last: whether one is another API's default endpoint is known only then.
	for i := range c.APIs {
		g.mapDomains(&c.APIs[i], compiled[i], fmt.Sprintf("apis[%d]", i), &f)
	}
	for i := range c.APIs {
		g.checkAliases(&c.APIs[i], compiled[i], fmt.Sprintf("apis[%d]", i), &f)
	}
	g.trustProxies(c.TrustedProxies, &f)
	g.addVPCEndpoints(c.VPCEndpoints, &f)
	if f.fatal() {
		return nil, f
	}
	return g, f
}

func (g *Gateway) trustProxies(networks []netip.Prefix, f *faults) {
	for i, network := range networks {
		at := fmt.Sprintf("clientAddress.trustedProxies[%d]", i)
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
		g.clients.trusted.Insert(network.Masked())
	}
}

// faults gathers what is wrong with a configuration.
type faults []Fault

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) warn(path, format string, args ...any) {
	*f = append(*f, Fault{Path: path, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (f *faults) fatal() bool {
	for _, fault := range *f {
		if !fault.Warning {
			return true
		}
	}
	return false
}
