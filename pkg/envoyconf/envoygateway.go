package envoyconf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// gatewayed is the plan in terms of the Gateway API and of Envoy Gateway.
type gatewayed struct {
	*plan
	// Namespace and Name are those of the Gateway. All resources except Grants are in its namespace.
	Namespace, Name string
	// Prefix begins the names of the resources, so that two Gateways of a namespace do not share any.
	Prefix string
	// Listeners and RouteConfigs are the names of Envoy's listeners and RouteConfigurations to patch.
	Listeners, RouteConfigs []string
	// Checks is the reference to portcullis.
	Checks backendRef
	// Backends are addresses that are not Services.
	Backends []backend
	// Grants permit references to Services in other namespaces.
	Grants []grant
	Routes []gatewayRoute
	// Rest are the paths of no stage on hosts that have one, and NoAPI the settings of routes that belong to no API.
	Rest  []restRoute
	NoAPI *settings
}

// gatewayRoute is an HTTPRoute of a stage, with its SecurityPolicy of the same name.
type gatewayRoute struct {
	Name, About string
	Hosts       []string
	// Prefix is the base path, or /. Strip reports whether the upstream does not get it.
	Prefix   string
	Strip    bool
	Upstream backendRef
	Settings *settings
}

// restRoute is an HTTPRoute for all paths of hosts without an upstream.
type restRoute struct {
	Name  string
	Hosts []string
}

// backendRef refers to a Service, or to a Backend.
type backendRef struct {
	Kind, Namespace, Name string
	Port                  int
}

// backend is a Backend of Envoy Gateway: an address that is not a Service.
type backend struct {
	Name    string
	Address address
}

// grant permits resources of the Gateway's namespace to refer to a Service in another one.
type grant struct {
	backendRef
	// From is the kind of resource, and Group its API group.
	From, Group string
}

const (
	// mostHosts is the limit of the Gateway API on the hosts of an HTTPRoute.
	mostHosts = 16
	// mostBase is the limit of the Gateway API on the length of a path.
	mostBase = 1024
)

// gatewayPath matches what the Gateway API accepts as a prefix.
var gatewayPath = regexp.MustCompile(`^(/[A-Za-z0-9._~!$&'()*+,;=:@-]([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+$`)

// nameInEnvoy matches the names that Envoy Gateway gives to listeners and RouteConfigurations.
var nameInEnvoy = regexp.MustCompile(`^[a-z0-9]([a-z0-9./-]*[a-z0-9])?$`)

// notInName matches what a name in Kubernetes does not have.
var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// newGatewayed returns what the options say.
func (p *plan) newGatewayed() (*gatewayed, error) {
	g := &gatewayed{plan: p, NoAPI: &settings{API: noAPI, Stage: noAPI}}
	var errs []error
	var is bool
	g.Namespace, g.Name, is = strings.Cut(p.Gateway, "/")
	if !is || !namespace.MatchString(g.Namespace) || !istioHost.MatchString(g.Name) {
		errs = append(errs, fmt.Errorf("--gateway: %q is not a Gateway; write namespace/name", p.Gateway))
	}
	for i, name := range p.GatewayListeners {
		if !istioHost.MatchString(name) {
			errs = append(errs, fmt.Errorf("--gateway-listener: %q is not the name of a listener", name))
		}
		if slices.Contains(p.GatewayListeners[:i], name) {
			errs = append(errs, fmt.Errorf("--gateway-listener: %s is given twice", name))
		}
		g.Listeners = append(g.Listeners, p.Gateway+"/"+name)
	}
	g.RouteConfigs = g.Listeners
	errs = append(errs, g.nameInEnvoy())
	g.Prefix = "portcullis"
	if g.Name != defaultGatewayName {
		g.Prefix = objectName("portcullis-" + g.Name)
	}
	var err error
	g.Checks, err = g.refer("portcullis", "portcullis", p.PortcullisAt, "SecurityPolicy", "gateway.envoyproxy.io")
	errs = append(errs, err)
	for _, u := range p.Upstreams {
		_, err := g.refer("upstream", u.Name, u.Address, "HTTPRoute", "gateway.networking.k8s.io")
		errs = append(errs, err)
	}
	return g, errors.Join(errs...)
}

