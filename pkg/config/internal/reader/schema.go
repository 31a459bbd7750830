package reader

import "github.com/portcullis-authz/portcullis/pkg/config/source"

// Schema has the properties of fields that config.proto does not state: common other names, unsupported fields, and secret fields.
var Schema = source.Schema{Elsewhere: elsewhere, Unsupported: unsupported, Secrets: secrets}

// secrets are fields that hold secrets, or texts that often contain them, such as A=secret before a command, or a
// password in a URL.
var secrets = []string{"environment", "headers", "command", "url", "proxy", "password", "sentinelPassword", "key", "value", "secret"}

// elsewhere maps names from API Gateway's own interfaces, and other likely names, to the names here (source.Schema).
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

// unsupported lists what the format has and this version does not support. A change that builds one removes its row.
var unsupported = []source.Unsupported{
	{Message: "API", Field: "usagePlans", Instead: "remove it: apiKeys says which keys count, and Envoy limits rates"},
	{Message: "API", Field: "requestValidators", Instead: "remove it: validate requests in the upstream"},
	{Message: "Stage", Field: "canarySettings", Instead: "remove it, and split the traffic in Envoy"},
}
