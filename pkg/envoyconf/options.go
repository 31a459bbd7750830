package envoyconf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Target is the kind of Envoy that the configuration is for.
type Target string

// The targets.
const (
	Bootstrap Target = "bootstrap" // a whole Envoy
	Filter    Target = "filter"    // the parts of it that are about portcullis
	Istio     Target = "istio"     // MeshConfig, AuthorizationPolicy and EnvoyFilter
	// EnvoyGateway is for resources of the Gateway API and of Envoy Gateway.
	EnvoyGateway Target = "envoy-gateway"
)

// Options are the values that portcullis.yaml does not have. The zero value of each stands for its default; one that its target has no
// place for is refused.
type Options struct {
	// Target is the kind of Envoy that the configuration is for. Default: Bootstrap.
	Target Target
	// Listen is the address of the listener. Default: 127.0.0.1:10000.
	Listen string
	// PrivateListen is the address of the listener of private APIs. It is needed where other APIs are public.
	PrivateListen string
	// Admin is the loopback address of Envoy's own admin interface. Default: 127.0.0.1:9901.
	Admin string
	// Upstream is the address of what is guarded. Default: 127.0.0.1:8080. EnvoyGateway has no default.
	Upstream string
	// UpstreamOf are the addresses of what single APIs guard, by API id, or single stages, by API id/stage. Filter and Istio do not
	// print them: there they say which stages share an upstream.
	UpstreamOf map[string]string
	// KeepBasePath keeps base paths, and the stage's name on the default endpoint, in the path that the upstream gets.
	KeepBasePath bool
	// Portcullis is the address of portcullis: host:port or unix:/path. Default: 127.0.0.1:9001, and for Istio and Envoy
	// Gateway portcullis.portcullis.svc.cluster.local:9001.
	Portcullis string
	// PortcullisTLS encrypts the connection to portcullis: the trusted authorities and Envoy's client certificate.
	PortcullisTLS ClientTLS
	// TLS are the certificate and key for clients. Without them the listener accepts plain text.
	TLS ServerTLS
	// SecureTransport is the value of aws:SecureTransport: true, false, or x-forwarded-proto. Default: false. With TLS and
	// for Envoy Gateway it is x-forwarded-proto, which Envoy itself writes for each connection. A route's "true" would
	// also apply to connections that were opened before TLS was configured.
	SecureTransport string
	// VPCEndpoints is how to find the VPC endpoint of a private API's request: proxy-protocol, networks, listener:NAME,
	// or principals. Default: proxy-protocol.
	VPCEndpoints string
	// MaxRequestBytes is the longest body of a signed request. Default: 1 MiB.
	MaxRequestBytes int
	// UnbufferedUploads does not buffer bodies of routes that accept UNSIGNED-PAYLOAD. They may have any length, and
	// signatures over a body cannot be verified there. By default they are buffered like all signed requests.
	UnbufferedUploads bool
	// Timeout is how long a check may take. Default: one second, or more than the APIs' authorizers need.
	Timeout time.Duration
	// MaxChecks is how many concurrent checks portcullis accepts, summed over its replicas. Default: 4096, as of
	// portcullis serve.
	MaxChecks int
	// Mesh has the options for Istio.
	Mesh Mesh
	// Gateway is the Gateway for EnvoyGateway: namespace/name. Default: default/eg.
	Gateway string
	// GatewayListeners are the names of its listeners. Default: http.
	GatewayListeners []string
	// OptionalClientCertificates also accepts clients without a certificate. One that a client shows is verified.
	OptionalClientCertificates bool
	// GatewayClientCA is the ConfigMap whose ca.crt has the authorities of clients' certificates. Clients of the Gateway's TLS
	// listeners then must have one, and their SPIFFE ids are available as portcullis:SourcePrincipal.
	GatewayClientCA string
	// GatewayClass is the GatewayClass of merged Gateways, which the EnvoyPatchPolicy then targets.
	GatewayClass string
	// EnvoyListeners and EnvoyRoutes are the names of Envoy's listeners and RouteConfigurations. Default: those of
	// GatewayListeners as namespace/gateway/listener.
	EnvoyListeners, EnvoyRoutes []string
}

