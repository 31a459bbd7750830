package sam

import (
	"regexp"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

var restSchema = value.Schema{
	"Name": value.TextOrMap, "StageName": value.RequiredTextOrMap, "Tags": value.AMap, "PropagateTags": value.ATruth,
	"DefinitionBody": value.AMap, "DefinitionUri": value.TextOrMap, "MergeDefinitions": value.PlainBool, "CacheClusterEnabled": value.ATruth,
	"CacheClusterSize": value.AText, "Variables": value.AMap, "EndpointConfiguration": value.TextOrMap, "MethodSettings": value.AList, "BinaryMediaTypes": value.AList,
	"MinimumCompressionSize": value.ANumber, "Cors": value.TextOrMap, "Auth": value.AMap, "GatewayResponses": value.AMap, "AccessLogSetting": value.AMap,
	"CanarySetting": value.AMap, "TracingEnabled": value.ATruth, "OpenApiVersion": value.AText, "Models": value.AMap, "Domain": value.AMap, "FailOnWarnings": value.ATruth,
	"Description": value.AText, "Mode": value.AText, "DisableExecuteApiEndpoint": value.ATruth, "ApiKeySourceType": value.AText, "AlwaysDeploy": value.PlainBool,
	"Policy": value.TextOrMap, "SecurityPolicy": value.AText, "EndpointAccessMode": value.AText,
}

var (
	openAPIVersion = regexp.MustCompile(`^[2-3](\.\d)(\.\d)?$`)
	statusCode     = regexp.MustCompile(`^[0-9]{1,3}$`)
)

// expandREST makes the resources of an AWS::Serverless::Api.
func (t *transform) expandREST(r tree.Pair) {
	a := &api{transform: t, from: r, p: properties(r.Value)}
	if !t.faults.Conforms(restSchema, a.p, r.At, "the API "+r.Key) {
		return
	}
	a.body = a.p.Get("DefinitionBody")
	a.domain = t.parameters.Resolve(a.p.Get("Domain"))
	a.auth = t.parameters.Resolve(a.p.Get("Auth"))
	made := a.restAPI()
	stage := a.stageID()
	a.restDomain()
	a.deploy(stage)
	a.emit(r, r.Key, "AWS::ApiGateway::RestApi", made)
	a.usagePlan(stage)
}

// restAPI returns the properties of the AWS::ApiGateway::RestApi.
func (a *api) restAPI() *tree.Node {
	a.checkDefinition()
	made := tree.NewMap(a.from.At)
	a.setEndpoint(made)
	a.addCORS()
	a.addAuth()
	a.addGatewayResponses()
	if types := a.parameters.Resolve(a.p.Get("BinaryMediaTypes")); value.Truthy(types) {
		value.Put(made, "BinaryMediaTypes", types.At, types)
		if value.Truthy(a.body) {
			if d := a.document("BinaryMediaTypes", false); d != nil {
				d.SetBinaryMediaTypes(types)
			}
		}
	}
	a.addModels()
	if disable := a.p.Get("DisableExecuteApiEndpoint"); !value.None(disable) {
		if d := a.document("DisableExecuteApiEndpoint", false); d != nil {
			d.DisableEndpointREST(disable)
		}
	}
	a.setBody(made)
	for _, key := range []string{
		"FailOnWarnings", "Name", "Description", "Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode", "MinimumCompressionSize",
	} {
		if n := a.p.Get(key); value.Truthy(n) || key == "MinimumCompressionSize" && !value.None(n) {
			value.Put(made, key, n.At, n)
		}
	}
	return made
}

func (a *api) checkDefinition() {
	uri, version := a.p.Get("DefinitionUri"), a.p.Get("OpenApiVersion")
	if value.Truthy(uri) && value.Truthy(a.body) {
		a.refuse(uri.At, "it has both DefinitionUri and DefinitionBody: remove one")
	}
	if merge := a.p.Get("MergeDefinitions"); value.Truthy(uri) && value.Truthy(merge) {
		a.refuse(merge.At, "MergeDefinitions does not work with DefinitionUri: write a DefinitionBody")
	}
	if text, ok := version.Scalar(); value.Truthy(version) && (!ok || !openAPIVersion.MatchString(text)) {
		a.refuse(version.At, "OpenApiVersion must be a version such as 3.0.1")
	}
}

// setEndpoint gives the resource of a REST API its endpoint. A partition without edge endpoints has regional ones.
func (a *api) setEndpoint(made *tree.Node) {
	n := a.p.Get("EndpointConfiguration")
	if !value.Truthy(n) {
		if a.partition != "${AWS::Partition}" && a.partition != "aws" {
			a.putEndpoint(made, tree.NewText("REGIONAL", a.from.At), nil)
		}
		return
	}
	if !n.Is(tree.Map) || !value.Truthy(n.Get("Type")) {
		a.putEndpoint(made, n, nil)
		return
	}
	if n.Has("VPCEndpointIds") && n.Has("VpcEndpointIds") {
		a.refuse(n.At, "EndpointConfiguration has both VPCEndpointIds and VpcEndpointIds: remove one")
	}
	ids := n.Get("VPCEndpointIds")
	if !value.Truthy(ids) {
		ids = n.Get("VpcEndpointIds")
	}
	a.putEndpoint(made, n.Get("Type"), ids)
	if addresses := n.Get("IpAddressType"); addresses != nil {
		value.Put(made.Get("EndpointConfiguration"), "IpAddressType", addresses.At, addresses)
	}
}

func (a *api) putEndpoint(made, kind, ids *tree.Node) {
	value.Put(made, "EndpointConfiguration", kind.At, value.Object(kind.At, "Types", tree.NewList(kind.At, kind), "VpcEndpointIds", ids))
	value.Put(made, "Parameters", kind.At, value.Object(kind.At, "endpointConfigurationTypes", kind))
}

var corsKeys = []string{"AllowMethods", "AllowHeaders", "AllowOrigin", "MaxAge", "AllowCredentials"}

func (a *api) addCORS() {
	n := a.p.Get("Cors")
	if !value.Truthy(n) {
		return
	}
	c := document.CORS{Origin: n, At: n.At}
	if n.Is(tree.Map) && !value.Intrinsic(n) {
		a.isMap(n, "Cors", corsKeys)
		c.Origin = n.Get("AllowOrigin")
		if !n.Has("AllowOrigin") {
			c.Origin = tree.NewText("'*'", n.At)
		}
		c.Headers, c.Methods, c.MaxAge = n.Get("AllowHeaders"), n.Get("AllowMethods"), n.Get("MaxAge")
		c.Credentials = value.True(n.Get("AllowCredentials"))
	}
	if c.Credentials && value.Says(c.Origin, "'*'") {
		a.refuse(n.At, "Cors allows credentials for every origin: name the origins in AllowOrigin, or remove AllowCredentials")
	}
	if d := a.document("Cors", false); d != nil {
		d.AddCORS(c)
	}
}

var authKeys = []string{
	"Authorizers", "DefaultAuthorizer", "InvokeRole", "AddDefaultAuthorizerToCorsPreflight", "AddApiKeyRequiredToCorsPreflight", "ApiKeyRequired",
	"ResourcePolicy", "UsagePlan",
}

// addAuth applies the Auth of a REST API to its document.
func (a *api) addAuth() {
	if !value.Truthy(a.auth) || !a.isMap(a.auth, "Auth", authKeys) {
		return
	}
	d := a.document("Auth", false)
	if d == nil {
		return
	}
	a.setAuthorizers(d)
	if key := a.auth.Get("ApiKeyRequired"); value.Truthy(key) {
		a.noteDefault(key, "ApiKeyRequired")
		d.AddKeyScheme(key.At)
		d.SetDefaultKey(key.At, a.falsy("AddApiKeyRequiredToCorsPreflight"))
	}
	if lists := a.auth.Get("ResourcePolicy"); value.Truthy(lists) {
		a.addPolicy(d, lists)
	}
	a.convert()
}

// setAuthorizers declares the authorizers, and applies the default one. A default without authorizers is none.
func (a *api) setAuthorizers(d *document.Document) {
	given, declared := a.auth.Get("DefaultAuthorizer"), a.auth.Get("Authorizers")
	var authorizers []document.Authorizer
	if value.Says(given, "AWS_IAM") {
		authorizers = append(authorizers, document.IAM(given.At))
	}
	if value.Truthy(declared) && !declared.Is(tree.Map) {
		a.refuse(declared.At, "Authorizers must be a map")
		return
	}
	for _, p := range value.Pairs(declared) {
		authorizers = append(authorizers, document.RESTAuthorizer(p, a.partition, a.faults))
	}
	if len(authorizers) == 0 {
		if value.Truthy(given) {
			a.report.Approximate(given.At, "DefaultAuthorizer", "SAM ignores it, for Auth has no Authorizers: declare it there, or the routes are open")
		}
		return
	}
	d.AddSchemes(authorizers)
	if !value.Truthy(given) {
		return
	}
	a.noteDefault(given, "DefaultAuthorizer")
	if !given.Is(tree.Text) {
		a.refuse(given.At, "DefaultAuthorizer must be a text%s", toGive(given))
		return
	}
	if !slices.ContainsFunc(authorizers, func(b document.Authorizer) bool { return b.Name == given.Text }) {
		a.refuse(given.At, "DefaultAuthorizer %s is not in Authorizers: declare it there", quoted(given))
		return
	}
	d.SetDefaultAuthorizer(document.Default{
		Name: given.Text, Authorizers: authorizers, SkipPreflight: a.falsy("AddDefaultAuthorizerToCorsPreflight"), At: given.At,
	})
}

// noteDefault notes that the default of a parameter decides a value that guards.
func (a *api) noteDefault(n *tree.Node, what string) {
	for _, name := range n.Defaults {
		a.report.Approximate(n.At, what+" of "+a.from.Key, "the default of the parameter "+name+" decides it: give the parameter")
	}
}

// falsy reports whether a key of Auth that is true by default is given, and not true.
func (a *api) falsy(key string) bool { return a.auth.Has(key) && !value.Truthy(a.auth.Get(key)) }

func (a *api) addPolicy(d *document.Document, lists *tree.Node) {
	if !lists.Is(tree.Map) {
		a.refuse(lists.At, "ResourcePolicy must be a map")
		return
	}
	a.noteLists(lists)
	for _, path := range d.Paths() {
		d.AddPolicy(lists, path, a.p.Get("StageName"))
	}
	if custom := lists.Get("CustomStatements"); value.Truthy(custom) {
		d.AddStatements(custom)
	}
}

var responseKeys = []string{"ResponseParameters", "ResponseTemplates", "StatusCode"}

// addGatewayResponses adds the responses of API Gateway's own to the document.
func (a *api) addGatewayResponses() {
	given := a.p.Get("GatewayResponses")
	if !value.Truthy(given) {
		return
	}
	d := a.document("GatewayResponses", false)
	made := tree.NewMap(given.At)
	for _, p := range given.Pairs {
		switch {
		case value.Intrinsic(p.Value):
			a.refuse(p.Value.At, "the gateway response %s cannot be an intrinsic function: write it out", p.Key)
		case a.isMap(p.Value, "the gateway response "+p.Key, responseKeys):
			value.Put(made, p.Key, p.At, a.gatewayResponse(p))
		}
	}
	if d != nil {
		d.AddGatewayResponses(made)
	}
}

// responseParameters are the keys of ResponseParameters with what stands before each of their names in the document.
var responseParameters = [][2]string{{"Headers", "header."}, {"Paths", "path."}, {"QueryStrings", "querystring."}}

func (a *api) gatewayResponse(p tree.Pair) *tree.Node {
	parameters := tree.NewMap(p.At)
	given := p.Value.Get("ResponseParameters")
	if value.Truthy(given) && !given.Is(tree.Map) {
		a.refuse(given.At, "ResponseParameters of the gateway response %s must be a map", p.Key)
	}
	for _, q := range value.Pairs(given) {
		i := slices.IndexFunc(responseParameters, func(k [2]string) bool { return k[0] == q.Key })
		switch {
		case i < 0:
			a.refuse(q.At, "ResponseParameters of the gateway response %s have no key %s: it must be Headers, Paths or QueryStrings", p.Key, q.Key)
			continue
		case !q.Value.Is(tree.Map):
			a.refuse(q.At, "%s of the gateway response %s must be a map", q.Key, p.Key)
		}
		for _, v := range q.Value.Pairs {
			value.Put(parameters, "gatewayresponse."+responseParameters[i][1]+v.Key, v.At, v.Value)
		}
	}
	templates := p.Value.Get("ResponseTemplates")
	if !value.Truthy(templates) {
		templates = tree.NewMap(p.At)
	}
	made := value.Object(p.At, "responseParameters", parameters, "responseTemplates", templates)
	if status := p.Value.Get("StatusCode"); !value.None(status) && !value.Says(status, "") {
		text, ok := status.Scalar()
		if !ok || !statusCode.MatchString(text) {
			a.refuse(status.At, "StatusCode of the gateway response %s must be a number of three digits", p.Key)
		}
		value.Put(made, "statusCode", status.At, tree.NewText(text, status.At))
	}
	return made
}

func (a *api) addModels() {
	models := a.p.Get("Models")
	if !value.Truthy(models) {
		return
	}
	for _, p := range models.Pairs {
		if !p.Value.Is(tree.Map) {
			a.refuse(p.At, "the model %s must be a map", p.Key)
		}
	}
	if d := a.document("Models", false); d != nil {
		d.AddModels(models)
		a.convert()
	}
}

// stageID returns the logical id of the API's stage.
func (a *api) stageID() string {
	stage := value.String(a.p.Get("StageName"))
	if alphanumeric(stage) {
		return a.from.Key + stage + "Stage"
	}
	return a.from.Key + "Stage" + value.Hash(stage)
}

// deploy makes the deployment of a REST API and its stage. Without OpenApiVersion the deployment makes a second stage, named Stage.
func (a *api) deploy(stage string) {
	r := a.from
	deployment := r.Key + "Deployment" + value.Hash(value.JSON(a.body))
	made := value.Object(r.At, "RestApiId", value.Ref(r.Key, r.At))
	if !value.Truthy(a.p.Get("OpenApiVersion")) {
		value.Put(made, "StageName", r.At, tree.NewText("Stage", r.At))
	}
	a.emit(r, deployment, "AWS::ApiGateway::Deployment", made)
	name := a.p.Get("StageName")
	a.emit(r, stage, "AWS::ApiGateway::Stage", value.Object(name.At, "RestApiId", value.Ref(r.Key, r.At),
		"DeploymentId", value.Ref(deployment, r.At), "StageName", name, "Variables", given(a.p.Get("Variables")),
		"CacheClusterEnabled", given(a.p.Get("CacheClusterEnabled")), "MethodSettings", given(a.p.Get("MethodSettings")),
		"CanarySetting", given(a.p.Get("CanarySetting"))))
	a.references.Add(r.Key, "Stage", stage)
	a.references.Add(r.Key, "Deployment", deployment)
}
