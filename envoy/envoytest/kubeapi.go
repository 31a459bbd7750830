package envoytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// kubeAPI is as much of a Kubernetes API as istiod insists on: a cluster that has the resources, in which nothing happens and where
// nothing may be written.
func kubeAPI(tb testing.TB, resources string) *httptest.Server {
	tb.Helper()
	objects := objectsOf(tb, resources)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, `{"major": "1", "minor": "37", "gitVersion": "v1.37.2"}`)
	})
	mux.HandleFunc("GET /api/v1/{rest...}", objects.read)
	mux.HandleFunc("GET /apis/{group}/{version}/{rest...}", objects.read)
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

// objects are those of a cluster, by the path of their kind: version/resource, or group/version/resource.
type objects map[string][]map[string]any

// bundleVersion is that of the Gateway API. istiod ignores older definitions than it needs.
const bundleVersion = "v9.0.0"

// objectsOf reads resources, and adds the definitions of those that Kubernetes does not have itself.
func objectsOf(tb testing.TB, resources string) objects {
	tb.Helper()
	all := objects{}
	for d := yaml.NewDecoder(strings.NewReader(resources)); ; {
		var o map[string]any
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			tb.Fatal(err)
		case o == nil:
			continue
		}
		version, resource := fmt.Sprint(o["apiVersion"]), plural(strings.ToLower(fmt.Sprint(o["kind"])))
		metadata, _ := o["metadata"].(map[string]any)
		metadata["resourceVersion"], metadata["uid"], metadata["creationTimestamp"] = "1", fmt.Sprint(resource, metadata["namespace"], metadata["name"]), "2026-01-02T03:04:05Z"
		path := version + "/" + resource
		if group, _, has := strings.Cut(version, "/"); has && len(all[path]) == 0 {
			const definitions = "apiextensions.k8s.io/v1/customresourcedefinitions"
			all[definitions] = append(all[definitions], map[string]any{
				"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
				"metadata": map[string]any{"name": resource + "." + group, "resourceVersion": "1", "annotations": map[string]any{"gateway.networking.k8s.io/bundle-version": bundleVersion}},
			})
		}
		all[path] = append(all[path], o)
	}
}

// plural returns the resource of a kind.
func plural(kind string) string {
	switch {
	case strings.HasSuffix(kind, "y") && !strings.HasSuffix(kind, "ay"):
		return strings.TrimSuffix(kind, "y") + "ies"
	case strings.HasSuffix(kind, "s"):
		return kind + "es"
	default:
		return kind + "s"
	}
}

// read answers a read of objects: a list has those of its kind, a watch stays open without an event, and a single object is not there.
func (all objects) read(w http.ResponseWriter, r *http.Request) {
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
		list := map[string]any{"metadata": map[string]any{"resourceVersion": "1"}, "items": all.in(r, rest)}
		if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") { // a client that asked for a resource takes the list as one of it
			list["kind"], list["apiVersion"] = "PartialObjectMetadataList", "meta.k8s.io/v1"
		}
		text, err := json.Marshal(list)
		if err != nil {
			refuse(w, http.StatusInternalServerError, "InternalError")
			return
		}
		respond(w, http.StatusOK, string(text))
	}
}

// in returns the objects that a request lists, of all namespaces or of one.
func (all objects) in(r *http.Request, rest []string) []map[string]any {
	path := "v1"
	if group := r.PathValue("group"); group != "" {
		path = group + "/" + r.PathValue("version")
	}
	listed := []map[string]any{} // not null
	for _, o := range all[path+"/"+rest[len(rest)-1]] {
		metadata, _ := o["metadata"].(map[string]any)
		if len(rest) == 1 || metadata["namespace"] == rest[1] {
			listed = append(listed, o)
		}
	}
	return listed
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
