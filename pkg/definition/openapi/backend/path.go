package backend

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

var (
	// parameter matches a path parameter, in a resource or in a URI.
	parameter = regexp.MustCompile(`\{([^{}/+]+)\+?\}`)
	// requestPath matches the whole path and a path parameter in a parameter mapping of an HTTP API.
	requestPath = regexp.MustCompile(`\$(\{)?request\.path(?:\.([A-Za-z0-9_-]+))?(\})?`)
	// constant matches a path that Envoy can write before another one.
	constant = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)
)

// wholePath stands for the client's path in that of an integration of the default route.
const wholePath = "/{the whole path}"

const (
	pathMapping  = "integration.request.path."
	overwritten  = "overwrite:path"
	fromTheRoute = "method.request.path."
)

// prefix returns what stands before the route's path in the path of the integration.
func (i *Integration) prefix(path string, f *Found) (string, *document.Trouble) {
	at := i.Node.Get("uri").Position()
	route := i.Route.Resource
	if i.Route.Method == routing.Default {
		route = wholePath
	}
	path, wrong := i.filled(path, route, f)
	if wrong != nil {
		return "", wrong
	}
	if path == "" {
		path = "/" // what HTTP sends
	}
	prefix, same := strings.CutSuffix(path, route)
	switch {
	case !same && route == "/" && constant.MatchString(path):
		f.Differs = append(f.Differs, *document.TroubleAt(at, "the server gets the path "+path+"/ with a slash at its end, and from API Gateway without it"))
		prefix = path
	case !same && route == wholePath:
		return "", i.refuse(at, "AWS does not document which path the default route sends: write the route ANY /{proxy+}, and {proxy} in the uri")
	case !same:
		return "", i.refuse(at, "API Gateway sends the path %s for requests of the route %s, and Envoy the client's path, which is another one: serve it under the path of the route", fault.Quoted(path), i.Route)
	}
	if !constant.MatchString(prefix) || canon.HasDotSegment(prefix) {
		return "", i.refuse(at, "Envoy cannot write %s before the path of the route %s: write segments of letters, digits and ._~-", fault.Quoted(prefix), i.Route)
	}
	return prefix, nil
}

// filled returns the path of the integration with the parameters as the route's resource writes them.
func (i *Integration) filled(path, route string, f *Found) (string, *document.Trouble) {
	if n := i.mapping(overwritten); i.HTTP && n != nil {
		return i.overwritten(n, route)
	}
	own := parameters(i.Route.Resource)
	var wrong *document.Trouble
	path = parameter.ReplaceAllStringFunc(path, func(whole string) string {
		name := parameter.FindStringSubmatch(whole)[1]
		n := i.mapping(pathMapping + name)
		from, mapped := name, n != nil && !i.HTTP
		if mapped {
			text, t := i.Text(n, "the mapping of "+name)
			source, ofRoute := strings.CutPrefix(text, fromTheRoute)
			if t != nil || !ofRoute {
				wrong = i.refuse(n.At, "the path parameter %s of the uri does not come from the path of the request, so the server gets another path than the client's: map method.request.path.NAME", name)
			}
			from = source
		}
		spelling, known := own[from]
		switch {
		case wrong != nil:
		case !known:
			wrong = i.refuse(i.Node.Get("uri").Position(), "the uri has the path parameter %s, which is not one of the route %s: write one that it has", fault.Quoted(from), i.Route)
		case !mapped && !i.HTTP:
			f.Differs = append(f.Differs, *document.TroubleAt(i.Node.Get("uri").Position(), "{"+name+"} of the uri is taken for the route's parameter of this name, though requestParameters does not map "+pathMapping+name))
		}
		return spelling
	})
	return path, wrong
}

// mapping returns the value of a parameter mapping, nil if there is none.
func (i *Integration) mapping(key string) *tree.Node { return i.Node.Get("requestParameters").Get(key) }

// parameters returns the path parameters of a resource, by name, as the resource writes them.
func parameters(resource string) map[string]string {
	all := map[string]string{}
	for _, m := range parameter.FindAllStringSubmatch(resource, -1) {
		all[m[1]] = m[0]
	}
	return all
}

// overwritten returns the path that a parameter mapping of an HTTP API makes.
func (i *Integration) overwritten(n *tree.Node, route string) (string, *document.Trouble) {
	text, ok := n.Scalar()
	if t := document.Unknown(n); t != nil || !ok {
		return "", i.refuse(n.At, "%s is not known: write it out", overwritten)
	}
	own, bad := parameters(i.Route.Resource), false
	path := requestPath.ReplaceAllStringFunc(text, func(whole string) string {
		m := requestPath.FindStringSubmatch(whole)
		bad = bad || (m[1] == "") != (m[3] == "")
		if m[2] == "" {
			return route
		}
		bad = bad || own[m[2]] == ""
		return own[m[2]]
	})
	if bad || strings.ContainsAny(path, "$'") {
		return "", i.refuse(n.At, "%s makes the path %s of something else than the path of the request: use $request.path and $request.path.NAME", overwritten, fault.Quoted(text))
	}
	return strings.ReplaceAll("/"+path, "//", "/"), nil
}

// differences notes what the server gets in another way than from API Gateway.
func (i *Integration) differences(f *Found) {
	if kind, _ := i.Node.Get("type").Scalar(); strings.EqualFold(kind, plainHTTP) {
		f.Differs = append(f.Differs, *document.TroubleAt(i.Node.At, "the type http: the server gets the client's request, and the client the server's answer, as with http_proxy. Mapping templates (requestTemplates, responses) are not carried out"))
	}
	if p := i.Node.Pair("responseParameters"); p != nil {
		f.Differs = append(f.Differs, *document.TroubleAt(p.At, "responseParameters are not carried out: the client gets the server's answer"))
	}
	for _, p := range document.Pairs(i.Node.Get("requestParameters")) {
		value, _ := p.Value.Scalar()
		switch {
		case strings.HasPrefix(p.Key, pathMapping) && !i.HTTP, p.Key == overwritten && i.HTTP:
		case strings.Contains(value, "context.authorizer"), strings.Contains(value, "context.identity"): // upstreamHeaders, or noted there
		default:
			f.Differs = append(f.Differs, *document.TroubleAt(p.At, "the mapping "+fault.Quoted(p.Key)+" is not carried out: the server gets what the client sends"))
		}
	}
}
