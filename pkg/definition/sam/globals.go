package sam

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// mergeable are the properties that Globals may have, by section.
var mergeable = map[string][]string{
	"Function": {
		"Handler", "Runtime", "CodeUri", "DeadLetterQueue", "Description", "MemorySize", "Timeout", "VpcConfig", "Environment", "Tags",
		"PropagateTags", "Tracing", "KmsKeyArn", "AutoPublishAlias", "AutoPublishAliasAllProperties", "Layers", "DeploymentPreference",
		"RolePath", "PermissionsBoundary", "ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "AssumeRolePolicyDocument",
		"EventInvokeConfig", "FileSystemConfigs", "CodeSigningConfigArn", "Architectures", "SnapStart", "EphemeralStorage",
		"FunctionUrlConfig", "RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop", "SourceKMSKeyArn", "TenancyConfig",
		"DurableConfig", "CapacityProviderConfig", "FunctionScalingConfig", "PublishToLatestPublished", "VersionDeletionPolicy",
	},
	"Api": {
		"Auth", "Name", "DefinitionUri", "CacheClusterEnabled", "CacheClusterSize", "MergeDefinitions", "Variables",
		"EndpointConfiguration", "MethodSettings", "BinaryMediaTypes", "MinimumCompressionSize", "Cors", "GatewayResponses",
		"AccessLogSetting", "CanarySetting", "TracingEnabled", "OpenApiVersion", "Domain", "AlwaysDeploy", "PropagateTags",
		"SecurityPolicy", "EndpointAccessMode",
	},
	"HttpApi": {
		"Auth", "AccessLogSettings", "StageVariables", "Tags", "CorsConfiguration", "DefaultRouteSettings", "Domain", "RouteSettings",
		"FailOnWarnings", "PropagateTags",
	},
	"SimpleTable": {"SSESpecification"}, "StateMachine": {"PropagateTags"}, "LayerVersion": {"PublishLambdaVersion"},
	"CapacityProvider": {
		"VpcConfig", "OperatorRole", "Tags", "InstanceRequirements", "ScalingConfig", "KmsKeyArn", "PropagateTags", "LoggingConfig",
		"ManagedResourceTags",
	},
	"MicrovmImage": {
		"BuildRoleArn", "BaseImageArn", "BaseImageVersion", "Logging", "EgressNetworkConnectors", "CpuConfigurations", "Resources",
		"AdditionalOsCapabilities", "Hooks", "EnvironmentVariables", "Tags", "PropagateTags",
	},
	"NetworkConnector": {"OperatorRole", "Tags", "PropagateTags"},
	"WebSocketApi": {
		"AccessLogSettings", "ApiKeySelectionExpression", "DefaultRouteSettings", "DisableExecuteApiEndpoint", "DisableSchemaValidation",
		"Domain", "FailOnWarnings", "IpAddressType", "PropagateTags", "RouteSelectionExpression", "RouteSettings", "StageVariables", "Tags",
	},
}

// mergeGlobals merges the section Globals into the properties of the resources, and removes it.
func (t *transform) mergeGlobals() {
	globals := t.root.Get("Globals")
	if t.root.Has("Globals") && !globals.Is(tree.Map) {
		t.faults.Add(globals.Position(), "Globals must be a map of sections: write one, such as Api, or remove it")
	}
	if globals.Is(tree.Map) {
		for _, section := range globals.Pairs {
			t.checkSection(section)
		}
		for _, resource := range t.resources.Pairs {
			t.mergeInto(resource, globals)
		}
		value.Delete(t.root, "Globals")
	}
	t.setVersions()
}

func (t *transform) checkSection(section tree.Pair) {
	supported, known := mergeable[section.Key]
	switch {
	case !known:
		t.faults.Add(section.At, "Globals has no section %s: it must be one of %s", section.Key, list(mergeable))
	case !section.Value.Is(tree.Map):
		t.faults.Add(section.At, "the section %s of Globals must be a map of properties", section.Key)
	default:
		for _, p := range section.Value.Pairs {
			if !slices.Contains(supported, p.Key) {
				t.faults.Add(p.At, "%s cannot be in the section %s of Globals: write it in each resource", p.Key, section.Key)
			}
		}
	}
}

