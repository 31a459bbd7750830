package config

import (
	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// httpAPI refuses what stands in the file of an HTTP API and what a gateway.API cannot tell.
func (c *compiler) httpAPI(m *configv1.API, n *yaml.Node, at *path) {
	if child(n, "resourcePolicy") != nil {
		c.ifNew(at.field("resourcePolicy"), "an HTTP API has no resource policy: remove it, or write kind: REST")
	}
	for i, r := range m.GetRoutes() {
		if r.GetApiKeyRequired() {
			c.ifNew(at.field("routes").item(i).field("apiKeyRequired"), "an HTTP API has no API keys: remove apiKeyRequired, or write kind: REST")
		}
	}
	if m.GetEndpoint() == configv1.Endpoint_EDGE {
		c.ifNew(at.field("endpoint"), "an HTTP API is regional: remove endpoint, or write kind: REST")
	}
}

func cors(m *configv1.Cors) *gateway.CORS {
	if m == nil {
		return nil
	}
	return &gateway.CORS{
		AllowOrigins: m.GetAllowOrigins(), AllowMethods: m.GetAllowMethods(), AllowHeaders: m.GetAllowHeaders(),
		ExposeHeaders: m.GetExposeHeaders(), MaxAge: int(m.GetMaxAge()), AllowCredentials: m.GetAllowCredentials(),
	}
}
