package envoyconf

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Every request is checked, and what is said of a body is said of all routes of a host.
func TestIstio(t *testing.T) {
	for shape, sidecar := range map[string]bool{"open": false, "mixed": false, "signed": true} {
		t.Run(shape, func(t *testing.T) {
			o := Options{Target: Istio, Mesh: Mesh{Sidecar: sidecar, SourcePrincipal: sidecar, Selector: "app=pets,tier=1"}}
			text := mustGenerate(t, shapes(t)[shape], o)
			checkWords(t, text)
			docs := parse(t, text)
			if len(docs) != 3 {
				t.Fatalf("%d documents", len(docs))
			}
			provider := at(t, docs[0], "meshConfig", "extensionProviders", 0, "envoyExtAuthzGrpc").(tree)
			if provider["failOpen"] != false || provider["statusOnError"] != "503" {
				t.Errorf("%v", provider)
			}
			if format := at(t, docs[0], "meshConfig", "accessLogFormat").(string); !json.Valid([]byte(format)) || !strings.Contains(format, "%PATH(NQ)%") || strings.Contains(format, ":PATH") {
				t.Errorf("the log has the query, or is no JSON: %s", format)
			}
			if buffers := provider["includeRequestBodyInCheck"] != nil; buffers != (shape != "open") {
				t.Errorf("buffers: %v", buffers)
			}
			if spec := at(t, docs[1], "spec").(tree); spec["action"] != "CUSTOM" || len(at(t, spec, "rules", 0).(tree)) != 0 || at(t, spec, "selector", "matchLabels", "tier") != "1" {
				t.Errorf("%v", spec)
			}
			checkPatches(t, at(t, docs[2], "spec", "configPatches").([]any), shape != "open", sidecar)
		})
	}
}

func checkPatches(t *testing.T, patches []any, signed, sidecar bool) {
	t.Helper()
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
		if verified := maybe(settings, "portcullis.sourcePrincipal") == "verified"; verified != (sidecar && kind == "VIRTUAL_HOST") {
			t.Errorf("%s says of certificates: %v", kind, verified)
		}
		if named := maybe(settings, "portcullis.api") == "a1b2c3d4e5" && maybe(settings, "portcullis.stage") == "prod"; named != (kind == "VIRTUAL_HOST") {
			t.Errorf("%s names the API: %v", kind, named)
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
