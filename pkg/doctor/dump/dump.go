package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// maxInput limits one input, in bytes. A mesh with 2,000 clusters has 7 MB.
const maxInput = 128 << 20

// maxDepth limits how deep objects are searched.
const maxDepth = 100

// Dump is the known configuration of an Envoy.
type Dump struct {
	// Version is Envoy's version, such as 1.40.0, and State is the state of the process. Both may be empty.
	Version, State string
	// Node is Envoy's node id.
	Node string
	// Admin are the settings of Envoy's admin interface, nil if they are unknown.
	Admin any

	Listeners []Listener
	routes    map[string]Entry
	Clusters  map[string]Entry
	// Endpoints are the addresses of clusters, as far as they are known.
	Endpoints map[string][]any
	// discovered are filters that extension configuration discovery delivered, by name. Several sources may use one name.
	discovered map[string][]any
	// scopes are the names of the route configurations of each set of scoped routes.
	scopes map[string][]string
	// Errors are resources whose last version Envoy refused.
	Errors []Entry
	// Stats are Envoy's counters and gauges; nil if unknown.
	Stats map[string]float64
}

// Entry is a part of a dump and its place there.
type Entry struct {
	Tree any
	Path string
}

// Listener is a listener in one of its states.
type Listener struct {
	Entry
	State string
}

// Name returns the name of the listener.
func (l *Listener) Name() string { return tree.TextAt(l.Tree, "name") }

// IsInternal reports whether only other listeners of Envoy reach the listener.
func (l *Listener) IsInternal() bool { return tree.Get(l.Tree, "internal_listener") != nil }

// New returns an empty Dump.
func New() *Dump {
	return &Dump{routes: map[string]Entry{}, Clusters: map[string]Entry{}, Endpoints: map[string][]any{}, scopes: map[string][]string{}, discovered: map[string][]any{}}
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
			return fmt.Errorf("%s: it is not a config_dump: %s", name, whatToSave)
		case err != nil:
			return fmt.Errorf("%s: it is not JSON: %w: %s", name, jsonError(err), whatToSave)
		}
		known = d.add(tree.Untyped(v), "") || known
	}
}

// whatToSave says what Read can read.
const whatToSave = "save http://ADMIN/config_dump?include_eds, or what istioctl proxy-config all -o json prints"

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
	case tree.Object:
		configs, isDump := tree.Get(v, "configs").([]any)
		for i, section := range configs {
			d.section(section, fmt.Sprintf("%sconfigs[%d]", path, i))
		}
		return isDump || len(v) == 0 || d.other(v) || d.resource(v, path)
	}
	return false
}

