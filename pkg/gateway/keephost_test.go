package gateway

import (
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// An upstream that several stages share must not be told by a client that a request is another stage's.
func TestForwardedHosts(t *testing.T) {
	open := testAPI("ANY /{proxy+}")
	open.ID, open.ExecuteAPIEndpoint = "0pen000000", true
	open.Stages = []Stage{{Name: "prod", Domains: []string{"open.example.com", "api.example.com/open"}}, {Name: "test", Domains: []string{"test.example.com"}}}
	pets := testAPI("ANY /{proxy+}")
	pets.Stages = []Stage{{Name: "prod", Domains: []string{"pets.example.com", "api.example.com/pets"}}}
	for i := range pets.Routes {
		pets.Routes[i].Authorization = IAM
	}
	g := mustNew(t, open, pets)
	for _, tt := range []struct {
		name, value string
		allowed     bool
	}{
		{"x-forwarded-host", "pets.example.com", false},
		{"x-forwarded-host", "PETS.example.com.:443", false},
		{"x-forwarded-host", "open.example.com, pets.example.com", false},
		{"x-forwarded-host", "pets.example.com,open.example.com", false},
		{"x_forwarded_host", "pets.example.com", false},
		{"x-forwarded-host", "test.example.com", false},
		{"x-forwarded-server", "pets.example.com", false},
		{"x-original-host", "pets.example.com", false},
		{"x-host", "pets.example.com", false},
		{"forwarded", "for=192.0.2.1;host=pets.example.com", false},
		{"forwarded", `for=192.0.2.1, for=192.0.2.2; Host="pets.example.com:443"`, false},
		{"x-forwarded-host", "open.example.com", true},
		{"x-forwarded-host", "api.example.com", true},
		{"x-forwarded-host", "0pen000000.execute-api.eu-west-1.amazonaws.com", true},
		{"x-forwarded-host", "www.example.net:8443", true},
		{"x-forwarded-host", "", true},
		{"forwarded", "for=192.0.2.1;host=www.example.net;proto=https", true},
		{"forwarded", "for=pets.example.com", true},
		{"x-forwarded-for", "pets.example.com", true},
	} {
		d := g.Authorize(t.Context(), on("open.example.com", get("/admin", tt.name, tt.value)))
		if d.Allow != tt.allowed || !d.Allow && (d.Denial.Status != 400 || d.Reason.Code != authz.CodeBadRequest) {
			t.Errorf("%s: %s: allow %v, %+v", tt.name, tt.value, d.Allow, d.Reason)
		}
	}
}
