package envoyconf

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// What was asked for and cannot be is an error that names the setting.
func TestRefused(t *testing.T) {
	all := shapes(t)
	noDomain := config(api("a1b2c3d4e5", nil, "GET /pets"))
	for _, tc := range []struct {
		shape   string
		options Options
		want    string
	}{
		{"open", Options{Target: "nginx"}, `--for: "nginx" is not bootstrap, filter, istio or envoy-gateway`},
		{"open", Options{Target: Filter, Listen: "127.0.0.1:1", Upstream: "a:1", TLS: ServerTLS{Cert: "c", Key: "k"}}, "--listen: it does not apply to --for filter|--upstream: it does not apply to --for filter|--tls-cert: it does not apply to --for filter"},
		{"open", Options{Target: Istio, PortcullisTLS: ClientTLS{CA: "ca"}}, "--portcullis-ca: it does not apply to --for istio"},
		{"open", Options{Mesh: Mesh{Namespace: "a", Selector: "b=c", Ports: []int{80}, Sidecar: true}}, "--istio-namespace: it does not apply to --for bootstrap|--istio-selector: |--istio-port: |--istio-sidecar: "},
		{"open", Options{TLS: ServerTLS{Cert: "c"}}, "--tls-cert and --tls-key must be set together"},
		{"open", Options{Portcullis: "p.internal:1", PortcullisTLS: ClientTLS{Cert: "c"}}, "--portcullis-cert and --portcullis-key must be set together|--portcullis-cert needs --portcullis-ca"},
		{"open", Options{Portcullis: "10.0.0.1:9001", PortcullisTLS: ClientTLS{CA: "ca"}}, "--portcullis-ca: the address must have the host name in portcullis' certificate"},
		{"open", Options{SecureTransport: "yes"}, `--secure-transport: "yes" is not true, false or x-forwarded-proto`},
		{"open", Options{MaxRequestBytes: 11 << 20}, "--max-request-bytes: must be 1 to 10485760"},
		{"open", Options{MaxChecks: 2 << 20}, "--max-checks: must be 1 to 1048576"},
		{"open", Options{Timeout: -1}, "--timeout: must be above 0"},
		{"open", Options{Timeout: time.Hour}, "--timeout: must be above 0 and up to 5m"},
		{"open", Options{Listen: "localhost:80"}, `--listen: "localhost:80": write an IP address`},
		{"open", Options{Listen: "127.0.0.1:65536"}, `--listen: "127.0.0.1:65536" is not an address`},
		{"open", Options{Admin: "0.0.0.0:9901"}, "--admin: .* can be reached from outside"},
		{"open", Options{Upstream: "http://a:1"}, `--upstream: "http://a:1" is not an address`},
		{"open", Options{Portcullis: "unix:run/x.sock"}, "--portcullis: .* is not a Unix socket"},
		{"open", Options{UpstreamOf: map[string]string{"zzz": "a:1"}}, `--upstream: portcullis.yaml has no API "zzz"`},
		{"open", Options{PrivateListen: "127.0.0.1:2"}, "--private-listen: it requires both private and public APIs"},
		{"open", Options{Target: Istio, Portcullis: "127.0.0.1:9001"}, "--portcullis: .* is not a service of a mesh"},
		{"open", Options{Target: Istio, Mesh: Mesh{Namespace: "A b"}}, `--istio-namespace: "A b" is not a namespace`},
		{"open", Options{Target: Istio, Mesh: Mesh{Selector: "app"}}, `--istio-selector: "app" is not a label`},
		{"open", Options{Target: Istio, Mesh: Mesh{Sidecar: true}}, "--istio-selector: with --istio-sidecar it must name the application's pods, .* write the application's labels"},
		{"open", Options{Target: Istio, Mesh: Mesh{Sidecar: true, Selector: "istio=ingressgateway"}}, "--istio-selector: with --istio-sidecar"},
		{"open", Options{Target: Istio, SecureTransport: "x-forwarded-proto", Mesh: Mesh{Sidecar: true}}, "--secure-transport: a sidecar accepts X-Forwarded-Proto from any caller"},
		{"open", Options{TLS: ServerTLS{ClientCA: "ca.crt"}}, "--tls-client-ca: clients show certificates only over TLS"},
		{"open", Options{Target: Istio, TLS: ServerTLS{ClientCA: "ca.crt"}}, "--tls-client-ca: it does not apply to --for istio"},
		{"open", Options{Target: Filter, TLS: ServerTLS{ClientCA: "ca.crt"}}, "--tls-client-ca: it does not apply to --for filter"},
		{"open", Options{OptionalClientCertificates: true}, "--optional-client-certificates: it requires --tls-client-ca"},
		{"open", Options{GatewayClientCA: "clients"}, "--gateway-client-ca: it does not apply to --for bootstrap"},
		{"open", Options{Target: EnvoyGateway, Upstream: "10.0.0.1:80", GatewayClientCA: "a b"}, `--gateway-client-ca: "a b" is not the name of a ConfigMap`},
		{"open", Options{Target: Istio, Mesh: Mesh{SourcePrincipal: true}}, "--istio-source-principal: it requires --istio-sidecar"},
		{"open", Options{Target: Istio, Mesh: Mesh{Ports: []int{80, 80}}}, "--istio-port: 80 is given twice"},
		{"open", Options{Target: Istio, Mesh: Mesh{Ports: []int{70000}}}, "--istio-port: must be 1 to 65535"},
		{"open", Options{Target: Istio, Mesh: Mesh{Selector: "app=a,app=b"}}, "--istio-selector: the label app is given twice"},
		{"open", Options{Target: Istio, Mesh: Mesh{Workload: "app=p"}}, "--istio-portcullis-selector: it requires --istio-callers"},
		{"open", Options{Target: Istio, Mesh: Mesh{Workload: "app", Callers: []string{"spiffe://cluster.local/ns/a/sa/b"}}}, `--istio-portcullis-selector: "app" is not a label`},
		{"open", Options{Target: Istio, Mesh: Mesh{Callers: []string{"cluster.local/ns/a/sa/b", "spiffe://cluster.local/ns/*", "spiffe://cluster.local", "spiffe://cluster.local/ns/../sa"}}},
			`"cluster.local/ns/a/sa/b" is not a SPIFFE id|"spiffe://cluster.local/ns/\*" is not a SPIFFE id|"spiffe://cluster.local" is not a SPIFFE id|"spiffe://cluster.local/ns/../sa" is not a SPIFFE id`},
		{"open", Options{Target: Istio, Portcullis: "portcullis.internal:9001", Mesh: Mesh{Callers: []string{"spiffe://cluster.local/ns/a/sa/b"}}}, "--istio-callers: .* does not contain the namespace"},
		{"open", Options{Mesh: Mesh{Callers: []string{"spiffe://cluster.local/ns/a/sa/b"}}}, "--istio-callers: it does not apply to --for bootstrap"},
		{"named upstreams", Options{Target: Istio, UpstreamOf: nil}, `apis\[0\].upstream: Istio's routes are not printed here`},
		{"named upstreams", Options{Target: EnvoyGateway, Upstream: "a.b:1"}, `apis\[0\].upstream: HTTPRoutes cannot read the answer of portcullis`},
		{"named upstreams", Options{UpstreamOf: map[string]string{"a1b2c3d4e5": "a:1", "a1b2c3d4e5/prod": "a:2"}}, "--upstream a1b2c3d4e5/prod: the routes of the API have upstreams|--upstream a1b2c3d4e5: the routes"},
		{"several", Options{Target: Istio}, "domains: api.example.com has several base paths"},
		{"private and public", Options{}, "--private-listen: private APIs need a listener of their own"},
		{"open", Options{VPCEndpoints: "networks"}, "--vpc-endpoints: it requires a private API"},
		{"private", Options{VPCEndpoints: "header"}, `--vpc-endpoints: "header" is not proxy-protocol, networks`},
		{"private", Options{VPCEndpoints: "networks"}, `apis\[0\].endpoint: PRIVATE: --vpc-endpoints networks: no entry of vpcEndpoints has networks`},
		{"private", Options{VPCEndpoints: "listener:internal"}, `apis\[0\].endpoint: PRIVATE: .* lists the listener "internal"`},
		{"private", Options{VPCEndpoints: "principals"}, "--vpc-endpoints principals: clients' certificates are not verified"},
		{"private", Options{Target: Istio, VPCEndpoints: "principals", Mesh: Mesh{Sidecar: true}}, "--vpc-endpoints principals: .* --istio-source-principal"},
		{"private", Options{Target: Istio, VPCEndpoints: "principals", Mesh: Mesh{Sidecar: true, Selector: "app=pets", SourcePrincipal: true}}, `apis\[0\].endpoint: PRIVATE: .* no entry of vpcEndpoints has principals`},
		{"private", Options{Target: Istio}, `apis\[0\].endpoint: PRIVATE: Istio cannot forward the TLV`},
		{"no domain", Options{}, "apis: no stage has domains"},
	} {
		c := all[tc.shape]
		if tc.shape == "no domain" {
			c = noDomain
		}
		out, err := Generate(c, tc.options)
		if err == nil || out.Text != "" {
			t.Errorf("%s, %+v: generated", tc.shape, tc.options)
			continue
		}
		for want := range strings.SplitSeq(tc.want, "|") {
			if !matches(want, err.Error()) {
				t.Errorf("%s, %+v: %v; want %s", tc.shape, tc.options, err, want)
			}
		}
	}
}

