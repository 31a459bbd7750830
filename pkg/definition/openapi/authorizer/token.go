package authorizer

import (
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

var pool = regexp.MustCompile(`^arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/[A-Za-z0-9_-]+$`)

// cognito makes an authorizer for tokens of user pools.
func (x *extension) cognito() *document.Trouble {
	n := x.n.Get("providerARNs")
	all, t := x.RequiredTexts(x.n, "providerARNs", x.what)
	if t != nil {
		return t
	}
	for _, arn := range all {
		if !pool.MatchString(arn) {
			return document.TroubleAt(n.At, fault.Quoted(arn)+" is not the ARN of a user pool: write one such as arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"+document.Instead(arn))
		}
	}
	x.made.Set("userPools", document.List(n.At, all))
	source, t := x.oneSource()
	if t != nil {
		return t
	}
	x.made.Set("identitySource", source)
	if n := x.n.Get("authorizerResultTtlInSeconds"); !document.Absent(n) {
		x.Report.Pass(n.At, x.what, "authorizerResultTtlInSeconds: tokens are verified, and nothing is asked of a function")
	}
	return x.expression()
}

// jwt makes an authorizer for JSON Web Tokens: with an issuer and audiences, as HTTP APIs have it, or with issuers, as REST APIs do.
func (x *extension) jwt() *document.Trouble {
	c, t := x.Follow(x.n.Get("jwtConfiguration"))
	switch {
	case t != nil:
		return t
	case !c.Is(tree.Map):
		return document.TroubleAt(x.n.At, "the authorizer lacks its jwtConfiguration: write the issuer and the audience")
	case c.Has("issuers") && (c.Has("issuer") || c.Has("audience")):
		return document.TroubleAt(c.Get("issuers").Position(), "jwtConfiguration has either issuer and audience, or issuers")
	case c.Has("issuers") && x.HTTP:
		return document.TroubleAt(c.Get("issuers").Position(), "only a REST API has issuers: write issuer and audience, or kind: REST")
	case c.Has("issuers"):
		t = x.issuers(c)
	default:
		if !x.HTTP {
			x.Report.Approximate(c.At, x.what, "API Gateway asks for issuers on a REST API: the issuer and its audience are taken for one of them")
		}
		t = x.issuer(c)
	}
	if t != nil {
		return t
	}
	if document.Empty(x.n.Get("identitySource")) {
		x.Report.Approximate(x.n.At, x.what, "identitySource is missing, which API Gateway asks for: the header that the security scheme names, or Authorization")
	}
	source, t := x.oneSource()
	if t != nil {
		return t
	}
	x.made.Set("identitySource", source)
	return nil
}

// fieldsOf refuses a field of a token's rules that is not known: it may be one more rule.
func fieldsOf(n *tree.Node, what string, known ...string) *document.Trouble {
	for _, p := range n.Pairs {
		if !slices.Contains(known, p.Key) {
			return document.TroubleAt(p.At, fault.Quoted(p.Key)+" is not a field of "+what+": write "+strings.Join(known, ", "))
		}
	}
	return nil
}

// issuer is an HTTP API's form. An openIdConnect scheme may name the issuer by the URL of its document.
func (x *extension) issuer(c *tree.Node) *document.Trouble {
	if t := fieldsOf(c, "jwtConfiguration", "issuer", "audience", "defaultAlgorithms"); t != nil {
		return t
	}
	n, what := c.Get("issuer"), "the issuer"
	if document.Absent(n) {
		n, what = x.Scheme.Get("openIdConnectUrl"), "the issuer, as openIdConnectUrl names it,"
	}
	if document.Absent(n) {
		return document.TroubleAt(c.At, "jwtConfiguration lacks its issuer: write it, or the scheme's openIdConnectUrl")
	}
	text, t := x.Text(n, x.what)
	if t != nil {
		return t
	}
	if issuer, ok := strings.CutSuffix(text, "/.well-known/openid-configuration"); ok && document.Absent(c.Get("issuer")) {
		x.Report.Approximate(n.At, x.what, "the issuer is taken from openIdConnectUrl; API Gateway reads it in the document there")
		text = issuer
	}
	if !strings.HasPrefix(text, "https://") {
		return document.TroubleAt(n.At, what+" must be an https URL")
	}
	all, t := x.RequiredTexts(c, "audience", x.what)
	if t != nil {
		return t
	}
	x.made.Set("issuer", tree.NewText(text, n.At)).Set("audiences", document.List(c.Get("audience").At, all))
	return x.algorithms(c)
}

// issuers is a REST API's form.
func (x *extension) issuers(c *tree.Node) *document.Trouble {
	if t := fieldsOf(c, "jwtConfiguration", "issuers", "defaultAlgorithms"); t != nil {
		return t
	}
	n := c.Get("issuers")
	if t := document.Unknown(n); t != nil {
		return t
	}
	if !n.Is(tree.List) || len(n.Items) == 0 {
		return document.TroubleAt(n.Position(), "issuers must be a list of issuers with their audiences")
	}
	made := tree.NewList(n.At)
	for _, item := range n.Items {
		one, t := x.oneIssuer(item)
		if t != nil {
			return t
		}
		made.Items = append(made.Items, one)
	}
	x.made.Set("issuers", made)
	return x.algorithms(c)
}

func (x *extension) oneIssuer(n *tree.Node) (*tree.Node, *document.Trouble) {
	if t := document.Unknown(n); t != nil {
		return nil, t
	}
	if t := fieldsOf(n, "an issuer", "issuer", "audiences", "additionalClaims", "jwksUri"); t != nil {
		return nil, t
	}
	issuer, t := x.RequiredText(n, "issuer", x.what)
	if t != nil {
		return nil, t
	}
	if !strings.HasPrefix(issuer, "https://") {
		return nil, document.TroubleAt(n.Get("issuer").At, "the issuer must be an https URL")
	}
	audiences, t := x.RequiredTexts(n, "audiences", x.what)
	if t != nil {
		return nil, t
	}
	if uri := n.Get("jwksUri"); !document.Absent(uri) {
		x.Report.Approximate(uri.At, x.what, "jwksUri is what API Gateway has found: the keys are those that the issuer names; write issuers in portcullis.yaml for others")
	}
	made := tree.NewMap(n.At).Set("issuer", tree.NewText(issuer, n.Get("issuer").At)).Set("audiences", document.List(n.Get("audiences").At, audiences))
	claims, t := x.claims(n.Get("additionalClaims"))
	if t != nil {
		return nil, t
	}
	return made.Set("additionalClaims", claims), nil
}

func (x *extension) claims(n *tree.Node) (*tree.Node, *document.Trouble) {
	if document.Absent(n) {
		return nil, nil
	}
	if t := document.Unknown(n); t != nil {
		return nil, t
	}
	if !n.Is(tree.List) {
		return nil, document.Unlike(n, n.At, "additionalClaims must be a list")
	}
	made := tree.NewList(n.At)
	for _, item := range n.Items {
		claim, t := x.claim(item)
		if t != nil {
			return nil, t
		}
		made.Items = append(made.Items, claim)
	}
	return made, nil
}

func (x *extension) claim(n *tree.Node) (*tree.Node, *document.Trouble) {
	if t := document.Unknown(n); t != nil {
		return nil, t
	}
	if t := fieldsOf(n, "an additional claim", "claimName", "format", "required", "expectedValues"); t != nil {
		return nil, t
	}
	name, t := x.RequiredText(n, "claimName", x.what)
	if t != nil {
		return nil, t
	}
	made := tree.NewMap(n.At).Set("claimName", tree.NewText(name, n.Get("claimName").At))
	if value := n.Get("format"); !document.Absent(value) {
		format, t := x.Text(value, x.what)
		if t != nil {
			return nil, t
		}
		made.Set("format", tree.NewText(format, value.At))
	}
	if value := n.Get("required"); !document.Absent(value) {
		if _, t := x.Text(value, x.what); t != nil {
			return nil, t
		}
		required, ok := value.Truth()
		if !ok {
			return nil, document.TroubleAt(value.At, "required must be true or false")
		}
		made.Set("required", tree.NewBool(required, value.At))
	}
	if value := n.Get("expectedValues"); !document.Absent(value) {
		all, t := x.Texts(value, x.what)
		if t != nil {
			return nil, t
		}
		made.Set("expectedValues", document.List(value.At, all))
	}
	return made, nil
}

// algorithms are those that tokens may be signed with, where the configuration says so.
func (x *extension) algorithms(c *tree.Node) *document.Trouble {
	n := c.Get("defaultAlgorithms")
	if document.Absent(n) {
		return nil
	}
	all, t := x.Texts(n, x.what)
	if t != nil {
		return t
	}
	x.made.Set("algorithms", document.List(n.At, all))
	return nil
}
