package compile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// APIKeySource is where a request's API key comes from ("Choose an API key source in API Gateway").
type APIKeySource string

// The sources of API keys.
const (
	// KeyInHeader is the x-api-key header.
	KeyInHeader APIKeySource = "HEADER"
	// KeyFromAuthorizer is the usageIdentifierKey of the Lambda authorizer's answer.
	KeyFromAuthorizer APIKeySource = "AUTHORIZER"
)

// APIKey is one API key. Its zero value counts nowhere.
type APIKey struct {
	// At is where the key stands.
	At *fault.Place
	// ID is the key's id, and Name its name, which may be empty.
	ID, Name string
	// Value is the hash of the key's value.
	Value model.APIKeyValue
	// Stages are the names of the stages whose usage plan the key is in.
	Stages []string
	// Enabled says that callers can use the key.
	Enabled bool
}

// keyIDShape is the id of an API key, which logs repeat.
var keyIDShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// compileAPIKeys compiles an API's keys. No fault repeats a text of one: what was written for a stage may be a key.
func (a *apiBuilder) compileAPIKeys(c *API, at *fault.Place, f *faults) {
	switch c.APIKeySource {
	case "", KeyInHeader:
	case KeyFromAuthorizer:
		a.APIKeys.FromAuthorizer = true
	default:
		f.add(at.Field("apiKeySource"), "apiKeySource %q is not supported; write HEADER or AUTHORIZER", string(c.APIKeySource))
	}
	ids := map[string]bool{}
	for i := range c.APIKeys {
		key, at := &c.APIKeys[i], c.apiKeyAt(at, i)
		if !keyIDShape.MatchString(key.ID) {
			f.add(at.Field("id"), "an API key's id must be 1 to 128 letters, digits, hyphens and underscores")
		} else if ids[key.ID] {
			f.add(at.Field("id"), "another API key has this id: write another one")
		}
		ids[key.ID] = true
		compiled := &model.APIKey{ID: key.ID, Label: key.label(), Enabled: key.Enabled, Stages: a.stagesOf(key, at, f)}
		switch {
		case key.Value == model.APIKeyValue{}:
			f.add(at.Field("value"), "the API key has no value: write value: {file: …} or {env: …}")
		case !a.APIKeys.Add(key.Value, compiled):
			f.add(at.Field("value"), "another API key has this value: write another one")
		}
	}
}

// stagesOf finds the stages of an API key.
func (a *apiBuilder) stagesOf(key *APIKey, at *fault.Place, f *faults) []*model.Stage {
	var stages []*model.Stage
	for i, name := range key.Stages {
		at := at.Field("stages").Item(i)
		switch s := a.Stage(name); {
		case s == nil:
			f.add(at, "the API has no stage of this name: write one of its stages")
		case slices.Contains(stages, s):
			f.add(at, "the stage is written twice")
		default:
			stages = append(stages, s)
		}
	}
	return stages
}

// label names an API key in logs.
func (k *APIKey) label() string {
	if k.Name == "" {
		return k.ID
	}
	return fmt.Sprintf("%s (%.64q)", k.ID, k.Name)
}

// apiKeyAt returns where a key of the API at a place stands.
func (a *API) apiKeyAt(at *fault.Place, i int) *fault.Place {
	return cmp.Or(a.APIKeys[i].At, at.Field("apiKeys").Item(i))
}

// refuseAPIKeys refuses an HTTP API's API keys.
func (f *faults) refuseAPIKeys(a *API, at *fault.Place) {
	if len(a.APIKeys) > 0 {
		f.add(at.Field("apiKeys"), "an HTTP API has no API keys: remove apiKeys, or write kind: REST")
	}
	if a.APIKeySource != "" {
		f.add(at.Field("apiKeySource"), "an HTTP API has no API keys: remove apiKeySource, or write kind: REST")
	}
	for i, r := range a.Routes {
		if r.APIKeyRequired {
			f.add(a.routeAt(at, i).Field("apiKeyRequired"), "an HTTP API has no API keys: remove apiKeyRequired, or write kind: REST")
		}
	}
}

// warnAPIKeys warns of routes whose every request is refused for its API key, and of keys that no route asks for.
func (a *apiBuilder) warnAPIKeys(c *API, at *fault.Place, f *faults) {
	if f.fatal() || a.HTTP {
		return
	}
	counts := func(k APIKey) bool { return k.Enabled && len(k.Stages) > 0 }
	requires := func(r Route) bool { return r.APIKeyRequired }
	first := slices.IndexFunc(c.Routes, requires)
	switch {
	case first < 0 && len(c.APIKeys) > 0:
		f.warn(at.Field("apiKeys"), "no route of the API has apiKeyRequired: true, so that its API keys have no effect")
	case first >= 0 && !slices.ContainsFunc(c.APIKeys, counts):
		f.warn(c.routeAt(at, first).Field("apiKeyRequired"), "the API has no API key that counts on any stage: every request of a route with apiKeyRequired is answered 403 Forbidden; write apiKeys")
		return
	}
	for i, r := range c.Routes {
		if r.APIKeyRequired && a.APIKeys.FromAuthorizer && r.Authorization != Custom && r.Unresolved == "" {
			f.warn(c.routeAt(at, i).Field("apiKeyRequired"), "apiKeySource is AUTHORIZER, and the route has no Lambda authorizer: every request is answered 403 Forbidden")
		}
	}
}
