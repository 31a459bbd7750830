package compile

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// compileResponses compiles an API's gateway responses, and applies DEFAULT_4XX and DEFAULT_5XX to the other types.
func (f *faults) compileResponses(a *API, at *fault.Place) map[authz.ResponseType]*answer.Custom {
	if len(a.GatewayResponses) == 0 {
		return nil
	}
	byName := map[string]*answer.Custom{}
	for _, name := range slices.Sorted(maps.Keys(a.GatewayResponses)) {
		at := at.Field("gatewayResponses").Key(name)
		f.checkResponseType(name, at)
		byName[name] = f.compileResponse(a.GatewayResponses[name], newScope(a).inResponse(), at)
	}
	return answer.Customized(byName)
}

// checkResponseType refuses names that are not response types, and warns of those that portcullis never answers with.
func (f *faults) checkResponseType(name string, at *fault.Place) {
	customizable, answered := answer.Customizable(authz.ResponseType(name))
	switch {
	case name == answer.Default4XX, name == answer.Default5XX, answered:
	case customizable:
		f.warn(at, "portcullis never answers with %s: this entry has no effect; remove it", name)
	case name == "REQUEST_TOO_LARGE":
		f.add(at, "REQUEST_TOO_LARGE cannot be customized in API Gateway; remove it")
	default:
		f.add(at, "%q is not a gateway response type; write one such as ACCESS_DENIED, MISSING_AUTHENTICATION_TOKEN or DEFAULT_4XX", name)
	}
}

func (f *faults) compileResponse(g GatewayResponse, s scope, at *fault.Place) *answer.Custom {
	if g.StatusCode != 0 && !answer.IsStatus(g.StatusCode) {
		f.add(at.Field("statusCode"), "%d is not a status that Envoy can answer with; write one of %s", g.StatusCode, answer.ListOfStatuses())
	}
	if answer.HasNoBody(g.StatusCode) && len(g.ResponseTemplates) > 0 {
		f.add(at.Field("responseTemplates"), "a response with status %d has no body; remove responseTemplates, or write another statusCode", g.StatusCode)
	}
	const builtIn = "application/json"
	c := &answer.Custom{Status: g.StatusCode, Escape: answer.FormatOf(builtIn, sentType(g.ResponseParameters, builtIn))}
	c.Headers = f.compileParameters(g.ResponseParameters, s, at)
	c.ContentType, c.Body = f.compileBody(g, s, at)
	return c
}

func (f *faults) compileParameters(parameters map[string]string, s scope, at *fault.Place) []answer.MappedHeader {
	var headers []answer.MappedHeader
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		at := at.Field("responseParameters").Key(key)
		name, ok := strings.CutPrefix(key, "gatewayresponse.header.")
		if !ok {
			f.add(at, "%q is not a header, and only headers can be mapped; write gatewayresponse.header.<name>", key)
			continue
		}
		if message := unfitResponseHeader(name); message != "" {
			f.add(at, "%s", message)
		}
		if slices.ContainsFunc(headers, func(h answer.MappedHeader) bool { return strings.EqualFold(h.Name, name) }) {
			f.add(at, "the header %s is mapped twice; remove one", name)
		}
		value, err := compileParameter(parameters[key], f.variables(s, at))
		if err != nil {
			f.add(at, "%v", err)
		}
		headers = append(headers, answer.MappedHeader{Name: name, Value: value})
	}
	return headers
}

// compileParameter compiles the right side of a response parameter: a literal in single quotes, or a variable.
func compileParameter(value string, lookup func(string) (answer.Variable, error)) (answer.Variable, error) {
	if len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' {
		return lookup(value)
	}
	literal := value[1 : len(value)-1]
	if !answer.IsHeaderValue(literal) {
		return answer.Variable{}, errors.New("the text contains a character that a header cannot carry; write visible ASCII, with spaces only inside")
	}
	return answer.Variable{Kind: answer.Literal, Name: literal}, nil
}

// variables returns a function that finds the variables of a gateway response. Where an API is imported, a variable that is not there has
// no value, with a warning.
func (f *faults) variables(s scope, at *fault.Place) func(name string) (answer.Variable, error) {
	return func(name string) (answer.Variable, error) {
		v, err := s.lookup(name)
		if err != nil && s.api.Imported {
			f.warn(at, "%s has no value in portcullis, and is empty", name)
			return answer.Variable{}, nil
		}
		return v, err
	}
}