// MostChecks is the limit of concurrent checks in Envoy. It is above the limit of portcullis, so that portcullis
// refuses the excess, at once and by share. Envoy cannot tell requests apart.
func (o *Options) MostChecks() int { return 2 * o.MaxChecks }

// verifiesClients reports whether Envoy verifies clients' certificates by what is printed.
func (o *Options) verifiesClients() bool { return o.TLS.ClientCA != "" || o.GatewayClientCA != "" }

// ClientTLS names PEM files.
type ClientTLS struct{ CA, Cert, Key string }

// ServerTLS names PEM files. With ClientCA, clients must have a certificate that one of its authorities has signed, and their
// SPIFFE ids are available as portcullis:SourcePrincipal.
type ServerTLS struct{ Cert, Key, ClientCA string }

// Mesh selects the workload that portcullis guards.
type Mesh struct {
	// Namespace and Selector select the workload: a gateway, or an application with a sidecar. Default: the label
	// istio=ingressgateway in istio-system. A sidecar has no default selector.
	Namespace string
	Selector  string
	// Sidecar selects the sidecar of an application instead of a gateway.
	Sidecar bool
	// SourcePrincipal makes clients' SPIFFE ids available as portcullis:SourcePrincipal. The sidecar verifies their
	// certificates.
	SourcePrincipal bool
	// Ports are the ports of the Gateway's servers, as in the Gateway resource. Default: 80.
	Ports []int
	// Callers are the SPIFFE ids of workloads that may send checks. portcullis is then itself in the mesh, with a
	// sidecar and mutual TLS. Without callers, the mesh's own settings apply.
	Callers []string
	// Workload selects portcullis by labels. Default: app.kubernetes.io/name=portcullis.
	Workload string
}

const (
	proxyProtocol   = "proxy-protocol"
	networks        = "networks"
	principals      = "principals"
	listenerPrefix  = "listener:"
	gatewaySelector = "istio=ingressgateway"

	defaultGatewayName = "eg"

	maxRequestBytes  = 10 << 20 // API Gateway's quota for payloads
	defaultBodyBytes = 1 << 20
	longestTimeout   = 5 * time.Minute
	defaultMaxChecks = 4096
	mostMaxChecks    = 1 << 20
	checkTime        = time.Second
	tokenCheckTime   = 6 * time.Second  // more than the longest fetch of an issuer's keys
	functionTime     = 10 * time.Second // the default timeout of a function
)

// option is one of the options and the targets that support it.
type option struct {
	flag    string
	given   bool
	targets []Target
}

func (o *Options) list() []option {
	whole, both := []Target{Bootstrap}, []Target{Bootstrap, Filter}
	routes := []Target{Bootstrap, EnvoyGateway}
	mesh, gateways := []Target{Istio}, []Target{EnvoyGateway}
	return []option{
		{"listen", o.Listen != "", whole},
		{"private-listen", o.PrivateListen != "", whole},
		{"admin", o.Admin != "", whole},
		{"upstream", o.Upstream != "", routes},
		{"keep-base-path", o.KeepBasePath, []Target{Bootstrap, Filter, EnvoyGateway}},
		{"tls-cert", o.TLS.Cert != "", whole},
		{"tls-key", o.TLS.Key != "", whole},
		{"tls-client-ca", o.TLS.ClientCA != "", whole},
		{"portcullis-ca", o.PortcullisTLS.CA != "", both},
		{"portcullis-cert", o.PortcullisTLS.Cert != "", both},
		{"portcullis-key", o.PortcullisTLS.Key != "", both},
		{"istio-namespace", o.Mesh.Namespace != "", mesh},
		{"istio-selector", o.Mesh.Selector != "", mesh},
		{"istio-sidecar", o.Mesh.Sidecar, mesh},
		{"istio-source-principal", o.Mesh.SourcePrincipal, mesh},
		{"istio-port", len(o.Mesh.Ports) > 0, mesh},
		{"istio-callers", len(o.Mesh.Callers) > 0, mesh},
		{"istio-portcullis-selector", o.Mesh.Workload != "", mesh},
		{"gateway", o.Gateway != "", gateways},
		{"gateway-listener", len(o.GatewayListeners) > 0, gateways},
		{"optional-client-certificates", o.OptionalClientCertificates, routes},
		{"gateway-client-ca", o.GatewayClientCA != "", gateways},
		{"gateway-class", o.GatewayClass != "", gateways},
		{"gateway-envoy-listener", len(o.EnvoyListeners) > 0, gateways},
		{"gateway-envoy-routes", len(o.EnvoyRoutes) > 0, gateways},
	}
}

