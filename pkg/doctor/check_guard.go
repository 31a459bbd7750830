package doctor

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// guard finds managers that do not ask portcullis, and what is not seen of them.
func (e *examination) guard(m *dump.Manager) {
	if m.Listener.State == "draining" {
		return // state has told of it
	}
	if len(m.Ours) == 0 && (e.isOutbound(m) || !e.reach.Concerns(m)) {
		return
	}
	for _, name := range m.Unseen {
		e.Report(rulebook.Unseen, m.Where, m.Path, "the route configuration %q is not in the input", name)
	}
	for _, f := range m.Filters {
		if f.Missing {
			e.Report(rulebook.Unseen, f.Where, f.Path, "the configuration of the filter %q is discovered, and is not in the input", f.Name)
		}
	}
	if len(m.Ours) > 0 || e.reach.IsOwn(m) {
		return
	}
	for _, f := range m.Filters {
		if config := f.ExtAuthz(); tree.Get(config, "http_service") != nil {
			e.Report(rulebook.HTTPService, f.Where, f.Path, "the filter %q uses http_service", f.Name)
		}
	}
	e.Report(rulebook.NoFilter, m.Where, m.Path+".http_filters", "no ext_authz filter for portcullis is among the %d HTTP filters", len(m.Filters))
}

// filter applies the rules of the ext_authz filter's own settings.
func (e *examination) filter(m *dump.Manager, f *dump.Filter) {
	c := f.ExtAuthz()
	on := func(broken bool, rule, format string, args ...any) {
		if broken {
			e.Report(rule, f.Where, f.Path, format, args...)
		}
	}
	on(f.Inner != nil, rulebook.Conditional, "ext_authz is inside a filter of the type %s", tree.TypeOf(f.Config))
	on(f.Optional, rulebook.Optional, "the filter is optional")
	on(tree.Get(c, "http_service") != nil, rulebook.HTTPService, "the filter uses http_service")
	on(tree.IsTrue(c, "failure_mode_allow"), rulebook.FailOpen, "failure_mode_allow is true%s", headerAdd(c))
	on(tree.IsTrue(c, "shadow_mode"), rulebook.Shadow, "shadow_mode is true")
	on(!isAlwaysEnabled(c), rulebook.Enabled, "filter_enabled is %s", compact(tree.Get(c, "filter_enabled")))
	on(tree.Get(c, "filter_enabled_metadata") != nil && !dump.IsBackstop(c) && !metadataIsCertain(m, f), rulebook.Metadata, "filter_enabled_metadata is %s", compact(tree.Get(c, "filter_enabled_metadata")))
	for _, name := range []string{"allowed_headers", "disallowed_headers"} {
		on(tree.Get(c, name) != nil, rulebook.Headers, "%s is set", name)
	}
	on(!tree.IsTrue(c, "encode_raw_headers"), rulebook.RawHeaders, "encode_raw_headers is not set")
	on(!tree.IsTrue(c, "validate_mutations"), rulebook.Mutations, "validate_mutations is not set")
	for _, name := range []string{"disallow_all", "disallow_system", "disallow_expression"} {
		set := tree.Get(c, "decoder_header_mutation_rules", name)
		on(set != nil && set != false, rulebook.MutationRules, "%s is set", name)
	}
	answered, otherwise := selections(m)
	on(tree.IsTrue(c, "clear_route_cache") && (answered == 0 || otherwise != ""), rulebook.ClearRoute, "clear_route_cache is true%s", otherwise)
	on(!tree.IsTrue(c, "clear_route_cache") && answered > 0, rulebook.UpstreamName, "%d routes match on the upstream that portcullis names, and clear_route_cache is not true", answered)
	on(len(tree.ListAt(c, "clear_route_cache_headers")) > 0, rulebook.ClearRoute, "clear_route_cache_headers is set")
	limit, limited := tree.NumberAt(c, "max_denied_response_body_bytes")
	on(limited && limit > 0 && limit < 8192, rulebook.ResponseLimits, "max_denied_response_body_bytes is %v", limit)
	on(tree.IsTrue(c, "enforce_response_header_limits"), rulebook.ResponseLimits, "enforce_response_header_limits is true")
	longest, limited := tree.NumberAt(c, "grpc_service", "envoy_grpc", "max_receive_message_length")
	on(limited && longest < 1<<16, rulebook.ResponseLimits, "max_receive_message_length is %v", longest)
	e.bodySettings(tree.Get(c, "with_request_body"), f.Where, f.Path+".typed_config.with_request_body")
	on(tree.Get(c, "with_request_body") != nil && !tree.IsTrue(c, "with_request_body", "pack_as_bytes"), rulebook.TextBody, "pack_as_bytes is not true")
	e.failure(m, f)
	e.timeouts(m, f)
}