// compileBody compiles the template for application/json, or the only one. API Gateway does not document which of several templates it
// uses.
func (f *faults) compileBody(g GatewayResponse, s scope, at *fault.Place) (string, answer.Template) {
	templates := g.ResponseTemplates
	if len(templates) == 0 {
		return "", nil
	}
	contentTypes := slices.Sorted(maps.Keys(templates))
	chosen := contentTypes[0]
	if _, ok := templates["application/json"]; ok {
		chosen = "application/json"
	} else if len(templates) > 1 {
		f.add(at.Field("responseTemplates"), "none of several templates is for application/json; write one for it, or keep a single one")
	}
	var body answer.Template
	for _, contentType := range contentTypes {
		at := at.Field("responseTemplates").Key(contentType)
		if !answer.IsHeaderValue(contentType) || !strings.Contains(contentType, "/") {
			f.add(at, "%q is not a content type; write one such as application/json", contentType)
		}
		compiled, err := answer.ParseTemplate(templates[contentType], answer.FormatOf(contentType, sentType(g.ResponseParameters, contentType)), f.variables(s, at))
		switch {
		case err != nil && s.api.Imported:
			f.warn(at, "the template is left out, and the answer has API Gateway's own body: %v", err)
		case err != nil:
			f.add(at, "%v", err)
		}
		switch {
		case contentType != chosen:
			f.warn(at, "this template has no effect, because the one for application/json is used; remove it")
		case err != nil:
			return "", nil
		default:
			body = compiled
		}
	}
	return chosen, body
}

// sentType returns the content type that a response is sent with. A response parameter may replace the template's. It is empty if the
// value depends on the request.
func sentType(parameters map[string]string, contentType string) string {
	for key, value := range parameters {
		if strings.EqualFold(key, "gatewayresponse.header.content-type") {
			literal, _ := strings.CutPrefix(value, "'")
			if literal, ok := strings.CutSuffix(literal, "'"); ok {
				return literal
			}
			return ""
		}
	}
	return contentType
}

// originShape is an origin as a browser writes it: scheme, host, and port unless it is the scheme's own.
var originShape = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9_-]+\.)*[a-z0-9_-]+(:[0-9]{1,5})?$|^[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:[0-9]{1,5})?$`)

// compileCORS compiles an API's CORS configuration. It returns nil if there is none.
func (f *faults) compileCORS(c *CORS, at *fault.Place) *answer.CORS {
	if c == nil {
		return nil
	}
	compiled := answer.NewCORS(answer.CORSOptions{
		AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders, ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge, AllowCredentials: c.AllowCredentials,
	})
	if len(c.AllowOrigins) == 0 {
		f.add(at.Field("allowOrigins"), "cors does not allow an origin; write at least one, such as https://www.example.com")
	}
	for i, origin := range c.AllowOrigins {
		f.compileOrigin(compiled, c, origin, at.Field("allowOrigins").Item(i))
	}
	for i, method := range c.AllowMethods {
		if method != "*" && !slices.Contains(routing.Methods[:], method) {
			f.add(at.Field("allowMethods").Item(i), "%q is not a method; write * or one of %s", method, strings.Join(routing.Methods[:], ", "))
		}
	}
	f.checkHeaderNames(c.AllowHeaders, at.Field("allowHeaders"))
	f.checkHeaderNames(c.ExposeHeaders, at.Field("exposeHeaders"))
	return compiled
}

// compileOrigin adds an allowed origin.
func (f *faults) compileOrigin(compiled *answer.CORS, c *CORS, origin string, at *fault.Place) {
	switch {
	case origin == "*" && c.AllowCredentials:
		f.add(at, "browsers refuse credentials if every origin is allowed; write the origins, or remove allowCredentials")
	case origin == "*":
		compiled.AllowEveryOrigin()
	case origin == "https://*" || origin == "http://*":
		if c.AllowCredentials {
			f.warn(at, "%s with allowCredentials lets every site of that scheme act for a user who is logged in; write the origins", origin)
		}
		compiled.AllowScheme(strings.TrimSuffix(origin, "*"))
	case !originShape.MatchString(origin):
		f.add(at, "%q is not an origin as browsers send it; write one such as https://www.example.com, in lower case and without a path, or https://*, http://* or *", origin)
	case !compiled.AllowOrigin(origin):
		f.add(at, "the origin %s is given twice; remove one", origin)
	}
}

func (f *faults) checkHeaderNames(names []string, at *fault.Place) {
	for i, name := range names {
		if !authz.IsToken(name) {
			f.add(at.Item(i), "%q is not a header name; write one such as Authorization, or *", name)
		}
	}
}
