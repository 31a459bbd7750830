package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// manyHeaders are header lines of nobody's concern.
func manyHeaders(n int) []string {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("x-more-%d: %d", i, i))
	}
	return lines
}

// A request with many headers passes with those that are set, and one with too many is answered as API Gateway answers; none is a 500.
func TestManyHeaders(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		manyHeadersPass(t, start(t, setup{envoy: bin, config: mapped}), "/pets")
	})
}

func manyHeadersPass(t *testing.T, s *stack, target string) {
	t.Helper()
	for _, n := range []int{85, 89, 90, 95, 99, 100, 101, 500, 950} {
		s.allowed(t, s.get(t, target, manyHeaders(n)...))
		var fields []hpack.HeaderField
		for _, line := range manyHeaders(n) {
			name, value, _ := strings.Cut(line, ": ")
			fields = append(fields, hpack.HeaderField{Name: name, Value: value})
		}
		s.allowed(t, s.get2(t, target, fields...))
	}
	for _, n := range []int{1000, 1500, 1990} {
		a := s.get(t, target, manyHeaders(n)...)
		s.denied(t, a, http.StatusRequestHeaderFieldsTooLarge)
		if a.body != `{"message":"Request Header Fields Too Large"}` {
			t.Errorf("%d headers: %q", n, a.body)
		}
	}
	s.denied(t, s.get(t, target, manyHeaders(2100)...), http.StatusRequestHeaderFieldsTooLarge) // by Envoy itself
	answers := map[int]int{}
	for n := 60<<10 - 600; n < 60<<10+20; n += 20 {
		answers[s.get(t, target, "x-long: "+strings.Repeat("x", n)).status]++
	}
	if s.upstream.Take(); len(answers) != 2 || answers[200] == 0 || answers[http.StatusRequestHeaderFieldsTooLarge] == 0 {
		t.Errorf("around 60 KiB: %v", answers)
	}
}

// It is so in a mesh.
func TestMeshManyHeaders(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes()[:2] {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			n.open = "/pets"
			manyHeadersPass(t, startMesh(t, n, setup{config: mapped}, "15s").stack, "/pets")
		})
	}
}