// mergeInto merges the globals of a resource's type into its properties.
func (t *transform) mergeInto(resource tree.Pair, globals *tree.Node) {
	kind := serverless(resource.Value)
	section := globals.Get(kind)
	if !section.Is(tree.Map) {
		return
	}
	merged := merge(t.notIgnored(resource, section), properties(resource.Value), kind == "Function")
	value.Put(resource.Value, "Properties", resource.At, merged)
}

// notIgnored returns the properties of a section that a resource does not ignore by its attribute IgnoreGlobals.
func (t *transform) notIgnored(resource tree.Pair, section *tree.Node) *tree.Node {
	ignored := resource.Value.Get("IgnoreGlobals")
	switch {
	case !value.Truthy(ignored):
		return section
	case value.Says(ignored, "*"):
		return tree.NewMap(section.At)
	case !ignored.Is(tree.List):
		t.faults.Add(ignored.At, "IgnoreGlobals of %s must be \"*\" or a list of properties", resource.Key)
		return section
	}
	kept := value.Copy(section)
	for _, item := range ignored.Items {
		if !kept.Has(value.String(item)) {
			t.faults.Add(item.Position(), "IgnoreGlobals of %s names %s, which Globals does not have: remove it", resource.Key, value.String(item))
		}
		value.Delete(kept, value.String(item))
	}
	return kept
}

// merge returns a local value with a global one merged into it. Maps are merged key by key and lists are joined, the global one first.
// Of anything else, and of intrinsic functions, the local value is all. The architectures of a function are not joined.
func merge(global, local *tree.Node, function bool) *tree.Node {
	switch {
	case plainMap(global) && plainMap(local):
		made := tree.NewMap(local.At)
		made.Pairs = slices.Clone(global.Pairs)
		for _, p := range local.Pairs {
			if g := made.Pair(p.Key); g != nil && (!function || p.Key != "Architectures") {
				*g = tree.Pair{Key: p.Key, At: p.At, Value: merge(g.Value, p.Value, false)}
				continue
			}
			value.Put(made, p.Key, p.At, p.Value)
		}
		return made
	case global.Is(tree.List) && local.Is(tree.List):
		return tree.NewList(local.At, slices.Concat(global.Items, local.Items)...)
	default:
		return local
	}
}

func plainMap(n *tree.Node) bool { return n.Is(tree.Map) && !value.Intrinsic(n) }

// setVersions makes the documents that SAM makes itself OpenAPI 3 where the API asks for it.
func (t *transform) setVersions() {
	for _, resource := range t.resources.Pairs {
		p := properties(resource.Value)
		version := p.Get("OpenApiVersion")
		if serverless(resource.Value) != "Api" || !t.managed[resource.Key] || !document.IsVersion3(version) {
			continue
		}
		version = tree.NewText(version.Text, version.At)
		value.Put(p, "OpenApiVersion", version.At, version)
		body := p.Get("DefinitionBody")
		value.Put(body, "openapi", version.At, version)
		value.Delete(body, "swagger")
	}
}

// list returns the keys of a map for a message.
func list[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

const (
	// maxEvents is how many events may call APIs. SAM makes a resource of each, and CloudFormation takes 500.
	maxEvents = 500
	// maxMerged is how many values Globals may add to the resources. CloudFormation takes templates of 1 MB, once they are transformed.
	maxMerged = 500_000
)

// checkSize refuses a template of which SAM makes more than CloudFormation takes, before it is made.
func (t *transform) checkSize() {
	resources := map[string]int{}
	events := 0
	for _, r := range t.resources.Pairs {
		resources[serverless(r.Value)]++
		for _, event := range value.Pairs(properties(r.Value).Get("Events")) {
			kind := event.Value.Get("Type")
			if value.Says(kind, rest.event) || value.Says(kind, http.event) {
				events++
			}
			if events == maxEvents+1 {
				t.faults.Add(event.At, "the template has more than %d events of APIs: SAM makes a resource of each, and CloudFormation takes 500; write a definition of the API instead", maxEvents)
			}
		}
	}
	for _, section := range value.Pairs(t.root.Get("Globals")) {
		if n := resources[section.Key]; n > 1 && n*countUpTo(section.Value, maxMerged/n+1) > maxMerged {
			t.faults.Add(section.At, "SAM would merge the section %s of Globals into %d resources, which makes more than %d values: write less of it there", section.Key, n, maxMerged)
		}
	}
}

// countUpTo counts the values in a value, and stops at most.
func countUpTo(n *tree.Node, most int) int {
	count := 0
	for range n.All() {
		if count++; count >= most {
			break
		}
	}
	return count
}
