package envoyconf

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Every request is checked, and the body settings apply to all routes of a host.
func TestIstio(t *testing.T) {
	for shape, sidecar := range map[string]bool{"open": false, "mixed": false, "signed": true} {
		t.Run(shape, func(t *testing.T) {
			o := Options{Target: Istio, Mesh: Mesh{Sidecar: sidecar, SourcePrincipal: sidecar, Selector: "app=pets,tier=1"}}
			text := mustGenerate(t, shapes(t)[shape], o)
			checkWords(t, text)
			docs := parse(t, text)
			if len(docs) != 4 {
				t.Fatalf("%d documents", len(docs))
			}
			provider := at(t, docs[0], "meshConfig", "extensionProviders", 0, "envoyExtAuthzGrpc").(tree)
			if provider["failOpen"] != false || provider["statusOnError"] != "503" {
				t.Errorf("%v", provider)
			}
			if format := at(t, docs[0], "meshConfig", "accessLogFormat").(string); !json.Valid([]byte(format)) || !strings.Contains(format, "%PATH(NQ)%") || strings.Contains(format, ":PATH") {
				t.Errorf("the log has the query, or is not JSON: %s", format)
			}
			if buffers := provider["includeRequestBodyInCheck"] != nil; buffers != (shape != "open") {
				t.Errorf("buffers: %v", buffers)
			}
			if spec := at(t, docs[1], "spec").(tree); spec["action"] != "CUSTOM" || len(at(t, spec, "rules", 0).(tree)) != 0 || at(t, spec, "selector", "matchLabels", "tier") != "1" {
				t.Errorf("%v", spec)
			}
			if pool := at(t, docs[3], "spec", "trafficPolicy", "connectionPool"); at(t, pool, "http", "http2MaxRequests") != 8192 || at(t, pool, "http", "http1MaxPendingRequests") != 8192 || maybe(docs[3], "spec", "trafficPolicy", "tls") != nil {
				t.Errorf("%v", docs[3])
			}
			checkPatches(t, at(t, docs[2], "spec", "configPatches").([]any), shape != "open", sidecar)
		})
	}
}

func checkPatches(t *testing.T, patches []any, signed, sidecar bool) {
	t.Helper()
	if at(t, patches[1], "applyTo") != "NETWORK_FILTER" || at(t, patches[1], "patch", "value", "typed_config", "common_http_protocol_options", "max_headers_count") != 2000 {
		t.Errorf("%v", patches[1])
	}
	patches = slices.Delete(slices.Clone(patches), 1, 2)
	want := []string{"HTTP_FILTER", "VIRTUAL_HOST"}
	if !sidecar {
		checkNobody(t, patches[1])
		patches = slices.Delete(slices.Clone(patches), 1, 2)
	}
	if signed {
		want = append(want, "HTTP_ROUTE")
	}
	var got []string
	for _, p := range patches {
		kind := at(t, p, "applyTo").(string)
		got = append(got, kind)
		settings := maybe(at(t, p, "patch", "value"), append(perRoute, "context_extensions")...)
		if says := maybe(settings, "portcullis.body") == "buffered"; says != (kind == "HTTP_ROUTE") {
			t.Errorf("%s says of the body: %v", kind, says)
		}
		checkBody(t, at(t, p, "patch", "value"), kind == "HTTP_ROUTE")
		if verified := maybe(settings, "portcullis.sourcePrincipal") == "verified"; verified != (sidecar && kind == "VIRTUAL_HOST") {
			t.Errorf("%s says of certificates: %v", kind, verified)
		}
		if named := maybe(settings, "portcullis.api") == "a1b2c3d4e5" && maybe(settings, "portcullis.stage") == "prod"; named != (kind == "VIRTUAL_HOST") {
			t.Errorf("%s names the API: %v", kind, named)
		}
		if based := maybe(settings, "portcullis.basePath") == "/"; based != (kind == "VIRTUAL_HOST") {
			t.Errorf("%s names the base path: %v", kind, based)
		}
		name, context := maybe(p, "match", "routeConfiguration", "vhost", "name"), at(t, p, "match", "context")
		if sidecar != (context == "SIDECAR_INBOUND") || kind != "HTTP_FILTER" && (name == "pets.example.com:80") == sidecar {
			t.Errorf("%s: %v, %v", kind, context, name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// checkNobody is for the patch by which the virtual hosts of a gateway that no later one names belong to no API.
func checkNobody(t *testing.T, patch any) {
	t.Helper()
	settings := maybe(at(t, patch, "patch", "value"), append(perRoute, "context_extensions")...)
	if maybe(patch, "match", "routeConfiguration") != nil || at(t, patch, "applyTo") != "VIRTUAL_HOST" || maybe(settings, "portcullis.api") != noAPI {
		t.Errorf("the first virtual hosts: %v", patch)
	}
}

// Of portcullis itself nothing is said but where its callers are named; then nobody else gets to it.
func TestIstioCallers(t *testing.T) {
	o := Options{Target: Istio, Mesh: Mesh{Ports: []int{80, 443}, Callers: []string{"spiffe://cluster.local/ns/b/sa/y", "spiffe://cluster.local/ns/a/sa/x", "spiffe://cluster.local/ns/b/sa/y"}}}
	text := mustGenerate(t, shapes(t)["open"], o)
	checkWords(t, text)
	docs := parse(t, text)
	if len(docs) != 6 {
		t.Fatalf("%d documents", len(docs))
	}
	for _, name := range []string{"pets.example.com:80", "pets.example.com:443"} {
		if !strings.Contains(text, `vhost: {name: "`+name+`"}`) {
			t.Errorf("nothing of %s", name)
		}
	}
	for _, doc := range docs[3:] {
		if at(t, doc, "metadata", "namespace") != "portcullis" {
			t.Errorf("%v", doc)
		}
	}
	for _, doc := range docs[3:5] {
		if at(t, doc, "spec", "selector", "matchLabels", "app.kubernetes.io/name") != "portcullis" {
			t.Errorf("%v", doc)
		}
	}
	if at(t, docs[5], "spec", "trafficPolicy", "connectionPool", "tcp", "maxConnections") != 8192 {
		t.Errorf("%v", docs[5])
	}
	if at(t, docs[3], "spec", "mtls", "mode") != "STRICT" || at(t, docs[5], "spec", "trafficPolicy", "tls", "mode") != "ISTIO_MUTUAL" {
		t.Errorf("%v %v", docs[3], docs[5])
	}
	spec := at(t, docs[4], "spec").(tree)
	principals := at(t, spec, "rules", 0, "from", 0, "source", "principals").([]any)
	if spec["action"] != "ALLOW" || len(spec["rules"].([]any)) != 1 || !slices.Equal(principals, []any{"cluster.local/ns/a/sa/x", "cluster.local/ns/b/sa/y"}) {
		t.Errorf("%v", spec)
	}
	if got := at(t, spec, "rules", 0, "to", 0, "operation", "paths", 0); got != "/envoy.service.auth.v3.Authorization/Check" {
		t.Errorf("%v", got)
	}
}
