package gateway

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

var escapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// decodeOnce is a second, plain implementation of percent-decoding that leaves broken escapes alone.
func decodeOnce(s string) string {
	return escapes.ReplaceAllStringFunc(s, func(escape string) string {
		decoded, _ := hex.DecodeString(escape[1:])
		return string(decoded)
	})
}

// lenient are the paths that a server might make of one as it came, written apart from the gateway's own readings: it decodes once or
// twice, encoded slashes too or not, cuts parameters off at any point, takes a decoded question mark or number sign for the path's end,
// trims, and merges slashes.
func lenient(raw string) []string {
	paths := []string{raw}
	step := func(ways ...func(string) string) {
		var next []string
		for _, p := range paths {
			for _, way := range ways {
				if q := way(p); !slices.Contains(next, q) {
					next = append(next, q)
				}
			}
		}
		paths = next
	}
	same := func(p string) string { return p }
	keepSlash := func(p string) string {
		return strings.NewReplacer("\x01", "%2F", "\x02", "%2f").Replace(decodeOnce(strings.NewReplacer("%2F", "\x01", "%2f", "\x02").Replace(p)))
	}
	perSegment := func(change func(string) string) func(string) string {
		return func(p string) string {
			segments := strings.Split(p, "/")
			for i := range segments {
				segments[i] = change(segments[i])
			}
			return strings.Join(segments, "/")
		}
	}
	cut := perSegment(func(s string) string { return strings.SplitN(s, ";", 2)[0] })
	end := func(p string) string {
		return strings.FieldsFunc(p+"?", func(r rune) bool { return r == '?' || r == '#' })[0]
	}
	merge := func(p string) string {
		for strings.Contains(p, "//") {
			p = strings.ReplaceAll(p, "//", "/")
		}
		return p
	}
	step(same, cut)
	step(decodeOnce, keepSlash)
	step(same, cut)
	step(same, end)
	step(same, decodeOnce, keepSlash)
	step(same, cut)
	step(same, end)
	step(same, strings.TrimSpace, perSegment(strings.TrimSpace), perSegment(func(s string) string { return strings.TrimRight(s, ". ") }))
	step(same, merge)
	step(same, func(p string) string { return strings.TrimSuffix(p, "/") })
	return paths
}

var (
	pathPieces = []string{
		"/", "/", "/", "/", "a", "b", "A", "admin", "v1", "x", "//", "%2F", "%2f", "%252F", ";", ";x", "%3B", "%253b", "%20", " ", "%C2%A0", ".", "%2E", "%3F", "%3f", "%23",
		"%253F", "%61", "%2561", "%62", "%25", "%E2%80%83",
	}
	routePieces  = []string{"/a", "/b", "/A", "/admin", "/{x}", "/v1", "/x"}
	domainPieces = []string{"pets.example.com", "pets.example.com/a", "pets.example.com/a/b", "pets.example.com/v1", "pets.example.com/admin", "other.example.com/a"}
)

func drawAPI(t *rapid.T, i int) API {
	a := testAPI()
	a.ID = fmt.Sprintf("api%d", i)
	a.HTTP, a.StrictPaths = rapid.Bool().Draw(t, "http"), rapid.Bool().Draw(t, "strict")
	a.ExecuteAPIEndpoint = rapid.Bool().Draw(t, "endpoint")
	a.Stages = nil
	names := []string{"a", "v1"}
	if a.HTTP {
		names[0] = DefaultStage
	}
	for _, name := range names[:rapid.IntRange(1, 2).Draw(t, "stages")] {
		a.Stages = append(a.Stages, Stage{Name: name})
	}
	for range rapid.IntRange(2, 6).Draw(t, "routes") {
		resource := strings.Join(rapid.SliceOfN(rapid.SampledFrom(routePieces), 0, 3).Draw(t, "resource"), "")
		if rapid.IntRange(0, 3).Draw(t, "greedy") == 0 {
			resource += "/{proxy+}"
		}
		r := Route{Method: rapid.SampledFrom([]string{"GET", "ANY"}).Draw(t, "method"), Resource: resource, Authorization: None}
		if resource == "" {
			r.Resource = "/"
		}
		if rapid.Bool().Draw(t, "guarded") {
			r.Authorization = IAM
		}
		written := func(other Route) bool { return other.Method == r.Method && other.Resource == r.Resource }
		if strings.Count(resource, "{x}") < 2 && !slices.ContainsFunc(a.Routes, written) {
			a.Routes = append(a.Routes, r)
		}
	}
	if a.HTTP && rapid.Bool().Draw(t, "fallback") {
		a.Routes = append(a.Routes, Route{Method: DefaultRoute, Authorization: None})
	}
	return a
}

