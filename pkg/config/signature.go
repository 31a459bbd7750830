package config

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

func (c *compiler) signatureOptions(m *configv1.Signatures, at *fault.Place) gateway.SignatureOptions {
	o := gateway.SignatureOptions{
		MaxExpires: c.seconds(m.GetMaxExpires(), at.Field("maxExpires")), PlusLiteral: m.GetLiteralPlus(), HostAliases: m.GetHostAliases(),
		DisableSigV4A: m.GetDisableSigv4A(),
	}
	if c.Follows(at.Field("hostAliases")) {
		o.HostAliases = nil
	}
	return o
}

func (c *compiler) routeSignatures(m *configv1.RouteSignatures, at *fault.Place) gateway.RouteSignatures {
	return gateway.RouteSignatures{MaxExpires: c.seconds(m.GetMaxExpires(), at.Field("maxExpires")), UnsignedPayload: m.GetUnsignedPayload()}
}

// seconds returns a number of seconds, zero for one that is at fault already: a verifier would refuse it again.
func (c *compiler) seconds(n int32, at *fault.Place) time.Duration {
	if c.Follows(at) {
		return 0
	}
	return time.Duration(n) * time.Second
}
