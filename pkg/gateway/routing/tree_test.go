package routing

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// entry is the value of a route in these tests: its key.
type entry struct{ Key }

// newTable builds a table of route keys such as "GET /pets".
func newTable(t testing.TB, http bool, keys ...string) *Table[entry] {
	t.Helper()
	table := &Table[entry]{HTTP: http}
	for _, key := range keys {
		if err := addKey(table, key); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// addKey adds a route by its key.
func addKey(t *Table[entry], key string) error {
	method, resource, _ := strings.Cut(key, " ")
	k := Key{method, resource}
	return t.Add(k, &entry{k})
}

func newRouter(t testing.TB, keys ...string) *Table[entry] {
	t.Helper()
	return newTable(t, false, keys...)
}

func findKey(t *Table[entry], path, method string) string {
	if r := t.Find(path, method); r != nil {
		return r.String()
	}
	return ""
}

func TestRouter(t *testing.T) {
	jobs := newRouter(t, "ANY /{proxy+}", "GET /jobs/{op}", "OPTIONS /cors_only")
	mixed := newRouter(t, "GET /", "GET /a/{x}", "ANY /a/{rest+}", "GET /a/b/c", "POST /a/{x}/c", "DELETE /a/b", "ANY /only/any", "GET /only/any",
		"GET /{top}/x/{rest+}", "GET /lit/{rest+}", "GET /id/{id}", "GET /v1/events:batch")
	for _, tt := range []struct {
		tree               *Table[entry]
		method, path, want string
	}{
		{jobs, "GET", "/jobs/reboot", "GET /jobs/{op}"},
		{jobs, "POST", "/jobs/reboot", "ANY /{proxy+}"},
		{jobs, "GET", "/jobs", "ANY /{proxy+}"},
		{jobs, "GET", "/cors_only", "ANY /{proxy+}"},
		{jobs, "OPTIONS", "/cors_only", "OPTIONS /cors_only"},
		{jobs, "GET", "/", ""},
		{jobs, "TRACE", "/x", ""},
		{jobs, "CONNECT", "/x", ""},
		{jobs, "get", "/x", ""},
		{jobs, "ANY", "/x", ""},
		{jobs, "", "/x", ""},
		{mixed, "GET", "/", "GET /"},
		{mixed, "HEAD", "/", ""},
		{mixed, "GET", "/a", ""},
		{mixed, "GET", "/a/", ""},
		{mixed, "GET", "/a/z", "GET /a/{x}"},
		{mixed, "GET", "/a/z/", "GET /a/{x}"},
		{mixed, "GET", "/a/z///", "GET /a/{x}"},
		{mixed, "HEAD", "/a/z", "ANY /a/{rest+}"},
		{mixed, "DELETE", "/a/b", "DELETE /a/b"},
		{mixed, "GET", "/a/b", "GET /a/{x}"},
		{mixed, "PATCH", "/a/b", "ANY /a/{rest+}"},
		{mixed, "GET", "/a/b/c", "GET /a/b/c"},
		{mixed, "POST", "/a/b/c", "POST /a/{x}/c"},
		{mixed, "POST", "/a/b/c/d", "ANY /a/{rest+}"},
		{mixed, "GET", "/a//c", "ANY /a/{rest+}"},
		{mixed, "POST", "/a//c", "ANY /a/{rest+}"},
		{mixed, "GET", "/A/z", ""},
		{mixed, "GET", "/only/any", "GET /only/any"},
		{mixed, "PUT", "/only/any", "ANY /only/any"},
		{mixed, "GET", "/lit/x/y", "GET /lit/{rest+}"},
		{mixed, "GET", "/zz/x/y", "GET /{top}/x/{rest+}"},
		{mixed, "GET", "/id/", ""},
		{mixed, "GET", "/id//", ""},
		{mixed, "GET", "/id/a%2Fb", "GET /id/{id}"},
		{mixed, "GET", "/id/é b", "GET /id/{id}"},
		{mixed, "GET", "/v1/events:batch", "GET /v1/events:batch"},
	} {
		if got := findKey(tt.tree, tt.path, tt.method); got != tt.want {
			t.Errorf("%s %s: route %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestRouteParameter(t *testing.T) {
	for _, tt := range []struct{ key, path, name, want string }{
		{"GET /pets/{petId}", "/pets/7", "petId", "7"},
		{"GET /pets/{petId}", "/pets/7/", "petId", "7"},
		{"GET /pets/{petId}/photos/{photo}", "/pets/7/photos/8", "petId", "7"},
		{"GET /pets/{petId}/photos/{photo}", "/pets/7/photos/8", "photo", "8"},
		{"ANY /{proxy+}", "/proxy-value/", "proxy", "proxy-value"},
		{"ANY /{proxy+}", "/proxy-value//double-slash", "proxy", "proxy-value//double-slash"},
		{"ANY /a/{proxy+}", "/a/b/c", "proxy", "b/c"},
	} {
		r := newRouter(t, tt.key).Find(tt.path, "GET")
		if r == nil {
			t.Fatalf("%s does not hold %s", tt.key, tt.path)
		}
		if got, ok := r.Parameter(tt.name, tt.path); !ok || got != tt.want {
			t.Errorf("%s of %s in %s = %q, %v; want %q", tt.name, tt.path, tt.key, got, ok, tt.want)
		}
		if got, ok := r.Parameter("other", tt.path); ok {
			t.Errorf("other of %s in %s = %q, want none", tt.path, tt.key, got)
		}
	}
}

// naiveFind is the reference's text read word for word: of all resources that match and have the verb or ANY, the one that
// is more literal, segment by segment from the left; the verb before ANY.
func naiveFind(keys []string, path, method string) string {
	type candidate struct{ key, rank string }
	var candidates []candidate
	for _, key := range keys {
		verb, resource, _ := strings.Cut(key, " ")
		if verb != method && (verb != "ANY" || !slices.Contains(Methods[:], method)) || method == "ANY" {
			continue
		}
		if rank, ok := naiveMatch(resource, path); ok {
			if verb == "ANY" {
				rank += "~"
			}
			candidates = append(candidates, candidate{key, rank})
		}
	}
	if len(candidates) == 0 {
		return ""
	}
	return slices.MinFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) }).key
}

// naiveMatch ranks a match by a letter a segment: a literal, b {name}, c {name+}.
func naiveMatch(resource, path string) (rank string, ok bool) {
	parts := strings.Split(strings.Trim(resource, "/"), "/")
	given := strings.Split(strings.TrimPrefix(strings.TrimRight(path, "/"), "/"), "/")
	for i, part := range parts {
		switch {
		case strings.HasSuffix(part, "+}"):
			return rank + "c", i < len(given) && strings.Trim(strings.Join(given[i:], "/"), "/") != ""
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
	return rank, len(parts) == len(given)
}

func FuzzRouter(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed, "/a/b", "GET")
	}
	f.Add(uint64(2), "/a//b/", "POST")
	f.Add(uint64(3), "/", "ANY")
	f.Fuzz(func(t *testing.T, seed uint64, path, method string) {
		random := rand.New(rand.NewPCG(seed, 0))
		keys := randomRoutes(random)
		tree := newRouter(t, keys...)
		check := func(path, method string) {
			if got, want := findKey(tree, path, method), naiveFind(keys, path, method); got != want {
				t.Fatalf("%s %q in %q: route %q, want %q", method, path, keys, got, want)
			}
		}
		if strings.HasPrefix(path, "/") {
			check(canon.CollapseLeading(path), method)
		}
		for range 50 {
			check(randomPath(random), []string{"GET", "POST", "HEAD", "ANY", "TRACE"}[random.IntN(5)])
		}
	})
}

func randomRoutes(random *rand.Rand) []string {
	keys := map[string]bool{}
	for range 1 + random.IntN(20) {
		resource := ""
		for range random.IntN(5) {
			resource += "/" + []string{"a", "b", "{x}"}[random.IntN(3)]
		}
		if random.IntN(3) == 0 {
			resource += "/{rest+}"
		}
		// One name a level, or the parameters of a path would not be distinct.
		for i := 0; strings.Contains(resource, "{x}"); i++ {
			resource = strings.Replace(resource, "{x}", fmt.Sprintf("{x%d}", i), 1)
		}
		if resource == "" {
			resource = "/"
		}
		keys[[]string{"GET", "POST", "ANY"}[random.IntN(3)]+" "+resource] = true
	}
	var distinct []string
	var tree Table[entry]
	for key := range keys {
		if addKey(&tree, key) == nil {
			distinct = append(distinct, key)
		}
	}
	return distinct
}

func randomPath(random *rand.Rand) string {
	path := ""
	for range random.IntN(7) {
		path += "/" + []string{"a", "b", "c", ""}[random.IntN(4)]
	}
	return canon.CollapseLeading(path)
}

// A tree in which each level offers a literal and a variable is the worst there is; with a naive search a long path would
// make it exponential in the path's length.
func TestRouterIsBoundedByTheTree(t *testing.T) {
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
	tree := newRouter(t, keys...)
	short := strings.Repeat("/a", 10)
	long := strings.Repeat("/a", 30_000)
	start := time.Now()
	for range 100 {
		if key := findKey(tree, short, "GET") + findKey(tree, long, "GET") + findKey(tree, short+strings.Repeat("a", 60_000), "GET"); key != "" {
			t.Fatalf("found %s", key)
		}
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("300 look-ups in a tree of %d resources took %v", len(keys), took)
	}
}

func TestRouterDoesNotAllocate(t *testing.T) {
	tree := newRouter(t, "ANY /{proxy+}", "GET /pets/{petId}/photos/{photo}")
	for _, path := range []string{"/pets/7/photos/8", strings.Repeat("/a", 1000)} {
		if allocations := testing.AllocsPerRun(100, func() { tree.Find(path, "GET") }); allocations != 0 {
			t.Errorf("%.20s: %v allocations, want none", path, allocations)
		}
	}
}

func TestResourceFaults(t *testing.T) {
	for _, tt := range []struct {
		keys []string
		want string
	}{
		{[]string{"GET pets"}, "begins with a slash"},
		{[]string{"GET "}, "begins with a slash"},
		{[]string{"GET /pets/"}, "empty path part"},
		{[]string{"GET /a//b"}, "empty path part"},
		{[]string{"GET /a/../b"}, "dot segments"},
		{[]string{"GET /./b"}, "dot segments"},
		{[]string{"GET /pets/*"}, "not allowed"},
		{[]string{"GET /a{b}"}, "not allowed"},
		{[]string{"GET /{a}{b}"}, "not allowed"},
		{[]string{"GET /{}"}, "not allowed"},
		{[]string{"GET /{+}"}, "not allowed"},
		{[]string{"GET /a b"}, "not allowed"},
		{[]string{"GET /a%2Fb"}, "not allowed"},
		{[]string{"GET /a;b"}, "not allowed"},
		{[]string{"GET /café"}, "not allowed"},
		{[]string{"GET /{proxy+}/x"}, "write {proxy+} last"},
		{[]string{"GET /{x}/{x}"}, "two parameters"},
		{[]string{"GET /{x}/{x+}"}, "two parameters"},
		{[]string{"GET /pets", "GET /pets"}, "given twice; remove"},
		{[]string{"GET /a/{x}", "GET /a/{y}"}, "can have one such variable; write the same name"},
		{[]string{"GET /a/{x}", "POST /a/{y}/z"}, "can have one such variable; write the same name"},
		{[]string{"GET /{x+}", "POST /{y+}"}, "can have one such variable; write the same name"},
	} {
		var tree Table[entry]
		var err error
		for _, key := range tt.keys {
			err = addKey(&tree, key)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want a fault with %q", tt.keys, err, tt.want)
		}
	}
}
