package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// schemas writes what kubeconform reads, a file for each kind, from the Kubernetes API's own description and the Prometheus operator's
// definition. A field that a type does not have is refused, which the description alone does not say.
func schemas(t *testing.T, dir string) (pattern string) {
	t.Helper()
	from := tool(t, "schemas")
	var swagger struct{ Definitions map[string]map[string]any }
	must(t, json.Unmarshal([]byte(read(t, filepath.Join(from, "swagger.json"))), &swagger))
	text := strings.ReplaceAll(string(encode(t, map[string]any{"definitions": closedTypes(swagger.Definitions)})), "#/definitions/", "_definitions.json#/definitions/")
	save(t, dir, "_definitions.json", []byte(text))
	kinds := 0
	for name, d := range swagger.Definitions {
		all, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, one := range all {
			k := one.(map[string]any)
			group, _, _ := strings.Cut(k["group"].(string), ".")
			save(t, dir, schemaName(k["kind"].(string), group, k["version"].(string)), encode(t, map[string]any{"$ref": "_definitions.json#/definitions/" + name}))
			kinds++
		}
	}
	if kinds < 100 {
		t.Fatalf("%d kinds in the description of the Kubernetes API", kinds)
	}
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		operated(t, from, dir, strings.ToLower(kind))
	}
	return filepath.Join(dir, "{{.ResourceKind}}{{.KindSuffix}}.json")
}

// closedTypes has every type with named fields refuse other fields. Those of text, numbers and free form stay as they are.
func closedTypes(definitions map[string]map[string]any) map[string]map[string]any {
	for _, d := range definitions {
		closeType(d)
	}
	// A quantity and a port may be numbers too.
	for _, name := range []string{"io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"} {
		delete(definitions[name], "format")
		definitions[name]["type"] = []string{"string", "number"}
	}
	return definitions
}

func closeType(v any) {
	d, _ := v.(map[string]any)
	fields, _ := d["properties"].(map[string]any)
	if _, says := d["additionalProperties"]; len(fields) > 0 && !says {
		d["additionalProperties"] = false
	}
	for _, field := range fields {
		closeType(field)
	}
	if d != nil {
		closeType(d["items"])
		closeType(d["additionalProperties"])
	}
}

// operated writes the schema of a kind that the Prometheus operator defines.
func operated(t *testing.T, from, dir, kind string) {
	t.Helper()
	var crd struct {
		Spec struct {
			Group    string
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, filepath.Join(from, kind+"s.yaml"))), &crd))
	group, _, _ := strings.Cut(crd.Spec.Group, ".")
	for _, v := range crd.Spec.Versions {
		closeType(v.Schema.OpenAPIV3Schema)
		save(t, dir, schemaName(kind, group, v.Name), encode(t, v.Schema.OpenAPIV3Schema))
	}
}

func schemaName(kind, group, version string) string {
	if group != "" {
		group = "-" + group
	}
	return strings.ToLower(kind) + group + "-" + version + ".json"
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return text
}

func save(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
}