// drawAPIs are APIs that share domains and base paths out among their stages.
func drawAPIs(t *rapid.T) []API {
	var apis []API
	for i := range rapid.IntRange(1, 3).Draw(t, "apis") {
		apis = append(apis, drawAPI(t, i))
	}
	for _, d := range domainPieces {
		a := &apis[rapid.IntRange(0, len(apis)-1).Draw(t, "api")]
		if i := rapid.IntRange(0, 2).Draw(t, "stage"); i < len(a.Stages) {
			a.Stages[i].Domains = append(a.Stages[i].Domains, d)
		}
	}
	return apis
}

// foldedAPIs are APIs whose resources are in lower case.
func foldedAPIs(apis []API) []API {
	folded := slices.Clone(apis)
	for i := range folded {
		folded[i].Routes = slices.Clone(folded[i].Routes)
		for j := range folded[i].Routes {
			folded[i].Routes[j].Resource = strings.ToLower(folded[i].Routes[j].Resource)
		}
	}
	return folded
}

// guardAt is the stage and the guard that a decoded path leads to; false if there is no route.
func guardAt(g *Gateway, host, path string) (stage string, guard model.Guard, found bool) {
	l := g.model.Locate(host, canon.CollapseLeading("/"+path))
	if l.Stage == nil {
		return "", model.Unguarded, false
	}
	r := l.Stage.API.Routes.Find(l.Path, "GET")
	if r == nil {
		return l.Stage.ARN, model.Unguarded, true
	}
	return l.Stage.ARN, r.Guard, true
}

// A lenient server reads the path of an open request that passes as a path of an open route of the same stage, or of no route.
func TestEveryReadingIsGuardedAlike(t *testing.T) {
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		apis := drawAPIs(t)
		c := Config{APIs: apis, Signatures: func(SignatureOptions) (Verify, error) {
			return func(*authz.Request) (*Signed, error) { return nil, &authz.Refusal{ResponseType: "INVALID_SIGNATURE"} }, nil
		}}
		g, _ := New(c)
		if g == nil {
			t.Skip("the configuration is at fault")
		}
		c.APIs = foldedAPIs(apis)
		folded, _ := New(c)
		host := rapid.SampledFrom([]string{"pets.example.com", "other.example.com", "api0.execute-api.eu-west-1.amazonaws.com"}).Draw(t, "host")
		for range 60 {
			target := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pathPieces), 1, 7).Draw(t, "path"), "")
			d := g.Authorize(t.Context(), on(host, get(target)))
			if !d.Allow {
				continue
			}
			passed++
			in := g.model.APIs[d.API].Stage(d.Stage)
			for _, p := range lenient(target) {
				if stage, guard, found := guardAt(g, host, p); found && (stage != in.ARN || guard != model.Unguarded && guard != model.Open) {
					t.Fatalf("%s%s passes as %s %s, and may be read as %q of %s, guarded %v", host, target, d.Stage, d.Route, p, stage, guard != model.Open)
				}
				if folded == nil || strings.Contains(p, "%2f") {
					continue
				}
				stage, guard, found := guardAt(folded, host, strings.ToLower(p))
				if found && (stage != in.ARN || in.API.StrictPaths && guard != model.Unguarded && guard != model.Open) {
					t.Fatalf("%s%s passes as %s %s, and may be read as %q of %s in another case", host, target, d.Stage, d.Route, p, stage)
				}
			}
		}
	})
	if passed < 20 {
		t.Errorf("%d requests passed: the test looks at nothing", passed)
	}
}
