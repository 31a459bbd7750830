package gateway

import (
	"strings"

	"github.com/gaissmai/bart"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// vpcEndpoint is a VPC endpoint that a request came by. Id or VPC may be unknown, and empty then.
type vpcEndpoint struct {
	id, vpc string
	policy  *policy.Policy
}

// vpcEndpoints finds the VPC endpoint that a request came by. All it goes by is what a client has no hand in: what the load
// balancer and Envoy's configuration attest, and the client's address.
type vpcEndpoints struct {
	byID, byListener map[string]*vpcEndpoint
	byNetwork        bart.Table[*vpcEndpoint]
	// byPrincipal has SPIFFE ids, and with a slash at the end those that hold all below them.
	byPrincipal map[string]*vpcEndpoint
}

// attested is the endpoint that the load balancer names, or else the one of Envoy's listener; nil if neither says anything.
// Of an endpoint that is not in the configuration no more is known than its id.
func (e *vpcEndpoints) attested(r *authz.Request) (*vpcEndpoint, error) {
	var found *vpcEndpoint
	if r.Listener != "" {
		if found = e.byListener[r.Listener]; found == nil {
			return nil, answer.Misconfigured("context_extensions portcullis.listener names a listener that no entry of vpcEndpoints lists")
		}
	}
	if r.VPCEndpoint != "" {
		if found = e.byID[r.VPCEndpoint]; found == nil {
			return &vpcEndpoint{id: r.VPCEndpoint}, nil
		}
	}
	return found, nil
}

// ofPrincipal is the endpoint of a workload by its SPIFFE id: the id itself counts before those that hold it, the longest first. nil if
// nothing is said of it, or there is no id.
func (e *vpcEndpoints) ofPrincipal(id string) *vpcEndpoint {
	if id == "" || len(e.byPrincipal) == 0 {
		return nil
	}
	if found := e.byPrincipal[id]; found != nil {
		return found
	}
	for end := strings.LastIndexByte(id, '/'); end > 0; end = strings.LastIndexByte(id[:end], '/') {
		if found := e.byPrincipal[id[:end+1]]; found != nil {
			return found
		}
	}
	return nil
}