// What no virtual host of Istio's stands for; a sidecar has one, so that there can be one stage only; a listener's name is for private APIs alone.
func TestRefusedInAMesh(t *testing.T) {
	endpoint := api("a1b2c3d4e5", on("a.example.com"), "GET /pets")
	endpoint.Stages, endpoint.ExecuteAPIEndpoint = append(endpoint.Stages, gateway.Stage{Name: "test", Domains: on("t.example.com")}), true
	uploads := api("a1b2c3d4e5", on("a.example.com"), "PUT /uploads AWS_IAM", "GET /pets AWS_IAM")
	uploads.Routes[0].Signatures.UnsignedPayload = true
	open := func(domains ...string) *gateway.Config { return config(api("a1b2c3d4e5", domains, "GET /pets")) }
	for want, c := range map[string]*gateway.Config{
		"executeApiEndpoint: a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com has the API's stages as base paths": config(endpoint),
		"--unbuffered-uploads: API a1b2c3d4e5 has routes beside the uploads":                                    config(uploads),
		"domains: [::1]: a gateway of Istio has no virtual host for an IPv6 address":                            open("a.example.com", "[::1]"),
		"domains: pets: Istio takes a host without a dot for a service":                                         open("a.example.com", "pets"),
		"domains: my_pets.example.com: a VirtualService cannot have that host":                                  open("a.example.com", "my_pets.example.com"),
	} {
		o := Options{Target: Istio, UnbufferedUploads: true}
		if out, err := Generate(c, o); err == nil || out.Text != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		o.Mesh.Sidecar, o.Mesh.Selector = true, "app=pets"
		if _, err := Generate(c, o); (err == nil) != strings.HasPrefix(want, "domains") {
			t.Errorf("a sidecar, which has hosts of any kind, and %s: %v", want, err)
		}
	}
	uploads.Routes = uploads.Routes[:1]
	if text := mustGenerate(t, config(uploads), Options{Target: Istio, UnbufferedUploads: true}); strings.Contains(text, "includeRequestBodyInCheck") {
		t.Error("uploads are buffered")
	}
	two := config(api("a1b2c3d4e5", on("a.example.com"), "GET /pets"), api("b1b2c3d4e5", on("b.example.com"), "GET /pets"))
	if _, err := Generate(two, Options{Target: Istio, Mesh: Mesh{Sidecar: true, Selector: "app=pets"}}); err == nil || !strings.Contains(err.Error(), "--istio-sidecar: a sidecar does not tell hosts apart") {
		t.Errorf("%v", err)
	}
	both := shapes(t)["private and public"]
	both.VPCEndpoints = []gateway.VPCEndpoint{{VPC: "vpc-1a2b3c4d", Listeners: on("internal")}}
	if _, err := Generate(both, Options{Target: Istio, VPCEndpoints: "listener:internal"}); err == nil || !strings.Contains(err.Error(), "other APIs are public") {
		t.Errorf("%v", err)
	}
}
