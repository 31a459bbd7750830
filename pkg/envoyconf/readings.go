package envoyconf

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// entry is a way to a stage: a host, the base path of the stage on it, and the upstreams.
type entry struct {
	host      string
	upstreams []string
	mapping
}

// leadsTo reports whether an upstream is one of the entry's.
func (e entry) leadsTo(upstream string) bool { return slices.Contains(e.upstreams, upstream) }

func (e entry) String() string { return fmt.Sprintf("%s%s (%s)", e.host, e.base, e.name()) }

// name names the stage and its API.
func (m mapping) name() string { return m.api.ID + "/" + m.stage }

// longLiteral is the length from which a base path is not written into a regular expression. Envoy refuses an
// expression whose program has more than 100 instructions, about one for each character.
const longLiteral = 80

// stripped returns the regular expression for the part of a path that the upstream does not get, or "". It includes the
// slashes after the base path, because portcullis reads "/pets//7" below /pets as "/7". Its routes match the base path
// itself, so a long one can be matched by its number of segments.
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

// keepsBasePaths reports whether the upstream gets paths with their base paths. Istio cannot remove them.
func (p *plan) keepsBasePaths() bool { return p.KeepBasePath || p.Target == Istio }

// checkReadings refuses configurations in which portcullis reads one path of an upstream in several ways.
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

// entries returns all ways to the stages, in the order of portcullis.yaml, by upstream and by host.
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
				es.add(entry{host, p.upstreamsOf(m), m})
			}
		}
	}
	return es
}

func (es *entries) add(e entry) {
	for _, upstream := range e.upstreams {
		if es.byUpstream[upstream] == nil {
			es.upstreams = append(es.upstreams, upstream)
		}
		es.byUpstream[upstream] = append(es.byUpstream[upstream], e)
	}
	es.all = append(es.all, e)
	es.byHost[e.host] = append(es.byHost[e.host], e)
}

// checkStripped refuses two stages of one host and upstream whose base paths are removed: the upstream would get the
// same host and path for both.
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
			errs = append(errs, fmt.Errorf("domains: %s and %s lead to one upstream, which cannot tell them apart: it gets the same host, and paths without base path or stage name. Write %s, or --keep-base-path",
				first, e, toldApart(first, e)))
		}
	}
	return errors.Join(errs...)
}

// toldApart says what to write so that the upstream can tell two stages apart.
func toldApart(first, second entry) string {
	if second.api.HasUpstreams() {
		return "another host in the domains of one of them"
	}
	return "--upstream " + ownUpstream(first, second) + "=ADDRESS"
}

// ownUpstream returns the name in --upstream that gives the second of two stages its own upstream.
func ownUpstream(first, second entry) string {
	if first.api != second.api {
		return second.api.ID
	}
	return second.name()
}

// checkKept refuses a host that leads into a longer base path of another host. The upstream gets the same path from
// both, with different meanings. Only a host's base paths matter, so hosts with the same base paths are checked once.
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
				if r := es.reader(first, e.base); e.leadsTo(upstream) && r != nil && r.leadsTo(upstream) && r.base != e.base {
					return p.twoReadings(*r, e)
				}
			}
		}
	}
	return nil
}

// bases are the base paths of a host, and whether they lead to an upstream.
func (es *entries) bases(host, upstream string) string {
	var key strings.Builder
	for _, e := range es.byHost[host] {
		fmt.Fprintf(&key, "%s %v\n", e.base, e.leadsTo(upstream))
	}
	return key.String()
}

// reader returns the entry by which a host reads the paths below a base path, or nil.
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

// twoReadings returns the error about paths that two entries read differently.
func (p *plan) twoReadings(first, second entry) error {
	at, instead := "--keep-base-path", "remove --keep-base-path"
	if p.Target == Istio {
		at, instead = "domains", "use an Envoy of your own, which removes the base path"
	}
	if first.name() != second.name() {
		instead = fmt.Sprintf("write --upstream %s=ADDRESS if they have two upstreams", ownUpstream(first, second))
	}
	return fmt.Errorf("%s: %s and %s lead to one upstream, where the path %s/x is the resource %s/x for the first and /x for the second: give both the same base path, or %s",
		at, first, second, second.base, strings.TrimPrefix(second.base, first.base), instead)
}

// checkSidecar refuses a stage with several base paths behind a sidecar, where all hosts lead to one application with
// the same paths.
func (es *entries) checkSidecar() error {
	for _, e := range es.all {
		if first := es.all[0]; first.base != e.base {
			return fmt.Errorf("--istio-sidecar: %s and %s have different base paths, and the application gets the same path for both hosts: give the domains the same base path, or write a portcullis.yaml without one of them", first, e)
		}
	}
	return nil
}

// noteShared notes that stages share an upstream, which must then check the host.
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
