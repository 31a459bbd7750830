package openapi

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// fields are what x-amazon-apigateway-authorizer holds ("x-amazon-apigateway-authorizer object").
var fields = []string{
	"type", "authorizerUri", "authorizerCredentials", "authorizerPayloadFormatVersion", "enableSimpleResponses", "identitySource",
	"identityValidationExpression", "authorizerResultTtlInSeconds", "providerARNs", "jwtConfiguration",
}

// extension is x-amazon-apigateway-authorizer of a security scheme, on its way to an authorizer of portcullis.yaml.
type extension struct {
	*reader
	what string
	// scheme is the security scheme, and n the extension.
	scheme, n *tree.Node
	kind      string
	// made is what portcullis.yaml has of it: a lambda, cognito or jwt.
	made *tree.Node
}

// authorizer makes an authorizer of a scheme and writes it to the API.
func (r *reader) authorizer(s *scheme, name, authtype string, n, at *tree.Node) *trouble {
	x := &extension{reader: r, what: "authorizer " + name, scheme: n, n: at, made: tree.NewMap(at.At)}
	if !at.Is(tree.Map) {
		return troubleAt(at.At, xAuthorizer+" must be a map, and is "+kindOf(at))
	}
	r.noteDefaults(at, x.what)
	text, t := r.text(at.Get("type"), x.what)
	if absent(at.Get("type")) {
		t = troubleAt(at.At, xAuthorizer+" lacks its type: write type: token, request, cognito_user_pools or jwt")
	}
	if t != nil {
		return t
	}
	x.kind = strings.ToLower(text)
	if authtype == "cognito_user_pools" && x.kind != authtype {
		return troubleAt(at.Get("type").At, xAuthtype+" says cognito_user_pools, and the authorizer is of type "+fault.Quoted(text)+": write the same")
	}
	field, t := x.read(text)
	if t != nil {
		return t
	}
	for _, p := range at.Pairs {
		if !slices.Contains(fields, p.Key) {
			r.report.Approximate(p.At, x.what, p.Key+" is not a field of "+xAuthorizer+": it has no effect")
		}
	}
	s.kind, s.authorizer, s.scoped, s.says = schemeAuthorizer, r.uniqueName(name, s.at), field != "lambda", saysClaims
	if field == "lambda" {
		s.says = saysContext
	}
	r.says |= s.says
	r.addAuthorizer(s.authorizer, tree.NewMap(at.At).Set(field, x.made))
	r.report.Enforce(s.at, x.what, "of type "+x.kind)
	return nil
}

func (r *reader) addAuthorizer(name string, n *tree.Node) {
	all := r.api.Get("authorizers")
	if all == nil {
		all = tree.NewMap(n.At)
		r.api.Set("authorizers", all)
	}
	all.Set(name, n)
}

// read makes the authorizer, and returns the field that it stands in.
func (x *extension) read(text string) (field string, t *trouble) {
	switch {
	case x.kind == "token" && x.http:
		return "", troubleAt(x.n.Get("type").At, "an HTTP API has no authorizers of type token: write type: request, or kind: REST")
	case x.kind == "cognito_user_pools" && x.http:
		return "", troubleAt(x.n.Get("type").At, "an HTTP API has no authorizers of type cognito_user_pools: write type: jwt with the pool's issuer, or kind: REST")
	case x.kind == "token" || x.kind == "request":
		return "lambda", x.lambda()
	case x.kind == "cognito_user_pools":
		return "cognito", x.cognito()
	case x.kind == "jwt":
		return "jwt", x.jwt()
	}
	return "", troubleAt(x.n.Get("type").At, "the type "+fault.Quoted(text)+" is not known: write token, request, cognito_user_pools or jwt")
}

func (x *extension) lambda() *trouble {
	x.made.Set("type", tree.NewText(strings.ToUpper(x.kind), x.n.Get("type").At))
	for _, step := range []func() *trouble{x.function, x.identitySources, x.expression, x.ttl, x.payload, x.credentials} {
		if t := step(); t != nil {
			return t
		}
	}
	return nil
}

var (
	invocation = regexp.MustCompile(`^arn:aws[a-z-]*:apigateway:[a-z0-9-]+:lambda:path/{1,2}[0-9-]+/functions/(.+)/invocations/?$`)
	function   = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,140}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?$`)
	role       = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/`)
)

