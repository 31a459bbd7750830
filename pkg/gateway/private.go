package gateway

import (
	"context"
	"net/url"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// arrive finds the VPC endpoint that the request came by, and refuses a request that came in the wrong way: a private API is
// called by an endpoint only, any other API by none ("Private REST APIs in API Gateway"). Principals and networks are looked at for
// private APIs alone, since a public one may be called from everywhere.
//
// 2026-11-23: a request of a private API came by a VPC endpoint if the load balancer in front of Envoy says so (the PROXY
// protocol's TLV), or else the listener's name in Envoy's configuration, or else the client's network: the most exact first,
// and no header at all. Where the load balancer speaks, the client's address is the one it names. There, and where the listener or a
// certificate speaks, X-Forwarded-For is not read: addresses of a customer's VPC may be those of our trusted proxies. Without an endpoint the answer is 403 Forbidden
// before any routing, so that from outside one private API looks like another. An API that is not private answers so to what
// load balancer and listener attest, and does not look at networks: people call public APIs from mapped networks too.
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

// endpointOfNetwork is the endpoint that the client's network is mapped to.
func (in *invocation) endpointOfNetwork() (*model.VPCEndpoint, error) {
	addr, _ := in.clientAddress()
	if in.fault != nil {
		return nil, in.fault
	}
	e, ok := in.gateway.Endpoints.ByNetwork.Lookup(addr)
	if !ok {
		return nil, answer.Forbid(authz.CodeWrongEndpoint, "the API is private, and the request came by no VPC endpoint that is known of")
	}
	return e, nil
}

// enterPrivateAPI asks what comes before the authorization of a private API's method, whatever its type: the VPC endpoint
// policy, if the endpoint has one, and whether there is a resource policy at all ("Use VPC endpoint policies for private
// APIs", "Create a private API": all calls fail until a policy is attached).
func (in *invocation) enterPrivateAPI(context.Context) outcome {
	if !in.stage.API.Private {
		return goOn()
	}
	if attached := in.endpoint.Policy; attached != nil {
		caller, err := in.endpointCaller()
		if err != nil {
			return denyFor(err)
		}
		if _, refusal := in.ask(attached, caller); refusal != nil {
			return deny(refusal)
		}
		in.identity = nil
	}
	if in.stage.API.Policy == nil {
		return deny(in.notAllowed(policy.Resource, "the API is private and has no resource policy"))
	}
	return goOn()
}

// endpointCaller is who a VPC endpoint policy is asked about: nobody in particular, unless the request is signed. A
// signature that cannot be verified denies, whatever the policy says.
//
// 2026-11-25: a VPC endpoint policy is asked about who has signed, whatever the route's authorization, and about the anonymous caller
// where nobody claims to have. A signature that does not count is denied before the policy is asked: taken for anonymous, the request
// would be let in by a policy that denies the very user whose key id it names.
func (in *invocation) endpointCaller() (policy.Principal, error) {
	if !claimsSignature(in.request) {
		return policy.Principal{}, nil
	}
	signed, err := in.verify()
	if err != nil {
		return policy.Principal{}, err
	}
	in.identity = signed
	return signed.Principal, nil
}

// claimsSignature reports whether a request has a part of a signature of version 4 or 4A, in Authorization or in its query.
// It would rather see too many: Envoy may have joined several lines of a header with commas, and names may be escaped.
func claimsSignature(r *authz.Request) bool {
	if signedInHeader(r) {
		return true
	}
	for name := range r.Query() {
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		switch canon.Lower(name) {
		case "x-amz-algorithm", "x-amz-credential", "x-amz-signature":
			return true
		}
	}
	return false
}

// signaturePrefix begins the names of the algorithms of version 4 and 4A, in lower case.
const signaturePrefix = "aws4-"

// signedInHeader is claimsSignature for Authorization alone.
func signedInHeader(r *authz.Request) bool {
	for line := range r.HeaderValues("authorization") {
		for value := range strings.SplitSeq(line, ",") {
			value = strings.Trim(value, " \t")
			if canon.Lower(value[:min(len(value), len(signaturePrefix))]) == signaturePrefix {
				return true
			}
		}
	}
	return false
}

// endpointKey is the value of a condition key about the VPC endpoint. Without an endpoint all are absent.
func (in *invocation) endpointKey(key policy.KeyID) (policy.Value, bool) {
	if in.endpoint == nil {
		return policy.Value{}, false
	}
	switch key {
	case policy.KeySourceVpc:
		return policy.StringValue(in.endpoint.VPC), in.endpoint.VPC != ""
	case policy.KeySourceVpce:
		return policy.StringValue(in.endpoint.ID), in.endpoint.ID != ""
	case policy.KeyVpcSourceIP:
		addr, ok := in.clientAddress()
		return policy.AddrValue(addr), ok
	default:
		return policy.Value{}, false
	}
}

// vpcID and vpceID are $context.identity.vpcId and vpceId.
func (in *invocation) vpcID() (string, bool) {
	if in.endpoint == nil {
		return "", false
	}
	return in.endpoint.VPC, in.endpoint.VPC != ""
}

func (in *invocation) vpceID() (string, bool) {
	if in.endpoint == nil {
		return "", false
	}
	return in.endpoint.ID, in.endpoint.ID != ""
}
