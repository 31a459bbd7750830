package routing

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

func newHTTPRouter(t testing.TB, keys ...string) *Table[entry] {
	t.Helper()
	return newTable(t, true, keys...)
}

// findKeys returns the keys of both routes for a path.
func findKeys(t *Table[entry], path, method string) (key, other string) {
	r, o := t.FindBoth(path, method)
	if r != nil {
		key = r.String()
	}
	if o != nil {
		other = o.String()
	}
	return key, other
}

func TestHTTPRoutes(t *testing.T) {
	documented := newHTTPRouter(t, "GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default")
	mixed := newHTTPRouter(t, "GET /", "GET /a/{rest+}", "GET /{x}/b", "POST /a/b", "ANY /a/{y}", "GET /only", "ANY /only", "PUT /{x}/b/{deep+}", "GET /lit/{z}", "ANY /lit/here")
	closed := newHTTPRouter(t, "$default")
	for _, tt := range []struct {
		api                *Table[entry]
		method, path, want string
	}{
		{documented, "GET", "/pets/dog/1", "GET /pets/dog/1"},
		{documented, "GET", "/pets/dog/2", "GET /pets/dog/{id}"},
		{documented, "GET", "/pets/cat/1", "GET /pets/{proxy+}"},
		{documented, "POST", "/test/5", "ANY /{proxy+}"},
		{documented, "POST", "/pets/dog/1", "ANY /{proxy+}"},
		{documented, "GET", "/", "$default"},
		{documented, "PROPFIND", "/", "$default"},
		{documented, "PROPFIND", "/x", "ANY /{proxy+}"},
		{documented, "OPTIONS", "/pets/dog/1", "ANY /{proxy+}"},
		// A full match is looked for first, however literal a greedy route's beginning is.
		{mixed, "GET", "/a/b", "ANY /a/{y}"},
		{mixed, "POST", "/a/b", "POST /a/b"},
		{mixed, "GET", "/c/b", "GET /{x}/b"},
		{mixed, "GET", "/a/b/c", "GET /a/{rest+}"},
		{mixed, "PUT", "/a/b/c", "PUT /{x}/b/{deep+}"},
		{mixed, "GET", "/only", "GET /only"},
		{mixed, "HEAD", "/only", "ANY /only"},
		{mixed, "GET", "/lit/here", "ANY /lit/here"},
		{mixed, "GET", "/lit/there", "GET /lit/{z}"},
		{mixed, "GET", "/", "GET /"},
		{mixed, "HEAD", "/", ""},
		{mixed, "GET", "/a", ""},
		{mixed, "GET", "/A/b", "GET /{x}/b"},
		{mixed, "GET", "/Only", ""},
		{closed, "GET", "/", "$default"},
		{closed, "TRACE", "/a/b/c", "$default"},
		// Methods that another parser may take for one whose route is guarded.
		{closed, "get", "/", ""},
		{closed, "Get", "/", ""},
		{closed, "", "/", ""},
		{closed, "GE T", "/", ""},
		{closed, "ANY", "/", "$default"},
		// A slash at the end.
		{documented, "GET", "/pets/dog/1/", "GET /pets/dog/1"},
		{documented, "GET", "/pets/dog/2//", "GET /pets/dog/{id}"},
		{documented, "GET", "/pets/", "GET /pets/{proxy+}"},
		{mixed, "GET", "/a/", "GET /a/{rest+}"},
		{mixed, "GET", "/a/z/", "ANY /a/{y}"},
		{mixed, "GET", "/only/", "GET /only"},
		{mixed, "PUT", "/a/b/", "ANY /a/{y}"},
		{mixed, "PUT", "/z/b/", "PUT /{x}/b/{deep+}"},
		{mixed, "GET", "/nothing/", ""},
	} {
		if got, _ := findKeys(tt.api, tt.path, tt.method); got != tt.want {
			t.Errorf("%s %s: route %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

// naiveHTTP is "Create routes for HTTP APIs" read word for word, for a path whose segments are given: the full matches before
// the greedy ones before $default; among equals the more literal from the left, and then the method before ANY.
func naiveHTTP(keys []string, segments []string, method string) string {
	type candidate struct{ key, rank string }
	var candidates []candidate
	for _, key := range keys {
		verb, resource, _ := strings.Cut(key, " ")
		if key == Default {
			candidates = append(candidates, candidate{key, "3"})
			continue
		}
		rank, ok := naiveMatchSegments(resource, segments)
		if !ok || verb != method && verb != "ANY" {
			continue
		}
		if verb == "ANY" {
			rank += "~"
		}
		candidates = append(candidates, candidate{key, rank})
	}
	if len(candidates) == 0 {
		return ""
	}
	return slices.MinFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) }).key
}

// naiveMatchSegments ranks a match: 1 for a full one and 2 for a greedy one, and then a letter a segment.
func naiveMatchSegments(resource string, given []string) (string, bool) {
	parts := strings.Split(resource[1:], "/")
	if resource == "/" {
		parts = nil
	}
	rank := ""
	for i, part := range parts {
		switch {
		case strings.HasSuffix(part, "+}"):
			return "2" + rank + "c", i < len(given)
		case i >= len(given):
			return "", false
		case strings.HasPrefix(part, "{"):
			if given[i] == "" {
				return "", false
			}
			rank += "b"
		case part != given[i]:
			return "", false
		default:
			rank += "a"
		}
	}
	return "1" + rank, len(parts) == len(given)
}

// naiveHTTPFind is both readings of a path: without the slashes at its end, and with an empty segment for them.
func naiveHTTPFind(keys []string, path, method string) (key, other string) {
	if method == "" || strings.ToUpper(method) != method || !authz.IsToken(method) {
		return "", ""
	}
	var given []string
	if trimmed := strings.Trim(path, "/"); trimmed != "" {
		given = strings.Split(strings.TrimRight(path[1:], "/"), "/")
	}
	without := naiveHTTP(keys, given, method)
	if given == nil || !strings.HasSuffix(path, "/") {
		return without, without
	}
	with := naiveHTTP(keys, append(given, ""), method)
	if verb, resource, _ := strings.Cut(without, " "); verb != "" && resource != "" && !strings.HasSuffix(resource, "+}") {
		return without, with
	}
	return with, without
}

func randomHTTPRoutes(random *rand.Rand) []string {
	keys := randomRoutes(random)
	if random.IntN(2) == 0 {
		keys = append(keys, Default)
	}
	return keys
}

func checkHTTPRoute(t interface{ Fatalf(string, ...any) }, a *Table[entry], keys []string, path, method string) {
	got, other := findKeys(a, path, method)
	want, wantOther := naiveHTTPFind(keys, path, method)
	if got != want || other != wantOther {
		t.Fatalf("%s %q in %q: routes %q and %q, want %q and %q", method, path, keys, got, other, want, wantOther)
	}
}

func TestHTTPRoutesAreTheNaiveOnes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		keys := randomHTTPRoutes(random)
		if len(keys) == 0 {
			return
		}
		a := newHTTPRouter(t, keys...)
		for range 30 {
			checkHTTPRoute(r, a, keys, randomPath(random), []string{"GET", "POST", "HEAD", "ANY", "TRACE", "get"}[random.IntN(6)])
		}
	})
}

