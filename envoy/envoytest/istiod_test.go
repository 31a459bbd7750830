package envoytest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The tests look for the Istio and the Envoy Gateway that hack/mesh.sh builds.
func TestMeshVersions(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(root, "hack", "mesh.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"\nversion=" + IstioVersion + " ", "\ngateway=" + EnvoyGatewayVersion + " "} {
		if !strings.Contains(string(script), line) {
			t.Errorf("hack/mesh.sh has no line %q", line)
		}
	}
}

// The cluster has nothing, takes nothing, and nothing happens in it.
func TestKubeAPI(t *testing.T) {
	t.Parallel()
	api := kubeAPI(t, "")
	for request, want := range map[string]int{
		"GET /version":                                       200,
		"GET /api/v1/pods":                                   200,
		"GET /api/v1/namespaces/pets/pods":                   200,
		"GET /apis/apps/v1/deployments":                      200,
		"GET /apis/apps/v1/namespaces/a/deployments":         200,
		"GET /api/v1/namespaces/pets":                        404,
		"GET /api/v1/namespaces/pets/secrets/cert":           404,
		"GET /apis/apps/v1/namespaces/a/b/c":                 404,
		"GET /apis":                                          404,
		"GET /api/v1/pods?watch=true&sendInitialEvents=true": 422,
		"POST /api/v1/namespaces/pets/configmaps":            403,
		"PUT /apis/apps/v1/namespaces/a/deployments/b":       403,
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := statusOf(t.Context(), t, method, api.URL+target); got != want {
			t.Errorf("%s: %d, want %d", request, got, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.URL+"/api/v1/pods?watch=true", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the watch: %d bytes, %v", n, err)
	}
}

func statusOf(ctx context.Context, tb testing.TB, method, url string) int {
	tb.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
