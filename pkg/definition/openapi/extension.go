package openapi

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// The extensions that say who may call.
const (
	prefix       = "x-amazon-apigateway-"
	xAny         = prefix + "any-method"
	xAuth        = prefix + "auth"
	xAuthorizer  = prefix + "authorizer"
	xAuthtype    = prefix + "authtype"
	xCORS        = prefix + "cors"
	xEndpoint    = prefix + "endpoint-configuration"
	xIntegration = prefix + "integration"
	xKeySource   = prefix + "api-key-source"
	xPolicy      = prefix + "policy"
	xResponses   = prefix + "gateway-responses"
)

// notOurs are the extensions that do not say who may call ("OpenAPI extensions for API Gateway").
var notOurs = map[string]string{
	prefix + "binary-media-types":       "which bodies are binary",
	prefix + "documentation":            "documentation",
	prefix + "endpoint-access-mode":     "how TLS connections are made",
	prefix + "importexport-version":     "the version of an export",
	prefix + "integrations":             "integrations by name",
	prefix + "minimum-compression-size": "compression",
	prefix + "request-validator":        "validation of requests",
	prefix + "request-validators":       "validation of requests",
	prefix + "security-policy":          "the TLS versions and ciphers",
	prefix + "tag-value":                "a tag",
	prefix + "globals":                  "values by name",
}

// guarding are words in the name of an unknown extension that may say who may call.
var guarding = []string{"access", "acl", "allow", "auth", "cert", "deny", "guard", "identity", "key", "mtls", "mutual", "permission", "policy", "quota", "secur", "throttl", "token", "usage", "waf"}

// guards are the names, without the prefix, that a misspelled one may stand for.
var guards = []string{"any-method", "api-key-source", "auth", "authorizer", "authtype", "policy"}

// extensions notes the extensions of a value beside those that are known there. It returns why one that is unknown and may guard cannot
// be built.
func (r *reader) extensions(n *tree.Node, what string, known ...string) *document.Trouble {
	for _, p := range document.Pairs(n) {
		name := strings.ToLower(p.Key)
		rest, ours := strings.CutPrefix(name, prefix)
		about, harmless := notOurs[p.Key]
		switch {
		case !ours || slices.Contains(known, p.Key):
		case harmless:
			r.Report.Pass(p.At, what, p.Key+": "+about)
		case p.Key == xKeySource && r.isKeySource(p.Value):
			r.Report.Approximate(p.At, what, "API Gateway reads "+xKeySource+" at the document's root alone, which has the same source: remove it here")
		case slices.ContainsFunc(guarding, func(word string) bool { return strings.Contains(rest, word) }):
			return document.TroubleAt(p.At, "the extension "+p.Key+" is not known here, and may say who may call: remove it, or write what it says in portcullis.yaml")
		case source.Suggest(rest, guards) != "":
			return document.TroubleAt(p.At, "the extension "+p.Key+" is not known, and may be meant to say who may call: remove it, or write "+prefix+source.Suggest(rest, guards))
		default:
			r.Report.Pass(p.At, what, p.Key+" is not known, and its name does not say that it guards")
		}
	}
	return nil
}

// isKeySource reports whether a value is where the API looks for keys.
func (r *reader) isKeySource(n *tree.Node) bool {
	source, written := r.Root.Get(xKeySource).Scalar()
	if !written {
		source = "HEADER"
	}
	text, ok := n.Scalar()
	return ok && (written || !r.Root.Has(xKeySource)) && strings.EqualFold(text, source)
}
