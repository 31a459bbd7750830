package sam

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // the translator's logical ids are such hashes
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
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

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9\-_]+$`)

// expandFunction makes a function, and adds the operations of its events to their APIs.
func (t *transform) expandFunction(r tree.Pair) {
	p := properties(r.Value)
	if !t.conforms(functionSchema, p, r.At, "the function "+r.Key) {
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
		switch text(event.Value.Get("Type")) {
		case "Api":
			t.addRESTEvent(r, event, target)
		case "HttpApi":
			t.addHTTPEvent(r, event, target)
		}
	}
}

// emitRole makes a role of which only the ARN counts.
func (t *transform) emitRole(r tree.Pair, id string) {
	t.emit(r, id, "AWS::IAM::Role", tree.NewMap(r.At))
}

// alias makes the version and the alias of a function that publishes them, and returns the logical id of the alias; the empty text if
// there is none.
func (t *transform) alias(r tree.Pair, p *tree.Node) string {
	given := p.Get("AutoPublishAlias")
	if !value.Truthy(given) {
		return ""
	}
	alias := t.parameters.resolve(given)
	switch {
	case !alias.Is(tree.Text):
		t.faults.Add(given.At, "AutoPublishAlias of the function %s is %s; it must be a text or a Ref to a parameter", r.Key, describe(given))
		return ""
	case !aliasName.MatchString(alias.Text) || strings.Trim(alias.Text, "0123456789") == "":
		t.faults.Add(given.At, "AutoPublishAlias of the function %s must be of letters, digits, - and _, and not of digits alone", r.Key)
		return ""
	}
	version := r.Key + "Version" + hash(value.JSON(p.Get("CodeUri")))
	id := r.Key + "Alias" + strings.NewReplacer("-", "D", "_", "U").Replace(alias.Text)
	function := value.Ref(r.Key, r.At)
	t.emit(r, version, "AWS::Lambda::Version", value.Object(r.At, "FunctionName", function))
	t.emit(r, id, "AWS::Lambda::Alias", value.Object(given.At, "Name", alias, "FunctionName", function,
		"FunctionVersion", value.GetAtt(version, "Version", r.At)))
	t.references.add(r.Key, "Version", version)
	t.references.add(r.Key, "Alias", id)
	return id
}

// hash returns what the translator appends to a logical id for a text: nothing for the empty one.
func hash(text string) string {
	if text == "" {
		return ""
	}
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])[:10]
}

// hashOf returns what the translator appends to a logical id for a value.
func hashOf(n *tree.Node) string {
	switch {
	case !value.Truthy(n):
		return ""
	case n.Is(tree.Text):
		return hash(n.Text)
	default:
		return hash(value.JSON(n))
	}
}

// events returns the events of a function or a state machine by path, or by name where they have none. One whose type is not known is
// a fault, for it may be a route.
func (t *transform) events(r tree.Pair, types []string) []tree.Pair {
	var all []tree.Pair
	for _, event := range pairs(properties(r.Value).Get("Events")) {
		kind := event.Value.Get("Type")
		if !event.Value.Is(tree.Map) || !kind.Is(tree.Text) || !slices.Contains(types, kind.Text) {
			t.faults.Add(event.At, "the event %s of %s must have a Type, one of %s", event.Key, r.Key, strings.Join(types, ", "))
			continue
		}
		all = append(all, event)
	}
	path := func(event tree.Pair) string { return cmp.Or(text(event.Value.Way("Properties", "Path")), event.Key) }
	slices.SortStableFunc(all, func(a, b tree.Pair) int { return cmp.Compare(path(a), path(b)) })
	return all
}

// call is an event of a REST API that is being added.
type call struct {
	owner, event tree.Pair
	properties   *tree.Node
	api          string
	explicit     *tree.Node // the properties of the API
	place        document.Place
	stage        *tree.Node
}

// restCall returns an event of a REST API; nil with a fault if it is not one that SAM takes.
func (t *transform) restCall(owner, event tree.Pair, s schema) *call {
	p := event.Value.Get("Properties")
	if !t.conforms(s, p, event.At, "the event "+event.Key) {
		return nil
	}
	api, place, ok := t.place(rest, event)
	if !ok {
		return nil
	}
	resource := t.resources.Get(api)
	explicit := resource.Get("Properties")
	if !resource.Has("Properties") {
		explicit = tree.NewMap(resource.At)
	}
	if !explicit.Is(tree.Map) {
		t.faults.Add(resource.At, "Properties of %s must be a map", api)
		return nil
	}
	c := &call{owner: owner, event: event, properties: p, api: api, explicit: explicit, place: place, stage: tree.NewText("Stage", event.At)}
	c.place.Method = strings.ToLower(place.Method)
	if stage := explicit.Get("StageName"); stage.Is(tree.Text) {
		if c.stage = stage; stage.Text == "" {
			t.faults.Add(stage.At, "StageName of %s is empty: write it", api)
		}
	}
	return c
}

func (c *call) auth() *tree.Node { return c.properties.Get("Auth") }

func (c *call) condition() string { return text(c.owner.Value.Get("Condition")) }

// addRESTEvent adds an event of a function to its REST API.
func (t *transform) addRESTEvent(function, event tree.Pair, target string) {
	c := t.restCall(function, event, restEventSchema)
	if c == nil {
		return
	}
	merge := value.Truthy(c.explicit.Get("MergeDefinitions"))
	added := t.managed[c.api] || merge
	switch {
	case merge && c.explicit.Has("DefinitionBody"):
		t.mergeFunction(c, target)
	case added && c.explicit.Has("DefinitionBody"):
		if d := t.edit(false, c.explicit.Get("DefinitionBody"), event.At); d != nil {
			t.addFunction(d, c, target)
		}
	}
	if body := c.explicit.Get("DefinitionBody"); value.Truthy(body) && value.Truthy(c.auth()) && value.Truthy(c.auth().Get("OverrideApiAuth")) {
		t.override(c, body)
	} else if !added && value.Truthy(c.auth()) {
		t.report.Enforce(c.auth().At, "event "+event.Key, "SAM ignores its Auth, for "+c.api+
			" has a definition of its own: write OverrideApiAuth true beside it, or the security in the definition")
	}
}

// addFunction adds the operation of an event with its authorization to a document.
func (t *transform) addFunction(d *document.Document, c *call, target string) {
	if d.Integrated(c.place.Path, c.place.Method) {
		t.faults.Add(c.event.At, "the event %s repeats the method %s of the path %s of %s: remove one of them", c.event.Key, c.place.Method,
			c.place.Path, c.api)
		return
	}
	apiAuth := c.explicit.Get("Auth")
	if value.Truthy(apiAuth) && !apiAuth.Is(tree.Map) {
		t.faults.Add(apiAuth.At, "Auth of %s must be a map", c.api)
		return
	}
	streams := value.Says(c.properties.Get("ResponseTransferMode"), "RESPONSE_STREAM")
	d.AddLambda(c.place, document.Integration{
		URI: t.invocation(target, t.partition, streams, c.event.At), Streams: streams, Condition: c.condition(), At: c.event.At,
		Credentials: t.credentials(c.auth(), apiAuth),
	})
	if value.Truthy(c.auth()) {
		t.addAuth(d, c)
	}
	if timeout := c.properties.Get("TimeoutInMillis"); value.Truthy(timeout) {
		d.SetTimeout(c.place.Path, c.place.Method, timeout)
	}
	t.addRequest(d, c)
}

// invocation returns the URI by which API Gateway calls a function.
func (t *transform) invocation(target, partition string, streams bool, at tree.Position) *tree.Node {
	version, way := "2015-03-31", "/invocations"
	if streams {
		version, way = "2021-11-15", "/response-streaming-invocations"
	}
	return value.Sub("arn:"+partition+":apigateway:${AWS::Region}:lambda:path/"+version+"/functions/"+target+way, at)
}

// credentials returns those that API Gateway calls a function with for a method that asks for AWS_IAM: InvokeRole, or the caller's own.
func (t *transform) credentials(auth, apiAuth *tree.Node) *tree.Node {
	byDefault := value.Says(apiAuth.Get("DefaultAuthorizer"), "AWS_IAM") && !value.Truthy(auth)
	if !value.Says(auth.Get("Authorizer"), "AWS_IAM") && !byDefault {
		return nil
	}
	var role *tree.Node
	for _, a := range []*tree.Node{apiAuth, auth} {
		if a.Has("InvokeRole") {
			role = a.Get("InvokeRole")
			if !value.Truthy(role) {
				role = tree.NewText("NONE", role.Position())
			}
		}
	}
	switch {
	case value.Says(role, "NONE"):
		return nil
	case role != nil && !value.Says(role, "CALLER_CREDENTIALS"):
		return role
	}
	at := firstOf(role, auth.Get("Authorizer"), apiAuth.Get("DefaultAuthorizer"))
	arn := "arn:" + t.partition + ":iam::*:user/*"
	if strings.Contains(arn, "${") {
		return value.Sub(arn, at)
	}
	return tree.NewText(arn, at)
}

// firstOf returns the position of the first value that is there.
func firstOf(nodes ...*tree.Node) tree.Position {
	for _, n := range nodes {
		if n != nil {
			return n.At
		}
	}
	return tree.Position{}
}

// mergeFunction adds the operation of an event to a document of the API's own. Of what both have, that of the event is used.
func (t *transform) mergeFunction(c *call, target string) {
	skeleton := document.Skeleton(c.event.At)
	d := t.edit(false, skeleton, c.event.At)
	t.addFunction(d, c, target)
	made := skeleton.Way("paths", c.place.Path, document.Normalized(c.place.Method))
	body := c.explicit.Get("DefinitionBody")
	if !body.Is(tree.Map) || made == nil {
		t.faults.Add(firstOf(body), "DefinitionBody of %s must be a map", c.api)
		return
	}
	if !value.Truthy(body.Get("paths")) {
		// The translator drops what it merges here, so that the method is not there.
		return
	}
	paths := body.Get("paths")
	item := paths.Get(c.place.Path)
	operation := item.Get(c.place.Method)
	if !paths.Is(tree.Map) || !value.None(item) && !item.Is(tree.Map) || value.Truthy(operation) && !operation.Is(tree.Map) {
		t.faults.Add(firstOf(operation, item, paths), "the path %s of DefinitionBody of %s must be a map of methods that are maps", c.place.Path, c.api)
		return
	}
	if value.None(item) {
		item = tree.NewMap(c.place.PathAt)
		value.Put(paths, c.place.Path, c.place.PathAt, item)
	}
	merged := tree.NewMap(c.place.MethodAt)
	for _, p := range slices.Concat(pairs(operation), made.Pairs) {
		value.Put(merged, p.Key, p.At, p.Value)
	}
	value.Put(item, c.place.Method, c.place.MethodAt, merged)
}

// override applies the Auth of an event to a document of the API's own.
func (t *transform) override(c *call, body *tree.Node) {
	auth := c.auth()
	if !value.Truthy(auth.Get("Authorizer")) && !value.Truthy(auth.Get("ApiKeyRequired")) && !value.Truthy(auth.Get("ResourcePolicy")) {
		t.faults.Add(auth.At, "OverrideApiAuth of the event %s overrides nothing: write Authorizer, ApiKeyRequired or ResourcePolicy beside it", c.event.Key)
		return
	}
	if d := t.edit(false, body, firstOf(body)); d != nil {
		t.addAuth(d, c)
	}
}
