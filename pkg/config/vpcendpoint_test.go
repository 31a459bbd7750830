package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

const privateAPI = `vpcEndpoints: [{id: vpce-1a2b3c4d, policy: {file: endpoint.json}}]
`

// A VPC endpoint's policy is one of the files of a configuration: read before any of them is looked into, and watched.
func TestEndpointPolicyIsOfTheSet(t *testing.T) {
	dir := t.TempDir()
	main, policy := filepath.Join(dir, "portcullis.yaml"), filepath.Join(dir, "endpoint.json")
	write(t, main, []byte(good+privateAPI))
	write(t, policy, []byte(`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}`))
	if diff := cmp.Diff([]string{main, policy}, read(Input{Path: main}, pool.Dry()).Files.Names()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// What is written is what decides: endpoint type, endpoint, VPC, networks, listeners and policy.
func TestPrivateAPIIsCompiled(t *testing.T) {
	dir := t.TempDir()
	config := strings.Replace(good, "    routes:", `    endpoint: PRIVATE
    resourcePolicy: '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}}}]}'
    routes:`, 1)
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(config+strings.Replace(privateAPI, "policy:", "vpc: vpc-1a2b3c4d, networks: [10.1.0.0/16], listeners: [internal], policy:", 1)))
	write(t, filepath.Join(dir, "endpoint.json"), []byte(`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "arn:aws:execute-api:*:*:*/GET/pets"}]}`))
	s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*authz.Request)
		code   authz.Code
	}{
		"by nothing":           {func(*authz.Request) {}, authz.CodeWrongEndpoint},
		"by the load balancer": {func(r *authz.Request) { r.VPCEndpoint = "vpce-1a2b3c4d" }, authz.CodeAllowed},
		"by the listener":      {func(r *authz.Request) { r.Listener = "internal" }, authz.CodeAllowed},
		"by the network":       {func(r *authz.Request) { r.Peer = netip.MustParseAddr("10.1.2.3") }, authz.CodeAllowed},
		"by another endpoint":  {func(r *authz.Request) { r.VPCEndpoint = "vpce-ffffffff" }, authz.CodeImplicitDeny},
		"to what its policy does not allow": {func(r *authz.Request) {
			r.VPCEndpoint, r.Target = "vpce-1a2b3c4d", "/health"
		}, authz.CodeImplicitDeny},
	} {
		r := &authz.Request{Method: "GET", Target: "/pets", Host: "pets.example.com", Time: time.Unix(1, 0), Peer: netip.MustParseAddr("192.0.2.9")}
		tt.change(r)
		if d := s.Gateway.Authorize(t.Context(), r); d.Reason.Code != tt.code || d.Allow != (tt.code == authz.CodeAllowed) {
			t.Errorf("%s: %+v, want %s", name, d.Reason, tt.code)
		}
	}
}
