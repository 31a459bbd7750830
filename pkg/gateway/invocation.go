package gateway

import (
	"net/netip"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// invocation is one request on its way through the flow: what came, and what has been found out so far.
type invocation struct {
	gateway   *model.Gateway
	request   *authz.Request
	requestID string

	// full is the canonical path with base path or stage name, host the canonical host.
	full canon.Path
	host string
	place
	// endpoint is the VPC endpoint that a private API's request came by, nil for any other API.
	endpoint *model.VPCEndpoint
	// readings are the other paths within the stage that servers may read the request's path as.
	readings []string
	route    *model.Route
	caller   authz.Caller
	// signed is who has signed the request, once that was asked and found out. identity is the same while the caller counts
	// as one of IAM's: a route without authorization knows nobody, signed or not.
	signed, identity *model.Signed
	// values are those of the authorizer's identity sources; token is the verified token, answer the function's answer.
	values []string
	token  model.Token
	answer model.LambdaAnswer
	// resource is what the resource policy says of the anonymous caller, once a Lambda authorizer's route has asked it.
	resource policy.Result

	valueBuffer    [4]string
	spellingBuffer [2]string
	// question is what policies are asked, one after the other. Its Resource is the method ARN, once that is built.
	question policy.Request
	// byEndpoint says that the connection itself came by a VPC endpoint: load balancer, listener or certificate attest it.
	byEndpoint, addressResolved bool
	address                     netip.Addr
	// reason is why the policies allow the request; its zero value does not.
	reason authz.Reason
	// setHeaders, removeHeaders and target are the upstream's.
	setHeaders    []authz.Field
	removeHeaders []string
	target        string
	// fault is the first thing that a policy or a mapping asked for and that cannot be told. It denies, whatever was decided
	// without it.
	fault *authz.Refusal
	// refusal is the denial, once there is one.
	refusal *authz.Refusal
}

func (in *invocation) fail(r *authz.Refusal) {
	if in.fault == nil {
		in.fault = r
	}
}

// clientAddress returns the client's address. It is read when a policy or a mapping asks for it and not before, so that a
// broken X-Forwarded-For is no concern of an API that does not look at addresses.
func (in *invocation) clientAddress() (netip.Addr, bool) {
	if !in.addressResolved {
		in.addressResolved = true
		var err error
		if in.address, err = in.gateway.Clients.Of(in.request, in.byEndpoint); err != nil {
			in.fail(answer.Forbid(authz.CodeBadClientAddress, err.Error()))
		}
	}
	return in.address, in.address.IsValid()
}

// singleHeader returns a header that has one line by definition. One with several cannot be judged: which line counts is up
// to whoever reads it.
func (in *invocation) singleHeader(name string) (string, bool) {
	value, lines := in.request.Header(name)
	if lines > 1 {
		in.fail(answer.Bad(authz.CodeBadRequest, "the header "+name+" has several lines"))
	}
	return value, lines == 1
}

// requestID is the id that Envoy gave the request if it is a UUID, or else a new random one: it goes into a header of the
// answer, and must not be of a client's making.
func requestID(id string) string {
	if isUUID(id) {
		return id
	}
	return authz.NewRequestID()
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if !canon.IsHex(s[i]) {
			return false
		}
	}
	return true
}
