package sam

import (
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

var restEventSchema = value.Schema{
	"Path": value.RequiredText, "Method": value.RequiredText, "RestApiId": value.RequiredText, "Stage": value.AText, "Auth": value.AMap, "RequestModel": value.AMap, "RequestParameters": value.AList,
	"TimeoutInMillis": value.ANumber, "ResponseTransferMode": value.AText,
}

var stateMachineEventSchema = value.Schema{
	"Path": value.RequiredText, "Method": value.RequiredText, "RestApiId": value.RequiredText, "Stage": value.AText, "Auth": value.AMap, "UnescapeMappingTemplate": value.PlainBool,
}

var httpEventSchema = value.Schema{
	"Path": value.AText, "Method": value.AText, "ApiId": value.AText, "Stage": value.AText, "Auth": value.AMap, "TimeoutInMillis": value.ANumber, "RouteSettings": value.AMap,
	"PayloadFormatVersion": value.AText,
}

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
		t.report.Approximate(c.auth().At, "event "+event.Key, "SAM ignores its Auth, for "+c.api+
			" has a definition of its own: write OverrideApiAuth true beside it, or the security in the definition")
	}
}

// addFunction adds the operation of an event with its authorization to a document.
func (t *transform) addFunction(d *document.Document, c *call, target string) {
	if t.repeats(d, c) {
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
	t.checkRequest(c)
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
	at := value.At(role, auth.Get("Authorizer"), apiAuth.Get("DefaultAuthorizer"))
	arn := "arn:" + t.partition + ":iam::*:user/*"
	if strings.Contains(arn, "${") {
		return value.Sub(arn, at)
	}
	return tree.NewText(arn, at)
}

// mergeFunction adds the operation of an event to a document of the API's own. Of what both have, that of the event is used.
func (t *transform) mergeFunction(c *call, target string) {
	skeleton := document.Skeleton(c.event.At)
	d := t.edit(false, skeleton, c.event.At)
	t.addFunction(d, c, target)
	made := skeleton.Way("paths", c.place.Path, document.Normalized(c.place.Method))
	body := c.explicit.Get("DefinitionBody")
	if !body.Is(tree.Map) || made == nil {
		t.faults.Add(value.At(body), "DefinitionBody of %s must be a map", c.api)
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
		t.faults.Add(value.At(operation, item, paths), "the path %s of DefinitionBody of %s must be a map of methods that are maps", c.place.Path, c.api)
		return
	}
	if value.None(item) {
		item = tree.NewMap(c.place.PathAt)
		value.Put(paths, c.place.Path, c.place.PathAt, item)
	}
	merged := tree.NewMap(c.place.MethodAt)
	for _, p := range slices.Concat(value.Pairs(operation), made.Pairs) {
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
	if d := t.edit(false, body, value.At(body)); d != nil {
		t.addAuth(d, c)
	}
}

// addStateMachineEvent adds an event of a state machine to its REST API, if SAM makes the document of that.
func (t *transform) addStateMachineEvent(r, event tree.Pair, target string) {
	c := t.restCall(r, event, stateMachineEventSchema)
	if c == nil {
		return
	}
	// The translator takes the stage of a policy from the event alone.
	c.stage = nil
	if stage := c.properties.Get("Stage"); !value.None(stage) {
		c.stage = stage
	}
	role := r.Key + event.Key + "Role"
	t.emitRole(r, role)
	body := c.explicit.Get("DefinitionBody")
	if !t.managed[c.api] || value.None(body) {
		if auth := c.auth(); value.Truthy(auth) {
			t.report.Approximate(auth.At, "event "+event.Key, "SAM ignores its Auth, for "+c.api+" has a definition of its own: write the security there")
		}
		return
	}
	d := t.edit(false, body, event.At)
	if d == nil || t.repeats(d, c) {
		return
	}
	d.AddStateMachine(c.place, document.Integration{
		URI:         value.Sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution", event.At),
		Credentials: value.GetAtt(role, "Arn", event.At), Condition: c.condition(), At: event.At,
		Templates: requestTemplates(target, value.True(c.properties.Get("UnescapeMappingTemplate")), event.At),
	})
	if value.Truthy(c.auth()) {
		t.addAuth(d, c)
	}
}

// requestTemplates returns the mapping of a request to the input of a state machine.
func requestTemplates(target string, unescape bool, at tree.Position) *tree.Node {
	input := `$util.escapeJavaScript($input.json('$'))`
	if unescape {
		input += `.replaceAll("\\'","'")`
	}
	return value.Object(at, "application/json", value.Sub(`{"input": "`+input+`", "stateMachineArn": "${`+target+`}"}`, at))
}

// addHTTPEvent adds an event of a function to its HTTP API.
func (t *transform) addHTTPEvent(function, event tree.Pair, target string) {
	p := event.Value.Get("Properties")
	if !t.faults.Conforms(httpEventSchema, p, event.At, "the event "+event.Key) {
		return
	}
	api, place, ok := t.place(http, event)
	if !ok {
		return
	}
	explicit := properties(t.resources.Get(api))
	body := explicit.Get("DefinitionBody")
	if value.None(body) {
		if auth := p.Get("Auth"); value.Truthy(auth) {
			t.report.Approximate(auth.At, "event "+event.Key, "SAM ignores its Auth, for the definition of "+api+" is in another file: write the security there")
		}
		return
	}
	place.Method = strings.ToLower(place.Method)
	c := &call{owner: function, event: event, properties: p, api: api, explicit: explicit, place: place}
	d := t.edit(true, body, event.At)
	if d == nil || t.managed[api] && t.repeats(d, c) {
		return
	}
	d.AddHTTPLambda(place, document.Integration{
		URI: t.invocation(target, "${AWS::Partition}", false, event.At), Condition: c.condition(), At: event.At,
	})
	if value.Truthy(c.auth()) {
		t.addHTTPAuth(d, c)
	}
	if timeout := p.Get("TimeoutInMillis"); value.Truthy(timeout) {
		d.SetTimeout(place.Path, place.Method, timeout)
	}
	if names := variables(place.Path); len(names) > 0 {
		d.AddPathParameters(place.Path, place.Method, names, place.PathAt)
	}
	if version := p.Get("PayloadFormatVersion"); value.Truthy(version) {
		d.SetPayloadFormat(place.Path, place.Method, version)
	}
}

var braces = regexp.MustCompile(`\{(.*?)\}`)

// variables returns the names in braces of a path.
func variables(path string) []string {
	var names []string
	for _, found := range braces.FindAllStringSubmatch(path, -1) {
		names = append(names, found[1])
	}
	return names
}

var requestParameter = regexp.MustCompile(`^method\.request\.(querystring|path|header)\.`)

// checkRequest checks what an event says about its requests. Models and parameters have nothing to do with who may call, and are not
// added to the document.
func (t *transform) checkRequest(c *call) {
	if model := c.properties.Get("RequestModel").Get("Model"); value.Truthy(model) {
		declared := c.explicit.Get("Models")
		if !declared.Is(tree.Map) || !model.Is(tree.Text) || !value.Truthy(declared.Get(model.Text)) {
			t.refuse(c, model, "the API has no model %s: declare it in Models", quoted(model))
		}
		for _, key := range []string{"ValidateBody", "ValidateParameters"} {
			if n := c.properties.Get("RequestModel").Get(key); !value.None(n) && !n.Is(tree.Bool) {
				t.refuse(c, n, "%s must be true or false", key)
			}
		}
	}
	for _, item := range value.Items(c.properties.Get("RequestParameters")) {
		name := value.String(item)
		if item.Is(tree.Map) && len(item.Pairs) > 0 {
			name = item.Pairs[0].Key
			for _, p := range value.Pairs(item.Pairs[0].Value) {
				if p.Key != "Required" && p.Key != "Caching" {
					t.refuse(c, item, "a request parameter has Required and Caching alone, and no %s", p.Key)
				}
			}
			if !item.Pairs[0].Value.Is(tree.Map) {
				t.refuse(c, item, "the value of a request parameter must be a map of Required and Caching")
			}
		}
		if !requestParameter.MatchString(name) {
			t.refuse(c, item, "a request parameter must begin with method.request.querystring, method.request.path or method.request.header")
		}
	}
}
