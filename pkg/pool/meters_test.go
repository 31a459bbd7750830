package pool_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/meter"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

const metered = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}, {name: test, domains: [test.example.com]}]
    authorizers: {staff: {jwt: {issuers: [{issuer: "https://id.example.com/", audiences: [dogs]}]}}}
    routes:
      - {route: GET /pets, authorization: NONE}
      - {route: "GET /pets/{id}", authorizer: staff}
`

// decisions returns portcullis_decisions_total, by the values of its labels.
func decisions(p *pool.Pool) map[[7]string]float64 {
	found := map[[7]string]float64{}
	for _, s := range p.Meters().Samples() {
		if s.Name != "portcullis_decisions_total" {
			continue
		}
		var values [7]string
		for i, l := range s.Labels {
			values[i] = l.Value
		}
		found[values] = s.Value
	}
	return found
}

// The counters go on after a reload. What a client sends is never the value of a label.
func TestDecisionsAreCountedByRoute(t *testing.T) {
	p, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	for reload := range 2 {
		text := metered
		if reload > 0 { // before the routes that stay
			text = strings.Replace(text, "routes:", "routes:\n      - {route: GET /cats, authorization: NONE}", 1)
		}
		write(t, name, []byte(text))
		s, err := config.Load(name, p)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, r := range []authz.Request{
			{Method: "GET", Host: "pets.example.com", Target: "/pets"},
			{Method: "GET", Host: "test.example.com", Target: "/pets?secret"},
			{Method: "GET", Host: "pets.example.com", Target: "/pets/secret"},
			{Method: "SECRET", Host: "pets.example.com", Target: "/secret"},
		} {
			r.Protocol = "HTTP/1.1"
			d := s.Gateway.Authorize(t.Context(), &r)
			d.Meter.Count(&d, 0)
		}
		unknown := &authz.Request{Method: "GET", Host: "secret.example.com", Target: "/", Protocol: "HTTP/1.1"}
		if d := s.Gateway.Authorize(t.Context(), unknown); d.Meter != nil {
			t.Error("a host of nobody has a Meter")
		}
	}
	got := decisions(p)
	for _, want := range [][7]string{
		{"a1b2c3d4e5", "prod", "GET /pets", "NONE", meter.None, "allow", "no_policy"},
		{"a1b2c3d4e5", "test", "GET /pets", "NONE", meter.None, "allow", "no_policy"},
		{"a1b2c3d4e5", "prod", "GET /pets/{id}", "JWT", "staff", "deny", "unauthorized"},
		{"a1b2c3d4e5", "prod", meter.None, meter.None, meter.None, "deny", "no_route"},
	} {
		if got[want] != 2 {
			t.Errorf("%v: %v decisions, want 2", want, got[want])
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("other series: %v", got)
	}
}

// A configuration that is only checked counts nothing.
func TestADryPoolHasNoMeters(t *testing.T) {
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	write(t, name, []byte(metered))
	s, err := config.Load(name, pool.Dry())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := s.Gateway.Authorize(t.Context(), &authz.Request{Method: "GET", Host: "pets.example.com", Target: "/pets", Protocol: "HTTP/1.1"})
	if !d.Allow || d.Meter != nil {
		t.Errorf("%+v", d)
	}
}
