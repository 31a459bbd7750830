package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// singleSource is the identity source of an authorizer that has one: the one that is written, or the Authorization header.
func (f *faults) singleSource(written []string, api *API, at string) []string {
	switch {
	case len(written) > 1:
		f.add(at+".identitySource", "such an authorizer has one identity source: write one")
	case len(written) == 0 && api.HTTP:
		return []string{"$request.header.Authorization"}
	case len(written) == 0:
		return []string{"method.request.header.Authorization"}
	case !api.HTTP && !strings.HasPrefix(written[0], "method.request.header."):
		f.add(at+".identitySource[0]", "%q: such an authorizer of a REST API looks at a header; write method.request.header.<name>", written[0])
		return nil
	case api.HTTP && !strings.HasPrefix(written[0], "$request."):
		f.add(at+".identitySource[0]", "%q: write $request.header.<name> or $request.querystring.<name>", written[0])
		return nil
	}
	return written
}

func (f *faults) compileSources(written []string, api *API, at string) []identitySource {
	var sources []identitySource
	seen := map[string]bool{}
	for i, text := range written {
		at := fmt.Sprintf("%s.identitySource[%d]", at, i)
		value, err := compileSource(text, api)
		if variable, ok := strings.CutPrefix(strings.TrimPrefix(text, "$"), "stageVariables."); ok && !api.hasStageVariable(variable) {
			f.warn(at, "no stage of the API has a variable %q: every caller gets a 401", variable)
		}
		if variable, ok := strings.CutPrefix(strings.TrimPrefix(text, "$"), "context."); ok && slices.Contains(unknownBefore, variable) {
			f.warn(at, "nobody whom an authorizer is asked about has %s: every caller gets a 401", text)
		}
		switch {
		case err != nil:
			f.add(at, "%v", err)
		case seen[text]:
			f.add(at, "the identity source %s is written twice", text)
		}
		seen[text] = true
		sources = append(sources, identitySource{text, value})
	}
	return sources
}

// unknownBefore are the variables that no request has before an authorizer is asked: those of callers who sign, and those that
// none has.
var unknownBefore = append([]string{
	"identity.accessKey", "identity.accountId", "identity.caller", "identity.principalOrgId", "identity.user", "identity.userArn",
}, absentVariables...)

// compileSource compiles an identity source: method.request.header.X, method.request.querystring.X, stageVariables.X and
// context.X on a REST API, the same with a dollar sign, and without "method.", on an HTTP API.
func compileSource(text string, api *API) (answer.Variable, error) {
	name := text
	if api.HTTP {
		var ok bool
		if name, ok = strings.CutPrefix(text, "$"); !ok {
			return answer.Variable{}, fmt.Errorf("%q: an identity source of an HTTP API begins with a dollar sign; write $request.header.<name>", text)
		}
		if strings.HasPrefix(name, "request.") {
			name = "method." + name
		}
	}
	if header, ok := strings.CutPrefix(name, "method.request.header."); ok && authz.IsToken(header) {
		return answer.Variable{Kind: answer.SingleHeader, Name: canon.Lower(header)}, nil
	}
	if query, ok := strings.CutPrefix(name, "method.request.querystring."); ok && query != "" {
		if strings.ContainsAny(query, ", ") {
			return answer.Variable{}, fmt.Errorf("%q: an identity source is one parameter of the query; write one item of the list for each source", text)
		}
		return answer.Variable{Kind: answer.AllQuery, Name: query}, nil
	}
	if strings.HasPrefix(name, "context.") || strings.HasPrefix(name, "stageVariables.") {
		return sourceVariable(name, api)
	}
	form := "method.request.header.<name>, method.request.querystring.<name>, stageVariables.<name> or context.<name>"
	if api.HTTP {
		form = "$request.header.<name>, $request.querystring.<name>, $stageVariables.<name> or $context.<name>"
	}
	return answer.Variable{}, fmt.Errorf("%q is no identity source; write %s", text, form)
}

// sourceVariable is a variable as an identity source. Nothing of an authorizer's is known before it is asked.
func sourceVariable(name string, api *API) (answer.Variable, error) {
	if strings.HasPrefix(name, "context.authorizer") {
		return answer.Variable{}, fmt.Errorf("%q is what an authorizer says: it is not known before", name)
	}
	if variable, ok := strings.CutPrefix(name, "stageVariables."); ok {
		return answer.Variable{Kind: answer.StageVariable, Name: variable}, nil
	}
	return newScope(api).lookup(name)
}
