package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxInput limits one input, in bytes. A mesh with 2,000 clusters has 7 MB.
const maxInput = 128 << 20

// maxDepth limits how deep objects are searched.
const maxDepth = 100

// Dump is what is known of an Envoy.
type Dump struct {
	// Version is Envoy's version, such as 1.40.0, and State is the state of the process. Both may be empty.
	Version, State string
	// Node is Envoy's node id.
	Node string

	listeners []listenerEntry
	routes    map[string]entry
	clusters  map[string]entry
	// endpoints are the addresses of clusters, as far as they are known.
	endpoints map[string][]any
	// discovered are filters that extension configuration discovery delivered, by name.
	discovered map[string]any
	// errors are resources whose last version Envoy refused.
	errors []entry
	// stats are Envoy's counters and gauges; nil if unknown.
	stats map[string]float64
}

// entry is a part of a dump and its place there.
type entry struct {
	tree any
	path string
}

// listenerEntry is a listener in one of its states.
type listenerEntry struct {
	entry
	state string
}

// NewDump returns an empty Dump.
func NewDump() *Dump {
	return &Dump{routes: map[string]entry{}, clusters: map[string]entry{}, endpoints: map[string][]any{}, discovered: map[string]any{}}
}

// Read adds the JSON documents in r: a config_dump or a part of it, server_info, stats, or what istioctl proxy-config
// prints. The error names the input.
func (d *Dump) Read(name string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxInput {
		return fmt.Errorf("%s: it is longer than %d MiB", name, maxInput>>20)
	}
	decoder, known := json.NewDecoder(bytes.NewReader(data)), false
	for {
		var v any
		switch err := decoder.Decode(&v); {
		case errors.Is(err, io.EOF) && known:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: it is not a config_dump: save http://ADMIN/config_dump?include_eds, or what istioctl proxy-config all -o json prints", name)
		case err != nil:
			return fmt.Errorf("%s: it is not JSON: %w", name, jsonError(err))
		}
		known = d.add(v, "") || known
	}
}

// jsonError returns an error of the JSON decoder without the text that it read, which may be secret.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("a syntax error at byte %d", syntax.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return errors.New("it cannot be read")
}

// add adds a document, and reports whether it is known.
func (d *Dump) add(v any, path string) bool {
	switch v := v.(type) {
	case []any: // of istioctl
		known := len(v) == 0
		for i, item := range v {
			known = d.resource(item, fmt.Sprintf("%s[%d]", path, i)) || known
		}
		return known
	case node:
		configs, isDump := get(v, "configs").([]any)
		for i, section := range configs {
			d.section(section, fmt.Sprintf("%sconfigs[%d]", path, i))
		}
		return isDump || len(v) == 0 || d.other(v) || d.resource(v, path)
	}
	return false
}

// other adds server_info, stats, or istioctl's bootstrap.
func (d *Dump) other(v node) bool {
	if stats := listAt(v, "stats"); stats != nil {
		d.addStats(stats)
		return true
	}
	if get(v, "command_line_options") != nil {
		d.Version, d.State = releaseOf(textAt(v, "version")), textAt(v, "state")
		d.addNode(get(v, "node"))
		return true
	}
	if bootstrap := get(v, "bootstrap"); bootstrap != nil {
		d.addNode(get(bootstrap, "node"))
		return true
	}
	return false
}

// releaseOf returns the release in a version such as 9e55…/1.40.0/Clean/RELEASE/BoringSSL.
func releaseOf(version string) string {
	if parts := strings.Split(version, "/"); len(parts) > 1 {
		return parts[1]
	}
	return version
}

// addNode adds Envoy's node, whose version counts if server_info is not there.
func (d *Dump) addNode(n any) {
	if id := textAt(n, "id"); id != "" {
		d.Node = id
	}
	number := func(part string) int { f, _ := numberAt(n, "user_agent_build_version", "version", part); return int(f) }
	if major := number("major_number"); d.Version == "" && major > 0 {
		d.Version = fmt.Sprintf("%d.%d.%d", major, number("minor_number"), number("patch"))
	}
}

func (d *Dump) addStats(stats []any) {
	if d.stats == nil {
		d.stats = map[string]float64{}
	}
	for _, s := range stats {
		if value, ok := numberAt(s, "value"); ok {
			d.stats[textAt(s, "name")] = value
		}
	}
}

// states are the states of a dynamic listener.
var states = []string{"active", "warming", "draining"}

// section adds a section of a config_dump, or one resource that config_dump?resource= wraps as a section does.
func (d *Dump) section(v any, path string) {
	n, ok := v.(node)
	if !ok {
		return
	}
	if bootstrap := get(n, "bootstrap"); bootstrap != nil {
		d.addNode(get(bootstrap, "node"))
		return
	}
	if d.wrapped(n, path) {
		return
	}
	for name, inner := range n {
		for i, item := range asList(inner) {
			if w, ok := item.(node); ok {
				d.wrapped(w, fmt.Sprintf("%s.%s[%d]", path, name, i))
			}
		}
	}
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// wrapped adds a resource with its version and state, and reports whether it is known.
func (d *Dump) wrapped(n node, path string) bool {
	if refused := get(n, "error_state"); refused != nil {
		d.errors = append(d.errors, entry{n, path})
	}
	known := false
	for _, state := range states {
		if l := get(n, state+"_state", "listener"); l != nil {
			d.listeners = append(d.listeners, listenerEntry{entry{l, path + "." + state + "_state.listener"}, state})
			known = true
		}
	}
	for _, name := range []string{"listener", "route_config", "cluster", "endpoint_config", "ecds_filter"} {
		if inner := get(n, name); inner != nil {
			return d.resource(inner, path+"."+name) || known
		}
	}
	for i, scoped := range listAt(n, "scoped_route_configs") {
		if inline := get(scoped, "route_configuration"); inline != nil {
			d.resource(inline, fmt.Sprintf("%s.scoped_route_configs[%d].route_configuration", path, i))
		}
		known = true
	}
	return known
}

// resource adds a resource by its form, because istioctl does not write its type. It reports whether it is known.
func (d *Dump) resource(v any, path string) bool {
	n, ok := v.(node)
	if !ok {
		return false
	}
	has := func(name string) bool { return get(n, name) != nil }
	name := textAt(n, "name")
	switch {
	case isType(n, ".Listener") || has("filter_chains") || has("default_filter_chain") || has("api_listener"):
		d.listeners = append(d.listeners, listenerEntry{entry{n, path}, "active"})
	case isType(n, ".RouteConfiguration") || has("virtual_hosts"):
		d.routes[name] = entry{n, path}
	case isType(n, ".Cluster") || has("connect_timeout") || has("load_assignment") || has("lb_policy") || has("eds_cluster_config"):
		d.clusters[name] = entry{n, path}
		if assignment := objectAt(n, "load_assignment"); assignment != nil {
			d.endpoints[name] = addresses(assignment)
		}
	case has("cluster_name") && has("endpoints"):
		d.endpoints[textAt(n, "cluster_name")] = addresses(n)
	case has("typed_config"):
		d.discovered[name] = get(n, "typed_config")
	default:
		return isType(n, ".RouteConfiguration") || name != "" && len(n) == 1
	}
	return true
}

// addresses returns the addresses of a ClusterLoadAssignment.
func addresses(assignment node) []any {
	var all []any
	for _, locality := range listAt(assignment, "endpoints") {
		for _, e := range listAt(locality, "lb_endpoints") {
			all = append(all, get(e, "endpoint", "address"))
		}
	}
	return all
}
