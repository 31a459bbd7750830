package sam

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// functionEvents and stateMachineEvents are the types that events may have.
var (
	functionEvents = []string{
		"AlexaSkill", "Api", "CloudWatchEvent", "CloudWatchLogs", "Cognito", "DocumentDB", "DynamoDB", "EventBridgeRule", "HttpApi", "IoTRule",
		"Kinesis", "MQ", "MSK", "S3", "SNS", "SQS", "Schedule", "ScheduleV2", "SelfManagedKafka",
	}
	stateMachineEvents = []string{"Api", "CloudWatchEvent", "EventBridgeRule", "Schedule", "ScheduleV2"}
)

var functionSchema = value.Schema{
	"FunctionName": value.TextOrMap, "Role": value.AText, "Events": value.AMap, "AutoPublishAlias": value.AText, "Handler": value.Anything, "Runtime": value.Anything,
	"CodeUri": value.Anything, "ImageUri": value.Anything, "PackageType": value.Anything, "InlineCode": value.Anything, "DeadLetterQueue": value.Anything,
	"Description": value.Anything, "MemorySize": value.Anything, "Timeout": value.Anything, "VpcConfig": value.Anything, "AssumeRolePolicyDocument": value.Anything,
	"Policies": value.Anything, "RolePath": value.Anything, "PermissionsBoundary": value.Anything, "Environment": value.Anything, "Tags": value.Anything,
	"PropagateTags": value.Anything, "Tracing": value.Anything, "KmsKeyArn": value.Anything, "DeploymentPreference": value.Anything,
	"ReservedConcurrentExecutions": value.Anything, "Layers": value.Anything, "EventInvokeConfig": value.Anything, "EphemeralStorage": value.Anything,
	"AutoPublishCodeSha256": value.Anything, "AutoPublishAliasAllProperties": value.Anything, "VersionDescription": value.Anything,
	"ProvisionedConcurrencyConfig": value.Anything, "FileSystemConfigs": value.Anything, "ImageConfig": value.Anything, "CodeSigningConfigArn": value.Anything,
	"Architectures": value.Anything, "SnapStart": value.Anything, "FunctionUrlConfig": value.Anything, "RuntimeManagementConfig": value.Anything,
	"LoggingConfig": value.Anything, "RecursiveLoop": value.Anything, "SourceKMSKeyArn": value.Anything, "CapacityProviderConfig": value.Anything,
	"FunctionScalingConfig": value.Anything, "VersionDeletionPolicy": value.Anything, "PublishToLatestPublished": value.Anything, "TenancyConfig": value.Anything,
	"DurableConfig": value.Anything,
}

