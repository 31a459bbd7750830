package envoyconf

import (
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// api is an API with the stage prod on domains, and routes such as "GET /pets", or "GET /pets AWS_IAM".
func api(id string, domains []string, routes ...string) gateway.API {
	a := gateway.API{
		ID: id, Account: "111122223333", Region: "eu-west-1",
		Stages: []gateway.Stage{{Name: "prod", Domains: domains}},
	}
	for _, text := range routes {
		words := append(strings.Fields(text), "NONE")
		a.Routes = append(a.Routes, gateway.Route{Method: words[0], Resource: words[1], Authorization: gateway.Authorization(words[2])})
	}
	return a
}

func private(a gateway.API) gateway.API {
	a.Private = true
	return a
}

func on(domains ...string) []string { return domains }

// config is a configuration that a gateway can be made of. Nobody's signature is good.
func config(apis ...gateway.API) *gateway.Config {
	return &gateway.Config{APIs: apis, Signatures: func(gateway.SignatureOptions) (gateway.Verify, error) {
		return func(*authz.Request) (*gateway.Signed, error) {
			return nil, &authz.Refusal{Reason: authz.Reason{Code: authz.CodeNotSigned}}
		}, nil
	}}
}

// mustGenerate is a configuration's text. The gateway takes the configuration too.
func mustGenerate(t *testing.T, c *gateway.Config, o Options) string {
	t.Helper()
	if _, faults := gateway.New(*c); faults != nil {
		for _, f := range faults {
			if !f.Warning {
				t.Fatal(f)
			}
		}
	}
	out, err := Generate(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return out.Text
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