// Validate returns all faults of o. Generate reports those that depend on the APIs.
func (o *Options) Validate() error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if !slices.Contains([]Target{"", Bootstrap, Filter, Istio, EnvoyGateway}, o.Target) {
		return fmt.Errorf("--for: %q is not bootstrap, filter, istio or envoy-gateway", string(o.Target))
	}
	target := cmp.Or(o.Target, Bootstrap)
	for _, option := range o.list() {
		refuse(option.given && !slices.Contains(option.targets, target), "--%s: it does not apply to --for %s: remove it", option.flag, target)
	}
	refuse((o.TLS.Cert == "") != (o.TLS.Key == ""), "--tls-cert and --tls-key must be set together")
	refuse(o.TLS.ClientCA != "" && o.TLS.Cert == "", "--tls-client-ca: clients show certificates only over TLS: write --tls-cert and --tls-key too")
	refuse(o.OptionalClientCertificates && !o.verifiesClients(), "--optional-client-certificates: it requires --tls-client-ca or --gateway-client-ca")
	refuse((o.PortcullisTLS.Cert == "") != (o.PortcullisTLS.Key == ""), "--portcullis-cert and --portcullis-key must be set together")
	refuse(o.PortcullisTLS.Cert != "" && o.PortcullisTLS.CA == "", "--portcullis-cert needs --portcullis-ca")
	refuse(!slices.Contains([]string{"", "true", "false", "x-forwarded-proto"}, o.SecureTransport),
		"--secure-transport: %q is not true, false or x-forwarded-proto", o.SecureTransport)
	refuse(o.Mesh.Sidecar && o.SecureTransport == "x-forwarded-proto",
		"--secure-transport: a sidecar accepts X-Forwarded-Proto from any caller: write true if clients can connect only with TLS, else false")
	_, named := strings.CutPrefix(o.VPCEndpoints, listenerPrefix)
	refuse(!named && !slices.Contains([]string{"", proxyProtocol, networks, principals}, o.VPCEndpoints),
		"--vpc-endpoints: %q is not proxy-protocol, networks, listener:NAME or principals", o.VPCEndpoints)
	refuse(o.VPCEndpoints == principals && !o.Mesh.SourcePrincipal && !o.verifiesClients(),
		"--vpc-endpoints principals: clients' certificates are not verified: write --for istio --istio-sidecar --istio-source-principal, --tls-client-ca, or --for envoy-gateway --gateway-client-ca")
	refuse(o.MaxRequestBytes < 0 || o.MaxRequestBytes > maxRequestBytes, "--max-request-bytes: must be 1 to %d", maxRequestBytes)
	refuse(o.Timeout < 0 || o.Timeout > longestTimeout, "--timeout: must be above 0 and up to %v", longestTimeout)
	refuse(o.MaxChecks < 0 || o.MaxChecks > mostMaxChecks, "--max-checks: must be 1 to %d", mostMaxChecks)
	for i, port := range o.Mesh.Ports {
		refuse(port < 1 || port > 65535, "--istio-port: must be 1 to 65535")
		refuse(slices.Contains(o.Mesh.Ports[:i], port), "--istio-port: %d is given twice", port)
	}
	refuse(o.Mesh.Workload != "" && len(o.Mesh.Callers) == 0, "--istio-portcullis-selector: it requires --istio-callers: write both")
	refuse(o.Mesh.SourcePrincipal && !o.Mesh.Sidecar, "--istio-source-principal: it requires --istio-sidecar: remove it, or write both")
	refuse(o.Mesh.Sidecar && (o.Mesh.Selector == "" || o.Mesh.Selector == gatewaySelector),
		"--istio-selector: with --istio-sidecar it must name the application's pods, but the label %s belongs to a gateway: write the application's labels, such as --istio-selector app=pets", gatewaySelector)
	refuse(o.Mesh.Sidecar && len(o.Mesh.Ports) > 0, "--istio-port: it does not apply to a sidecar: remove it")
	refuse(target == EnvoyGateway && o.Upstream == "", "--upstream: it is required with --for envoy-gateway: write the Service, such as --upstream app.pets.svc.cluster.local:80")
	p := &plan{Options: o.withDefaults(nil)}
	errs = append(errs, p.addAddresses())
	var err error
	switch p.Target {
	case Istio:
		_, err = p.newMesh()
	case EnvoyGateway:
		_, err = p.newGatewayed()
	case Bootstrap, Filter: // have no terms of their own
	}
	return errors.Join(append(errs, err)...)
}

