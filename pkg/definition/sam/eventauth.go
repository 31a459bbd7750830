package sam

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// addAuth applies the Auth of an event of a REST API to its operation.
func (t *transform) addAuth(d *document.Document, c *call) {
	auth, apiAuth := c.auth(), t.parameters.resolve(c.explicit.Get("Auth"))
	authorizer := auth.Get("Authorizer")
	refuse := func(n *tree.Node, format string, args ...any) {
		t.faults.Add(firstOf(n, auth), "the event %s: %s", c.event.Key, fmt.Sprintf(format, args...))
	}
	if value.Truthy(authorizer) && !t.knowsAuthorizer(authorizer, apiAuth, refuse) {
		return
	}
	if scopes := auth.Get("AuthorizationScopes"); value.Truthy(scopes) {
		if !scopes.Is(tree.List) {
			refuse(scopes, "AuthorizationScopes must be a list")
		}
		if !value.Truthy(authorizer) {
			refuse(scopes, "AuthorizationScopes need an Authorizer beside them")
		}
	}
	key := auth.Get("ApiKeyRequired")
	if !value.None(key) && !value.Truthy(key) && !value.Truthy(apiAuth.Get("ApiKeyRequired")) {
		refuse(key, "ApiKeyRequired false is only for an API that requires a key: remove it")
	}
	path, method := c.place.Path, c.place.Method
	if value.Truthy(authorizer) {
		d.SetAuthorizer(path, method, authorizer.Text, t.scopes(c, authorizer), authorizer.At)
	}
	if !value.None(key) {
		d.SetKey(path, method, value.Truthy(key), key.At)
	}
	if lists := auth.Get("ResourcePolicy"); value.Truthy(lists) {
		t.addEventPolicy(d, c, lists)
	}
}

func (t *transform) addEventPolicy(d *document.Document, c *call, lists *tree.Node) {
	switch {
	case !lists.Is(tree.Map):
		t.faults.Add(lists.At, "ResourcePolicy of the event %s must be a map", c.event.Key)
		return
	case c.stage == nil:
		t.faults.Add(lists.At, "ResourcePolicy of the event %s of a state machine names no stage, and CloudFormation refuses what SAM makes of it:"+
			" write Stage in the event, or the policy in Auth of the API", c.event.Key)
		return
	case !c.explicit.Get("StageName").Is(tree.Text):
		t.report.Enforce(lists.At, "event "+c.event.Key, "SAM writes its ResourcePolicy for a stage named Stage, for the name of the API's stage"+
			" is an intrinsic function: the policy does not apply to the stage, write the name out")
	}
	t.noteLists(lists)
	d.AddPolicy(lists, c.place.Path, c.stage)
	if custom := lists.Get("CustomStatements"); value.Truthy(custom) {
		d.AddStatements(custom)
	}
}

// noteLists notes what the translator leaves out of the lists of a ResourcePolicy.
func (t *transform) noteLists(lists *tree.Node) {
	for _, key := range []string{"SourceVpcWhitelist", "SourceVpcBlacklist"} {
		n := lists.Get(key)
		if !value.None(n) && !n.Is(tree.List) {
			t.report.Enforce(n.At, key, "SAM ignores it, for it is not a list: write a list, or use IntrinsicVpc lists for intrinsic functions")
		}
		for _, item := range itemsOf(n) {
			if text := text(item); !strings.HasPrefix(text, "vpc-") && !strings.HasPrefix(text, "vpce-") {
				t.report.Enforce(item.At, key, "SAM ignores "+describe(item)+", which begins with neither vpc- nor vpce-")
			}
		}
	}
}

// scopes returns those that a method of a REST API asks for: the event's, even if they are empty, or the authorizer's.
func (t *transform) scopes(c *call, authorizer *tree.Node) *tree.Node {
	known := c.explicit.Get("Auth").Get("Authorizers").Get(authorizer.Text)
	if authorizer.Text == "NONE" || value.None(known) {
		return nil
	}
	scopes := known.Get("AuthorizationScopes")
	if own := c.auth().Get("AuthorizationScopes"); !value.None(own) {
		scopes = own
	}
	if value.None(scopes) {
		return nil
	}
	return scopes
}

// knowsAuthorizer reports whether a REST API has the authorizer that an event names: AWS_IAM always, NONE only instead of a default.
func (t *transform) knowsAuthorizer(authorizer, apiAuth *tree.Node, refuse func(*tree.Node, string, ...any)) bool {
	declared := apiAuth.Get("Authorizers")
	switch {
	case value.Truthy(declared) && !declared.Is(tree.Map):
		t.faults.Add(declared.At, "Authorizers must be a map")
	case value.Says(authorizer, "AWS_IAM"):
		return true
	case value.Says(authorizer, "NONE"):
		if value.Truthy(apiAuth.Get("DefaultAuthorizer")) {
			return true
		}
		refuse(authorizer, "Authorizer NONE is only for an API that has a DefaultAuthorizer: remove it")
	case !authorizer.Is(tree.Text):
		refuse(authorizer, "Authorizer must be written out as text: it is %s", describe(authorizer))
	case !value.Truthy(declared.Get(authorizer.Text)):
		refuse(authorizer, "the API has no authorizer %s: declare it in Authorizers in Auth of the API", describe(authorizer))
	case !declared.Get(authorizer.Text).Is(tree.Map):
		refuse(declared.Get(authorizer.Text), "the authorizer %s must be a map", describe(authorizer))
	default:
		return true
	}
	return false
}

var requestParameter = regexp.MustCompile(`^method\.request\.(querystring|path|header)\.`)

