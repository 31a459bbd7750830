package model

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// Host is what is known of one host name.
type Host struct {
	// Owner is the API whose default endpoint the host is (<id>.execute-api.<region>.amazonaws.com), nil for a custom
	// domain. Off the endpoint the host still belongs to its API, but serves nothing.
	Owner *API
	// Depth is the number of segments of the longest base path on the host: no longer prefix of a path is looked up.
	Depth int
	// Upper says that a base path holds a letter from A to Z.
	Upper bool
}

// Domain is a custom domain name with a base path: "" or "/v1/pets".
type Domain struct{ Host, BasePath string }

// Location is whom a host and a path belong to.
type Location struct {
	// Known says that some API has the host.
	Known bool
	// Owner is the API whose default endpoint the host is.
	Owner *API
	// Stage is nil where the host has no such base path, or its API no such stage.
	Stage *Stage
	// Base is the base path, or the stage's name with its slash, and Path the canonical path without it.
	Base, Path string
	// Shared is the host if base paths or stage names share it out, or else nil.
	Shared *Host
}

// Locate finds whom a canonical host name and path belong to. The longest base path wins.
func (g *Gateway) Locate(name, path string) Location {
	h := g.Host(name)
	if h == nil {
		return Location{}
	}
	l := Location{Known: true, Owner: h.Owner}
	if h.Depth > 0 || h.Owner != nil && h.Owner.Endpoint {
		l.Shared = h
	}
	end := 0
	for depth := 0; ; depth++ {
		if s := g.Mappings[Domain{name, path[:end]}]; s != nil {
			l.lead(s, path, end)
		}
		if depth == h.Depth || end == len(path) {
			break
		}
		end = canon.SegmentEnd(path, end)
	}
	if l.Stage == nil && h.Owner != nil && h.Owner.Endpoint {
		s, end := h.Owner.endpointStage(path)
		l.lead(s, path, end)
	}
	return l
}

// LocateFolded finds where a path on a shared host would lead if case did not count in base paths and stage names. It finds nothing
// where that cannot be another place than locate's.
func (g *Gateway) LocateFolded(name string, h *Host, path string) (l Location) {
	path = canon.FoldWide(path)
	if h.Depth > 0 && (h.Upper || canon.HasUpper(path)) {
		var buffer [128]byte
		base, end := buffer[:0], 0
		for depth := 0; ; depth++ {
			if s := g.Mappings[Domain{name, string(base)}]; s != nil {
				l.lead(s, path, end)
			} else if s := g.Folded[Domain{name, string(base)}]; s != nil {
				l.lead(s, path, end)
			}
			if depth == h.Depth || end == len(path) {
				break
			}
			start := end
			end = canon.SegmentEnd(path, start)
			base = canon.AppendLower(base, path[start:end])
		}
	}
	if l.Stage == nil && h.Owner != nil && h.Owner.Endpoint {
		end := canon.SegmentEnd(path, 0)
		l.lead(h.Owner.StageInAnyCase(path[1:end]), path, end)
	}
	return l
}

// endpointStage returns the stage of a path on the default endpoint, and where its name ends in the path: the first segment names a
// stage, or else the path belongs to the stage $default. That stage has no name in a path.
//
// 2026-11-25: the stage $default has no name in a path: "/$default/pets" on the default endpoint is a path of that stage.
func (a *API) endpointStage(path string) (s *Stage, end int) {
	end = canon.SegmentEnd(path, 0)
	if name := path[1:end]; name != DefaultStage {
		if s := a.Stage(name); s != nil {
			return s, end
		}
	}
	return a.Stage(DefaultStage), 0
}

// lead says that the beginning of a path, up to an end, leads to a stage.
//
// 2026-11-23: of a path behind a base path or a stage name, leading slashes collapse again: "/pets//7" under the base path
// "pets" is "/7".
func (l *Location) lead(s *Stage, path string, end int) {
	l.Stage, l.Base, l.Path = s, path[:end], canon.CollapseLeading(path[end:])
}

// Host returns what is known of a host name, nil if nothing is. Each VPC endpoint has a name for a private API's default
// endpoint; they are not in the table, for any endpoint may have one.
func (g *Gateway) Host(name string) *Host {
	if h := g.Hosts[name]; h != nil {
		return h
	}
	if _, owner := g.EndpointHost(name); owner != nil {
		return &Host{Owner: owner}
	}
	return nil
}

// EndpointHost reads a name of the form <id>-<VPC endpoint id>.execute-api.<region>.amazonaws.com: the endpoint and the
// private API. Route 53 leads it to the endpoint ("How to invoke a private API").
//
// 2026-11-23: the name that an endpoint has for a private API (<id>-<endpoint>.execute-api…) belongs to the API, and is
// refused to requests that came by another endpoint. For other APIs the form means nothing.
func (g *Gateway) EndpointHost(name string) (endpoint string, owner *API) {
	id, rest, _ := strings.Cut(name, "-")
	endpoint, domain, _ := strings.Cut(rest, ".")
	if !strings.HasPrefix(endpoint, "vpce-") {
		return "", nil
	}
	h := g.Hosts[id+"."+domain]
	if h == nil || h.Owner == nil || !h.Owner.Private {
		return "", nil
	}
	return endpoint, h.Owner
}

// OnlyBelow reports whether the stage has hosts, and is below a base path or its name on each of them.
func (s *Stage) OnlyBelow() bool {
	return !s.Whole && (s.Below || s.API.Endpoint && s.Name != DefaultStage)
}
