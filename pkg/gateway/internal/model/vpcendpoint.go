package model

import (
	"strings"

	"github.com/gaissmai/bart"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// VPCEndpoint is a VPC endpoint that a request came by. Id or VPC may be unknown, and empty then.
type VPCEndpoint struct {
	ID, VPC string
	Policy  *policy.Policy
}

// VPCEndpoints finds the VPC endpoint that a request came by. All it goes by is what a client has no hand in: what the load
// balancer and Envoy's configuration attest, and the client's address.
type VPCEndpoints struct {
	ByID, ByListener map[string]*VPCEndpoint
	ByNetwork        bart.Table[*VPCEndpoint]
	// ByPrincipal has SPIFFE ids, and with a slash at the end those that hold all below them.
	ByPrincipal map[string]*VPCEndpoint
}

// Attested is the endpoint that the load balancer names, or else the one of Envoy's listener; nil if neither says anything.
// Of an endpoint that is not in the configuration no more is known than its id.
//
// 2026-11-23: of a VPC endpoint that the configuration does not list, aws:SourceVpce is known, and no more. A Deny on
// aws:SourceVpc can therefore hold for listed endpoints only, and is a fault where none has a VPC.
func (e *VPCEndpoints) Attested(r *authz.Request) (*VPCEndpoint, error) {
	var found *VPCEndpoint
	if r.Listener != "" {
		if found = e.ByListener[r.Listener]; found == nil {
			return nil, answer.Misconfigured("context_extensions portcullis.listener names a listener that no entry of vpcEndpoints lists")
		}
	}
	if r.VPCEndpoint != "" {
		if found = e.ByID[r.VPCEndpoint]; found == nil {
			return &VPCEndpoint{ID: r.VPCEndpoint}, nil
		}
	}
	return found, nil
}

// OfPrincipal is the endpoint of a workload by its SPIFFE id: the id itself counts before those that hold it, the longest first. nil if
// nothing is said of it, or there is no id.
//
// 2026-11-26: between the listener and the network stands the workload's verified SPIFFE id (vpcEndpoints[].principals): a certificate is
// surer than an address, and says less of the request than what the owner of Envoy wrote about a listener. As with networks, it says
// nothing about a public API, which the same workloads may call. Its wildcard is for whole segments at the end alone.
func (e *VPCEndpoints) OfPrincipal(id string) *VPCEndpoint {
	if id == "" || len(e.ByPrincipal) == 0 {
		return nil
	}
	if found := e.ByPrincipal[id]; found != nil {
		return found
	}
	for end := strings.LastIndexByte(id, '/'); end > 0; end = strings.LastIndexByte(id[:end], '/') {
		if found := e.ByPrincipal[id[:end+1]]; found != nil {
			return found
		}
	}
	return nil
}