var stateMachineSchema = value.Schema{
	"Definition": value.Anything, "DefinitionUri": value.Anything, "Logging": value.Anything, "Role": value.AText, "RolePath": value.Anything,
	"DefinitionSubstitutions": value.Anything, "Events": value.AMap, "Name": value.AText, "Type": value.Anything, "Tags": value.Anything, "PropagateTags": value.Anything,
	"Policies": value.Anything, "Tracing": value.Anything, "PermissionsBoundary": value.Anything, "AutoPublishAlias": value.Anything,
	"DeploymentPreference": value.Anything, "UseAliasAsEventTarget": value.PlainBool,
}

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9\-_]+$`)

// expandFunction makes a function, and adds the operations of its events to their APIs.
func (t *transform) expandFunction(r tree.Pair) {
	p := properties(r.Value)
	if !t.faults.Conforms(functionSchema, p, r.At, "the function "+r.Key) {
		return
	}
	made := tree.NewMap(r.At)
	for _, key := range []string{"FunctionName", "Role"} {
		if n := p.Get(key); value.Truthy(n) {
			value.Put(made, key, n.At, n)
		}
	}
	if value.None(p.Get("Role")) {
		t.emitRole(r, r.Key+"Role")
		value.Put(made, "Role", r.At, value.GetAtt(r.Key+"Role", "Arn", r.At))
	}
	t.emit(r, r.Key, "AWS::Lambda::Function", made)
	target := "${" + r.Key + ".Arn}"
	if alias := t.alias(r, p); alias != "" {
		target = "${" + alias + "}"
	}
	for _, event := range t.events(r, functionEvents) {
		switch value.String(event.Value.Get("Type")) {
		case "Api":
			t.addRESTEvent(r, event, target)
		case "HttpApi":
			t.addHTTPEvent(r, event, target)
		}
	}
}

// alias makes the version and the alias of a function that publishes them, and returns the logical id of the alias; the empty text if
// there is none.
func (t *transform) alias(r tree.Pair, p *tree.Node) string {
	given := p.Get("AutoPublishAlias")
	if !value.Truthy(given) {
		return ""
	}
	alias := t.parameters.Resolve(given)
	switch {
	case !alias.Is(tree.Text):
		t.faults.Add(given.At, "AutoPublishAlias of the function %s must be a text%s", r.Key, toGive(given))
		return ""
	case !aliasName.MatchString(alias.Text) || strings.Trim(alias.Text, "0123456789") == "":
		t.faults.Add(given.At, "AutoPublishAlias of the function %s must be of letters, digits, - and _, and not of digits alone", r.Key)
		return ""
	}
	version := r.Key + "Version" + value.Hash(value.JSON(p.Get("CodeUri")))
	id := r.Key + "Alias" + strings.NewReplacer("-", "D", "_", "U").Replace(alias.Text)
	function := value.Ref(r.Key, r.At)
	t.emit(r, version, "AWS::Lambda::Version", value.Object(r.At, "FunctionName", function))
	t.emit(r, id, "AWS::Lambda::Alias", value.Object(given.At, "Name", alias, "FunctionName", function,
		"FunctionVersion", value.GetAtt(version, "Version", r.At)))
	t.references.Add(r.Key, "Version", version)
	t.references.Add(r.Key, "Alias", id)
	return id
}

// expandStateMachine makes a state machine, and adds the operations of its events to their APIs.
func (t *transform) expandStateMachine(r tree.Pair) {
	p := properties(r.Value)
	if !t.faults.Conforms(stateMachineSchema, p, r.At, "the state machine "+r.Key) {
		return
	}
	made := tree.NewMap(r.At)
	if n := p.Get("Name"); !value.None(n) {
		value.Put(made, "StateMachineName", n.At, n)
	}
	if !value.Truthy(p.Get("Role")) {
		t.emitRole(r, r.Key+"Role")
	}
	t.emit(r, r.Key, "AWS::StepFunctions::StateMachine", made)
	target := r.Key
	if alias := p.Get("AutoPublishAlias"); value.Truthy(alias) && value.True(p.Get("UseAliasAsEventTarget")) {
		target += "Alias" + value.String(alias)
		t.emit(r, target, "AWS::StepFunctions::StateMachineAlias", value.Object(alias.At, "Name", alias))
	}
	for _, event := range t.events(r, stateMachineEvents) {
		if value.Says(event.Value.Get("Type"), "Api") {
			t.addStateMachineEvent(r, event, target)
		}
	}
}

// events returns the events of a function or a state machine by path, or by name where they have none. One whose type is not known is
// a fault, because it may be a route.
func (t *transform) events(r tree.Pair, types []string) []tree.Pair {
	var all []tree.Pair
	for _, event := range value.Pairs(properties(r.Value).Get("Events")) {
		kind := event.Value.Get("Type")
		if !event.Value.Is(tree.Map) || !kind.Is(tree.Text) || !slices.Contains(types, kind.Text) {
			t.faults.Add(event.At, "the event %s of %s must have a Type, one of %s", event.Key, r.Key, strings.Join(types, ", "))
			continue
		}
		all = append(all, event)
	}
	path := func(event tree.Pair) string {
		return cmp.Or(value.String(event.Value.Way("Properties", "Path")), event.Key)
	}
	slices.SortStableFunc(all, func(a, b tree.Pair) int { return cmp.Compare(path(a), path(b)) })
	return all
}
