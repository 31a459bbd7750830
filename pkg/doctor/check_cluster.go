package doctor

import (
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/reach"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// timeouts applies the rules of the check's own timeout.
func (e *examination) timeouts(m *dump.Manager, f *dump.Filter) {
	service := tree.Get(f.ExtAuthz(), "grpc_service")
	given, _ := tree.DurationAt(service, "timeout")
	e.checkTimeout(service, f.Where, f.Path)
	for _, path := range [][]string{{"request_timeout"}, {"stream_idle_timeout"}, {"common_http_protocol_options", "max_stream_duration"}} {
		if outer, ok := tree.DurationAt(m.Tree, path...); ok && outer > 0 && outer <= given {
			e.Report(rulebook.OuterTimeout, m.Where, m.Path, "%s is %v, and the timeout of a check is %v", path[len(path)-1], outer, given)
		}
	}
}

// longestCheck is more than any authorizer of API Gateway takes: a function may take 30 seconds.
const longestCheck = time.Minute

// checkTimeout applies the rules of the timeout of a grpc_service.
func (e *examination) checkTimeout(service any, where, path string) {
	need := e.options.CheckTime
	given, set := tree.DurationAt(service, "timeout")
	switch {
	case set && given == 0:
		e.Report(rulebook.Timeout, where, path, "grpc_service.timeout is 0s, so checks have no limit")
	case !set:
		e.Report(rulebook.Timeout, where, path, "grpc_service.timeout is not set, so it is 200ms")
	case need > 0 && given < need:
		e.Report(rulebook.Timeout, where, path, "grpc_service.timeout is %v, and the authorizers of portcullis.yaml may need %v", given, need)
	case given <= 200*time.Millisecond || given > max(longestCheck, need):
		e.Report(rulebook.Timeout, where, path, "grpc_service.timeout is %v", given)
	}
}

// outerTimeouts applies the rules of a route's timeouts. The route's own timeout begins after the check.
func (e *examination) outerTimeouts(f *dump.Filter, r *dump.Route) {
	given, _ := tree.DurationAt(f.ExtAuthz(), "grpc_service", "timeout")
	for _, path := range [][]string{{"idle_timeout"}, {"max_stream_duration", "max_stream_duration"}} {
		if outer, ok := tree.DurationAt(tree.Get(r.Own, "route"), path...); ok && outer > 0 && outer <= given {
			e.Report(rulebook.OuterTimeout, r.Where, r.Path, "%s is %v, and the timeout of a check is %v", path[0], outer, given)
		}
	}
}

// upstream applies the rules of a cluster that is guarded.
func (e *examination) upstream(name string) {
	e.clusterFilters(rulebook.After, name)
	if c := e.Clusters[name]; isHTTP2(c.Tree) {
		e.Report(rulebook.Trailers, "cluster "+name, c.Path, "the upstream gets requests by HTTP/2, with the trailers of clients that use HTTP/2")
	}
}

// askedClusters applies the rules of the clusters of portcullis.
func (e *examination) askedClusters() {
	done := map[string]bool{}
	for _, f := range e.askers() {
		if target := tree.Get(f.ExtAuthz(), "grpc_service", "google_grpc"); target != nil {
			e.googleGRPC(f, target)
			continue
		}
		name := tree.TextAt(f.ExtAuthz(), "grpc_service", "envoy_grpc", "cluster_name")
		if name == "" || done[name] {
			continue
		}
		done[name] = true
		c, found := e.Clusters[name]
		switch {
		case found:
			e.cluster(name, c)
			e.clusterTimeout(f, "cluster "+name, c)
		case len(e.Clusters) == 0:
			e.Report(rulebook.Unseen, f.Where, f.Path, "the clusters are not in the input")
		default:
			e.Report(rulebook.NoCluster, f.Where, f.Path, "there is no cluster %q", name)
		}
	}
}

// askers returns the filters for portcullis of all listeners.
func (e *examination) askers() []*dump.Filter {
	var all []*dump.Filter
	for _, m := range e.guarded {
		all = append(all, m.Ours...)
	}
	return all
}

// googleGRPC applies the rules of a connection that Envoy's Google gRPC client makes.
func (e *examination) googleGRPC(f *dump.Filter, target any) {
	plugins := tree.Compact(tree.ListAt(target, "channel_credentials_plugin"))
	if tree.Get(target, "channel_credentials", "ssl_credentials") != nil || strings.Contains(plugins, "@type") && !strings.Contains(plugins, ".insecure.") && !strings.Contains(plugins, ".local.") {
		return
	}
	uri := strings.TrimPrefix(tree.TextAt(target, "target_uri"), "dns:")
	if host := uri[:max(strings.LastIndexByte(uri, ':'), 0)]; !strings.HasPrefix(uri, "unix:") && !reach.IsLocal(host) {
		e.Report(rulebook.Plain, f.Where, f.Path, "target_uri %q has no ssl_credentials", uri)
	}
}

// cluster applies the rules of one cluster of portcullis.
func (e *examination) cluster(name string, c dump.Entry) {
	where := "cluster " + name
	if !isHTTP2(c.Tree) {
		e.Report(rulebook.HTTP2, where, c.Path, "http2_protocol_options is not set")
	}
	limits := map[string]float64{"max_requests": 1024, "max_pending_requests": 1024, "max_connections": 1024}
	for _, t := range tree.ListAt(c.Tree, "circuit_breakers", "thresholds") {
		if priority := tree.TextAt(t, "priority"); priority != "" && priority != "DEFAULT" {
			continue
		}
		for limit := range limits {
			if n, ok := tree.NumberAt(t, limit); ok {
				limits[limit] = n
			}
		}
	}
	for _, t := range tree.ListAt(c.Tree, "circuit_breakers", "per_host_thresholds") {
		if n, ok := tree.NumberAt(t, "max_connections"); ok {
			limits["max_connections"] = min(limits["max_connections"], n)
		}
	}
	for _, limit := range dump.SortedKeys(limits) {
		if limits[limit] < float64(e.options.MaxChecks) {
			e.Report(rulebook.Breaker, where, c.Path, "%s is %.0f, and portcullis accepts %d checks", limit, limits[limit], e.options.MaxChecks)
		}
	}
	e.encryption(where, name, c)
	if tree.Get(c.Tree, "outlier_detection") != nil {
		e.Report(rulebook.Outlier, where, c.Path, "outlier_detection is set")
	}
	e.clusterFilters(rulebook.CheckFilter, name)
	kind := tree.TextAt(c.Tree, "type")
	switch {
	case kind == "ORIGINAL_DST" || reach.IsOpen(c.Tree):
		e.Report(rulebook.CheckTarget, where, c.Path, "the cluster takes its address from the request")
	case tree.Get(c.Tree, "load_assignment") != nil && len(e.Endpoints[name]) == 0:
		e.Report(rulebook.Unhealthy, where, c.Path, "the cluster has no endpoint")
	}
}

// clusterTimeout finds a limit on requests to the cluster that is below the timeout of a check.
func (e *examination) clusterTimeout(f *dump.Filter, where string, c dump.Entry) {
	given, _ := tree.DurationAt(f.ExtAuthz(), "grpc_service", "timeout")
	limits := []any{tree.Get(c.Tree, "common_http_protocol_options")}
	for _, o := range tree.ObjectAt(c.Tree, "typed_extension_protocol_options") {
		limits = append(limits, tree.Get(o, "common_http_protocol_options"))
	}
	for _, limit := range limits {
		if outer, ok := tree.DurationAt(limit, "max_stream_duration"); ok && outer > 0 && outer <= given {
			e.Report(rulebook.OuterTimeout, where, c.Path, "max_stream_duration is %v, and the timeout of a check is %v", outer, given)
		}
	}
}

// encryption applies the rules of TLS to portcullis.
func (e *examination) encryption(where, name string, c dump.Entry) {
	sockets := []any{tree.Get(c.Tree, "transport_socket")}
	for _, match := range tree.ListAt(c.Tree, "transport_socket_matches") {
		sockets = append(sockets, tree.Get(match, "transport_socket"))
	}
	encrypted := false
	for _, s := range sockets {
		tls := innermost(s)
		if tree.IsType(tls, "raw_buffer.v3.RawBuffer") || tls == nil {
			continue
		}
		encrypted = true
		if quic := tree.Get(tls, "upstream_tls_context"); quic != nil {
			tls = quic
		}
		if (tree.IsType(tls, ".UpstreamTlsContext") || tree.Get(tls, "common_tls_context") != nil) && !verifiesServer(tls) {
			e.Report(rulebook.Unverified, where, c.Path, "the TLS of the cluster does not verify the certificate and its name")
		}
	}
	if encrypted && !plainFirst(c.Tree) {
		return
	}
	for _, address := range e.Endpoints[name] {
		host := tree.TextAt(address, "socket_address", "address")
		if host != "" && !reach.IsLocal(host) {
			e.Report(rulebook.Plain, where, c.Path, "no TLS to %s", host)
		}
	}
}

// innermost returns the settings of a transport socket without those that only wrap it, such as upstream_proxy_protocol.
func innermost(socket any) any {
	for range maxWrapped {
		inner := tree.Get(socket, "typed_config", "transport_socket")
		if inner == nil {
			break
		}
		socket = inner
	}
	return tree.Get(socket, "typed_config")
}

// maxWrapped limits how many transport sockets are inside each other.
const maxWrapped = 10

// plainFirst reports whether the first of transport_socket_matches is one for every endpoint, without encryption.
func plainFirst(c any) bool {
	matches := tree.ListAt(c, "transport_socket_matches")
	return len(matches) > 0 && len(tree.ObjectAt(matches[0], "match")) == 0 && tree.IsType(innermost(tree.Get(matches[0], "transport_socket")), ".RawBuffer")
}

// verifiesServer reports whether Envoy verifies the certificate and the name of a server.
func verifiesServer(tls any) bool {
	common := tree.Get(tls, "common_tls_context")
	named := tree.IsTrue(tls, "auto_sni_san_validation")
	for _, path := range [][]string{{"validation_context"}, {"combined_validation_context", "default_validation_context"}} {
		for _, list := range []string{"match_typed_subject_alt_names", "match_subject_alt_names", "verify_certificate_spki", "verify_certificate_hash"} {
			named = named || len(tree.ListAt(common, append(path, list)...)) > 0
		}
		named = named || tree.Get(common, append(path, "custom_validator_config")...) != nil
	}
	// A validation context that is discovered as a whole is not in the dump.
	named = named || tree.Get(common, "validation_context_sds_secret_config") != nil
	return named && verifiesPeer(common)
}

// isHTTP2 reports whether a cluster uses HTTP/2.
func isHTTP2(c any) bool {
	if tree.Get(c, "http2_protocol_options") != nil {
		return true
	}
	for _, o := range tree.ObjectAt(c, "typed_extension_protocol_options") {
		if tree.Get(o, "explicit_http_config", "http2_protocol_options") != nil || tree.Get(o, "auto_config", "http2_protocol_options") != nil {
			return true
		}
	}
	return false
}
