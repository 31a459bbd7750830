package envoytest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// kubeAPI is as much of a Kubernetes API as istiod insists on while its configuration comes from files: a cluster that has nothing, in
// which nothing happens and where nothing may be written.
func kubeAPI(tb testing.TB) *httptest.Server {
	tb.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, `{"major": "1", "minor": "37", "gitVersion": "v1.37.2"}`)
	})
	mux.HandleFunc("GET /api/v1/{rest...}", readNothing)
	mux.HandleFunc("GET /apis/{group}/{version}/{rest...}", readNothing)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			refuse(w, http.StatusNotFound, "NotFound")
			return
		}
		refuse(w, http.StatusForbidden, "Forbidden")
	})
	server := httptest.NewServer(mux)
	tb.Cleanup(func() {
		server.CloseClientConnections() // which ends the watches
		server.Close()
	})
	return server
}

// readNothing answers a read of objects: a list is empty, a watch stays open without an event, and an object is not there.
func readNothing(w http.ResponseWriter, r *http.Request) {
	query, rest := r.URL.Query(), strings.Split(r.PathValue("rest"), "/")
	// What follows the version is resource, resource/name, namespaces/ns/resource or namespaces/ns/resource/name.
	named := len(rest) == 2 || len(rest) == 4
	switch {
	case r.PathValue("rest") == "", named:
		refuse(w, http.StatusNotFound, "NotFound")
	case query.Has("watch") && query.Has("sendInitialEvents"):
		refuse(w, http.StatusUnprocessableEntity, "Invalid") // the client lists first then
	case query.Has("watch"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // a client that is gone needs no headers
		<-r.Context().Done()
	default:
		kind := "" // a client that asked for a resource takes the list as one of it
		if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") {
			kind = `"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", `
		}
		respond(w, http.StatusOK, fmt.Sprintf(`{%s"metadata": {"resourceVersion": "1"}, "items": []}`, kind))
	}
}

func refuse(w http.ResponseWriter, code int, reason string) {
	respond(w, code, fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d}`, reason, code))
}

func respond(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprint(w, body) // a client that is gone needs no answer
}

// kubeconfig writes the file by which a client finds an API, and returns its path.
func kubeconfig(tb testing.TB, url string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "kubeconfig")
	write(tb, path, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: empty, cluster: {server: %q}}]
users: [{name: nobody, user: {}}]
contexts: [{name: empty, context: {cluster: empty, user: nobody}}]
current-context: empty
`, url))
	return path
}