func FuzzHTTPRoutes(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, "/a/b/", "GET")
	}
	f.Add(uint64(2), "/a//b//", "POST")
	f.Add(uint64(3), "/", "ANY")
	f.Add(uint64(4), "/x", "$default")
	f.Fuzz(func(t *testing.T, seed uint64, path, method string) {
		keys := randomHTTPRoutes(rand.New(rand.NewPCG(seed, 0)))
		if len(keys) == 0 || !strings.HasPrefix(path, "/") {
			return
		}
		checkHTTPRoute(t, newHTTPRouter(t, keys...), keys, canon.CollapseLeading(path), method)
	})
}

// With a naive search a long path in such a tree would cost a time that is exponential in its length.
func TestHTTPRoutesAreBoundedByTheTree(t *testing.T) {
	var keys []string
	resources := []string{""}
	for level := range 10 {
		var next []string
		for _, r := range resources {
			next = append(next, r+"/a", r+fmt.Sprintf("/{x%d}", level))
		}
		resources = next
	}
	for _, r := range resources {
		keys = append(keys, "PUT "+r)
	}
	a := newHTTPRouter(t, keys...)
	start := time.Now()
	for range 100 {
		if key, _ := findKeys(a, strings.Repeat("/a", 30_000)+"/", "GET"); key != "" {
			t.Fatalf("found %s", key)
		}
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("100 look-ups in a tree of %d resources took %v", len(keys), took)
	}
}

func TestHTTPRoutesDoNotAllocate(t *testing.T) {
	a := newHTTPRouter(t, "ANY /{proxy+}", "GET /pets/{petId}/photos/{photo}", "$default")
	for _, path := range []string{"/pets/7/photos/8", "/pets/7/photos/8/", strings.Repeat("/a", 1000), "/"} {
		if allocations := testing.AllocsPerRun(100, func() { a.Find(path, "GET") }); allocations != 0 {
			t.Errorf("%.20s: %v allocations, want none", path, allocations)
		}
	}
}

// A route's path parameters, also those of the slash at the end.
func TestHTTPRouteParameter(t *testing.T) {
	a := newHTTPRouter(t, "GET /pets/{petId}", "ANY /all/{proxy+}", "$default")
	for _, tt := range []struct{ path, name, want string }{
		{"/pets/7", "petId", "7"},
		{"/pets/7/", "petId", "7"},
		{"/all/", "proxy", ""},
		{"/all/a/b/", "proxy", "a/b"},
	} {
		if got, ok := a.Find(tt.path, "GET").Parameter(tt.name, tt.path); got != tt.want || !ok {
			t.Errorf("%s of %s = %q, %v; want %q", tt.name, tt.path, got, ok, tt.want)
		}
	}
	if got, ok := a.Find("/other", "GET").Parameter("proxy", "/other"); ok {
		t.Errorf("$default has the parameter %q", got)
	}
}

func BenchmarkHTTPRoutes(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		keys := []string{"$default", "ANY /{proxy+}"}
		for i := range n {
			keys = append(keys, fmt.Sprintf("GET /r%d/{id}/photos", i))
		}
		a := newHTTPRouter(b, keys...)
		path := fmt.Sprintf("/r%d/7/photos", n/2)
		b.Run(fmt.Sprintf("%d routes", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a.Find(path, "GET") == nil {
					b.Fatal("no route")
				}
			}
		})
	}
}