// failure applies the rules of what happens to checks that fail, and to what they return.
func (e *examination) failure(m *dump.Manager, f *dump.Filter) {
	c := f.ExtAuthz()
	if !isServerError(c) {
		severity := rulebook.Note
		if code, _ := tree.NumberAt(c, "status_on_error", "code"); isSuccess(c) || code > 0 && code < 400 {
			severity = rulebook.Wrong
		}
		e.ReportAs(severity, rulebook.StatusOnError, f.Where, f.Path, "status_on_error is %s", compact(tree.Get(c, "status_on_error")))
	}
	if tree.Get(c, "enable_dynamic_metadata_ingestion") == false {
		severity := rulebook.Note
		answered, _ := selections(m)
		if answered > 0 || slices.ContainsFunc(m.Ours, func(our *dump.Filter) bool { return dump.IsBackstop(our.ExtAuthz()) }) {
			severity = rulebook.Wrong
		}
		e.ReportAs(severity, rulebook.AnswerMetadata, f.Where, f.Path, "enable_dynamic_metadata_ingestion is false")
	}
	if tree.Get(c, "grpc_service", "retry_policy") != nil || tree.Get(c, "grpc_service", "envoy_grpc", "retry_policy") != nil {
		e.Report(rulebook.Retries, f.Where, f.Path, "grpc_service has a retry_policy")
	}
}

// isSuccess reports whether status_on_error is a name of a status below 400.
func isSuccess(c any) bool {
	name := tree.TextAt(c, "status_on_error", "code")
	return slices.Contains([]string{"Continue", "OK", "Created", "Accepted", "NonAuthoritativeInformation", "NoContent", "ResetContent", "PartialContent", "MultiStatus",
		"AlreadyReported", "IMUsed", "MultipleChoices", "MovedPermanently", "Found", "SeeOther", "NotModified", "UseProxy", "TemporaryRedirect", "PermanentRedirect"}, name)
}

// ofPolicy is how the names of ext_authz filters of Envoy Gateway begin.
const ofPolicy = "envoy.filters.http.ext_authz/"

// namesV2 matches listeners of Envoy Gateway with the runtime flag XDSNameSchemeV2.
var namesV2 = regexp.MustCompile(`^(tcp|udp)-\d+$`)

// patches finds listeners of Envoy Gateway that the EnvoyPatchPolicy did not change.
func (e *examination) patches(m *dump.Manager) {
	for _, f := range m.Ours {
		if !strings.HasPrefix(f.Name, ofPolicy) || tree.IsTrue(f.ExtAuthz(), "encode_raw_headers") {
			return
		}
	}
	gateways := map[string]bool{}
	for i := range e.Listeners {
		if parts := strings.Split(e.Listeners[i].Name(), "/"); len(parts) == 3 {
			gateways[parts[0]+"/"+parts[1]] = true
		}
	}
	name, why := m.Listener.Name(), ""
	switch {
	case tree.TextAt(m.Listener.Tree, "address", "socket_address", "protocol") == "UDP":
		why = ": it is one of HTTP/3"
	case namesV2.MatchString(name):
		why = ": it has the name of XDSNameSchemeV2"
	case len(gateways) > 1:
		why = ": this Envoy serves the Gateways " + strings.Join(dump.SortedKeys(gateways), " and ")
	}
	e.Report(rulebook.Unpatched, m.Where, m.Path, "no filter of the listener %q has encode_raw_headers%s", name, why)
}

// backstop finds filters that Envoy Gateway adds with their routes, without one that is always there.
func (e *examination) backstop(m *dump.Manager) {
	for _, f := range m.Ours {
		if !f.Disabled || dump.IsBackstop(f.ExtAuthz()) || !strings.HasPrefix(f.Name, ofPolicy) {
			continue
		}
		for _, table := range m.Tables {
			if !m.HasBackstop(table) {
				e.Report(rulebook.Backstop, f.Where, f.Path, "no filter denies what the filter has not checked in %s", dump.TableLevel(table).Where)
				return
			}
		}
	}
}

func headerAdd(c any) string {
	if tree.IsTrue(c, "failure_mode_allow_header_add") {
		return ", and failure_mode_allow_header_add tells the upstream"
	}
	return ""
}

// bodySettings applies the rules of one with_request_body.
func (e *examination) bodySettings(body any, where, path string) {
	if body == nil {
		return
	}
	if tree.IsTrue(body, "allow_partial_message") {
		e.Report(rulebook.Partial, where, path, "allow_partial_message is true")
	}
	if longest, ok := tree.NumberAt(body, "max_request_bytes"); ok && longest > 10<<20 {
		e.Report(rulebook.BodyLimit, where, path, "max_request_bytes is %.0f", longest)
	}
}

// isServerError reports whether status_on_error tells clients that the server failed.
func isServerError(c any) bool {
	switch code := tree.Get(c, "status_on_error", "code").(type) {
	case string:
		return slices.Contains([]string{"InternalServerError", "BadGateway", "ServiceUnavailable", "GatewayTimeout"}, code)
	case json.Number, float64:
		n, _ := tree.NumberAt(c, "status_on_error", "code")
		return n >= 500 && n < 600
	}
	return false
}

