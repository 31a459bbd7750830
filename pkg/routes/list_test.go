package routes

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

func TestList(t *testing.T) {
	a := with(guarded(t, api(t, false, "POST /b staff key", "GET /b staff s,w", "GET /a NONE", "GET /c ?"), allowAll), func(a *gateway.API) {
		a.Private = true
		a.Stages = append(a.Stages, gateway.Stage{Name: "dev"})
	})
	b := with(api(t, true, "$default NONE"), func(a *gateway.API) { a.ID = "b1" })
	var got []string
	for _, r := range listOf(a, b) {
		got = append(got, strings.Join([]string{r.API, r.Kind, r.Stage, r.Key(), r.GuardedBy()}, "|"))
		if r.DefinedAt != "" || (r.PolicyDigest != "") != r.ResourcePolicy || (r.AuthorizerDigest != "") != (r.Authorizer != "") {
			t.Errorf("%+v", r)
		}
	}
	var want []string
	for _, stage := range []string{"prod", "dev"} {
		for _, line := range []string{
			"GET /a|NONE + resource policy + VPC endpoint", "GET /b|JWT staff [s w] + resource policy + VPC endpoint",
			"POST /b|JWT staff + API key + resource policy + VPC endpoint", "GET /c|refuses: the guard is not known",
		} {
			want = append(want, "a1b2c3d4e5|REST|"+stage+"|"+line)
		}
	}
	if want = append(want, "b1|HTTP|$default|$default|NONE"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		http  bool
		lines []string
		want  []string // the guarded route, the open one and its methods
	}{
		{false, []string{"GET /pets staff", "ANY /{proxy+} NONE"}, []string{"GET /pets", "ANY /{proxy+} answers DELETE, HEAD, OPTIONS, PATCH, POST, PUT /pets"}},
		{false, []string{"GET /pets/{id} NONE key", "POST /pets/{proxy+} NONE"}, []string{"GET /pets/{id}", "POST /pets/{proxy+} answers POST /pets/{id}"}},
		{false, []string{"GET /pets ?", "HEAD /{proxy+} NONE"}, []string{"GET /pets", "HEAD /{proxy+} answers HEAD /pets"}},
		{true, []string{"GET /pets staff", "$default NONE"}, []string{"GET /pets", "$default answers DELETE, HEAD, OPTIONS, PATCH, POST, PUT /pets"}},
		{false, []string{"GET / staff", "ANY /{proxy+} NONE"}, nil}, // {proxy+} does not match the root
		{false, []string{"ANY /pets staff", "ANY /{proxy+} NONE"}, nil},
		{false, []string{"GET /pets staff", "ANY /{proxy+} vets"}, nil},
		{false, []string{"GET /pets staff", "ANY /{proxy+} NONE key"}, nil},
		{false, []string{"GET /pets staff", "OPTIONS /{proxy+} NONE"}, nil}, // a preflight
		{false, []string{"GET /pets NONE", "ANY /{proxy+} NONE"}, nil},
		{true, []string{"$default staff", "GET /open NONE"}, nil},
	} {
		got := Warnings(listOf(api(t, tt.http, tt.lines...)))
		if tt.want == nil {
			if len(got) > 0 {
				t.Errorf("%q: %v", tt.lines, got)
			}
			continue
		}
		if len(got) != 1 || !strings.HasPrefix(got[0].Message, tt.want[0]+" is guarded (") || !strings.Contains(got[0].Message, tt.want[1]) {
			t.Errorf("%q: %v, want %q", tt.lines, got, tt.want)
		}
	}
}
