package model

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// Location is the API, the stage and the path that a host and a path lead to.
type Location struct {
	// Known reports whether an API has the host.
	Known bool
	// Owner is the API whose default endpoint the host is.
	Owner *API
	// Stage is nil if the host has no such base path, or its API no such stage.
	Stage *Stage
	// Base is the base path, or the stage's name with its slash. Path is the canonical path without it.
	Base, Path string
	// Shared is the host if base paths or stage names divide it, nil otherwise.
	Shared *Host
}

// Locate returns the location of a canonical host name and path. The longest base path wins.
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

// BasePaths returns the base paths of a host, sorted.
func (g *Gateway) BasePaths(name string) (all []string) {
	for d := range g.Mappings {
		if d.Host == name && d.BasePath != "" {
			all = append(all, d.BasePath)
		}
	}
	slices.Sort(all)
	return all
}

// LocateFolded returns the location of a path on a shared host without regard to case in base paths and stage names. It may return the zero
// Location if the result could not differ from that of Locate.
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

// endpointStage returns the stage of a path on the default endpoint, and the end of its name in the path. If the first segment does not name
// a stage, the path belongs to the stage $default.
//
// 2026-11-25: the stage $default does not have a name in a path: "/$default/pets" on the default endpoint is a path within that stage.
func (a *API) endpointStage(path string) (s *Stage, end int) {
	end = canon.SegmentEnd(path, 0)
	if name := path[1:end]; name != DefaultStage {
		if s := a.Stage(name); s != nil {
			return s, end
		}
	}
	return a.Stage(DefaultStage), 0
}

// lead sets the stage that a path up to an end leads to.
//
// 2026-11-23: leading slashes after a base path or a stage name collapse: "/pets//7" under the base path "pets" is "/7".
func (l *Location) lead(s *Stage, path string, end int) {
	l.Stage, l.Base, l.Path = s, path[:end], canon.CollapseLeading(path[end:])
}

// Host returns the Host of a canonical name, nil if no API has it. A private API's default endpoint has a name for each VPC endpoint. These
// names are not in the table, because VPC endpoints need not be in the configuration.
func (g *Gateway) Host(name string) *Host {
	if h := g.Hosts[name]; h != nil {
		return h
	}
	if _, owner := g.EndpointHost(name); owner != nil {
		return &Host{Owner: owner}
	}
	return nil
}

// EndpointHost parses a name of the form <id>-<VPC endpoint id>.execute-api.<region>.amazonaws.com. It returns the endpoint's id and the
// private API, nil if the name is not one of a private API. Route 53 resolves such a name to the endpoint ("How to invoke a private API").
//
// 2026-11-23: a name of this form belongs to the private API, and requests that came by another endpoint are refused. Other APIs do not
// have such names.
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

// OnlyBelow reports whether the stage has hosts, and on each of them a base path or its name in the path.
func (s *Stage) OnlyBelow() bool {
	return !s.Whole && (s.Below || s.API.Endpoint && s.Name != DefaultStage)
}
