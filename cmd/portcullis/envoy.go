package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

func envoyConfiguration(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("envoy", flag.ContinueOnError)
	path := flags.String("config", "portcullis.yaml", "configuration `file`")
	var o envoyconf.Options
	envoyFlags(flags, &o)
	if code, ok := cli.Parse(flags, args, out, errs); !ok {
		return code
	}
	if err := o.Validate(); err != nil {
		return cli.Wrong(errs, flags, err)
	}
	s, err := config.Load(*path, pool.Dry())
	if err != nil {
		fmt.Fprintln(errs, cli.OnlyFaults(err))
		return cli.ExitNo
	}
	generated, err := envoyconf.Generate(&s.Config, o)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprint(errs, "portcullis envoy: ", line)
		}
		fmt.Fprintln(errs)
		return cli.ExitNo
	}
	for _, note := range generated.Notes {
		fmt.Fprintln(errs, "portcullis envoy: note:", note)
	}
	if _, err := io.WriteString(out, generated.Text); err != nil {
		fmt.Fprintln(errs, "portcullis envoy:", err)
		return cli.ExitNo
	}
	return cli.ExitGood
}

func envoyFlags(flags *flag.FlagSet, o *envoyconf.Options) {
	flags.Func("for", "what to print: bootstrap for a whole Envoy (default), filter for the parts of your own Envoy, istio for resources of a mesh, envoy-gateway for resources of a Gateway", func(s string) error {
		o.Target = envoyconf.Target(s)
		return nil
	})
	flags.StringVar(&o.Portcullis, "portcullis", "", "`address` of portcullis: host:port or unix:/path (default 127.0.0.1:9001; istio, envoy-gateway: portcullis.portcullis.svc.cluster.local:9001)")
	flags.StringVar(&o.PortcullisTLS.CA, "portcullis-ca", "", "PEM `file` of the authorities to trust for portcullis; encrypts the connection to it")
	flags.StringVar(&o.PortcullisTLS.Cert, "portcullis-cert", "", "PEM `file` of Envoy's client certificate for portcullis")
	flags.StringVar(&o.PortcullisTLS.Key, "portcullis-key", "", "PEM `file` of its private key")
	flags.StringVar(&o.Listen, "listen", "", "bootstrap: `address` of the listener (default 127.0.0.1:10000)")
	flags.StringVar(&o.PrivateListen, "private-listen", "", "bootstrap: `address` of the listener of private APIs, if others are public")
	flags.StringVar(&o.Admin, "admin", "", "bootstrap: loopback `address` of Envoy's admin interface (default 127.0.0.1:9901)")
	flags.Func("upstream", "bootstrap: `address` of the upstream (default 127.0.0.1:8080), or API=address, API/STAGE=address for one API or stage; may be repeated. filter, istio: API=address gives the API an upstream of its own. envoy-gateway: as bootstrap, without a default", o.AddUpstream)
	flags.BoolVar(&o.KeepBasePath, "keep-base-path", false, "keep base paths and stage names in the path that the upstream gets (default: remove them, as API Gateway does)")
	flags.StringVar(&o.TLS.Cert, "tls-cert", "", "bootstrap: PEM `file` of the listener's certificate chain; without it, plain text")
	flags.StringVar(&o.TLS.Key, "tls-key", "", "bootstrap: PEM `file` of its private key")
	flags.StringVar(&o.TLS.ClientCA, "tls-client-ca", "", "bootstrap: PEM `file` of the authorities of clients' certificates; clients must have one, and their SPIFFE ids become portcullis:SourcePrincipal")
	flags.BoolVar(&o.OptionalClientCertificates, "optional-client-certificates", false, "with --tls-client-ca or --gateway-client-ca: also accept clients without a certificate; those that clients show are verified")
	flags.StringVar(&o.SecureTransport, "secure-transport", "", "value of aws:SecureTransport: true, false, or x-forwarded-proto (default: false; with --tls-cert and for envoy-gateway, x-forwarded-proto, which Envoy writes)")
	flags.StringVar(&o.VPCEndpoints, "vpc-endpoints", "", "how to find the VPC endpoint of a private API's request: proxy-protocol (default), networks, listener:NAME, or principals")
	flags.Func("max-request-bytes", "longest body of a signed request, in bytes (default 1048576)", cli.Number(&o.MaxRequestBytes))
	flags.BoolVar(&o.UnbufferedUploads, "unbuffered-uploads", false, "do not buffer routes with unsignedPayload: they accept bodies of any length, and only signatures that do not cover the body")
	flags.DurationVar(&o.Timeout, "timeout", 0, "how long a check may take (default 1s, or longer than the slowest authorizer)")
	flags.Func("max-checks", "--max-checks of serve, summed over all replicas (default 4096); Envoy sends up to twice as many checks, so that portcullis refuses the excess", cli.Number(&o.MaxChecks))
	flags.StringVar(&o.Mesh.Namespace, "istio-namespace", "", "istio: `namespace` of the workload that sends checks (default istio-system)")
	flags.StringVar(&o.Mesh.Selector, "istio-selector", "", "istio: `labels` of the workload, name=value,… (default istio=ingressgateway; required with --istio-sidecar)")
	flags.Func("istio-port", "istio: port of the Gateway's server (default 80); may be repeated", func(s string) error {
		var port int
		err := cli.Number(&port)(s)
		o.Mesh.Ports = append(o.Mesh.Ports, port)
		return err
	})
	flags.Func("istio-callers", "istio: SPIFFE `ids` of the workloads that may send checks, spiffe://…,…, if portcullis has a sidecar too; may be repeated", func(s string) error {
		o.Mesh.Callers = append(o.Mesh.Callers, strings.Split(s, ",")...)
		return nil
	})
	flags.StringVar(&o.Mesh.Workload, "istio-portcullis-selector", "", "istio: `labels` of portcullis, name=value,… (default app.kubernetes.io/name=portcullis)")
	flags.BoolVar(&o.Mesh.SourcePrincipal, "istio-source-principal", false, "istio: make the SPIFFE ids of clients, which the sidecar verifies, available as portcullis:SourcePrincipal")
	flags.StringVar(&o.Gateway, "gateway", "", "envoy-gateway: the Gateway, `namespace/name` (default default/eg)")
	flags.Func("gateway-listener", "envoy-gateway: `name` of a listener of the Gateway (default http); may be repeated", func(s string) error {
		o.GatewayListeners = append(o.GatewayListeners, s)
		return nil
	})
	flags.StringVar(&o.GatewayClientCA, "gateway-client-ca", "", "envoy-gateway: `name` of a ConfigMap with the authorities of clients' certificates in ca.crt; clients of TLS listeners must have one, and their SPIFFE ids become portcullis:SourcePrincipal")
	flags.StringVar(&o.GatewayClass, "gateway-class", "", "envoy-gateway: `name` of the GatewayClass, if its EnvoyProxy merges Gateways")
	flags.Func("gateway-envoy-listener", "envoy-gateway: `name` of a listener in Envoy, if it is not namespace/gateway/listener; may be repeated", func(s string) error {
		o.EnvoyListeners = append(o.EnvoyListeners, s)
		return nil
	})
	flags.Func("gateway-envoy-routes", "envoy-gateway: `name` of a RouteConfiguration in Envoy, if it is not namespace/gateway/listener; may be repeated", func(s string) error {
		o.EnvoyRoutes = append(o.EnvoyRoutes, s)
		return nil
	})
	flags.BoolVar(&o.Mesh.Sidecar, "istio-sidecar", false, "istio: the workload is an application with a sidecar, not a gateway")
}
