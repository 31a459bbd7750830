package e2e

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// meshed is an API for a gateway of a mesh.
const meshed = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    upstreamHeaders: {x-caller: $context.identity.userArn, x-stage: $context.stage}
    routes:
      - {route: GET /health, authorization: NONE}
      - {route: "ANY /pets/{proxy+}", authorization: AWS_IAM}
iam:
  accounts: [{file: 111122223333.json}]
  accessKeys: [{file: access-keys.yaml}]
`

// What istiod makes of the provider, with what the EnvoyFilter merges into it, is an Envoy that verifies signatures. istiod itself
// does not run here: merging is done by this test, as istiod does it, and the rest is the real Envoy.
func TestPrintedForAMesh(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"gateway": nil, "sidecar": {"--istio-sidecar", "--istio-selector", "app=pets"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{
				config: meshed, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
				change: func(dir, bootstrap string) string {
					return asIstiod(t, bootstrap, printed(t, dir, append([]string{"--for", "istio", "--timeout", "15s"}, flags...)...))
				},
			})
			alice := user(owner, grants)
			s.sees(t, s.get(t, "/health"), "x-stage: prod")
			r := by(alice, inHeader, "POST", "/pets/7")
			r.Body = everyByte()
			s.sees(t, s.send11(t, goClient().mustSign(t, r)), "x-caller: "+alice.arn)
			check(t, s, s.send11(t, goClient().mustSign(t, r).body("other")), 403, invalidSignature, mismatch)
			s.denied(t, s.get(t, "/pets/7"), 403)
			long := by(alice, inHeader, "POST", "/pets/7")
			long.Body = []byte(strings.Repeat("x", 1<<20+1))
			s.denied(t, s.send11(t, goClient().mustSign(t, long)), 413)
		})
	}
}

// asIstiod has a bootstrap's filter be the one of the mesh: the provider's settings, then the patches, in their order.
func asIstiod(t *testing.T, bootstrap, mesh string) string {
	t.Helper()
	docs := documents(t, mesh)
	provider := mapping(t, mapping(t, mapping(t, mapping(t, docs[0])["meshConfig"])["extensionProviders"].([]any)[0])["envoyExtAuthzGrpc"])
	envoy := mapping(t, tree(t, bootstrap))
	listener := mapping(t, mapping(t, envoy["static_resources"])["listeners"].([]any)[0])
	manager := mapping(t, mapping(t, mapping(t, listener["filter_chains"].([]any)[0])["filters"].([]any)[0])["typed_config"])
	filter, host := mapping(t, manager["http_filters"].([]any)[0]), mapping(t, mapping(t, manager["route_config"])["virtual_hosts"].([]any)[0])
	body := mapping(t, provider["includeRequestBodyInCheck"])
	filter["typed_config"] = map[string]any{
		"@type":                 "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
		"transport_api_version": "V3",
		"grpc_service":          map[string]any{"envoy_grpc": map[string]any{"cluster_name": "portcullis"}, "timeout": provider["timeout"]},
		"failure_mode_allow":    provider["failOpen"],
		"status_on_error":       map[string]any{"code": 503},
		"with_request_body": map[string]any{
			"max_request_bytes": body["maxRequestBytes"], "allow_partial_message": body["allowPartialMessage"], "pack_as_bytes": body["packAsBytes"],
		},
	}
	delete(host, "typed_per_filter_config")
	for _, patch := range mapping(t, mapping(t, docs[2])["spec"])["configPatches"].([]any) {
		value := mapping(t, mapping(t, mapping(t, patch)["patch"])["value"])
		switch kind := mapping(t, patch)["applyTo"]; kind {
		case "HTTP_FILTER":
			merge(filter, value)
		case "NETWORK_FILTER":
			merge(manager, mapping(t, value["typed_config"]))
		case "VIRTUAL_HOST":
			merge(host, value)
		case "HTTP_ROUTE":
			for _, route := range host["routes"].([]any) {
				delete(mapping(t, route), "typed_per_filter_config")
				merge(mapping(t, route), value)
			}
		default:
			t.Fatalf("a patch of %v", kind)
		}
	}
	text, err := yaml.Marshal(envoy)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func documents(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
}

// merge puts what is in from into to, mapping by mapping.
func merge(to, from map[string]any) {
	for key, value := range from {
		below, is := value.(map[string]any)
		there, was := to[key].(map[string]any)
		if is && was {
			merge(there, below)
			continue
		}
		to[key] = value
	}
}
