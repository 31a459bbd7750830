package config

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// apiKeys reads an API's API keys.
func (c *compiler) apiKeys(m *configv1.API, api *gateway.API, at *fault.Place) {
	if m.GetApiKeySource() != configv1.ApiKeySource_API_KEY_SOURCE_UNSPECIFIED {
		api.APIKeySource = gateway.APIKeySource(m.GetApiKeySource().String())
	}
	for i, key := range m.GetApiKeys() {
		at := at.Field("apiKeys").Item(i)
		api.APIKeys = append(api.APIKeys, gateway.APIKey{
			At: at, ID: key.GetId(), Name: key.GetName(), Value: c.apiKeyValue(key.GetValue(), at.Field("value")),
			Stages: c.apiKeyStages(key, api, at.Field("stages")), Enabled: key.Enabled == nil || key.GetEnabled(),
		})
	}
}

// apiKeyValue hashes the value of an API key, which is not kept: the hash cannot be shown as a key.
func (c *compiler) apiKeyValue(m *configv1.Secret, at *fault.Place) gateway.APIKeyValue {
	text := c.Secret(m, at)
	if m == nil || c.Follows(at) {
		return gateway.APIKeyValue{}
	}
	value, err := gateway.HashAPIKey(text)
	if err != nil {
		c.Fault(at, "%v", err)
	}
	return value
}

// apiKeyStages are the names of the stages on which an API key counts. A list without any is refused: it could be read as all of them.
func (c *compiler) apiKeyStages(m *configv1.ApiKey, api *gateway.API, at *fault.Place) []string {
	if c.Doc.Node(at) != nil {
		if len(m.GetStages()) == 0 {
			c.IfNew(at, "stages must name a stage; remove it for all stages, or write enabled: false for none")
		}
		return m.GetStages()
	}
	names := make([]string, len(api.Stages))
	for i, s := range api.Stages {
		names[i] = s.Name
	}
	return names
}

// gatherAPIKeys reads the files that hold values of API keys.
func (c *compiler) gatherAPIKeys() {
	for api := range c.Doc.Items(c.Doc.Root().Field("apis")) {
		for key := range c.Doc.Items(api.Field("apiKeys")) {
			c.GatherFile(key.Field("value"), reader.MaxSecretSize)
		}
	}
}