// nameInEnvoy takes the names that Envoy Gateway gives to listeners and routes, if they are not those of the Gateway's listeners.
func (g *gatewayed) nameInEnvoy() error {
	var errs []error
	for _, names := range []struct {
		flag  string
		given []string
		to    *[]string
	}{
		{"gateway-envoy-listener", g.EnvoyListeners, &g.Listeners},
		{"gateway-envoy-routes", g.EnvoyRoutes, &g.RouteConfigs},
	} {
		for i, name := range names.given {
			if !nameInEnvoy.MatchString(name) {
				errs = append(errs, fmt.Errorf("--%s: %q is not a name that Envoy Gateway gives: write namespace/gateway/listener, or one such as tcp-443", names.flag, name))
			}
			if slices.Contains(names.given[:i], name) {
				errs = append(errs, fmt.Errorf("--%s: %s is given twice", names.flag, name))
			}
		}
		if len(names.given) > 0 {
			*names.to = names.given
		}
	}
	if g.GatewayClientCA != "" && !istioHost.MatchString(g.GatewayClientCA) {
		errs = append(errs, fmt.Errorf("--gateway-client-ca: %q is not the name of a ConfigMap", g.GatewayClientCA))
	}
	if g.GatewayClass != "" && !istioHost.MatchString(g.GatewayClass) {
		errs = append(errs, fmt.Errorf("--gateway-class: %q is not the name of a GatewayClass", g.GatewayClass))
	}
	return errors.Join(errs...)
}

// refer returns the reference to an address, with the grant or the Backend that it needs.
func (g *gatewayed) refer(flag, name string, at address, from, group string) (backendRef, error) {
	if at.Path != "" {
		return backendRef{}, fmt.Errorf("--%s: %q is a Unix socket, which the pods of Envoy Gateway do not have: write host:port", flag, "unix:"+at.Path)
	}
	if parts := strings.Split(at.Host, "."); len(parts) > 2 && parts[2] == "svc" && istioHost.MatchString(at.Host) {
		ref := backendRef{"Service", parts[1], parts[0], at.Port}
		if needed := (grant{ref, from, group}); ref.Namespace != g.Namespace && !slices.Contains(g.Grants, needed) {
			g.Grants = append(g.Grants, needed)
		}
		return ref, nil
	}
	if !at.isIP() && !strings.Contains(at.Host, ".") {
		return backendRef{}, fmt.Errorf("--%s: %q is not a complete name: write name.namespace.svc.cluster.local:port for a Service", flag, at.Host)
	}
	b := backend{objectName(strings.TrimSuffix(g.Prefix+"-"+name, "-portcullis")), at}
	if !slices.Contains(g.Backends, b) {
		g.Backends = append(g.Backends, b)
	}
	return backendRef{Kind: "Backend", Namespace: g.Namespace, Name: b.Name}, nil
}

// forEnvoyGateway converts the plan.
func (p *plan) forEnvoyGateway() (*gatewayed, error) {
	g, err := p.newGatewayed()
	errs := []error{err}
	ways := map[string]int{} // the number of virtual hosts of a stage
	for _, l := range p.Listeners {
		for _, h := range l.Hosts {
			for _, m := range l.mappings[h.Name] {
				ways[m.name()]++
			}
		}
	}
	for _, l := range p.Listeners {
		for _, h := range l.Hosts {
			errs = append(errs, checkGatewayHosts(h.Domains))
			for _, m := range l.mappings[h.Name] {
				errs = append(errs, g.checkStage(m))
				g.addRoutes(&l, &h, m, ways[m.name()] == 1)
			}
			if h.Rest {
				for hosts := range slices.Chunk(h.Domains, mostHosts) {
					g.Rest = append(g.Rest, restRoute{objectName(g.Prefix + "-other-paths-" + hosts[0]), hosts})
				}
			}
		}
	}
	g.Rest = append(g.Rest, restRoute{Name: g.Prefix + "-other-hosts"})
	return g, errors.Join(errs...)
}

// checkGatewayHosts refuses hosts that an HTTPRoute cannot have.
func checkGatewayHosts(domains []string) error {
	var errs []error
	for _, domain := range domains {
		if _, err := netip.ParseAddr(domain); err == nil || !istioHost.MatchString(domain) {
			errs = append(errs, fmt.Errorf("domains: %s: an HTTPRoute cannot have that host: write a name of letters, digits and hyphens", domain))
		}
	}
	return errors.Join(errs...)
}

