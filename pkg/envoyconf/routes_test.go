package envoyconf

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// holds says whether Envoy finds the match for a path without a query. Its URI templates know of each part which characters it
// may hold (the real ones are asked in envoy/e2e).
func (m match) holds(method, path string) bool {
	if m.Method != "" && m.Method != method {
		return false
	}
	switch {
	case m.Path != "":
		return m.Path == path
	case m.Template != "":
		const characters = `a-zA-Z0-9._~%!$&'()+,;:@=*-`
		pattern := regexp.QuoteMeta(m.Template)
		pattern = strings.ReplaceAll(pattern, `\*\*`, `[/`+characters+`]{0,}`)
		pattern = strings.ReplaceAll(pattern, `\*`, `[`+characters+`]+`)
		return regexp.MustCompile("^" + pattern + "$").MatchString(path)
	default:
		return m.Prefix == "" || path == m.Prefix || strings.HasPrefix(path, m.Prefix+"/")
	}
}

// first is the route that Envoy finds.
func first(routes []route, method, path string) *route {
	i := slices.IndexFunc(routes, func(r route) bool { return r.Match.holds(method, path) })
	if i < 0 {
		return nil
	}
	return &routes[i]
}

func someAPI(t *rapid.T, base string) gateway.API {
	part := rapid.SampledFrom([]string{"a", "b", "{x}", "a@b"})
	method := rapid.SampledFrom([]string{"GET", "POST", "ANY"})
	seen := map[string]bool{}
	var routes []string
	for range rapid.IntRange(1, 7).Draw(t, "routes") {
		path := ""
		for depth := range rapid.IntRange(0, 3).Draw(t, "depth") {
			path += "/" + strings.ReplaceAll(part.Draw(t, "part"), "{x}", fmt.Sprintf("{x%d}", depth))
		}
		if rapid.Bool().Draw(t, "greedy") {
			path += "/{p+}"
		}
		key := method.Draw(t, "method") + " " + path
		if path == "" {
			key += "/"
		}
		if !seen[key] {
			seen[key] = true
			routes = append(routes, key+" "+rapid.SampledFrom([]string{"NONE", "AWS_IAM"}).Draw(t, "authorization"))
		}
	}
	return api("a1b2c3d4e5", on("pets.example.com"+base), routes...)
}

// A request that portcullis gives to a signed route is buffered, and says so; one of a route that needs no body is not, where
// there is one way to write its path.
func TestRoutesFollowTheGateways(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]string{"", "/base", "/b@se", "/two/parts"}).Draw(t, "base")
		c := config(someAPI(t, base))
		g, _ := gateway.New(*c)
		if g == nil {
			t.Fatal("no gateway")
		}
		p, err := newPlan(c, Options{}.withDefaults(c.APIs))
		if err != nil {
			t.Fatal(err)
		}
		special := base == "/b@se" || slices.ContainsFunc(c.APIs[0].Routes, func(r gateway.Route) bool { return strings.Contains(r.Resource, "@") })
		for range 20 {
			method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "TRACE"}).Draw(t, "method")
			path, plain := base, true
			for range rapid.IntRange(0, 4).Draw(t, "parts") {
				part := rapid.SampledFrom([]string{"a", "b", "c", "a@b", "a%40b", "a%2Fb", "%20"}).Draw(t, "part")
				plain = plain && len(part) == 1
				path += "/" + part
			}
			if path == "" || rapid.Bool().Draw(t, "slash") {
				plain = plain && path == ""
				path += "/"
			}
			d := g.Authorize(context.Background(), &authz.Request{Method: method, Target: path, Host: "pets.example.com", Scheme: "http"})
			i := slices.IndexFunc(c.APIs[0].Routes, func(r gateway.Route) bool { return r.Method+" "+r.Resource == d.Route })
			found := first(p.Listeners[0].Hosts[0].Routes, method, path)
			if i < 0 || found == nil {
				continue
			}
			signed := c.APIs[0].Routes[i].Authorization == gateway.IAM
			buffered := p.Buffers && (found.Settings == nil || !found.Settings.Unbuffered)
			says := found.Settings != nil && found.Settings.Buffered()
			if buffered != says {
				t.Fatalf("%s %s: buffered %v, says %v", method, path, buffered, says)
			}
			if signed && !buffered {
				t.Fatalf("%s %s is for the signed %s, and Envoy's route %+v is unbuffered\n%+v", method, path, d.Route, found, c.APIs[0].Routes)
			}
			if !signed && buffered && plain && !special {
				t.Fatalf("%s %s is for the open %s, and Envoy's route %+v is buffered\n%+v", method, path, d.Route, found, c.APIs[0].Routes)
			}
		}
	})
}

