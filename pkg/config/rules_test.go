package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// The rules of config.proto are the only ones for these shapes, so that a value that breaks one is reported once, and at the value.
func TestRulesOfTheMessage(t *testing.T) {
	const (
		api    = "apis:\n  - {id: a1, account: \"111122223333\", region: eu-west-1, stages: [{name: prod}], routes: [{route: GET /, authorization: NONE}]}\n"
		stages = "stages: [{name: prod}]"
		routes = "routes: [{route: GET /, authorization: NONE}]"
	)
	in := func(old, text string) string { return strings.Replace(api, old, text, 1) }
	endpoint := func(fields string) string {
		return api + "vpcEndpoints:\n  - {networks: [10.0.0.0/8], " + fields + "}\n"
	}
	for _, tt := range []struct {
		name, yaml string
		line       int
		message    string
	}{
		{"no API", "apis: []\n", 1, "at least one API"},
		{"no stage", in(stages, "stages: []"), 2, "at least one stage: write stages"},
		{"no route", in(routes, "routes: []"), 2, "at least one route: write routes"},
		{"no route field", in(", "+routes, ""), 2, "at least one route: write routes"},
		{"stage variable", in("{name: prod}", `{name: prod, variables: {"a b": x}}`), 2, "name must be 1 to 64 letters"},
		{"age of CORS", in(stages, stages+", kind: HTTP, cors: {allowOrigins: ['*'], maxAge: 86401}"), 2, "maxAge: must be a number of seconds, at most 86400"},
		{"negative age", in(stages, stages+", kind: HTTP, cors: {allowOrigins: ['*'], maxAge: -2}"), 2, "maxAge: must be a number of seconds, at most 86400"},
		{"VPC endpoint, no id", endpoint("id: vpce-"), 4, "must be the id of a VPC endpoint, such as"},
		{"VPC endpoint, case", endpoint("id: vpce-A"), 4, "must be the id of a VPC endpoint, such as"},
		{"VPC endpoint, a VPC", endpoint("id: vpc-1"), 4, "must be the id of a VPC endpoint, such as"},
		{"VPC endpoint, line break", endpoint(`id: "vpce-1\n"`), 4, "must be the id of a VPC endpoint, such as"},
		{"VPC endpoint, long", endpoint("id: vpce-" + strings.Repeat("1", 33)), 4, "must be the id of a VPC endpoint, such as"},
		{"VPC, an endpoint", endpoint("id: vpce-1, vpc: vpce-1"), 4, "must be the id of a VPC, such as"},
	} {
		path := filepath.Join(t.TempDir(), "portcullis.yaml")
		write(t, path, []byte(tt.yaml))
		_, err := Load(path, pool.Dry())
		faults, ok := errors.AsType[fault.List](err)
		if !ok || len(faults) != 1 || faults[0].Line != tt.line || !strings.Contains(faults[0].Message, tt.message) || faults[0].Warning {
			t.Errorf("%s: %v, want %q in line %d", tt.name, err, tt.message, tt.line)
		}
	}
}
