package gateway

import (
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// arrive finds the VPC endpoint that the request came by, and refuses a request that came the wrong way: a private API is
// called by an endpoint only, any other API never by one ("Private REST APIs in API Gateway").
//
// 2026-11-23: these identify the endpoint, the most exact first: the load balancer in front of Envoy (the PROXY protocol's TLV), the
// listener's name in Envoy's configuration, the certificate of the client, the client's network. No header does. The load balancer also
// names the client's address. X-Forwarded-For is read only to find the network: addresses of a customer's VPC may equal those of trusted
// proxies. Without an endpoint the answer is 403 Forbidden before any routing, so that private APIs look alike from outside. An API
// that is not private answers so if load balancer or listener attest an endpoint. Principals and networks do not matter to it, because
// public APIs are called from them too.
func (in *invocation) arrive(context.Context) outcome {
	e, err := in.gateway.Endpoints.Attested(in.request)
	if err != nil {
		return denyFor(err)
	}
	if !in.stage.API.Private {
		if e != nil {
			return deny(answer.Forbid(authz.CodeWrongEndpoint, "the request came by a VPC endpoint, and the API is not private"))
		}
		return goOn()
	}
	if e == nil {
		e = in.gateway.Endpoints.OfPrincipal(in.request.SourcePrincipal)
	}
	in.byEndpoint = e != nil
	if e == nil {
		if e, err = in.endpointOfNetwork(); err != nil {
			return denyFor(err)
		}
	}
	if named, _ := in.gateway.EndpointHost(in.host); named != "" && named != e.ID {
		return deny(answer.Forbid(authz.CodeWrongEndpoint, "the host names another VPC endpoint than the request came by"))
	}
	in.endpoint = e
	return goOn()
}

// endpointOfNetwork returns the endpoint that the client's network is mapped to.
func (in *invocation) endpointOfNetwork() (*model.VPCEndpoint, error) {
	addr, _ := in.clientAddress()
	if in.fault != nil {
		return nil, in.fault
	}
	e, ok := in.gateway.Endpoints.ByNetwork.Lookup(addr)
	if !ok {
		return nil, answer.Forbid(authz.CodeWrongEndpoint, "the API is private, and the request did not come by a known VPC endpoint")
	}
	return e, nil
}

// enterPrivateAPI makes the checks that precede the authorization of a private API's method, whatever its type. The VPC endpoint
// policy, if the endpoint has one, must allow the request ("Use VPC endpoint policies for private APIs"). The API must have a resource
// policy ("Create a private API": all calls fail until a policy is attached).
func (in *invocation) enterPrivateAPI(ctx context.Context) outcome {
	if !in.stage.API.Private {
		return goOn()
	}
	if attached := in.endpoint.Policy; attached != nil {
		caller, err := in.endpointCaller(ctx)
		if err != nil {
			return denyFor(err)
		}
		if _, refusal := in.ask(attached, caller); refusal != nil {
			in.identity = caller // the answer may name the signer
			return deny(refusal)
		}
	}
	if in.stage.API.Policy == nil {
		return deny(in.notAllowed(nil, policy.Resource, "the API is private and has no resource policy"))
	}
	return goOn()
}

// endpointCaller returns the caller that a VPC endpoint policy is asked about: the signer, or nil if the request is not signed
// and shows no identity that counts on the route.
//
// 2026-11-25: a VPC endpoint policy is asked about the signer, whatever the route's authorization, and about the anonymous caller
// if the request claims no signature. A signature that cannot be verified is denied before the policy is asked. If it counted as
// anonymous, a policy that denies one user would let in a request with that user's key id and a wrong signature.
func (in *invocation) endpointCaller(ctx context.Context) (*model.Signed, error) {
	if !claimsSignature(in.request) {
		return in.identify(ctx)
	}
	return in.verify()
}
