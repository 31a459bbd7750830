package gateway

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
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
	// endpoints are the VPC endpoints by which private APIs are called.
	endpoints vpcEndpoints
	// mapped are the names of the headers that any API maps: no client may send them to any upstream.
	mapped answer.HeaderNames
	// verifies says that there is something that verifies signatures.
	verifies bool
}

type api struct {
	id, account, region         string
	private, endpoint           bool
	strictPaths, legacyMessages bool
	stages                      []*stage
	policy                      *policy.Policy
	authorizers                 map[string]*authorizer
	routes                      routing.Table[route]
	// http says that this is an HTTP API. cors is its CORS configuration; nil where it has none.
	http      bool
	cors      *answer.CORS
	responses map[answer.Type]*answer.Custom
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
}

type route struct {
	routing.Key
	// key is Key as a text.
	key   string
	guard guardKind
	// authorizer and scopes are those of the guards that ask an authorizer.
	authorizer *authorizer
	scopes     []string
	upstream   []answer.MappedHeader
	// verify takes the place of the API's where it is not nil, and signatures are what it verifies by.
	verify     Verify
	signatures RouteSignatures
}

// guardKind is what guards a route. The zero value is nothing that a configuration can ask for, and denies.
type guardKind uint8

const (
	unguarded guardKind = iota
	open
	byIAM
	byFunction
	byToken
)

// guardOf are the guards of the authorization types there are.
var guardOf = map[Authorization]guardKind{None: open, IAM: byIAM, Custom: byFunction, Cognito: byToken, JWT: byToken}

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

		verifies: c.Signatures != nil,
	}
	v := verifiers{factory: c.Signatures, made: map[string]Verify{}}
	for _, name := range overrides {
		g.mapped.Add(name)
	}
	if len(c.APIs) == 0 {
		f.add("apis", "there is no API: write at least one")
	}
	compiled := make([]*api, len(c.APIs))
	for i := range c.APIs {
		compiled[i] = g.compileAPI(&c.APIs[i], fmt.Sprintf("apis[%d]", i), &v, &f)
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
