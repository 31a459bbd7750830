package config

import "github.com/portcullis-authz/portcullis/pkg/config/source"

// schema is what config.proto does not say of its fields: names that people write for them, what is not supported, and what holds
// secrets.
var schema = source.Schema{Elsewhere: elsewhere, Unsupported: unsupported, Secrets: secrets}

// secrets are the fields of functions, of Redis and of API keys that hold secrets, or texts in which people write them, such as A=secret before a
// command, or the password in a URL.
var secrets = []string{"environment", "headers", "command", "url", "proxy", "password", "sentinelPassword", "key", "value"}

// elsewhere are the names that fields have in API Gateway's own interfaces, or in people's minds, and not here, as source.Schema has
// them.
var elsewhere = map[string]string{
	"openapi": "definition", "template": "definition", "body": "definition", "apiid": "id", "restapiid": "id", "httpapiid": "id", "accesskeyid": "id", "accountid": "account", "awsregion": "region",
	"protocoltype": "kind", "policy": "resourcePolicy", "corsconfiguration": "cors", "endpointtype": "endpoint",
	"stagename": "name", "stagevariables": "variables", "domain": "domains", "domainname": "domains", "host": "domains", "hosts": "domains",
	"routekey": "route", "path": "route", "method": "route", "httpmethod": "route", "resource": "route",
	"authorizationtype": "authorization", "authorizerid": "authorizer", "authorizationscopes": "scopes",
	"authorizeruri": "function", "functionarn": "function", "authorizerresultttlinseconds": "resultTtl", "ttl": "resultTtl",
	"authorizercredentials": "credentials", "authorizercredentialsarn": "credentials", "authorizerpayloadformatversion": "payloadFormatVersion",
	"identityvalidation": "identityValidationExpression", "providerarns": "userPools", "userpoolarn": "userPools",
	"responseparameters": "upstreamHeaders", "requestparameters": "upstreamHeaders",
	"secretaccesskey": "secret", "userarn": "user", "rolearn": "role", "rolesessionname": "sessionName",
}

// unsupported is what the design of portcullis has and this version does not. A change that builds one takes its row away.
var unsupported = []source.Unsupported{
	{Message: "API", Field: "usagePlans", Instead: "remove it: apiKeys says which keys count, and Envoy limits rates"},
	{Message: "API", Field: "requestValidators", Instead: "remove it: validate requests in the upstream"},
	{Message: "Stage", Field: "canarySettings", Instead: "remove it, and split the traffic in Envoy"},
}