// withDefaults sets the defaults.
func (o Options) withDefaults(apis []gateway.API) Options {
	o.Target = cmp.Or(o.Target, Bootstrap)
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:10000")
	o.Admin = cmp.Or(o.Admin, "127.0.0.1:9901")
	o.Upstream = cmp.Or(o.Upstream, "127.0.0.1:8080")
	service := "127.0.0.1:9001"
	if o.Target == Istio || o.Target == EnvoyGateway {
		service = "portcullis.portcullis.svc.cluster.local:9001"
	}
	o.Portcullis = cmp.Or(o.Portcullis, service)
	secure := "false"
	if o.TLS.Cert != "" || o.Target == EnvoyGateway {
		secure = "x-forwarded-proto"
	}
	o.SecureTransport = cmp.Or(o.SecureTransport, secure)
	o.VPCEndpoints = cmp.Or(o.VPCEndpoints, proxyProtocol)
	o.MaxRequestBytes = cmp.Or(o.MaxRequestBytes, defaultBodyBytes)
	o.Timeout = cmp.Or(o.Timeout, longestCheck(apis))
	o.MaxChecks = cmp.Or(o.MaxChecks, defaultMaxChecks)
	o.Mesh.Namespace = cmp.Or(o.Mesh.Namespace, "istio-system")
	o.Mesh.Selector = cmp.Or(o.Mesh.Selector, gatewaySelector)
	o.Mesh.Workload = cmp.Or(o.Mesh.Workload, "app.kubernetes.io/name=portcullis")
	if len(o.Mesh.Ports) == 0 {
		o.Mesh.Ports = []int{80}
	}
	o.Gateway = cmp.Or(o.Gateway, "default/"+defaultGatewayName)
	if len(o.GatewayListeners) == 0 {
		o.GatewayListeners = []string{"http"}
	}
	return o
}

// CheckTime returns the timeout of a check that the APIs need.
func CheckTime(apis []gateway.API) time.Duration { return longestCheck(apis) }

// longestCheck returns how long a check of the APIs may take.
func longestCheck(apis []gateway.API) time.Duration {
	longest := checkTime
	for _, api := range apis {
		for _, route := range api.Routes {
			switch route.Authorization {
			case gateway.None, gateway.IAM, "": // or unresolved, which is refused at once
			case gateway.Cognito, gateway.JWT:
				longest = max(longest, tokenCheckTime)
			default:
				may := cmp.Or(api.Authorizers[route.Authorizer].Timeout, functionTime)
				longest = max(longest, may+checkTime)
			}
		}
	}
	return longest
}

// AddUpstream parses an address, or the upstream of one API as ID=ADDRESS, or of one stage as ID/STAGE=ADDRESS.
func (o *Options) AddUpstream(text string) error {
	id, at, named := strings.Cut(text, "=")
	switch {
	case !named && o.Upstream != "", named && o.UpstreamOf[id] != "":
		return errors.New("given twice")
	case !named:
		o.Upstream = text
	default:
		if o.UpstreamOf == nil {
			o.UpstreamOf = map[string]string{}
		}
		o.UpstreamOf[id] = at
	}
	return nil
}
