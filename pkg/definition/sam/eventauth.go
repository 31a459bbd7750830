package sam

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// call is an event that is being added to its API.
type call struct {
	owner, event tree.Pair
	properties   *tree.Node
	api          string
	explicit     *tree.Node // the properties of the API
	place        document.Place
	stage        *tree.Node
}

// restCall returns an event of a REST API; nil with a fault if it is not one that SAM takes.
func (t *transform) restCall(owner, event tree.Pair, s value.Schema) *call {
	p := event.Value.Get("Properties")
	if !value.Truthy(p) {
		t.faults.Add(event.At, "the event %s has no Properties: write its Path and Method", event.Key)
		return nil
	}
	if !t.faults.Conforms(s, p, event.At, "the event "+event.Key) {
		return nil
	}
	api, place, ok := t.place(rest, event)
	if !ok {
		return nil
	}
	explicit := properties(t.resources.Get(api))
	if !explicit.Is(tree.Map) {
		t.faults.Add(explicit.At, "Properties of %s must be a map", api)
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

// refuse adds a fault about a value of an event, which stands at its Auth if the value is nil.
func (t *transform) refuse(c *call, n *tree.Node, format string, args ...any) {
	t.faults.Add(value.At(n, c.auth()), "the event %s: "+format, append([]any{c.event.Key}, args...)...)
}

// repeats reports whether an API has the method of an event already, which is a fault.
func (t *transform) repeats(d *document.Document, c *call) bool {
	if !d.Integrated(c.place.Path, c.place.Method) {
		return false
	}
	t.faults.Add(c.event.At, "the event %s repeats the method %s of the path %s of %s: remove one of them", c.event.Key, c.place.Method, c.place.Path, c.api)
	return true
}

func (c *call) auth() *tree.Node { return c.properties.Get("Auth") }

func (c *call) condition() string { return value.String(c.owner.Value.Get("Condition")) }

// eventAuthKeys are the keys of the Auth of an event that SAM reads.
var eventAuthKeys = []string{"Authorizer", "AuthorizationScopes", "ApiKeyRequired", "InvokeRole", "OverrideApiAuth", "ResourcePolicy"}

// noteKeys notes what SAM leaves out of the Auth of an event without a warning: another key, such as that of Fn::If, and what is no map.
func (t *transform) noteKeys(c *call) {
	auth := c.auth()
	if auth != nil && !auth.Is(tree.Map) && !auth.Is(tree.Null) {
		t.report.Approximate(auth.At, "event "+c.event.Key, "SAM ignores its Auth, which is not a map")
		return
	}
	if auth == nil {
		return
	}
	for _, p := range auth.Pairs {
		if !slices.Contains(eventAuthKeys, p.Key) {
			t.report.Approximate(p.At, "event "+c.event.Key, "SAM ignores "+fault.Quoted(p.Key)+" in its Auth, so it guards nothing: write one of "+strings.Join(eventAuthKeys, ", "))
		}
	}
}

// addAuth applies the Auth of an event of a REST API to its operation.
func (t *transform) addAuth(d *document.Document, c *call) {
	auth, apiAuth := c.auth(), t.parameters.Resolve(c.explicit.Get("Auth"))
	t.noteKeys(c)
	authorizer := auth.Get("Authorizer")
	if value.Truthy(authorizer) && !t.knowsAuthorizer(c, authorizer, apiAuth) {
		return
	}
	if scopes := auth.Get("AuthorizationScopes"); value.Truthy(scopes) {
		if !scopes.Is(tree.List) {
			t.refuse(c, scopes, "AuthorizationScopes must be a list")
		}
		if !value.Truthy(authorizer) {
			t.refuse(c, scopes, "AuthorizationScopes need an Authorizer beside them")
		}
	}
	key := auth.Get("ApiKeyRequired")
	if !value.None(key) && !value.Truthy(key) && !value.Truthy(apiAuth.Get("ApiKeyRequired")) {
		t.refuse(c, key, "ApiKeyRequired false is only for an API that requires a key: remove it")
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

// knowsAuthorizer reports whether a REST API has the authorizer that an event names: AWS_IAM always, NONE only instead of a default.
func (t *transform) knowsAuthorizer(c *call, authorizer, apiAuth *tree.Node) bool {
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
		t.refuse(c, authorizer, "Authorizer NONE is only for an API that has a DefaultAuthorizer: remove it")
	case !authorizer.Is(tree.Text):
		t.refuse(c, authorizer, "Authorizer must be written out as text: SAM does not take an intrinsic function here")
	case !value.Truthy(declared.Get(authorizer.Text)):
		t.refuse(c, authorizer, "the API has no authorizer %s: declare it in Authorizers in Auth of the API", quoted(authorizer))
	case !declared.Get(authorizer.Text).Is(tree.Map):
		t.refuse(c, declared.Get(authorizer.Text), "the authorizer %s must be a map", quoted(authorizer))
	default:
		return true
	}
	return false
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
			t.report.Approximate(n.At, key, "SAM ignores it, because it is not a list: write a list, or use IntrinsicVpc lists for intrinsic functions")
		}
		for _, item := range value.Items(n) {
			if text, ok := value.Text(item); ok && !strings.HasPrefix(text, "vpc-") && !strings.HasPrefix(text, "vpce-") {
				t.report.Approximate(item.At, key, "SAM ignores "+quoted(item)+", which begins with neither vpc- nor vpce-")
			}
		}
	}
}

// addHTTPAuth applies the Auth of an event of an HTTP API to its operation. Without an authorizer of its own it is for the default one.
func (t *transform) addHTTPAuth(d *document.Document, c *call) {
	auth, apiAuth := c.auth(), c.explicit.Get("Auth")
	t.noteKeys(c)
	if apiAuth != nil && !apiAuth.Is(tree.Map) {
		t.faults.Add(apiAuth.At, "Auth of %s must be a map", c.api)
		return
	}
	authorizer := auth.Get("Authorizer")
	if !value.Truthy(authorizer) {
		authorizer = apiAuth.Get("DefaultAuthorizer")
	}
	if !value.Truthy(authorizer) {
		t.refuse(c, nil, "Auth needs an Authorizer, or a DefaultAuthorizer in Auth of the API")
		return
	}
	declared := apiAuth.Get("Authorizers")
	iam := value.True(apiAuth.Get("EnableIamAuthorizer")) && value.Says(authorizer, "AWS_IAM")
	switch {
	case value.Says(authorizer, "NONE"):
		if !value.Truthy(apiAuth.Get("DefaultAuthorizer")) {
			t.refuse(c, authorizer, "Authorizer NONE is only for an API that has a DefaultAuthorizer: remove it")
		}
	case iam:
	case !authorizer.Is(tree.Text):
		t.refuse(c, authorizer, "Authorizer must be written out as text: SAM does not take an intrinsic function here")
		return
	case !value.Truthy(declared.Get(authorizer.Text)):
		t.refuse(c, authorizer, "the API has no authorizer %s: declare it in Authorizers in Auth of the API%s", quoted(authorizer), hintIAM(authorizer))
	case !declared.Get(authorizer.Text).Is(tree.Map):
		t.refuse(c, declared.Get(authorizer.Text), "the authorizer %s must be a map", quoted(authorizer))
	}
	scopes := auth.Get("AuthorizationScopes")
	if value.Truthy(scopes) && !scopes.Is(tree.List) {
		t.refuse(c, scopes, "AuthorizationScopes must be a list of texts")
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
