package doctor

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/reach"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// tableSettings applies the rules of a whole route configuration.
func (e *examination) tableSettings(table dump.Entry) {
	at := dump.TableLevel(table)
	if name := tree.TextAt(table.Tree, "vhost_header"); name != "" {
		e.Report(rulebook.HostHeader, at.Where, at.Path, "vhost_header is %s", name)
	}
	if tree.IsTrue(table.Tree, "ignore_path_parameters_in_path_matching") {
		e.Report(rulebook.Matching, at.Where, at.Path, "ignore_path_parameters_in_path_matching is true")
	}
	if tree.Get(table.Tree, "vhds") != nil {
		e.Report(rulebook.Unseen, at.Where, at.Path, "virtual hosts are discovered when a request needs them (vhds)")
	}
}

// action applies the rules of what a route does with a request after the check.
func (e *examination) action(r *dump.Route) {
	e.target(r)
	e.rewrites(r)
	match, action := tree.Get(r.Own, "match"), tree.Get(r.Own, "route")
	if tree.Get(match, "connect_matcher") != nil {
		e.Report(rulebook.Tunnel, r.Where, r.Path, "the route has a connect_matcher")
	}
	if tree.Get(match, "case_sensitive") == false && tree.TextAt(match, "prefix") != "/" || strings.Contains(tree.TextAt(match, "safe_regex", "regex"), "(?i)") {
		e.Report(rulebook.Matching, r.Where, r.Path, "the route ignores the case of the path")
	}
	if tree.Get(action, "internal_redirect_policy") != nil || tree.TextAt(action, "internal_redirect_action") == "HANDLE_INTERNAL_REDIRECT" {
		e.Report(rulebook.Redirects, r.Where, r.Path, "the route has an internal_redirect_policy")
	}
	for _, at := range append(slices.Clone(r.Levels), dump.Level{Tree: action, Where: r.Where, Path: r.Path}) {
		if len(tree.ListAt(at.Tree, "request_mirror_policies")) > 0 {
			e.Report(rulebook.Mirror, at.Where, at.Path, "request_mirror_policies is set")
		}
	}
}

// target finds routes whose upstream the request selects.
func (e *examination) target(r *dump.Route) {
	action := tree.Get(r.Own, "route")
	for _, at := range []any{action, r.Tree} {
		if name := tree.TextAt(at, "cluster_header"); name != "" {
			e.Report(rulebook.ClusterHeader, r.Where, r.Path, "the header %s names the cluster", name)
		}
	}
	for _, name := range []string{"cluster_specifier_plugin", "inline_cluster_specifier_plugin"} {
		if tree.Get(action, name) != nil {
			e.Report(rulebook.ClusterHeader, r.Where, r.Path, "%s selects the cluster", name)
		}
	}
	for _, name := range r.Clusters {
		if reach.IsOpen(e.Clusters[name].Tree) {
			e.Report(rulebook.ClusterHeader, r.Where, r.Path, "the cluster %q takes the address from the request", name)
		}
	}
}

// rewrites finds routes that send the upstream another path than the client, or a host that the client selects. Removing a base path is
// what portcullis envoy prints, and so is a pathPrefix for the requests that portcullis sends to one of its upstreams.
func (e *examination) rewrites(r *dump.Route) {
	action := tree.Get(r.Own, "route")
	if name := tree.TextAt(action, "host_rewrite_header"); name != "" {
		e.Report(rulebook.ClientRewrite, r.Where, r.Path, "host_rewrite_header is %s", name)
	}
	for _, name := range []string{"path_rewrite", "host_rewrite"} {
		switch text := tree.TextAt(action, name); {
		case strings.Contains(text, "%"):
			e.Report(rulebook.ClientRewrite, r.Where, r.Path, "%s is %q", name, text)
		case text != "" && name == "path_rewrite":
			e.Report(rulebook.Rewritten, r.Where, r.Path, "path_rewrite is %q", text)
		}
	}
	if text := tree.TextAt(action, "prefix_rewrite"); text != "" && text != "/" {
		e.Report(rulebook.Rewritten, r.Where, r.Path, "prefix_rewrite is %q", text)
	}
	if regex := tree.Get(action, "regex_rewrite"); regex != nil && tree.TextAt(regex, "substitution") != "/" && !isPathPrefix(r, regex) {
		e.Report(rulebook.Rewritten, r.Where, r.Path, "the substitution of regex_rewrite is %q", tree.TextAt(regex, "substitution"))
	}
	for _, name := range []string{"path_rewrite_policy", "host_rewrite_path_regex"} {
		if tree.Get(action, name) != nil {
			e.Report(rulebook.Rewritten, r.Where, r.Path, "%s is set", name)
		}
	}
}

// isPathPrefix reports whether a route that only the answer of portcullis selects writes a constant before the path.
func isPathPrefix(r *dump.Route, regex any) bool {
	text := tree.TextAt(regex, "substitution")
	return matchesAnswer(r) && !isVariable(r) && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") && !strings.Contains(text, `\`)
}

// otherService finds routes that ask another service.
func (e *examination) otherService(r *dump.Route, c dump.Check) {
	if tree.Get(c.Check, "http_service") != nil {
		e.Report(rulebook.OtherService, r.Where, c.At.Path, "check_settings have an http_service")
	}
	service := tree.Get(c.Check, "grpc_service")
	if service == nil {
		return
	}
	if other := dump.ClusterOf(tree.Object{"grpc_service": service}); other != dump.ClusterOf(c.ExtAuthz()) {
		e.Report(rulebook.OtherService, r.Where, c.At.Path, "check_settings ask %q, and the filter %q", other, dump.ClusterOf(c.ExtAuthz()))
		return
	}
	e.checkTimeout(service, r.Where, c.At.Path)
}
