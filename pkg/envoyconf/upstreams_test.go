package envoyconf

import (
	"slices"
	"strings"
	"testing"
)

// A route leads to an upstream of portcullis.yaml only if portcullis has named it. All routes that come after it answer 500.
func TestNamedUpstreams(t *testing.T) {
	config := shapes(t)["named upstreams"]
	clusterOf := map[string]string{"": "none"}
	for name, u := range config.Upstreams {
		clusterOf[u.Answer(name)] = "routes-" + name
	}
	text := mustGenerate(t, config, Options{})
	for _, manager := range managers(t, Bootstrap, text) {
		for _, host := range at(t, manager, "route_config", "virtual_hosts").([]any) {
			for _, r := range at(t, host, "routes").([]any) {
				cluster, _ := maybe(r, "route", "cluster").(string)
				named := ""
				if maybe(r, "match", "dynamic_metadata") != nil {
					named = at(t, r, "match", "dynamic_metadata", 0, "value", "string_match", "exact").(string)
				}
				if strings.HasPrefix(cluster, "routes-") != (named != "") || named != "" && cluster != clusterOf[named] {
					t.Errorf("%s leads to %q for the answer %q", at(t, host, "name"), cluster, named)
				}
				if base := maybe(r, "match", "path_separated_prefix"); cluster == "upstream" && base != nil {
					t.Errorf("%v leads to the default upstream", base)
				}
			}
		}
	}
	var clusters []string
	for _, c := range at(t, parse(t, text)[0], "static_resources", "clusters").([]any) {
		clusters = append(clusters, at(t, c, "name").(string))
	}
	if want := []string{"portcullis", "upstream", "routes-health", "routes-pets"}; !slices.Equal(clusters, want) {
		t.Errorf("clusters %q, want %q", clusters, want)
	}
}
