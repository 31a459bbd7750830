package authz

import (
	"regexp"
	"slices"
	"testing"
)

func TestZeroDecisionDenies(t *testing.T) {
	var d Decision
	if d.Allow || d.Reason.Code.String() != "internal" {
		t.Errorf("the zero Decision is %+v: it must deny, as an internal error", d)
	}
}

func TestZeroRequestKnowsNoBody(t *testing.T) {
	var r Request
	if _, state := r.Body(); state != BodyUnknown {
		t.Errorf("the body of a request that nobody gave one is %v, want BodyUnknown: an absent body may be an unbuffered one", state)
	}
}

func TestHeaders(t *testing.T) {
	var r Request
	r.SetHeaders([]Field{{"b", "1"}, {"a", "2"}, {"b", "3"}})
	for _, c := range []struct {
		name, first string
		lines       int
		all         []string
	}{
		{"b", "1", 2, []string{"1", "3"}},
		{"a", "2", 1, []string{"2"}},
		{"B", "", 0, nil},
	} {
		first, lines := r.Header(c.name)
		if all := slices.Collect(r.HeaderValues(c.name)); first != c.first || lines != c.lines || !slices.Equal(all, c.all) {
			t.Errorf("%s: %q, %d, %q; want %q, %d, %q", c.name, first, lines, all, c.first, c.lines, c.all)
		}
	}
	var order []string
	for name := range r.Headers() {
		order = append(order, name)
	}
	if !slices.Equal(order, []string{"b", "a", "b"}) {
		t.Errorf("the lines come as %q, want the order of the wire", order)
	}
}

func TestQuery(t *testing.T) {
	for target, want := range map[string][]Field{
		"/a":                   nil,
		"/a?":                  nil,
		"/a?b":                 {{"b", ""}},
		"/a?b=1&&b=2=3&%62=+":  {{"b", "1"}, {"b", "2=3"}, {"%62", "+"}},
		"/a?x=/../b?c&d=%zz;e": {{"x", "/../b?c"}, {"d", "%zz;e"}},
	} {
		r := Request{Target: target}
		var got []Field
		for name, value := range r.Query() {
			got = append(got, Field{name, value})
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
		if r.Path() != "/a" {
			t.Errorf("%s: path %q", target, r.Path())
		}
	}
	r := Request{Target: "/a?b=1&c=2&b=3"}
	if got := slices.Collect(r.QueryValues("b")); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("b: %q", got)
	}
}

func TestNewRequestID(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a, b := NewRequestID(), NewRequestID()
	if a == b || !uuid.MatchString(a) || !uuid.MatchString(b) {
		t.Errorf("request ids %s and %s: want two random UUIDs", a, b)
	}
}

func TestIsToken(t *testing.T) {
	for s, want := range map[string]bool{
		"x-a": true, "GET": true, "a_b.c~!#$%&'*+^`|1": true,
		"": false, "a b": false, "a:": false, "é": false, "a\x00": false, "a\r": false, "@": false, "[": false, "{": false, "\x7f": false,
	} {
		if IsToken(s) != want {
			t.Errorf("IsToken(%q) = %v", s, !want)
		}
	}
}

// The longest entry counts, for whole segments.
func TestBySPIFFE(t *testing.T) {
	entries := map[string]string{"spiffe://a/b/": "below", "spiffe://a/b/c": "exact", "spiffe://a/b/c/": "deep", "spiffe://d/": "domain"}
	for id, want := range map[string]string{
		"": "", "spiffe://a/b": "", "spiffe://a/b/x": "below", "spiffe://a/b/c": "exact", "spiffe://a/b/cd": "below", "spiffe://a/b/c/d": "deep",
		"spiffe://a/bc/d": "", "spiffe://b/b/c": "", "spiffe://a/B/c": "", "spiffe://d/x/y": "domain", "spiffe://de/x": "",
	} {
		if got, found := BySPIFFE(entries, id); got != want || found != (want != "") {
			t.Errorf("%q: %q, %t, want %q", id, got, found, want)
		}
	}
	if _, found := BySPIFFE(map[string]string(nil), "spiffe://a/b"); found {
		t.Error("no entries have an entry")
	}
}
