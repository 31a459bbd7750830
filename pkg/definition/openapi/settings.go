package openapi

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// settings reads what the document says of the API as a whole.
func (r *reader) settings() {
	if t := document.Unknown(r.Root); t != nil {
		r.block("the document", t)
	}
	if t := r.extensions(r.Root, "the document", xPolicy, xKeySource, xResponses, xEndpoint, xCORS); t != nil {
		r.block("the document", t)
	}
	if p := r.Root.Pair(xPolicy); p != nil {
		r.policy(p)
	}
	r.keySource()
	r.endpoint()
	r.responses()
	r.cors()
	r.servers()
}

// noPolicy is the key of a value that says whether an empty policy is one.
const noPolicy = "resource policy"

// emptyPolicy says that the policy is empty, unless values say that the API has none.
func (r *reader) emptyPolicy(at tree.Position) *document.Trouble {
	if value, given := r.Given(noPolicy); given && value == "none" {
		r.Report.Approximate(at, "resource policy", "none, as values say: the policy is empty")
		return nil
	}
	return document.TroubleAt(at, "the policy is empty, and API Gateway does not document what that means: write its statements, or remove it; "+
		"SAM makes an empty policy of a ResourcePolicy that is a function: write Fn::If within it; if `aws apigateway get-rest-api` shows no policy, say so by "+
		"--value '"+noPolicy+"=none', or in values: of the definition")
}

// policy is the resource policy. Package config expands the abbreviations in it.
func (r *reader) policy(p *tree.Pair) {
	n, t := r.Follow(p.Value)
	switch {
	case r.http:
		t = document.TroubleAt(p.At, "an HTTP API has no resource policy: remove it, or write kind: REST")
	case t != nil:
	case n.Is(tree.Map) && len(n.Pairs) == 0:
		if t = r.emptyPolicy(p.At); t == nil {
			return
		}
	case !n.Is(tree.Map) && !n.Is(tree.Text):
		t = document.Unlike(n, p.At, "the policy must be a map with Version and Statement")
	default:
		n = r.Filled(n, map[*tree.Node]*tree.Node{})
		t = r.policyKnown(n)
	}
	if t != nil {
		r.block("resource policy", t)
		return
	}
	r.api.Set("resourcePolicy", tree.NewMap(n.At).Set("inline", n))
	r.Report.Enforce(p.At, "resource policy", "evaluated for each request")
}

// policyVariable matches a variable of the policy language, which is part of the policy: it has one colon, or is a character of its own.
var policyVariable = regexp.MustCompile(`\$\{(?:[*?$]|[A-Za-z0-9-]+:[A-Za-z0-9][^:}]*)\}`)

// policyKnown says what of a policy is not known.
func (r *reader) policyKnown(policy *tree.Node) *document.Trouble {
	for n := range policy.All() {
		if t := document.Unknown(n); t != nil {
			return t
		}
		for _, p := range n.Pairs {
			if t := document.NotFilled(policyVariable.ReplaceAllString(p.Key, ""), p.At); t != nil {
				return t
			}
		}
		if n.Is(tree.Text) {
			if t := document.NotFilled(policyVariable.ReplaceAllString(n.Text, ""), n.At); t != nil {
				return t
			}
		}
		r.NoteDefaults(n, "resource policy")
	}
	return nil
}

// keySource says where API keys stand.
func (r *reader) keySource() {
	p := r.Root.Pair(xKeySource)
	switch {
	case p == nil:
		return
	case r.http:
		r.Report.Pass(p.At, xKeySource, "an HTTP API has no API keys")
		return
	}
	text, t := r.Text(p.Value, xKeySource)
	source := strings.ToUpper(text)
	if t == nil && source != "HEADER" && source != "AUTHORIZER" {
		t = document.TroubleAt(p.Value.Position(), xKeySource+" must be HEADER or AUTHORIZER")
	}
	if t != nil {
		r.block(xKeySource, t)
		return
	}
	r.api.Set("apiKeySource", tree.NewText(source, p.Value.At))
	r.Report.Enforce(p.At, xKeySource, source)
}

// endpoint says which hosts the API answers on.
func (r *reader) endpoint() {
	all := []*tree.Pair{r.Root.Pair(xEndpoint)}
	if servers := r.Root.Get("servers"); servers.Is(tree.List) {
		for _, server := range servers.Items {
			all = append(all, server.Pair(xEndpoint))
		}
	}
	for _, p := range all {
		if p == nil {
			continue
		}
		n, t := r.Follow(p.Value)
		if t != nil {
			r.block(xEndpoint, t)
			continue
		}
		r.disabled(n)
		r.private(n)
	}
}

// disabled reads disableExecuteApiEndpoint. The endpoint is off unless portcullis.yaml sets it.
func (r *reader) disabled(n *tree.Node) {
	value := n.Get("disableExecuteApiEndpoint")
	if document.Absent(value) {
		return
	}
	off, ok := value.Truth()
	switch {
	case document.Unknown(value) != nil || !ok:
		r.Report.Approximate(value.At, "execute-api endpoint", "off, because disableExecuteApiEndpoint is not known; write executeApiEndpoint to set it")
		off = true
	case off:
		r.Report.Enforce(value.At, "execute-api endpoint", "off")
	default:
		r.Report.Approximate(value.At, "execute-api endpoint", "off unless executeApiEndpoint: true stands in portcullis.yaml")
	}
	if off {
		r.api.Set("executeApiEndpoint", tree.NewBool(false, value.At))
	}
}