// function is the ARN of the function that authorizerUri invokes.
func (x *extension) function() *trouble {
	n := x.n.Get("authorizerUri")
	if absent(n) {
		return troubleAt(x.n.At, "the authorizer lacks its authorizerUri: write arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations")
	}
	uri, t := x.text(n, x.what)
	if t != nil {
		return t
	}
	arn := uri
	if m := invocation.FindStringSubmatch(uri); m != nil {
		arn = m[1]
	} else {
		x.report.Approximate(n.At, x.what, "authorizerUri is no URI of an invocation: API Gateway refuses it; it is taken for the ARN of the function")
	}
	if !function.MatchString(arn) {
		return troubleAt(n.At, "authorizerUri "+fault.Quoted(uri)+" invokes no Lambda function: write arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations")
	}
	x.made.Set("function", tree.NewText(arn, n.At))
	return nil
}

// expression is the identityValidationExpression, which API Gateway applies to tokens alone.
func (x *extension) expression() *trouble {
	n := x.n.Get("identityValidationExpression")
	if absent(n) {
		return nil
	}
	text, t := x.text(n, x.what)
	switch {
	case x.kind == "request":
		x.report.Approximate(n.At, x.what, "identityValidationExpression belongs to authorizers of type token: it has no effect")
		return nil
	case t != nil:
		return t
	}
	if text != "" {
		x.made.Set("identityValidationExpression", tree.NewText(text, n.At))
	}
	return nil
}

// ttl is for how long answers are remembered. Without it, API Gateway remembers them for 300 seconds on a REST API, and not at all on an
// HTTP API.
func (x *extension) ttl() *trouble {
	n, at, seconds := x.n.Get("authorizerResultTtlInSeconds"), x.n.At, 300
	if x.http {
		seconds = 0
	}
	if !absent(n) {
		text, t := x.text(n, x.what)
		if t != nil {
			return t
		}
		const most = 3600
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 0 || seconds > most {
			return troubleAt(n.At, "authorizerResultTtlInSeconds must be a number of seconds from 0 to 3600")
		}
		at = n.At
	}
	if seconds > 0 && !x.made.Has("identitySource") {
		seconds = 0
		x.report.Approximate(at, x.what, "API Gateway remembers no answers without an identitySource, and refuses such an authorizer: the function is called for each request")
	}
	x.made.Set("resultTtl", tree.NewText(strconv.Itoa(seconds)+"s", at))
	return nil
}

// payload is the form of the function's events and answers, which only HTTP APIs choose.
func (x *extension) payload() *trouble {
	version, simple := x.n.Get("authorizerPayloadFormatVersion"), x.n.Get("enableSimpleResponses")
	if !x.http {
		for _, n := range []*tree.Node{version, simple} {
			if !absent(n) {
				x.report.Approximate(n.At, x.what, "only HTTP APIs have authorizerPayloadFormatVersion and enableSimpleResponses: it has no effect")
			}
		}
		return nil
	}
	form, at := "1.0", x.n.At
	if absent(version) {
		x.report.Approximate(at, x.what, "authorizerPayloadFormatVersion is missing, which API Gateway asks for on an HTTP API: taken for 1.0")
	} else {
		text, t := x.text(version, x.what)
		if t != nil {
			return t
		}
		forms := map[string]string{"1": "1.0", "1.0": "1.0", "2": "2.0", "2.0": "2.0"}
		if form, at = forms[text], version.At; form == "" {
			return troubleAt(at, "authorizerPayloadFormatVersion must be 1.0 or 2.0")
		}
	}
	x.made.Set("payloadFormatVersion", tree.NewText(form, at))
	if absent(simple) {
		return nil
	}
	if _, t := x.text(simple, x.what); t != nil {
		return t
	}
	yes, ok := simple.Truth()
	switch {
	case !ok:
		return troubleAt(simple.At, "enableSimpleResponses must be true or false")
	case yes && form != "2.0":
		return troubleAt(simple.At, "simple responses need authorizerPayloadFormatVersion 2.0: write it")
	case yes:
		x.made.Set("enableSimpleResponses", tree.NewBool(true, simple.At))
	}
	return nil
}

// credentials is the role that calls the function. It does not say who may call the API: one that is not known is left out, and the
// function is called with the credentials of the process.
func (x *extension) credentials() *trouble {
	n := x.n.Get("authorizerCredentials")
	if absent(n) {
		return nil
	}
	text, t := x.text(n, x.what)
	switch {
	case t != nil:
		x.report.Approximate(n.At, x.what, "the function is called with the credentials of the process: "+t.message)
	case text == "":
	case role.MatchString(text):
		x.made.Set("credentials", tree.NewText(text, n.At))
	default:
		return troubleAt(n.At, "authorizerCredentials must be the ARN of a role, such as arn:aws:iam::111122223333:role/invoke")
	}
	return nil
}
