package authorizer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const name = "x-amazon-apigateway-authorizer"

// fields are the fields of x-amazon-apigateway-authorizer ("x-amazon-apigateway-authorizer object").
var fields = []string{
	"type", "authorizerUri", "authorizerCredentials", "authorizerPayloadFormatVersion", "enableSimpleResponses", "identitySource",
	"identityValidationExpression", "authorizerResultTtlInSeconds", "providerARNs", "jwtConfiguration",
}

// Words are the names of values that authorizers set for a caller.
type Words uint8

const (
	// Claims are those of tokens.
	Claims Words = 1 << iota
	// Context has the values that functions return.
	Context
)

// Source has the parts of a definition that an authorizer is built from.
type Source struct {
	*document.Document
	HTTP bool
	// Name is the name of the security scheme, At its place.
	Name string
	At   tree.Position
	// Authtype is x-amazon-apigateway-authtype in lower case, empty if there is none.
	Authtype string
	// Scheme is the security scheme, and Extension its x-amazon-apigateway-authorizer.
	Scheme, Extension *tree.Node
}

// Made is an authorizer in the terms of portcullis.yaml.
type Made struct {
	Node *tree.Node
	// Says has the values that it sets for callers.
	Says Words
	// Scoped says that it looks at scopes.
	Scoped bool
}

// extension is x-amazon-apigateway-authorizer of a security scheme, on its way to an authorizer of portcullis.yaml.
type extension struct {
	Source
	what string
	n    *tree.Node
	kind string
	// made is the authorizer in portcullis.yaml: a lambda, cognito or jwt.
	made *tree.Node
}

// Make makes an authorizer of a security scheme's extension.
func Make(s Source) (*Made, *document.Trouble) {
	x := &extension{Source: s, what: "authorizer " + s.Name, n: s.Extension, made: tree.NewMap(s.Extension.At)}
	text, t := x.typeText()
	if t != nil {
		return nil, t
	}
	x.kind = strings.ToLower(text)
	if s.Authtype == "cognito_user_pools" && x.kind != s.Authtype {
		return nil, document.TroubleAt(x.n.Get("type").At, "x-amazon-apigateway-authtype says cognito_user_pools, and the authorizer is of type "+fault.Quoted(text)+": write the same")
	}
	field, t := x.read(text)
	if t != nil {
		return nil, t
	}
	for _, p := range x.n.Pairs {
		if !slices.Contains(fields, p.Key) {
			x.Report.Approximate(p.At, x.what, p.Key+" is not a field of "+name+": it has no effect")
		}
	}
	x.Report.Enforce(s.At, x.what, "of type "+x.kind)
	made := &Made{Node: tree.NewMap(x.n.At).Set(field, x.made), Says: Claims, Scoped: true}
	if field == "lambda" {
		made.Says, made.Scoped = Context, false
	}
	return made, nil
}

func (x *extension) typeText() (string, *document.Trouble) {
	if !x.n.Is(tree.Map) {
		return "", document.Unlike(x.n, x.n.At, name+" must be a map")
	}
	x.NoteDefaults(x.n, x.what)
	if document.Absent(x.n.Get("type")) {
		return "", document.TroubleAt(x.n.At, name+" lacks its type: write type: token, request, cognito_user_pools or jwt")
	}
	return x.Text(x.n.Get("type"), x.what)
}

// read makes the authorizer, and returns the field that it stands in.
func (x *extension) read(text string) (field string, t *document.Trouble) {
	switch {
	case x.kind == "token" && x.HTTP:
		return "", document.TroubleAt(x.n.Get("type").At, "an HTTP API has no authorizers of type token: write type: request, or kind: REST")
	case x.kind == "cognito_user_pools" && x.HTTP:
		return "", document.TroubleAt(x.n.Get("type").At, "an HTTP API has no authorizers of type cognito_user_pools: write type: jwt with the pool's issuer, or kind: REST")
	case x.kind == "token" || x.kind == "request":
		return "lambda", x.lambda()
	case x.kind == "cognito_user_pools":
		return "cognito", x.cognito()
	case x.kind == "jwt":
		return "jwt", x.jwt()
	}
	return "", document.TroubleAt(x.n.Get("type").At, "the type "+fault.Quoted(text)+" is not known: write token, request, cognito_user_pools or jwt")
}