// addRequest checks what an event says about its requests. Models and parameters have nothing to do with who may call, and are not
// added to the document.
func (t *transform) addRequest(_ *document.Document, c *call) {
	refuse := func(n *tree.Node, format string, args ...any) {
		t.faults.Add(firstOf(n, c.event.Value), "the event %s: %s", c.event.Key, fmt.Sprintf(format, args...))
	}
	if model := c.properties.Get("RequestModel").Get("Model"); value.Truthy(model) {
		declared := c.explicit.Get("Models")
		if !declared.Is(tree.Map) || !model.Is(tree.Text) || !value.Truthy(declared.Get(model.Text)) {
			refuse(model, "the API has no model %s: declare it in Models", describe(model))
		}
		for _, key := range []string{"ValidateBody", "ValidateParameters"} {
			if n := c.properties.Get("RequestModel").Get(key); !value.None(n) && !n.Is(tree.Bool) {
				refuse(n, "%s must be true or false", key)
			}
		}
	}
	for _, item := range itemsOf(c.properties.Get("RequestParameters")) {
		name := text(item)
		if item.Is(tree.Map) && len(item.Pairs) > 0 {
			name = item.Pairs[0].Key
			for _, p := range pairs(item.Pairs[0].Value) {
				if p.Key != "Required" && p.Key != "Caching" {
					refuse(item, "a request parameter has Required and Caching alone, and no %s", p.Key)
				}
			}
			if !item.Pairs[0].Value.Is(tree.Map) {
				refuse(item, "the value of a request parameter must be a map of Required and Caching")
			}
		}
		if !requestParameter.MatchString(name) {
			refuse(item, "a request parameter must begin with method.request.querystring, method.request.path or method.request.header")
		}
	}
}

// addHTTPEvent adds an event of a function to its HTTP API.
func (t *transform) addHTTPEvent(function, event tree.Pair, target string) {
	p := event.Value.Get("Properties")
	if !t.conforms(httpEventSchema, p, event.At, "the event "+event.Key) {
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
			t.report.Enforce(auth.At, "event "+event.Key, "SAM ignores its Auth, for the definition of "+api+" is in another file: write the security there")
		}
		return
	}
	place.Method = strings.ToLower(place.Method)
	d := t.edit(true, body, event.At)
	if d == nil {
		return
	}
	if t.managed[api] && d.Integrated(place.Path, place.Method) {
		t.faults.Add(event.At, "the event %s repeats the method %s of the path %s of %s: remove one of them", event.Key, place.Method, place.Path, api)
		return
	}
	d.AddHTTPLambda(place, document.Integration{
		URI: t.invocation(target, "${AWS::Partition}", false, event.At), Condition: text(function.Value.Get("Condition")), At: event.At,
	})
	if auth := p.Get("Auth"); value.Truthy(auth) {
		t.addHTTPAuth(d, &call{owner: function, event: event, properties: p, api: api, explicit: explicit, place: place})
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

// addHTTPAuth applies the Auth of an event of an HTTP API to its operation. Without an authorizer of its own it is for the default one.
func (t *transform) addHTTPAuth(d *document.Document, c *call) {
	auth, apiAuth := c.auth(), c.explicit.Get("Auth")
	refuse := func(n *tree.Node, format string, args ...any) {
		t.faults.Add(firstOf(n, auth), "the event %s: %s", c.event.Key, fmt.Sprintf(format, args...))
	}
	if apiAuth != nil && !apiAuth.Is(tree.Map) {
		t.faults.Add(apiAuth.At, "Auth of %s must be a map", c.api)
		return
	}
	authorizer := auth.Get("Authorizer")
	if !value.Truthy(authorizer) {
		authorizer = apiAuth.Get("DefaultAuthorizer")
	}
	if !value.Truthy(authorizer) {
		refuse(nil, "Auth needs an Authorizer, or a DefaultAuthorizer in Auth of the API")
		return
	}
	declared := apiAuth.Get("Authorizers")
	iam := value.True(apiAuth.Get("EnableIamAuthorizer")) && value.Says(authorizer, "AWS_IAM")
	switch {
	case value.Says(authorizer, "NONE"):
		if !value.Truthy(apiAuth.Get("DefaultAuthorizer")) {
			refuse(authorizer, "Authorizer NONE is only for an API that has a DefaultAuthorizer: remove it")
		}
	case iam:
	case !authorizer.Is(tree.Text):
		refuse(authorizer, "Authorizer must be written out as text: it is %s", describe(authorizer))
		return
	case !value.Truthy(declared.Get(authorizer.Text)):
		refuse(authorizer, "the API has no authorizer %s: declare it in Authorizers in Auth of the API%s", describe(authorizer), hintIAM(authorizer))
	case !declared.Get(authorizer.Text).Is(tree.Map):
		refuse(declared.Get(authorizer.Text), "the authorizer %s must be a map", describe(authorizer))
	}
	scopes := auth.Get("AuthorizationScopes")
	if value.Truthy(scopes) && !scopes.Is(tree.List) {
		refuse(scopes, "AuthorizationScopes must be a list of texts")
	}
	if !value.Truthy(scopes) {
		scopes = declared.Get(authorizer.Text).Get("AuthorizationScopes")
	}
	if !value.Truthy(scopes) || authorizer.Text == "NONE" || authorizer.Text == "AWS_IAM" {
		scopes = nil
	}
	d.SetHTTPAuthorizer(c.place.Path, c.place.Method, authorizer.Text, scopes, authorizer.At)
}

func hintIAM(authorizer *tree.Node) string {
	if value.Says(authorizer, "AWS_IAM") {
		return ", or write EnableIamAuthorizer true there"
	}
	return ""
}