// isAlwaysEnabled reports whether filter_enabled is absent, or is all requests and no runtime key can change it.
func isAlwaysEnabled(c any) bool {
	enabled := tree.ObjectAt(c, "filter_enabled")
	if enabled == nil {
		return true
	}
	share, _ := tree.NumberAt(enabled, "default_value", "numerator")
	whole := map[string]float64{"": 100, "HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}[tree.TextAt(enabled, "default_value", "denominator")]
	return tree.TextAt(enabled, "runtime_key") == "" && whole > 0 && share >= whole
}

// metadataIsCertain reports whether every request gets the metadata of filter_enabled_metadata, as from the shadow rules
// that Istio makes of an AuthorizationPolicy that matches everything.
func metadataIsCertain(m *dump.Manager, asks *dump.Filter) bool {
	want := tree.Get(asks.ExtAuthz(), "filter_enabled_metadata")
	prefix, path := tree.TextAt(want, "value", "string_match", "prefix"), tree.ListAt(want, "path")
	if prefix == "" || len(path) != 1 || tree.IsTrue(want, "invert") {
		return false
	}
	for _, f := range m.Filters[:asks.Index] {
		if f.Name != tree.TextAt(want, "filter") || f.Kind() != "rbac" || f.Disabled || f.Missing {
			continue
		}
		rules := tree.Get(f.Config, "shadow_rules")
		key := tree.TextAt(f.Config, "shadow_rules_stat_prefix") + "shadow_effective_policy_id"
		if tree.TextAt(path[0], "key") == key && matchesAll(rules, prefix) && !m.Overrides(f.Name) {
			return true
		}
	}
	return false
}

// matchesAll reports whether the policies of RBAC match every request, and all have names with the prefix.
func matchesAll(rules any, prefix string) bool {
	some := false
	for name, policy := range tree.ObjectAt(rules, "policies") {
		if !strings.HasPrefix(name, prefix) {
			return false
		}
		plain := tree.Get(policy, "condition") == nil && tree.Get(policy, "checked_condition") == nil
		some = some || plain && slices.ContainsFunc(tree.ListAt(policy, "permissions"), isAny) && slices.ContainsFunc(tree.ListAt(policy, "principals"), isAny)
	}
	return some
}

// isAny reports whether a permission or principal of RBAC matches everything.
func isAny(v any) bool {
	if tree.IsTrue(v, "any") {
		return true
	}
	for _, names := range [][2]string{{"and_rules", "rules"}, {"and_ids", "ids"}} {
		if all := tree.ListAt(v, names[0], names[1]); len(all) > 0 {
			return !slices.ContainsFunc(all, func(v any) bool { return !isAny(v) })
		}
	}
	for _, names := range [][2]string{{"or_rules", "rules"}, {"or_ids", "ids"}} {
		if slices.ContainsFunc(tree.ListAt(v, names[0], names[1]), isAny) {
			return true
		}
	}
	return false
}

// compact returns a value as short JSON.
func compact(v any) string {
	text, err := json.Marshal(v)
	if v == nil || err != nil {
		return "not set"
	}
	if len(text) > 200 {
		return string(text[:200]) + "…"
	}
	return string(text)
}

const metadataFilter = "envoy.filters.http.ext_authz"

// selections returns how many routes match on the answer of portcullis, and names a route that can be selected by what the check
// changes: by headers, by query parameters or by other metadata.
func selections(m *dump.Manager) (answered int, otherwise string) {
	for _, table := range m.Tables {
		dump.RoutesOf(table, func(r dump.Route) {
			switch {
			case !r.Forwards():
			case isVariable(&r):
				otherwise = ", and " + r.Where + " matches on headers, query parameters or metadata"
			case matchesAnswer(&r):
				answered++
			}
		})
	}
	return answered, otherwise
}

// matchesAnswer reports whether a route matches on metadata, which is that of the answer of portcullis unless isVariable says otherwise.
func matchesAnswer(r *dump.Route) bool {
	return len(tree.ListAt(r.Own, "match", "dynamic_metadata")) > 0
}

// isVariable reports whether a route can match after the check although it did not match before, for another reason than the answer
// of portcullis. The check does not change pseudo headers, except for the query.
func isVariable(r *dump.Route) bool {
	for _, h := range tree.ListAt(r.Own, "match", "headers") {
		if name := tree.TextAt(h, "name"); !strings.HasPrefix(name, ":") || name == ":path" {
			return true
		}
	}
	for _, d := range tree.ListAt(r.Own, "match", "dynamic_metadata") {
		if tree.TextAt(d, "filter") != metadataFilter {
			return true
		}
	}
	return len(tree.ListAt(r.Own, "match", "query_parameters")) > 0
}
