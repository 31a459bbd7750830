package gateway

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Lookup returns the value of a condition key; false means that the key is absent. It is called while a policy is
// evaluated, for the keys that the policy names.
//
// 2026-11-25: portcullis:SourcePrincipal is the one condition key that is not AWS': the SPIFFE id of the workload that has connected to
// Envoy. A CheckRequest names the peer of any certificate, also of one that Envoy was told to accept unverified, so that it counts only
// where Envoy's configuration attests it (portcullis.sourcePrincipal: verified), and is absent otherwise. No header has a part in it.
// Like any key it can be absent: allow by StringEquals or StringLike, or deny by StringNotEquals, never deny by StringEquals alone.
func (in *invocation) Lookup(key *policy.Key) (policy.Value, bool) {
	switch key.ID() {
	case policy.KeyCurrentTime:
		return policy.TimeValue(in.time()), true
	case policy.KeyEpochTime:
		return policy.NumberValue(in.time().Unix()), true
	case policy.KeySecureTransport:
		return policy.BoolValue(in.secureTransport()), true
	case policy.KeySourceIP:
		if in.endpoint != nil {
			return policy.Value{}, false
		}
		addr, ok := in.clientAddress()
		return policy.AddrValue(addr), ok
	case policy.KeySourceVpc, policy.KeySourceVpce, policy.KeyVpcSourceIP:
		return in.endpointKey(key.ID())
	case policy.KeySourcePrincipal:
		return policy.StringValue(in.request.SourcePrincipal), in.request.SourcePrincipal != ""
	case policy.KeyReferer:
		value, ok := in.singleHeader("referer")
		return policy.StringValue(value), ok
	case policy.KeyUserAgent:
		value, ok := in.singleHeader("user-agent")
		return policy.StringValue(value), ok
	case policy.KeyViaAWSService:
		return policy.BoolValue(false), true
	case policy.KeyPrincipalType:
		return in.principalType(key)
	default:
		return in.principalKey(key)
	}
}

// time is when the request came.
func (in *invocation) time() time.Time {
	if in.request.Time.IsZero() {
		in.fail(answer.Internal(authz.CodeInternal, "the request has no time"))
	}
	return in.request.Time
}

// secureTransport reports whether the client's connection is encrypted: as Envoy's configuration attests, or else by the
// server name of the TLS session, which is all of it that Envoy tells.
func (in *invocation) secureTransport() bool {
	switch in.request.Transport {
	case authz.TransportSecure:
		return true
	case authz.TransportForwardedProto:
		proto, lines := in.request.Header("x-forwarded-proto")
		return lines == 1 && proto == "https"
	case authz.TransportUnstated:
		return in.request.ServerName != ""
	default:
		return false
	}
}