// other adds server_info, stats, the page /clusters, or istioctl's bootstrap.
func (d *Dump) other(v tree.Object) bool {
	if clusters, ok := tree.Get(v, "cluster_statuses").([]any); ok {
		return d.add(clusters, "cluster_statuses")
	}
	if stats := tree.ListAt(v, "stats"); stats != nil {
		d.addStats(stats)
		return true
	}
	if tree.Get(v, "command_line_options") != nil {
		d.Version, d.State = releaseOf(tree.TextAt(v, "version")), tree.TextAt(v, "state")
		d.addNode(tree.Get(v, "node"))
		return true
	}
	if bootstrap := tree.Get(v, "bootstrap"); bootstrap != nil {
		d.addBootstrap(bootstrap)
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

func (d *Dump) addBootstrap(bootstrap any) {
	d.addNode(tree.Get(bootstrap, "node"))
	d.Admin = tree.Get(bootstrap, "admin")
}

// addNode adds Envoy's node, whose version counts if server_info is not there.
func (d *Dump) addNode(n any) {
	if id := tree.TextAt(n, "id"); id != "" {
		d.Node = id
	}
	number := func(part string) int {
		f, _ := tree.NumberAt(n, "user_agent_build_version", "version", part)
		return int(f)
	}
	switch major := number("major_number"); {
	case d.Version != "":
	case major > 0:
		d.Version = fmt.Sprintf("%d.%d.%d", major, number("minor_number"), number("patch"))
	default: // Envoy before 1.14
		d.Version = releaseOf(tree.TextAt(n, "build_version"))
	}
}

func (d *Dump) addStats(stats []any) {
	if d.Stats == nil {
		d.Stats = map[string]float64{}
	}
	for _, s := range stats {
		if value, ok := tree.NumberAt(s, "value"); ok {
			d.Stats[tree.TextAt(s, "name")] = value
		}
	}
}

// states are the states of a dynamic listener.
var states = []string{"active", "warming", "draining"}

// section adds a section of a config_dump, or one resource that config_dump?resource= wraps as a section does.
func (d *Dump) section(v any, path string) {
	n, ok := v.(tree.Object)
	if !ok {
		return
	}
	if bootstrap := tree.Get(n, "bootstrap"); bootstrap != nil {
		d.addBootstrap(bootstrap)
		return
	}
	if d.wrapped(n, path) {
		return
	}
	for name, inner := range n {
		for i, item := range asList(inner) {
			if w, ok := item.(tree.Object); ok {
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
func (d *Dump) wrapped(n tree.Object, path string) bool {
	if refused := tree.Get(n, "error_state"); refused != nil {
		d.Errors = append(d.Errors, Entry{n, path})
	}
	known := false
	for _, state := range states {
		if l := tree.Get(n, state+"_state", "listener"); l != nil {
			d.Listeners = append(d.Listeners, Listener{Entry{l, path + "." + state + "_state.listener"}, state})
			known = true
		}
	}
	for _, name := range []string{"listener", "route_config", "cluster", "endpoint_config", "ecds_filter"} {
		if inner := tree.Get(n, name); inner != nil {
			return d.resource(inner, path+"."+name) || known
		}
	}
	for i, scoped := range tree.ListAt(n, "scoped_route_configs") {
		name, set := tree.TextAt(scoped, "route_configuration_name"), tree.TextAt(n, "name")
		if inline := tree.Get(scoped, "route_configuration"); inline != nil {
			d.resource(inline, fmt.Sprintf("%s.scoped_route_configs[%d].route_configuration", path, i))
			name = tree.TextAt(inline, "name")
		}
		d.scopes[set], known = append(d.scopes[set], name), true
	}
	return known
}

// resource adds a resource by its form, because istioctl does not write its type. It reports whether it is known.
func (d *Dump) resource(v any, path string) bool {
	n, ok := v.(tree.Object)
	if !ok {
		return false
	}
	has := func(name string) bool { return tree.Get(n, name) != nil }
	name := tree.TextAt(n, "name")
	switch {
	case tree.IsType(n, ".Listener") || has("filter_chains") || has("default_filter_chain") || has("api_listener") || has("udp_listener_config") || has("listener_filters"):
		d.Listeners = append(d.Listeners, Listener{Entry{n, path}, "active"})
	case tree.IsType(n, ".RouteConfiguration") || has("virtual_hosts"):
		d.routes[name] = Entry{n, path}
	case tree.IsType(n, ".Cluster") || has("connect_timeout") || has("load_assignment") || has("lb_policy") || has("eds_cluster_config"):
		d.Clusters[name] = Entry{n, path}
		if assignment := tree.ObjectAt(n, "load_assignment"); assignment != nil {
			d.Endpoints[name] = addresses(assignment)
		}
	case has("cluster_name") && has("endpoints"):
		d.Endpoints[tree.TextAt(n, "cluster_name")] = addresses(n)
	case has("host_statuses"): // of Envoy's page /clusters, and of istioctl proxy-config endpoints
		for _, host := range tree.ListAt(n, "host_statuses") {
			d.Endpoints[name] = append(d.Endpoints[name], tree.Get(host, "address"))
		}
	case has("typed_config"):
		d.discovered[name] = append(d.discovered[name], tree.Get(n, "typed_config"))
	default:
		return tree.IsType(n, ".RouteConfiguration") || name != "" && len(n) == 1
	}
	return true
}

// addresses returns the addresses of a ClusterLoadAssignment.
func addresses(assignment tree.Object) []any {
	var all []any
	for _, locality := range tree.ListAt(assignment, "endpoints") {
		for _, e := range tree.ListAt(locality, "lb_endpoints") {
			all = append(all, tree.Get(e, "endpoint", "address"))
		}
	}
	return all
}