// routesOf are the routes of the first virtual host, in short.
func routesOf(t *testing.T, c *gateway.Config, o Options) []string {
	t.Helper()
	p, err := newPlan(c, o.withDefaults(c.APIs))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range p.Listeners[0].Hosts[0].Routes {
		text := fmt.Sprintf("%s %s%s", r.Match.Method, r.Match.Path, r.Match.Template)
		switch {
		case r.Match.Path == "" && r.Match.Template == "":
			text = "rest"
		}
		switch {
		case r.Settings == nil:
		case r.Settings.Buffered():
			text += " buffered"
		case r.Settings.Unbuffered:
			text += " unbuffered"
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

func TestRoutes(t *testing.T) {
	for name, tc := range map[string]struct {
		routes []string
		want   []string
	}{
		"none is signed":           {[]string{"GET /a", "POST /b/{p+}"}, []string{"rest"}},
		"all are signed":           {[]string{"GET /a AWS_IAM", "POST /b/{p+} AWS_IAM"}, []string{"rest buffered"}},
		"an open route among them": {[]string{"GET /health", "ANY /{p+} AWS_IAM"}, []string{"GET /health unbuffered", "rest buffered"}},
		"an open route for all else": {[]string{"ANY /{p+}", "POST /admin AWS_IAM"}, []string{
			"POST /admin buffered", "POST /admin/ buffered", "/* unbuffered", "/*/** unbuffered", "rest buffered"}},
		"another method of the same": {[]string{"GET /a", "ANY /a AWS_IAM"}, []string{"GET /a unbuffered", "rest buffered"}},
		"ANY for the other methods":  {[]string{"GET /a AWS_IAM", "ANY /a"}, []string{"GET /a buffered", "GET /a/ buffered", "/a unbuffered", "rest buffered"}},
		"a parameter":                {[]string{"GET /a/{x}", "GET /a/mine AWS_IAM", "POST /a/{x} AWS_IAM"}, []string{"GET /a/mine buffered", "GET /a/mine/ buffered", "GET /a/* unbuffered", "rest buffered"}},
		"other spellings":            {[]string{"GET /a@b", "GET /a:b AWS_IAM", "GET /{x}"}, []string{"GET /* buffered", "GET /*/ buffered", "GET /* unbuffered", "rest buffered"}},
		"the root":                   {[]string{"GET / AWS_IAM", "GET /{p+}"}, []string{"GET /* unbuffered", "GET /*/** unbuffered", "rest buffered"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := routesOf(t, config(api("a1b2c3d4e5", on("pets.example.com"), tc.routes...)), Options{}); !slices.Equal(got, tc.want) {
				t.Errorf("\n got %q\nwant %q", got, tc.want)
			}
		})
	}
}

// A route that accepts UNSIGNED-PAYLOAD is buffered, unless uploads are said to be of any length.
func TestUnsignedPayload(t *testing.T) {
	c := config(api("a1b2c3d4e5", on("pets.example.com"), "GET /a AWS_IAM", "PUT /b/{x} AWS_IAM"))
	c.APIs[0].Routes[1].Signatures.UnsignedPayload = true
	for unbuffered, want := range map[bool][]string{false: {"rest buffered"}, true: {"PUT /b/* unbuffered", "rest buffered"}} {
		if got := routesOf(t, c, Options{UnbufferedUploads: unbuffered}); !slices.Equal(got, want) {
			t.Errorf("%v: %q", unbuffered, got)
		}
	}
}

// An HTTP API's routes are looked for in another order: one that is signed has all buffered.
func TestHTTPAPIsAreBufferedWhole(t *testing.T) {
	a := api("a1b2c3d4e5", on("pets.example.com"), "GET /a", "POST /b AWS_IAM")
	a.HTTP = true
	if got := routesOf(t, config(a), Options{}); !slices.Equal(got, []string{"rest buffered"}) {
		t.Errorf("%q", got)
	}
}
