package dump

import (
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// Filter is an HTTP filter.
type Filter struct {
	Name        string
	Config      any
	Index       int
	Where, Path string
	Disabled    bool
	Optional    bool
	// Inner is the ext_authz configuration inside another filter, nil if there is none.
	Inner tree.Object
	// Missing reports whether the filter is discovered and not in the dump.
	Missing bool
}

// Kind returns the name of the filter's type without package and version, such as ext_authz.
func (f *Filter) Kind() string {
	parts := strings.Split(tree.TypeOf(f.Config), ".")
	for i, part := range parts {
		if len(part) >= 2 && part[0] == 'v' && part[1] >= '0' && part[1] <= '9' && i > 0 {
			return parts[i-1]
		}
	}
	return f.Name
}

// filters returns the HTTP filters of a list at a path.
func (d *Dump) filters(m *Manager, list []any, path string) []Filter {
	var all []Filter
	for i, item := range list {
		f := Filter{Name: tree.TextAt(item, "name"), Config: tree.Get(item, "typed_config"), Index: i, Disabled: tree.IsTrue(item, "disabled"), Optional: tree.IsTrue(item, "is_optional")}
		f.Where, f.Path = m.Where+" / filter "+f.Name, fmt.Sprintf("%s[%d]", path, i)
		configs := []any{f.Config}
		if discovery := tree.Get(item, "config_discovery"); discovery != nil {
			configs = d.discovered[f.Name]
			f.Missing = len(configs) == 0
			f.Optional = f.Optional || tree.Get(discovery, "default_config") != nil
		}
		if f.Missing {
			all = append(all, f)
		}
		for _, config := range configs { // more than one if the dump does not show which of them it is
			f.Config, f.Inner = config, nil
			if !tree.IsType(f.Config, typeExtAuthz) {
				tree.Find(f.Config, typeExtAuthz, maxDepth, func(n tree.Object) { f.Inner = n })
			}
			all = append(all, f)
		}
	}
	return all
}

// Wrapped returns the filters that may run inside a filter, which chooses among them. It returns nil for other filters,
// and for filters that are not in the dump.
func (f *Filter) Wrapped() []Filter {
	var all []Filter
	add := func(inner any) {
		if config := tree.Get(inner, "typed_config"); config != nil {
			all = append(all, Filter{Name: f.Name, Config: config, Index: f.Index, Where: f.Where, Path: f.Path})
		}
	}
	if inner := tree.Get(f.Config, "extension_config"); !tree.IsType(tree.Get(inner, "typed_config"), ".Composite") {
		add(inner)
	}
	for _, inner := range tree.ListAt(f.Config, "default_filter_chain", "filters") {
		add(inner)
	}
	tree.Find(f.Config, ".ExecuteFilterAction", maxDepth, func(action tree.Object) {
		add(tree.Get(action, "typed_config"))
		for _, inner := range tree.ListAt(action, "filter_chain", "typed_config") {
			add(tree.Object{"typed_config": tree.Get(inner, "typed_config")})
		}
	})
	return all
}

// recognize returns what tells ext_authz configurations for portcullis from those for other services: they ask a cluster
// with its name, or one that a filter asks for whose routes have context extensions of portcullis. Filters of another
// listener may have the same name and ask another service. If neither holds for any filter, all of them count.
func recognize(all []*Manager) func(config any) bool {
	clusters := map[string]bool{}
	for _, m := range all {
		marked := m.marked()
		for i := range m.Filters {
			f := &m.Filters[i]
			if name := ClusterOf(f.ExtAuthz()); marked[f.Name] || strings.Contains(strings.ToLower(name), "portcullis") {
				clusters[name] = true
			}
		}
	}
	delete(clusters, "")
	return func(config any) bool { return len(clusters) == 0 || clusters[ClusterOf(config)] }
}

// marked returns the names of filters for which the routes of a manager have context extensions of portcullis.
func (m *Manager) marked() map[string]bool {
	names := map[string]bool{}
	for _, table := range m.Tables {
		LevelsOf(table, func(at Level) {
			for name, config := range tree.ObjectAt(at.Tree, PerFilter) {
				names[name] = names[name] || Marks(config)
			}
		})
	}
	return names
}

// Marks reports whether settings of a route have a context extension of portcullis.
func Marks(config any) bool {
	_, config = Unwrapped(config)
	for name := range tree.ObjectAt(config, "check_settings", extensionPath) {
		if strings.HasPrefix(strings.ToLower(name), "portcullis") {
			return true
		}
	}
	return false
}

// ExtAuthz returns the configuration of ext_authz, or nil.
func (f *Filter) ExtAuthz() any {
	switch {
	case tree.IsType(f.Config, typeExtAuthz):
		return f.Config
	case f.Inner != nil:
		return f.Inner
	default:
		return nil
	}
}

// ClusterOf returns the cluster, or the address, that an ext_authz filter asks.
func ClusterOf(config any) string {
	if name := tree.TextAt(config, "grpc_service", "envoy_grpc", "cluster_name"); name != "" {
		return name
	}
	if uri := tree.TextAt(config, "grpc_service", "google_grpc", "target_uri"); uri != "" {
		return uri
	}
	return tree.TextAt(config, "http_service", "server_uri", "cluster")
}

// Check is a filter for portcullis that runs for a route, and its settings there.
type Check struct {
	*Filter
	Settings
}

// AsksAnother reports whether the route names the service that is asked.
func (c *Check) AsksAnother() bool {
	return tree.Get(c.Check, "http_service") != nil || tree.Get(c.Check, "grpc_service") != nil
}

// runs reports whether the filter runs for the route.
func (c *Check) runs() bool {
	return c.Off == nil && c.Settings.Disabled == nil && (c.set || !c.Filter.Disabled)
}

// IsBackstop reports whether a filter asks about each request that no filter for portcullis before it has allowed.
func IsBackstop(config any) bool {
	want := tree.Get(config, "filter_enabled_metadata")
	path := tree.ListAt(want, "path")
	return tree.TextAt(want, "filter") == "envoy.filters.http.ext_authz" && len(path) == 1 && tree.TextAt(path[0], "key") == "decision" &&
		tree.TextAt(want, "value", "string_match", "exact") == "allow" && tree.IsTrue(want, "invert")
}
