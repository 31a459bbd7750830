package sam

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

var httpSchema = value.Schema{
	"Name": value.Anything, "StageName": value.TextOrMap, "Tags": value.AMap, "PropagateTags": value.ATruth, "DefinitionBody": value.AMap, "DefinitionUri": value.TextOrMap,
	"StageVariables": value.AMap, "CorsConfiguration": value.TruthOrMap, "AccessLogSettings": value.AMap,
	"DefaultRouteSettings": value.AMap, "Auth": value.AMap, "RouteSettings": value.AMap, "Domain": value.AMap, "FailOnWarnings": value.ATruth, "Description": value.AText,
	"DisableExecuteApiEndpoint": value.ATruth,
}

// expandHTTP makes the resources of an AWS::Serverless::HttpApi.
func (t *transform) expandHTTP(r tree.Pair) {
	a := &api{transform: t, from: r, p: properties(r.Value)}
	if !t.faults.Conforms(httpSchema, a.p, r.At, "the API "+r.Key) {
		return
	}
	a.body = a.p.Get("DefinitionBody")
	a.domain = t.parameters.Resolve(a.p.Get("Domain"))
	a.auth = a.p.Get("Auth")
	made := tree.NewMap(r.At)
	if uri := a.p.Get("DefinitionUri"); value.Truthy(uri) && value.Truthy(a.body) {
		a.refuse(uri.At, "it has both DefinitionUri and DefinitionBody: remove one")
	}
	a.addHTTPCORS()
	a.addHTTPAuth()
	if tags := a.p.Get("Tags"); value.Truthy(tags) {
		a.document("Tags", true)
	}
	if tags := a.body.Get("tags"); value.Truthy(tags) && !tags.Is(tree.List) && document.ValidHTTP(a.body) {
		a.refuse(tags.At, "tags of DefinitionBody must be a list")
	}
	if warnings := a.p.Get("FailOnWarnings"); value.Truthy(warnings) {
		value.Put(made, "FailOnWarnings", warnings.At, warnings)
	}
	if disable := a.p.Get("DisableExecuteApiEndpoint"); !value.None(disable) {
		if d := a.document("DisableExecuteApiEndpoint", true); d != nil {
			d.DisableEndpointHTTP(disable)
		}
	}
	a.addInfo()
	a.renameDefault()
	a.setHTTPBody(made)
	stage := a.httpStage()
	a.emit(r, r.Key, "AWS::ApiGatewayV2::Api", made)
	a.httpDomain()
	a.references.Add(r.Key, "Stage", stage)
}

func (a *api) setHTTPBody(made *tree.Node) {
	if !value.Truthy(a.p.Get("DefinitionUri")) && !value.Truthy(a.body) {
		a.refuse(a.from.At, "it has neither DefinitionUri nor DefinitionBody: write one, or an event of type HttpApi")
		return
	}
	if value.Truthy(a.p.Get("DefinitionUri")) {
		a.setBody(made)
		return
	}
	value.Put(made, "Body", a.body.At, a.body)
}

var httpCORSKeys = []string{"AllowMethods", "AllowHeaders", "AllowOrigins", "MaxAge", "ExposeHeaders", "AllowCredentials"}

// addHTTPCORS merges CorsConfiguration over that of the document. True allows every origin.
func (a *api) addHTTPCORS() {
	given := a.parameters.Resolve(a.p.Get("CorsConfiguration"))
	if !value.Truthy(given) {
		return
	}
	configuration := given
	switch {
	case given.Is(tree.Bool):
		configuration = value.Object(given.At, "AllowOrigins", tree.NewList(given.At, tree.NewText("*", given.At)))
	case value.Intrinsic(given):
		configuration = value.Object(given.At, "AllowOrigins", given)
	case !given.Is(tree.Map):
		a.refuse(given.At, "CorsConfiguration must be true, false or a map")
		return
	}
	a.isMap(configuration, "CorsConfiguration", httpCORSKeys)
	everyone := tree.NewList(given.At, tree.NewText("*", given.At))
	if value.True(configuration.Get("AllowCredentials")) && value.Equal(configuration.Get("AllowOrigins"), everyone) {
		a.refuse(given.At, "CorsConfiguration allows credentials for every origin: name the origins, or remove AllowCredentials")
	}
	if d := a.document("CorsConfiguration", true); d != nil {
		d.SetCORS(configuration)
	}
}

