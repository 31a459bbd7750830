package sam

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// schema is the type that each property of a resource or an event has.
type schema map[string]shape

// shape is the kinds that a property may have.
type shape struct {
	kinds []tree.Kind
	// plain takes no intrinsic function.
	plain bool
	// required properties must be there.
	required bool
}

var (
	anything  = shape{}
	aText     = shape{kinds: []tree.Kind{tree.Text}}
	aMap      = shape{kinds: []tree.Kind{tree.Map}}
	aList     = shape{kinds: []tree.Kind{tree.List}}
	aTruth    = shape{kinds: []tree.Kind{tree.Bool}}
	aNumber   = shape{kinds: []tree.Kind{tree.Number, tree.Bool}}
	textOrMap = shape{kinds: []tree.Kind{tree.Text, tree.Map}}
	plainBool = shape{kinds: []tree.Kind{tree.Bool}, plain: true}
	name      = shape{kinds: []tree.Kind{tree.Text}, required: true}
)

var restSchema = schema{
	"Name": textOrMap, "StageName": {kinds: textOrMap.kinds, required: true}, "Tags": aMap, "PropagateTags": aTruth,
	"DefinitionBody": aMap, "DefinitionUri": textOrMap, "MergeDefinitions": plainBool, "CacheClusterEnabled": aTruth,
	"CacheClusterSize": aText, "Variables": aMap, "EndpointConfiguration": textOrMap, "MethodSettings": aList, "BinaryMediaTypes": aList,
	"MinimumCompressionSize": aNumber, "Cors": textOrMap, "Auth": aMap, "GatewayResponses": aMap, "AccessLogSetting": aMap,
	"CanarySetting": aMap, "TracingEnabled": aTruth, "OpenApiVersion": aText, "Models": aMap, "Domain": aMap, "FailOnWarnings": aTruth,
	"Description": aText, "Mode": aText, "DisableExecuteApiEndpoint": aTruth, "ApiKeySourceType": aText, "AlwaysDeploy": plainBool,
	"Policy": textOrMap, "SecurityPolicy": aText, "EndpointAccessMode": aText,
}

var httpSchema = schema{
	"Name": anything, "StageName": textOrMap, "Tags": aMap, "PropagateTags": aTruth, "DefinitionBody": aMap, "DefinitionUri": textOrMap,
	"StageVariables": aMap, "CorsConfiguration": {kinds: []tree.Kind{tree.Bool, tree.Map}}, "AccessLogSettings": aMap,
	"DefaultRouteSettings": aMap, "Auth": aMap, "RouteSettings": aMap, "Domain": aMap, "FailOnWarnings": aTruth, "Description": aText,
	"DisableExecuteApiEndpoint": aTruth,
}

var functionSchema = schema{
	"FunctionName": textOrMap, "Role": aText, "Events": aMap, "AutoPublishAlias": aText, "Handler": anything, "Runtime": anything,
	"CodeUri": anything, "ImageUri": anything, "PackageType": anything, "InlineCode": anything, "DeadLetterQueue": anything,
	"Description": anything, "MemorySize": anything, "Timeout": anything, "VpcConfig": anything, "AssumeRolePolicyDocument": anything,
	"Policies": anything, "RolePath": anything, "PermissionsBoundary": anything, "Environment": anything, "Tags": anything,
	"PropagateTags": anything, "Tracing": anything, "KmsKeyArn": anything, "DeploymentPreference": anything,
	"ReservedConcurrentExecutions": anything, "Layers": anything, "EventInvokeConfig": anything, "EphemeralStorage": anything,
	"AutoPublishCodeSha256": anything, "AutoPublishAliasAllProperties": anything, "VersionDescription": anything,
	"ProvisionedConcurrencyConfig": anything, "FileSystemConfigs": anything, "ImageConfig": anything, "CodeSigningConfigArn": anything,
	"Architectures": anything, "SnapStart": anything, "FunctionUrlConfig": anything, "RuntimeManagementConfig": anything,
	"LoggingConfig": anything, "RecursiveLoop": anything, "SourceKMSKeyArn": anything, "CapacityProviderConfig": anything,
	"FunctionScalingConfig": anything, "VersionDeletionPolicy": anything, "PublishToLatestPublished": anything, "TenancyConfig": anything,
	"DurableConfig": anything,
}

var stateMachineSchema = schema{
	"Definition": anything, "DefinitionUri": anything, "Logging": anything, "Role": aText, "RolePath": anything,
	"DefinitionSubstitutions": anything, "Events": aMap, "Name": aText, "Type": anything, "Tags": anything, "PropagateTags": anything,
	"Policies": anything, "Tracing": anything, "PermissionsBoundary": anything, "AutoPublishAlias": anything,
	"DeploymentPreference": anything, "UseAliasAsEventTarget": plainBool,
}

var restEventSchema = schema{
	"Path": name, "Method": name, "RestApiId": name, "Stage": aText, "Auth": aMap, "RequestModel": aMap, "RequestParameters": aList,
	"TimeoutInMillis": aNumber, "ResponseTransferMode": aText,
}

var stateMachineEventSchema = schema{
	"Path": name, "Method": name, "RestApiId": name, "Stage": aText, "Auth": aMap, "UnescapeMappingTemplate": plainBool,
}

var httpEventSchema = schema{
	"Path": aText, "Method": aText, "ApiId": aText, "Stage": aText, "Auth": aMap, "TimeoutInMillis": aNumber, "RouteSettings": aMap,
	"PayloadFormatVersion": aText,
}

// conforms reports whether properties have the types of a schema. What has not is a fault.
func (t *transform) conforms(s schema, properties *tree.Node, at tree.Position, what string) bool {
	ok := true
	refuse := func(at tree.Position, format string, args ...any) {
		t.faults.Add(at, format, args...)
		ok = false
	}
	for _, p := range pairs(properties) {
		shape, known := s[p.Key]
		switch {
		case !known:
			refuse(p.At, "%s has no property %s: remove it", what, p.Key)
		case value.None(p.Value), len(shape.kinds) == 0, !shape.plain && value.OneKey(p.Value):
		case !slices.Contains(shape.kinds, p.Value.Kind), isFraction(p.Value) && shape.kinds[0] == tree.Number:
			refuse(p.Value.At, "%s of %s must be %s", p.Key, what, kindNames(shape.kinds))
		}
	}
	for _, key := range s.required() {
		if value.None(properties.Get(key)) {
			refuse(at, "%s has no %s: write it", what, key)
		}
	}
	return ok
}

func (s schema) required() []string {
	var keys []string
	for key, shape := range s {
		if shape.required {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func isFraction(n *tree.Node) bool { return n.Is(tree.Number) && strings.ContainsAny(n.Text, ".eE") }

func kindNames(kinds []tree.Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return strings.Join(names, " or ")
}
