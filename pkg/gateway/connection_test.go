package gateway

import (
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Connection must not take away on the next hop what is set for the upstream.
func TestConnectionTakesNoMappedHeaderAway(t *testing.T) {
	a := testAPI("GET /pets")
	a.UpstreamHeaders = []UpstreamHeader{{Name: "X-Principal", Value: "$context.stage"}}
	g := mustNew(t, a)
	for connection, allow := range map[string]bool{
		"upgrade": true, "Upgrade, keep-alive": true, "": true, "upgrade, x-principals": true,
		"upgrade, x-principal": false, "X-PRINCIPAL,upgrade": false, "upgrade,\tx_principal\t": false, "x-http-method-override": false,
	} {
		d := g.Authorize(t.Context(), get("/pets", "connection", connection, "upgrade", "websocket"))
		if d.Allow != allow {
			t.Errorf("Connection: %s: %+v", connection, d)
		}
		if !allow && (d.Denial.Status != 400 || d.Reason.Code != authz.CodeBadRequest) {
			t.Errorf("Connection: %s: %+v", connection, d)
		}
	}
	if d := g.Authorize(t.Context(), get("/pets", "connection", "upgrade", "connection", "x-principal")); d.Allow {
		t.Error("two lines passed")
	}
}
