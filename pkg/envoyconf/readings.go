package envoyconf

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// entry is a way into a stage: a host, the base path that leads to the stage there, and the upstream behind it.
type entry struct {
	host, upstream string
	mapping
}

func (e entry) String() string { return fmt.Sprintf("%s%s (%s)", e.host, e.base, e.name()) }

// name is the stage with its API.
func (m mapping) name() string { return m.api.ID + "/" + m.stage }

// longLiteral is the length from which a base path is not spelled out in a regular expression: Envoy refuses those whose program is longer
// than 100 instructions, about one for each character.
const longLiteral = 80

// stripped is the regular expression for the part of a path that does not reach the upstream; empty if all of it does. It takes the
// slashes behind the base path too, for portcullis reads "/pets//7" below /pets as "/7". It stands on routes that match the base path
// itself, so that a long one may be told by its number of segments.
func (p *plan) stripped(base string) string {
	switch {
	case base == "" || p.keepsBasePaths():
		return ""
	case len(base) < longLiteral:
		return "^" + regexp.QuoteMeta(base) + "/*"
	default:
		return fmt.Sprintf("^(/[^/]+){%d}/*", strings.Count(base, "/"))
	}
}

// keepsBasePaths says whether the upstream gets paths with their base paths. Istio cannot take them off.
func (p *plan) keepsBasePaths() bool { return p.KeepBasePath || p.Target == Istio }

// checkReadings refuses configurations by which an upstream gets one path that portcullis reads in several ways.
func (p *plan) checkReadings() error {
	e := p.entries()
	if p.Target == Istio && p.Mesh.Sidecar {
		return e.checkSidecar()
	}
	var errs []error
	for _, upstream := range e.upstreams {
		if p.keepsBasePaths() {
			errs = append(errs, p.checkKept(e, upstream))
		} else {
			errs = append(errs, checkStripped(e.byUpstream[upstream]))
		}
		p.noteShared(e.byUpstream[upstream])
	}
	return errors.Join(errs...)
}

// entries are all ways into the stages: in the order of portcullis.yaml, by upstream and by host.
type entries struct {
	all                []entry
	upstreams          []string
	byUpstream, byHost map[string][]entry
}

func (p *plan) entries() *entries {
	es := &entries{byUpstream: map[string][]entry{}, byHost: map[string][]entry{}}
	for _, l := range p.Listeners {
		for _, host := range l.names {
			for _, m := range l.mappings[host] {
				e := entry{host, p.upstreamOf(m), m}
				if es.byUpstream[e.upstream] == nil {
					es.upstreams = append(es.upstreams, e.upstream)
				}
				es.all = append(es.all, e)
				es.byUpstream[e.upstream] = append(es.byUpstream[e.upstream], e)
				es.byHost[host] = append(es.byHost[host], e)
			}
		}
	}
	return es
}

// checkStripped refuses two stages of one host whose base paths are taken off: the upstream gets the same host and the same path for both.
func checkStripped(entries []entry) error {
	var errs []error
	byHost := map[string]entry{}
	for _, e := range entries {
		first, found := byHost[e.host]
		if !found {
			byHost[e.host] = e
			continue
		}
		if first.name() != e.name() {
			errs = append(errs, fmt.Errorf("domains: %s and %s lead to one upstream, which cannot tell them apart: it gets the same host, and paths without base path or stage name. Write --upstream %s=ADDRESS, or --keep-base-path",
				first, e, ownUpstream(first, e)))
		}
	}
	return errors.Join(errs...)
}

// ownUpstream is what --upstream has to name to give the second of two stages an upstream of its own.
func ownUpstream(first, second entry) string {
	if first.api != second.api {
		return second.api.ID
	}
	return second.name()
}

// checkKept refuses a host that leads into a longer base path of another host's: the upstream gets the same path by both, and below the
// base path it has another meaning. Only a host's base paths count, so that one host stands for all that have the same.
func (p *plan) checkKept(es *entries, upstream string) error {
	var hosts []string
	seen := map[string]bool{}
	for _, e := range es.byUpstream[upstream] {
		if key := es.bases(e.host, upstream); !seen[key] {
			seen[key] = true
			hosts = append(hosts, e.host)
		}
	}
	for _, first := range hosts {
		for _, second := range hosts {
			for _, e := range es.byHost[second] {
				if r := es.reader(first, e.base); e.upstream == upstream && r != nil && r.upstream == upstream && r.base != e.base {
					return p.twoReadings(*r, e)
				}
			}
		}
	}
	return nil
}

// bases are the base paths of a host, with whether they lead to an upstream.
func (es *entries) bases(host, upstream string) string {
	var key strings.Builder
	for _, e := range es.byHost[host] {
		fmt.Fprintf(&key, "%s %v\n", e.base, e.upstream == upstream)
	}
	return key.String()
}

// reader is the entry by which a host reads the paths below a base path, nil if it has none.
func (es *entries) reader(host, base string) *entry {
	var longest *entry
	for i, e := range es.byHost[host] {
		below := e.base == "" || e.base == base || strings.HasPrefix(base, e.base+"/")
		if below && (longest == nil || len(e.base) > len(longest.base)) {
			longest = &es.byHost[host][i]
		}
	}
	return longest
}

// twoReadings is the error for paths that two entries read in two ways.
func (p *plan) twoReadings(first, second entry) error {
	at, instead := "--keep-base-path", "leave --keep-base-path out"
	if p.Target == Istio {
		at, instead = "domains", "put portcullis at an Envoy of your own, where the base path is taken off"
	}
	if first.name() != second.name() {
		instead = fmt.Sprintf("write --upstream %s=ADDRESS if they have two upstreams", ownUpstream(first, second))
	}
	return fmt.Errorf("%s: %s and %s lead to one upstream, where the path %s/x is the resource %s/x by the first and /x by the second: give both the same base path, or %s",
		at, first, second, second.base, strings.TrimPrefix(second.base, first.base), instead)
}

// checkSidecar refuses a stage with several base paths in a sidecar, where all hosts lead to one application by the same paths.
func (es *entries) checkSidecar() error {
	for _, e := range es.all {
		if first := es.all[0]; first.base != e.base {
			return fmt.Errorf("--istio-sidecar: %s and %s have different base paths, and the application gets the same path by both hosts: give the domains the same base path, or write a portcullis.yaml without one of them", first, e)
		}
	}
	return nil
}

// noteShared tells the reader that stages share an upstream, which then has to look at the host.
func (p *plan) noteShared(entries []entry) {
	var stages []string
	seen := map[string]bool{}
	for _, e := range entries {
		if !seen[e.name()] {
			seen[e.name()] = true
			stages = append(stages, e.String())
		}
	}
	if len(stages) < 2 {
		return
	}
	const some = 3
	text := strings.Join(stages[:min(len(stages), some)], ", ")
	if more := len(stages) - some; more > 0 {
		text += fmt.Sprintf(" and %d more stages", more)
	}
	p.Notes = append(p.Notes, text+" lead to one upstream, which must tell them apart by the host; --upstream API=ADDRESS and --upstream API/STAGE=ADDRESS give them upstreams of their own")
}
