package model

import (
	"github.com/gaissmai/bart"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// VPCEndpoint is a VPC endpoint that a request came by. An unknown id or VPC is empty.
type VPCEndpoint struct {
	ID, VPC string
	Policy  *policy.Policy
}

// VPCEndpoints finds the VPC endpoint that a request came by. It uses only what clients cannot choose: what the load
// balancer, certificates and Envoy's configuration attest, and the client's address.
type VPCEndpoints struct {
	ByID, ByListener map[string]*VPCEndpoint
	ByNetwork        bart.Table[*VPCEndpoint]
	// ByPrincipal has SPIFFE ids. An id with a slash at its end matches all ids below it.
	ByPrincipal map[string]*VPCEndpoint
}

// Attested returns the endpoint that the load balancer names, or that of Envoy's listener. It returns nil if neither attests one.
//
// 2026-11-23: of a VPC endpoint that the configuration does not list, only aws:SourceVpce is known. A Deny on aws:SourceVpc can therefore
// match for listed endpoints only, and is a fault if none has a VPC.
func (e *VPCEndpoints) Attested(r *authz.Request) (*VPCEndpoint, error) {
	var found *VPCEndpoint
	if r.Listener != "" {
		if found = e.ByListener[r.Listener]; found == nil {
			return nil, answer.Misconfigured("context_extensions portcullis.listener names a listener that is not in vpcEndpoints")
		}
	}
	if r.VPCEndpoint != "" {
		if found = e.ByID[r.VPCEndpoint]; found == nil {
			return &VPCEndpoint{ID: r.VPCEndpoint}, nil
		}
	}
	return found, nil
}

// OfPrincipal returns the endpoint of a workload by its SPIFFE id, nil if there is none.
//
// 2026-11-26: the workload's verified SPIFFE id (vpcEndpoints[].principals) comes after the listener and before the network. A certificate
// is more reliable than an address, and says less about the request than Envoy's configuration of the listener. Like networks, it does
// not affect public APIs, which the same workloads may call. Its wildcard stands for whole segments at the end.
func (e *VPCEndpoints) OfPrincipal(id string) *VPCEndpoint {
	found, _ := authz.BySPIFFE(e.ByPrincipal, id)
	return found
}
