package e2e

import (
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// With upgrades, which Istio lets pass, Envoy hands Connection on as the client wrote it.
func TestUpgradeTakesNoMappedHeaderAway(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: mapped, edits: []envoytest.Edit{{Old: "normalize_path: true", New: "upgrade_configs: [{upgrade_type: websocket}]\n          normalize_path: true"}}})
	upgrade := func(connection string) answer {
		return s.get(t, "/pets", "Connection: "+connection, "Upgrade: websocket")
	}
	if a := upgrade("upgrade, x-edge"); a.status != 400 {
		t.Errorf("a mapped header listed: %d %s", a.status, a.body)
	}
	if seen := s.upstream.Take(); len(seen) > 0 {
		t.Errorf("the upstream saw %v", seen)
	}
	if upgrade("upgrade"); len(s.upstream.Take()) != 1 {
		t.Error("a plain upgrade did not pass")
	}
}