func (x *extension) lambda() *document.Trouble {
	x.made.Set("type", tree.NewText(strings.ToUpper(x.kind), x.n.Get("type").At))
	for _, step := range []func() *document.Trouble{x.function, x.identitySources, x.expression, x.ttl, x.payload, x.credentials} {
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
func (x *extension) function() *document.Trouble {
	n := x.n.Get("authorizerUri")
	if document.Absent(n) {
		return document.TroubleAt(x.n.At, "the authorizer lacks its authorizerUri: write arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations")
	}
	uri, t := x.Text(n, x.what)
	if t != nil {
		return t
	}
	arn := uri
	if m := invocation.FindStringSubmatch(uri); m != nil {
		arn = m[1]
	} else {
		x.Report.Approximate(n.At, x.what, "authorizerUri is no URI of an invocation: API Gateway refuses it; it is taken for the ARN of the function")
	}
	if !function.MatchString(arn) {
		return document.TroubleAt(n.At, "authorizerUri "+fault.Quoted(uri)+" invokes no Lambda function: write arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations"+document.Instead(uri))
	}
	x.made.Set("function", tree.NewText(arn, n.At))
	return nil
}

// expression is the identityValidationExpression, which API Gateway applies to tokens alone.
func (x *extension) expression() *document.Trouble {
	n := x.n.Get("identityValidationExpression")
	if document.Absent(n) {
		return nil
	}
	text, t := x.Text(n, x.what)
	switch {
	case x.kind == "request":
		x.Report.Approximate(n.At, x.what, "identityValidationExpression belongs to authorizers of type token: it has no effect")
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
func (x *extension) ttl() *document.Trouble {
	n, at, seconds := x.n.Get("authorizerResultTtlInSeconds"), x.n.At, 300
	if x.HTTP {
		seconds = 0
	}
	if !document.Absent(n) {
		text, t := x.Text(n, x.what)
		if t != nil {
			return t
		}
		const most = 3600
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 0 || seconds > most {
			return document.TroubleAt(n.At, "authorizerResultTtlInSeconds must be a number of seconds from 0 to 3600")
		}
		at = n.At
	}
	if seconds > 0 && !x.made.Has("identitySource") {
		seconds = 0
		x.Report.Approximate(at, x.what, "API Gateway remembers no answers without an identitySource, and refuses such an authorizer: the function is called for each request")
	}
	x.made.Set("resultTtl", tree.NewText(strconv.Itoa(seconds)+"s", at))
	return nil
}

// payload is the form of the function's events and answers, which only HTTP APIs choose.
func (x *extension) payload() *document.Trouble {
	version, simple := x.n.Get("authorizerPayloadFormatVersion"), x.n.Get("enableSimpleResponses")
	if !x.HTTP {
		for _, n := range []*tree.Node{version, simple} {
			if !document.Absent(n) {
				x.Report.Approximate(n.At, x.what, "only HTTP APIs have authorizerPayloadFormatVersion and enableSimpleResponses: it has no effect")
			}
		}
		return nil
	}
	form, at := "1.0", x.n.At
	if document.Absent(version) {
		x.Report.Approximate(at, x.what, "authorizerPayloadFormatVersion is missing, which API Gateway asks for on an HTTP API: taken for 1.0")
	} else {
		text, t := x.Text(version, x.what)
		if t != nil {
			return t
		}
		forms := map[string]string{"1": "1.0", "1.0": "1.0", "2": "2.0", "2.0": "2.0"}
		if form, at = forms[text], version.At; form == "" {
			return document.TroubleAt(at, "authorizerPayloadFormatVersion must be 1.0 or 2.0")
		}
	}
	x.made.Set("payloadFormatVersion", tree.NewText(form, at))
	if document.Absent(simple) {
		return nil
	}
	if _, t := x.Text(simple, x.what); t != nil {
		return t
	}
	yes, ok := simple.Truth()
	switch {
	case !ok:
		return document.TroubleAt(simple.At, "enableSimpleResponses must be true or false")
	case yes && form != "2.0":
		return document.TroubleAt(simple.At, "simple responses need authorizerPayloadFormatVersion 2.0: write it")
	case yes:
		x.made.Set("enableSimpleResponses", tree.NewBool(true, simple.At))
	}
	return nil
}

// credentials is the role that calls the function. It does not say who may call the API: one that is not known is left out, and the
// function is called with the credentials of the process.
func (x *extension) credentials() *document.Trouble {
	n := x.n.Get("authorizerCredentials")
	if document.Absent(n) {
		return nil
	}
	text, t := x.Text(n, x.what)
	switch {
	case t != nil:
		x.Report.Approximate(n.At, x.what, "the function is called with the credentials of the process: "+t.Message)
	case text == "":
	case role.MatchString(text):
		x.made.Set("credentials", tree.NewText(text, n.At))
	default:
		return document.TroubleAt(n.At, "authorizerCredentials must be the ARN of a role, such as arn:aws:iam::111122223333:role/invoke"+document.Instead(text))
	}
	return nil
}
