package workload

import (
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Every subject has a name of its own, which STS accepts.
func TestSessionName(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9A-Za-z_+=,.@-]{2,64}$`)
	seen := map[string]string{}
	for _, c := range [][2]string{
		{"", "spiffe://a/b"}, {"", "spiffe://a/b/c"}, {"", "spiffe://a/b-c"}, {"", "spiffe://a-b/c"}, {"https://i", "a b"}, {"https://i", "a-b"}, {"https://j", "a-b"},
		{"https://i", strings.Repeat("x", 1000)}, {"https://i", strings.Repeat("x", 1001)}, {"https://i", "é"}, {"https://i", "\n"}, {"https://i\n", ""}, {"https://i", "a.b"},
		{"https://i", SessionName("https://i", "a")}, {"https://i", "a"},
	} {
		name := SessionName(c[0], c[1])
		if other, twice := seen[name]; twice || !shape.MatchString(name) || name != SessionName(c[0], c[1]) {
			t.Errorf("%q: %q, as %q", c, name, other)
		}
		seen[name] = c[1]
	}
}

// A request without an identity has no caller.
func TestNobody(t *testing.T) {
	if c, _, err := New(Config{}).Find(t.Context(), &Request{Request: &authz.Request{SourcePrincipal: "spiffe://a/b/c"}}); c != nil || err != nil {
		t.Errorf("without mappings: %v, %v", c, err)
	}
}
