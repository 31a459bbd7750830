package gateway

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// host is what is known of one host name.
type host struct {
	// owner is the API whose default endpoint the host is (<id>.execute-api.<region>.amazonaws.com), nil for a custom
	// domain. Off the endpoint the host still belongs to its API, but serves nothing.
	owner *api
	// depth is the number of segments of the longest base path on the host: no longer prefix of a path is looked up.
	depth int
	// upper says that a base path holds a letter from A to Z.
	upper bool
}

// domain is a custom domain name with a base path: "" or "/v1/pets".
type domain struct{ host, basePath string }

// location is whom a host and a path belong to.
type location struct {
	// known says that some API has the host.
	known bool
	// owner is the API whose default endpoint the host is.
	owner *api
	// stage is nil where the host has no such base path, or its API no such stage.
	stage *stage
	// base is the base path, or the stage's name with its slash, and path the canonical path without it.
	base, path string
	// shared is the host if base paths or stage names share it out, or else nil.
	shared *host
}

// locate finds whom a canonical host name and path belong to. The longest base path wins.
func (g *gatewayModel) locate(name, path string) location {
	h := g.host(name)
	if h == nil {
		return location{}
	}
	l := location{known: true, owner: h.owner}
	if h.depth > 0 || h.owner != nil && h.owner.endpoint {
		l.shared = h
	}
	end := 0
	for depth := 0; ; depth++ {
		if s := g.mappings[domain{name, path[:end]}]; s != nil {
			l.lead(s, path, end)
		}
		if depth == h.depth || end == len(path) {
			break
		}
		end = canon.SegmentEnd(path, end)
	}
	if l.stage == nil && h.owner != nil && h.owner.endpoint {
		s, end := h.owner.endpointStage(path)
		l.lead(s, path, end)
	}
	return l
}

// locateFolded finds where a path on a shared host would lead if case did not count in base paths and stage names. It finds nothing
// where that cannot be another place than locate's.
func (g *gatewayModel) locateFolded(name string, h *host, path string) (l location) {
	path = canon.FoldWide(path)
	if h.depth > 0 && (h.upper || canon.HasUpper(path)) {
		var buffer [128]byte
		base, end := buffer[:0], 0
		for depth := 0; ; depth++ {
			if s := g.mappings[domain{name, string(base)}]; s != nil {
				l.lead(s, path, end)
			} else if s := g.folded[domain{name, string(base)}]; s != nil {
				l.lead(s, path, end)
			}
			if depth == h.depth || end == len(path) {
				break
			}
			start := end
			end = canon.SegmentEnd(path, start)
			base = canon.AppendLower(base, path[start:end])
		}
	}
	if l.stage == nil && h.owner != nil && h.owner.endpoint {
		end := canon.SegmentEnd(path, 0)
		l.lead(h.owner.stageInAnyCase(path[1:end]), path, end)
	}
	return l
}

// endpointStage returns the stage of a path on the default endpoint, and where its name ends in the path: the first segment names a
// stage, or else the path belongs to the stage $default. That stage has no name in a path.
func (a *api) endpointStage(path string) (s *stage, end int) {
	end = canon.SegmentEnd(path, 0)
	if name := path[1:end]; name != defaultStage {
		if s := a.stage(name); s != nil {
			return s, end
		}
	}
	return a.stage(defaultStage), 0
}

// lead says that the beginning of a path, up to an end, leads to a stage.
func (l *location) lead(s *stage, path string, end int) {
	l.stage, l.base, l.path = s, path[:end], canon.CollapseLeading(path[end:])
}

// host returns what is known of a host name, nil if nothing is. Each VPC endpoint has a name for a private API's default
// endpoint; they are not in the table, for any endpoint may have one.
func (g *gatewayModel) host(name string) *host {
	if h := g.hosts[name]; h != nil {
		return h
	}
	if _, owner := g.endpointHost(name); owner != nil {
		return &host{owner: owner}
	}
	return nil
}

// endpointHost reads a name of the form <id>-<VPC endpoint id>.execute-api.<region>.amazonaws.com: the endpoint and the
// private API. Route 53 leads it to the endpoint ("How to invoke a private API").
func (g *gatewayModel) endpointHost(name string) (endpoint string, owner *api) {
	id, rest, _ := strings.Cut(name, "-")
	endpoint, domain, _ := strings.Cut(rest, ".")
	if !strings.HasPrefix(endpoint, "vpce-") {
		return "", nil
	}
	h := g.hosts[id+"."+domain]
	if h == nil || h.owner == nil || !h.owner.private {
		return "", nil
	}
	return endpoint, h.owner
}

// onlyBelow reports whether the stage has hosts, and is below a base path or its name on each of them.
func (s *stage) onlyBelow() bool {
	return !s.whole && (s.below || s.api.endpoint && s.name != defaultStage)
}
