package gateway

import (
	"errors"
	"net/netip"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// invocation is one request on its way through the steps: the request, and what the steps have found out so far.
type invocation struct {
	gateway   *model.Gateway
	request   *authz.Request
	requestID string
	// step is the step that runs. trace records the steps; nil for a decision that nobody wants explained.
	step  authz.Step
	trace *Trace

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
	// signed is the verified signer of the request, nil until a step has verified the signature. identity is the same signer if the
	// caller counts as an IAM principal: a route without authorization has an anonymous caller, signed or not.
	signed, identity *model.Signed
	// values are those of the authorizer's identity sources; token is the verified token, answer the function's answer.
	values []string
	token  model.Token
	answer model.LambdaAnswer
	// cache reports whether token or answer was in a cache.
	cache authz.CacheState
	// apiKey is the verified API key of a route that requires one, and shownKey its value.
	apiKey   *model.APIKey
	shownKey string
	// resource is the resource policy's result for the anonymous caller, set on routes with a Lambda authorizer.
	resource policy.Result

	valueBuffer    [4]string
	spellingBuffer [2]string
	// question is what policies are asked, one after the other. Its Resource is the method ARN, once that is built; its Context is
	// asker.
	question policy.Request
	asker    asker
	// denied is the denial by policies; nil until there is one.
	denied *denial
	// byEndpoint reports that the connection itself came by a VPC endpoint, attested by the load balancer, the listener or a
	// certificate.
	byEndpoint, addressResolved bool
	address                     netip.Addr
	// reason is why the policies allow the request; its zero value does not allow.
	reason authz.Reason
	// watchedLines are the lines that watched returns, once isWatched reports that they are known.
	watchedLines []authz.Field
	isWatched    bool
	// setHeaders, removeHeaders and target change the upstream's request.
	setHeaders    []authz.Field
	removeHeaders []string
	target        string
	// fault is the first value that a policy or a mapping needs and that cannot be determined. It denies, whatever was decided without
	// the value.
	fault *authz.Refusal
	// refusal is the denial that is being rendered.
	refusal *authz.Refusal
}

// asker is a request and the caller that policies are asked about. A nil signed is the anonymous caller.
type asker struct {
	in     *invocation
	signed *model.Signed
}

// denial is the result of a policy that denied. A nil policy stands for the signer's policies with the API's.
type denial struct {
	by     *policy.Policy
	result policy.Result
}

// place is the stage that a request is for, and the path within it.
type place struct {
	stage *model.Stage
	path  string
	// shared is the host if base paths or stage names divide it, nil otherwise.
	shared *model.Host
}

// outcome is how a step ends. Its zero value denies.
type outcome struct {
	verdict verdict
	// refusal is why the step denies; nil stands for an internal error.
	refusal *authz.Refusal
}

// verdict says what comes after a step.
type verdict uint8

const (
	// denies ends in a denial.
	denies verdict = iota
	// goesOn leads to the next step.
	goesOn
	// answers ends in the answer to a preflight, in place of the upstream's.
	answers
	// allows lets the request pass.
	allows
)

func goOn() outcome { return outcome{verdict: goesOn} }

func deny(r *authz.Refusal) outcome { return outcome{refusal: r} }

// denyFor denies with the refusal that err wraps. Any other error is an internal error, of which the client is told nothing.
func denyFor(err error) outcome {
	if r, ok := errors.AsType[*authz.Refusal](err); ok {
		return deny(r)
	}
	return deny(answer.Internal(authz.CodeInternal, err.Error()))
}

// unless denies if err is not nil, and goes on otherwise.
func unless(err error) outcome {
	if err != nil {
		return denyFor(err)
	}
	return goOn()
}

// fail notes the first value that cannot be determined.
func (in *invocation) fail(r *authz.Refusal) {
	if in.fault == nil {
		in.fault = r
	}
}

// clientAddress returns the client's address. The address is read when a policy or a mapping asks for it, so that a broken
// X-Forwarded-For does not affect an API that does not use addresses.
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

// knownAddress returns the client's address for the operator. An address that cannot be read does not change the decision, if no policy
// asked for it.
func (in *invocation) knownAddress() netip.Addr {
	if in.addressResolved {
		return in.address
	}
	address, err := in.gateway.Clients.Of(in.request, in.byEndpoint)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// singleHeader returns the value of a header that has one line by definition. Several lines are a fault, because servers differ in which
// one they use.
func (in *invocation) singleHeader(name string) (string, bool) {
	value, lines := in.request.Header(name)
	if lines > 1 {
		in.fail(answer.Bad(authz.CodeBadRequest, "the header "+name+" has several lines"))
	}
	return value, lines == 1
}

// requestID returns the id that Envoy gave the request if it is a UUID, and a new random UUID otherwise. The id goes into a header of the
// answer, so a client must not choose its form.
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
