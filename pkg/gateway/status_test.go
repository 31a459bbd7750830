package gateway

import (
	"strings"
	"testing"

	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// TestStatusesThatEnvoyKnows holds the statuses that a configuration may ask for to Envoy's own list.
func TestStatusesThatEnvoyKnows(t *testing.T) {
	for status := 1; status < 1100; status++ {
		_, known := typev3.StatusCode_name[int32(status)]
		_, faults := New(Config{APIs: []API{refusing(map[string]GatewayResponse{"DEFAULT_4XX": {StatusCode: status}})}})
		if want := known && status >= 200; len(faults) == 0 != want {
			t.Errorf("status %d: %v, want it taken: %t", status, faults, want)
		}
	}
}

// TestStatusesWithoutABody keeps a client from reading a body as its next answer.
func TestStatusesWithoutABody(t *testing.T) {
	const missing = "MISSING_AUTHENTICATION_TOKEN"
	for _, status := range []int{204, 205, 304} {
		d := mustNew(t, refusing(map[string]GatewayResponse{missing: {StatusCode: status}})).Authorize(t.Context(), get("/x"))
		if d.Allow || d.Denial.Status != status || d.Denial.Body != "" || header(d, "Content-Type") != "" {
			t.Errorf("%d: %+v", status, d.Denial)
		}
		templates := map[string]string{"application/json": "{}"}
		_, faults := New(Config{APIs: []API{refusing(map[string]GatewayResponse{missing: {StatusCode: status, ResponseTemplates: templates}})}})
		if len(faults) != 1 || !strings.Contains(faults[0].Message, "has no body") || !strings.HasSuffix(faults[0].At.String(), ".responseTemplates") {
			t.Errorf("%d with a template: %v", status, faults)
		}
	}
}
