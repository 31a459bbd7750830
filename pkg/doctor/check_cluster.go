package doctor

import (
	"net/netip"
	"strings"
)

// timeouts applies the rules of the check's own timeout.
func (e *examination) timeouts(m *manager, f *filter) {
	need := e.options.CheckTime
	given, set := durationAt(f.extAuthz(), "grpc_service", "timeout")
	switch {
	case set && given == 0:
		e.report(ruleTimeout, f.where, f.path, "grpc_service.timeout is 0s, so checks have no limit")
	case !set:
		e.report(ruleTimeout, f.where, f.path, "grpc_service.timeout is not set, so it is 200ms")
	case need > 0 && given < need:
		e.report(ruleTimeout, f.where, f.path, "grpc_service.timeout is %v, and the authorizers of portcullis.yaml may need %v", given, need)
	}
	for _, path := range [][]string{{"request_timeout"}, {"stream_idle_timeout"}, {"common_http_protocol_options", "max_stream_duration"}} {
		if outer, ok := durationAt(m.tree, path...); ok && outer > 0 && outer <= given {
			e.report(ruleOuterTimeout, m.where, m.path, "%s is %v, and the timeout of a check is %v", path[len(path)-1], outer, given)
		}
	}
}

// outerTimeouts applies the rules of a route's timeouts. The route's own timeout begins after the check.
func (e *examination) outerTimeouts(f *filter, r *route) {
	given, _ := durationAt(f.extAuthz(), "grpc_service", "timeout")
	for _, path := range [][]string{{"idle_timeout"}, {"max_stream_duration", "max_stream_duration"}} {
		if outer, ok := durationAt(get(r.own, "route"), path...); ok && outer > 0 && outer <= given {
			e.report(ruleOuterTimeout, r.where, r.path, "%s is %v, and the timeout of a check is %v", path[0], outer, given)
		}
	}
}

// upstreamClusters applies the rules of the clusters of portcullis.
func (e *examination) upstreamClusters() {
	done := map[string]bool{}
	for _, f := range e.askers() {
		if target := get(f.extAuthz(), "grpc_service", "google_grpc"); target != nil {
			e.googleGRPC(f, target)
			continue
		}
		name := textAt(f.extAuthz(), "grpc_service", "envoy_grpc", "cluster_name")
		if name == "" || done[name] {
			continue
		}
		done[name] = true
		c, found := e.clusters[name]
		switch {
		case found:
			e.cluster(name, c)
		case len(e.clusters) == 0:
			e.report(ruleUnseen, f.where, f.path, "the clusters are not in the input")
		default:
			e.report(ruleNoCluster, f.where, f.path, "there is no cluster %q", name)
		}
	}
}

// askers returns the filters for portcullis of all listeners.
func (e *examination) askers() []*filter {
	var all []*filter
	for _, m := range e.guarded {
		all = append(all, m.ours...)
	}
	return all
}

// googleGRPC applies the rules of a connection that Envoy's Google gRPC client makes.
func (e *examination) googleGRPC(f *filter, target any) {
	credentials := objectAt(target, "channel_credentials")
	if credentials["ssl_credentials"] != nil || credentials["sslCredentials"] != nil || len(listAt(target, "channel_credentials_plugin")) > 0 {
		return
	}
	uri := strings.TrimPrefix(textAt(target, "target_uri"), "dns:")
	if host := uri[:max(strings.LastIndexByte(uri, ':'), 0)]; !strings.HasPrefix(uri, "unix:") && !isLocal(host) {
		e.report(rulePlain, f.where, f.path, "target_uri %q has no ssl_credentials", uri)
	}
}

// cluster applies the rules of one cluster of portcullis.
func (e *examination) cluster(name string, c entry) {
	where := "cluster " + name
	if !isHTTP2(c.tree) {
		e.report(ruleHTTP2, where, c.path, "http2_protocol_options is not set")
	}
	limits := map[string]float64{"max_requests": 1024, "max_pending_requests": 1024, "max_connections": 1024}
	for _, t := range listAt(c.tree, "circuit_breakers", "thresholds") {
		if priority := textAt(t, "priority"); priority != "" && priority != "DEFAULT" {
			continue
		}
		for limit := range limits {
			if n, ok := numberAt(t, limit); ok {
				limits[limit] = n
			}
		}
	}
	for _, limit := range sortedKeys(limits) {
		if limits[limit] < float64(e.options.MaxChecks) {
			e.report(ruleBreaker, where, c.path, "%s is %.0f, and portcullis accepts %d checks", limit, limits[limit], e.options.MaxChecks)
		}
	}
	e.encryption(where, name, c)
}

// encryption applies the rules of TLS to portcullis.
func (e *examination) encryption(where, name string, c entry) {
	sockets := []any{get(c.tree, "transport_socket")}
	for _, match := range listAt(c.tree, "transport_socket_matches") {
		sockets = append(sockets, get(match, "transport_socket"))
	}
	encrypted := false
	for _, s := range sockets {
		tls := get(s, "typed_config")
		if isType(tls, "raw_buffer.v3.RawBuffer") || tls == nil {
			continue
		}
		encrypted = true
		if isType(tls, ".UpstreamTlsContext") && !verifiesServer(tls) {
			e.report(ruleUnverified, where, c.path, "the TLS of the cluster does not verify the certificate and its name")
		}
	}
	if encrypted {
		return
	}
	for _, address := range e.endpoints[name] {
		host := textAt(address, "socket_address", "address")
		if host != "" && !isLocal(host) {
			e.report(rulePlain, where, c.path, "no TLS to %s", host)
		}
	}
}

// verifiesServer reports whether Envoy verifies the certificate and the name of a server.
func verifiesServer(tls any) bool {
	common := get(tls, "common_tls_context")
	named := isTrue(tls, "auto_sni_san_validation")
	for _, path := range [][]string{{"validation_context"}, {"combined_validation_context", "default_validation_context"}} {
		for _, list := range []string{"match_typed_subject_alt_names", "match_subject_alt_names", "verify_certificate_spki", "verify_certificate_hash"} {
			named = named || len(listAt(common, append(path, list)...)) > 0
		}
		named = named || get(common, append(path, "custom_validator_config")...) != nil
	}
	// A validation context that is discovered as a whole is not in the dump.
	named = named || get(common, "validation_context_sds_secret_config") != nil
	return named && verifiesPeer(common)
}

// isHTTP2 reports whether a cluster uses HTTP/2.
func isHTTP2(c any) bool {
	if get(c, "http2_protocol_options") != nil {
		return true
	}
	for _, o := range objectAt(c, "typed_extension_protocol_options") {
		if get(o, "explicit_http_config", "http2_protocol_options") != nil || get(o, "auto_config", "http2_protocol_options") != nil {
			return true
		}
	}
	return false
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