// checkStage refuses a stage that Envoy Gateway cannot serve.
func (g *gatewayed) checkStage(m mapping) error {
	if m.base != "" && (!gatewayPath.MatchString(m.base) || len(m.base) > mostBase) {
		return fmt.Errorf("domains: %s has the base path %s, which an HTTPRoute cannot have: write letters, digits, hyphens, dots and underscores", m.name(), m.base)
	}
	if g.unbufferedBeside(m.api) {
		return fmt.Errorf("--unbuffered-uploads: API %s has routes beside the uploads whose signatures are over the body, and the Gateway API has no matches that tell them apart safely: give the uploads an API and a host of their own", m.api.ID)
	}
	return nil
}

// addRoutes adds the HTTPRoutes of a stage on the domains of a virtual host. All of its requests are buffered if one of
// its routes is signed. only reports whether these are all domains of the stage.
func (g *gatewayed) addRoutes(l *listener, h *virtualHost, m mapping, only bool) {
	s := g.settingsOf(m, l)
	if slices.ContainsFunc(m.api.Routes, func(r gateway.Route) bool { return g.needsBody(m.api, &r) }) {
		s.MaxBody = g.MaxRequestBytes
	}
	at := slices.IndexFunc(g.Upstreams, func(u upstream) bool { return u.Name == g.cluster(m) })
	to, _ := g.refer("upstream", g.Upstreams[at].Name, g.Upstreams[at].Address, "HTTPRoute", "gateway.networking.k8s.io") // checked by newGatewayed
	for hosts := range slices.Chunk(h.Domains, mostHosts) {
		name := objectName(g.Prefix + "-api-" + m.api.ID + "-" + m.stage)
		if !only || len(h.Domains) > mostHosts {
			name = objectName(g.Prefix+"-api-"+m.api.ID+"-"+m.stage, hosts[0]+m.base)
		}
		g.Routes = append(g.Routes, gatewayRoute{
			Name: name, About: entry{host: hosts[0], mapping: m}.String(), Hosts: hosts,
			Prefix: s.BasePath, Strip: m.base != "" && !g.keepsBasePaths(), Upstream: to, Settings: &s,
		})
	}
}

// objectName returns a name as Kubernetes accepts it. A name that changes, or needs more to be unique, gets a digest.
func objectName(text string, more ...string) string {
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if name != text || len(more) > 0 {
		sum := sha256.Sum256([]byte(text + "/" + strings.Join(more, "")))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

// Title is the name of a grant. Its namespace is that of the Service, which several Gateways may use.
func (g *gatewayed) Title(to grant) string {
	return objectName(g.Prefix + "-" + g.Namespace + "-" + strings.ToLower(to.From) + "-" + to.Name)
}

// guard is the extAuth of a SecurityPolicy.
type guard struct {
	*gatewayed
	Settings *settings
}

// Guard returns the extAuth for settings. With nil, the host selects the API.
func (g *gatewayed) Guard(s *settings) guard { return guard{g, s} }

// patched is a listener or a RouteConfiguration of Envoy for the EnvoyPatchPolicy.
type patched struct {
	*gatewayed
	// Of is its name.
	Of string
}

// Patched returns what the patches of a listener or a RouteConfiguration need.
func (g *gatewayed) Patched(of string) patched { return patched{g, of} }

// Manager is the JSONPath of the HTTP connection managers of a listener.
func (p patched) Manager() string {
	return "$..filters[?(@.name == 'envoy.filters.network.http_connection_manager')].typed_config"
}

// Ours is a regular expression in a JSONPath for the names of our filters alone.
func (p patched) Ours() string { return p.filters("(api-.+|other|unguarded)") }

// Unguarded is Ours for the filter portcullis-unguarded.
func (p patched) Unguarded() string { return p.filters("unguarded") }

func (p patched) filters(which string) string {
	return `/^envoy\.filters\.http\.ext_authz\/(securitypolicy)?\/` + p.Namespace + `\/` + p.Prefix + `-` + which + `$/`
}

// UnguardedNames are the possible names of the filter portcullis-unguarded, as segments of a JSON pointer. Envoy ignores
// settings for a filter that it does not have.
func (p patched) UnguardedNames() []string {
	name := "~1" + p.Namespace + "~1" + p.Prefix + "-unguarded"
	return []string{"envoy.filters.http.ext_authz~1securitypolicy" + name, "envoy.filters.http.ext_authz~1" + name}
}