// private reads vpcEndpointIds, which only private APIs have.
func (r *reader) private(n *tree.Node) {
	ids := n.Get("vpcEndpointIds")
	switch {
	case document.Absent(ids) || ids.Is(tree.List) && len(ids.Items) == 0:
	case r.http:
		r.Report.Pass(ids.At, "vpcEndpointIds", "an HTTP API is regional")
	default:
		r.api.Set("endpoint", tree.NewText("PRIVATE", ids.At))
		r.Report.Approximate(ids.At, "endpoint", "taken for a private API, because it has vpcEndpointIds; its resource policy says which endpoints may call")
	}
}

// servers notes the base paths that the document names: API Gateway's import ignores them unless its parameter basepath says otherwise.
func (r *reader) servers() {
	if p := r.Root.Pair("basePath"); p != nil {
		r.Report.Pass(p.At, "basePath", "ignored, as by API Gateway's import with basepath=ignore, its default")
	}
	if p := r.Root.Pair("servers"); p != nil {
		r.Report.Pass(p.At, "servers", "ignored, as by API Gateway's import with basepath=ignore, its default; write the hosts under domains of a stage")
	}
}

// responses are the gateway responses. None of them lets a request pass: what is not known is left out.
func (r *reader) responses() {
	p := r.Root.Pair(xResponses)
	switch {
	case p == nil:
		return
	case r.http:
		r.Report.Pass(p.At, xResponses, "an HTTP API's answers cannot be customized")
		return
	}
	n, t := r.Follow(p.Value)
	if t != nil {
		r.leaveOut(xResponses, t)
		return
	}
	all := tree.NewMap(n.At)
	for _, kind := range document.Pairs(n) {
		what := "gateway response " + kind.Key
		one, t := r.Follow(kind.Value)
		if t != nil {
			r.leaveOut(what, t)
			continue
		}
		made := r.response(one, what)
		all.Set(kind.Key, made)
		r.Report.Enforce(kind.At, what, "answered as it says")
	}
	if len(all.Pairs) > 0 {
		r.api.Set("gatewayResponses", all)
	}
}

func (r *reader) response(n *tree.Node, what string) *tree.Node {
	made := tree.NewMap(n.At)
	if status := n.Get("statusCode"); !document.Absent(status) {
		if text, t := r.Text(status, what); t != nil {
			r.leaveOut(what, t)
		} else {
			made.Set("statusCode", &tree.Node{Kind: tree.Number, Text: text, At: status.At})
		}
	}
	for _, key := range []string{"responseParameters", "responseTemplates"} {
		texts := tree.NewMap(n.Get(key).Position())
		for _, p := range document.Pairs(n.Get(key)) {
			value, ok := p.Value.Scalar()
			switch {
			case document.Unknown(p.Value) != nil:
				r.leaveOut(what, document.Unknown(p.Value))
			case !ok:
				r.leaveOut(what, document.TroubleAt(p.At, key+" must be texts"))
			case key == "responseParameters" && !strings.HasPrefix(p.Key, "gatewayresponse.header."):
				r.leaveOut(what, document.TroubleAt(p.At, fault.Quoted(p.Key)+" is not a header of the answer"))
			case key == "responseParameters" && document.NotFilled(value, p.Value.At) != nil:
				r.leaveOut(what, document.NotFilled(value, p.Value.At))
			default:
				texts.Set(p.Key, tree.NewText(value, p.Value.At))
			}
		}
		if len(texts.Pairs) > 0 {
			made.Set(key, texts)
		}
	}
	return made
}

// leaveOut notes a part of an answer that is left out.
func (r *reader) leaveOut(what string, t *document.Trouble) {
	r.Report.Approximate(t.At, what, "left out: "+t.Message)
}

// cors is the CORS configuration of an HTTP API. What is not known of it allows nothing.
func (r *reader) cors() {
	p := r.Root.Pair(xCORS)
	switch {
	case p == nil || document.Absent(p.Value):
		return
	case !r.http:
		r.Report.Pass(p.At, xCORS, "it has no effect on a REST API: write operations for OPTIONS")
		return
	}
	n, t := r.Follow(p.Value)
	if t == nil && !n.Is(tree.Map) {
		t = document.Unlike(n, p.At, xCORS+" must be a map")
	}
	if t != nil {
		r.leaveOut(xCORS, t)
		return
	}
	made := tree.NewMap(n.At)
	for _, field := range n.Pairs {
		if t := r.corsField(made, field); t != nil {
			r.leaveOut(xCORS+" "+field.Key, t)
		}
	}
	if !made.Has("allowOrigins") {
		r.leaveOut(xCORS, document.TroubleAt(p.At, "it allows no origin that is known"))
		return
	}
	r.api.Set("cors", made)
	r.Report.Enforce(p.At, xCORS, "preflight requests are answered before any route")
}

func (r *reader) corsField(made *tree.Node, p tree.Pair) *document.Trouble {
	switch p.Key {
	case "allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders":
		all, t := r.Texts(p.Value, xCORS)
		if t == nil && len(all) > 0 {
			made.Set(p.Key, document.List(p.Value.At, all))
		}
		return t
	case "maxAge":
		text, t := r.Text(p.Value, xCORS)
		if t == nil {
			made.Set(p.Key, &tree.Node{Kind: tree.Number, Text: text, At: p.Value.At})
		}
		return t
	case "allowCredentials":
		if yes, ok := p.Value.Truth(); ok {
			made.Set(p.Key, tree.NewBool(yes, p.Value.At))
			return nil
		}
		return document.TroubleAt(p.At, "allowCredentials must be true or false")
	}
	return document.TroubleAt(p.At, fault.Quoted(p.Key)+" is not a field of "+xCORS)
}
