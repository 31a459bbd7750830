package deploy

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// gatewayResources are where objects of the Gateway API and of Envoy Gateway are created.
var gatewayResources = map[string]string{
	"CustomResourceDefinition": "apis/apiextensions.k8s.io/v1 customresourcedefinitions",
	"GatewayClass":             "apis/gateway.networking.k8s.io/v1 gatewayclasses", "Gateway": "apis/gateway.networking.k8s.io/v1 gateways",
	"HTTPRoute": "apis/gateway.networking.k8s.io/v1 httproutes", "ReferenceGrant": "apis/gateway.networking.k8s.io/v1beta1 referencegrants",
	"ClientTrafficPolicy": "apis/gateway.envoyproxy.io/v1alpha1 clienttrafficpolicies", "SecurityPolicy": "apis/gateway.envoyproxy.io/v1alpha1 securitypolicies",
	"EnvoyPatchPolicy": "apis/gateway.envoyproxy.io/v1alpha1 envoypatchpolicies", "HTTPRouteFilter": "apis/gateway.envoyproxy.io/v1alpha1 httproutefilters",
	"Backend": "apis/gateway.envoyproxy.io/v1alpha1 backends",
}

// gatewayConfig has what the file of envoy/ has not: base paths, several stages, and more hosts than an HTTPRoute may have.
const gatewayConfig = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    executeApiEndpoint: true
    stages:
      - {name: pre_prod, domains: [api.example.com/pets/v.1, api.example.com/p+t, HOSTS]}
      - {name: prod, domains: [localhost]}
    routes: [{route: GET /pets, authorization: NONE}]
`

// checkGateway has the API server check what portcullis envoy prints for Envoy Gateway against the real definitions, field by field and by
// their rules. Faults are refused.
func (c *cluster) checkGateway(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(tool(t, "gateway"), "*.yaml"))
	must(t, err)
	for _, f := range files {
		for _, o := range objects(t, read(t, f)) {
			if status, text := c.create(t, o, ""); o["kind"] == "CustomResourceDefinition" && status != http.StatusCreated {
				t.Fatalf("%s: %d %.500s", f, status, text)
			}
		}
	}
	for _, kind := range []string{"HTTPRoute", "GatewayClass", "ReferenceGrant", "SecurityPolicy", "EnvoyPatchPolicy", "ClientTrafficPolicy", "HTTPRouteFilter", "Backend", "Gateway"} {
		group, resource, _ := strings.Cut(gatewayResources[kind], " ")
		end := time.Now().Add(clusterPatience)
		for status := 0; status != http.StatusOK; status, _ = c.do(t, http.MethodGet, "/"+group+"/"+resource, nil) {
			if time.Now().After(end) {
				t.Fatalf("%s is not served", kind)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for _, name := range []string{"pets", "portcullis"} { // others may have made them
		c.create(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}, "")
	}
	printed := read(t, "../envoy/envoy-gateway.yaml") + "\n---\n" + printedGateway(t)
	for _, o := range append(objects(t, printed), objects(t, savedAs(t, "../envoy/README.md", "eg.yaml"))...) {
		if status, text := c.create(t, o, "&dryRun=All"); status != http.StatusCreated {
			t.Errorf("%s %v: %d %s", o["kind"], o["metadata"], status, text)
		}
	}
	for _, fault := range [][2]string{
		{"failOpen: false", "failOpn: false"},
		{"maxRequestBytes: 1048576}", "maxRequestBytes: 0}"},
		{"timeout: 1s", "timeout: 1.5s"},
		{"{name: portcullis.stage, type: Value, value: prod}", "{name: portcullis.stage, type: Value}"},
		{"kind: Gateway, name: eg}\n  - {group", "kind: Service, name: eg}\n  - {group"},
		{"escapedSlashesAction: KeepUnchanged", "escapedSlashesAction: Keep"},
		{"hostnames: [pets.example.com]", "hostnames: [pets_example.com]"},
		{"op: add", "op: adds"},
	} {
		if text := strings.Replace(printed, fault[0], fault[1], 1); text == printed || !c.refusesOne(t, text) {
			t.Errorf("%s is accepted, or %s is not printed", fault[1], fault[0])
		}
	}
}

// refusesOne reports whether the API server refuses one of the objects.
func (c *cluster) refusesOne(t *testing.T, text string) bool {
	t.Helper()
	refused := 0
	for _, o := range objects(t, text) {
		if status, _ := c.create(t, o, "&dryRun=All"); status != http.StatusCreated {
			refused++
		}
	}
	return refused == 1
}

// printedGateway returns the output of portcullis envoy for gatewayConfig.
func printedGateway(t *testing.T) string {
	t.Helper()
	var hosts []string
	for _, letter := range "abcdefghijklmnopqrst" {
		hosts = append(hosts, string(letter)+".example.com")
	}
	dir := t.TempDir()
	save(t, dir, "portcullis.yaml", []byte(strings.Replace(gatewayConfig, "HOSTS", strings.Join(hosts, ", "), 1)))
	out, err := command(t, program(t), "envoy", "--for", "envoy-gateway", "--config", filepath.Join(dir, "portcullis.yaml"), "--gateway", "pets/eg", "--gateway-listener", "http",
		"--gateway-listener", "https", "--gateway-client-ca", "clients", "--timeout", "1500ms", "--upstream", "pets.example.com:8080", "--upstream", "a1b2c3d4e5/prod=10.1.2.3:80", "--portcullis", "portcullis.portcullis.svc:9001")
	if err != nil {
		t.Fatal(out)
	}
	_, text, _ := strings.Cut(out, "\n# The resources") // notes come first
	return "# The resources" + text
}

// savedAs is the block that a README says to save as a file.
func savedAs(t *testing.T, readme, file string) string {
	t.Helper()
	text, err := os.ReadFile(readme)
	must(t, err)
	_, after, _ := strings.Cut(string(text), "as `"+file+"`:\n")
	_, after, _ = strings.Cut(after, "```yaml\n")
	block, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatalf("%s does not save %s", readme, file)
	}
	return block
}
