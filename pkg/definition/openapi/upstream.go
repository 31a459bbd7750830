package openapi

import (
	"maps"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/backend"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Upstreams says how to take the upstreams of routes from their integrations.
type Upstreams struct {
	// TLSCA is the file of the authorities to trust for https.
	TLSCA string
	// Variables are stage variables that all stages of the definition share. Those of Options count before them.
	Variables map[string]string
	// Stages are the names of the stages that are served; empty for all.
	Stages []string
	// Default says that the API has an upstream beside the definition, for routes whose integration has no address.
	Default bool
	// Servers gets the upstreams, by name, in the terms of portcullis.yaml. Nil if there are none.
	Servers *tree.Node
}

// upstreamValue begins the keys of values that name the upstream of a route.
const upstreamValue = "upstream "

// upstreamOf finds the upstream of a route. It sets the route's upstream, or returns why there is none.
func (r *reader) upstreamOf(t *route) *document.Trouble {
	what := t.key.String()
	integration, wrong := r.Follow(t.op.Get(xIntegration))
	if r.upstreams == nil {
		r.noteServer(integration)
		return nil
	}
	if name, given := r.Given(upstreamValue + what); given {
		t.upstream = tree.NewText(name, t.at)
		r.Report.Add(portability.Note{Verdict: portability.Approximated, At: t.at, What: what, Message: "the upstream is " + name + ", as values say, in place of the integration"})
		return nil
	}
	if wrong != nil {
		return wrong
	}
	found := r.backend(t, integration).Server()
	switch {
	case found.None && r.upstreams.Default:
		r.Report.Add(portability.Note{Verdict: portability.Approximated, At: found.Trouble.At, What: what, Message: "the upstream is that of the API beside the definition, in place of the integration"})
		return nil
	case found.Trouble != nil:
		return found.Trouble
	}
	if r.upstreams.Servers == nil {
		r.upstreams.Servers = tree.NewMap(r.Root.Position())
	}
	r.upstreams.Servers.Set(found.Server.Name(), found.Server.Node(found.At))
	t.upstream = tree.NewText(found.Server.Name(), found.At)
	r.Report.Add(portability.Note{Verdict: portability.Enforced, At: found.At, What: what, Message: "the upstream is " + found.Server.String()})
	for _, d := range found.Differs {
		r.Report.Add(portability.Note{Verdict: portability.Approximated, At: d.At, What: what, Message: d.Message})
	}
	return nil
}

// backend returns the integration of a route.
func (r *reader) backend(t *route, integration *tree.Node) *backend.Integration {
	if r.served == nil {
		r.served = r.withVariables(r.upstreams.Variables)
	}
	return &backend.Integration{Document: r.served, Node: integration, At: t.at, Route: t.key, HTTP: r.http, TLSCA: r.upstreams.TLSCA}
}

// withVariables returns the document with further stage variables. Its own count before them.
func (r *reader) withVariables(more map[string]string) *document.Document {
	d := *r.Document
	d.StageVariables = map[string]string{}
	maps.Copy(d.StageVariables, more)
	maps.Copy(d.StageVariables, r.StageVariables)
	return &d
}

// noteServer notes, once, that the servers of integrations are not read.
func (r *reader) noteServer(integration *tree.Node) {
	kind, _ := integration.Get("type").Scalar()
	if r.servedElsewhere || !backend.IsHTTP(kind) {
		return
	}
	r.servedElsewhere = true
	r.Report.Pass(integration.At, "upstreams", "the servers of HTTP integrations are not read, and Envoy's configuration says which server gets a request; upstreams: integrations in the definition of portcullis.yaml (--upstreams integrations) takes them from here")
}