var httpAuthKeys = []string{"Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"}

// addHTTPAuth applies the Auth of an HTTP API to its document.
func (a *api) addHTTPAuth() {
	if !value.Truthy(a.auth) || !a.isMap(a.auth, "Auth", httpAuthKeys) {
		return
	}
	d := a.document("Auth", true)
	if d == nil {
		return
	}
	declared, given := a.auth.Get("Authorizers"), a.auth.Get("DefaultAuthorizer")
	if value.Truthy(declared) && !declared.Is(tree.Map) {
		a.refuse(declared.At, "Authorizers must be a map")
		return
	}
	var authorizers []document.Authorizer
	if enable := a.auth.Get("EnableIamAuthorizer"); value.True(enable) {
		authorizers = append(authorizers, document.IAM(enable.At))
	}
	for _, p := range value.Pairs(declared) {
		authorizers = append(authorizers, document.HTTPAuthorizer(p, a.partition, a.faults))
	}
	d.AddHTTPSchemes(authorizers, a.auth.At)
	switch {
	case !value.Truthy(given) || value.NoValue(given):
	case !given.Is(tree.Text):
		a.refuse(given.At, "DefaultAuthorizer must be written out as text: SAM does not take an intrinsic function here")
	case !slices.ContainsFunc(authorizers, func(b document.Authorizer) bool { return b.Name == given.Text }):
		a.refuse(given.At, "DefaultAuthorizer %s is not in Authorizers: declare it there%s", quoted(given), hintIAM(given))
	default:
		d.SetHTTPDefault(document.Default{Name: given.Text, Authorizers: authorizers, At: given.At})
	}
}

// addInfo gives the document the name and the description of the API, which it must not have itself.
func (a *api) addInfo() {
	for _, key := range [][2]string{{"Name", "title"}, {"Description", "description"}} {
		n := a.p.Get(key[0])
		if !value.Truthy(n) {
			continue
		}
		d := a.document(key[0], true)
		had := a.body.Get("info").Get(key[1])
		generated := key[1] == "title" && value.Equal(had, value.Ref("AWS::StackName", a.from.At))
		if !generated && (value.Truthy(had) || key[1] == "title") {
			a.refuse(n.At, "%s is in the info of DefinitionBody too: remove one", key[0])
		}
		if d != nil {
			d.SetInfo(key[1], n)
		}
	}
}

// renameDefault renames the path $default, which API Gateway warns about, where warnings keep the API from being made.
func (a *api) renameDefault() {
	if !value.Truthy(a.p.Get("FailOnWarnings")) {
		return
	}
	paths := a.body.Get("paths")
	if p := paths.Pair("$default"); p != nil {
		p.Key = "/$default"
	}
}

// httpStage makes the stage of an HTTP API and returns its logical id.
func (a *api) httpStage() string {
	r := a.from
	name := a.p.Get("StageName")
	if !value.Truthy(name) {
		name = tree.NewText("$default", r.At)
	}
	id := r.Key + "Stage" + value.Hash(value.String(name))
	switch {
	case alphanumeric(value.String(name)):
		id = r.Key + value.String(name) + "Stage"
	case value.Says(name, "$default"):
		id = r.Key + "ApiGatewayDefaultStage"
	}
	a.emit(r, id, "AWS::ApiGatewayV2::Stage", value.Object(name.At, "ApiId", value.Ref(r.Key, r.At), "StageName", name,
		"StageVariables", given(a.p.Get("StageVariables")), "AutoDeploy", true, "DefaultRouteSettings", given(a.p.Get("DefaultRouteSettings"))))
	return id
}
