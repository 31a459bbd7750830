package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// pets is an API with a guarded path, an open route for everything else below /pets, and no other.
const pets = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    defaultAuthorization: NONE
    routes:
      - route: GET /pets
      - route: GET /pets/{petId}
      - route: GET /silent
      - route: ANY /admin
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/GET/pets", "execute-api:/prod/GET/pets/*", "execute-api:/prod/*/admin"]}
        - {Sid: NoAdmin, Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/*/admin"}
`

// The denials of API Gateway, word for word.
const (
	explicitDeny = `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/admin with an explicit deny in a resource-based policy"}`
	implicitDeny = `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/silent because no resource-based policy allows the execute-api:Invoke action"}`
	noRoute      = `{"message":"Missing Authentication Token"}`
	forbidden    = `{"message":"Forbidden"}`
)

var requestID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func TestAnswersAreThoseOfAPIGateway(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: pets, edits: v.edits})
			for _, tc := range []struct {
				name, method, target, host string
				status                     int
				errorType, body            string
			}{
				{"a statement allows", "GET", "/pets", "pets.example.com", 200, "", "GET /pets\n"},
				{"a statement allows, with a query", "GET", "/pets/7?fields=name", "pets.example.com", 200, "", "GET /pets/7?fields=name\n"},
				{"host with port", "GET", "/pets", "pets.example.com:8080", 200, "", "GET /pets\n"},
				{"host in upper case", "GET", "/pets", "PETS.Example.COM", 200, "", "GET /pets\n"},
				{"a statement denies", "GET", "/admin", "pets.example.com", 403, "AccessDeniedException", explicitDeny},
				{"no statement allows", "GET", "/silent", "pets.example.com", 403, "AccessDeniedException", implicitDeny},
				{"unknown path", "GET", "/nothing", "pets.example.com", 403, "MissingAuthenticationTokenException", noRoute},
				{"method without a route", "DELETE", "/pets", "pets.example.com", 403, "MissingAuthenticationTokenException", noRoute},
				{"unknown host", "GET", "/pets", "cats.example.com", 403, "ForbiddenException", forbidden},
				{"a method ARN beyond API Gateway's limit", "GET", "/pets/" + strings.Repeat("x", 1600), "pets.example.com", 414, "", `{"message":"Request URI too long"}`},
				{"the execute-api host is off", "GET", "/prod/pets", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", 403, "ForbiddenException", forbidden},
			} {
				t.Run(tc.name, func(t *testing.T) {
					line := tc.method + " " + tc.target + " HTTP/1.1\r\nHost: " + tc.host + "\r\n\r\n"
					check(t, s, s.send(t, line), tc.status, tc.errorType, tc.body)
					check(t, s, s.send2(t, []hpack.HeaderField{
						{Name: ":method", Value: tc.method},
						{Name: ":scheme", Value: "http"},
						{Name: ":authority", Value: tc.host},
						{Name: ":path", Value: tc.target},
					}), tc.status, tc.errorType, tc.body)
				})
			}
		})
	}
}

// check holds an answer against API Gateway's.
func check(t *testing.T, s *stack, a answer, status int, errorType, body string) {
	t.Helper()
	if a.body != body {
		t.Errorf("body %s, want %s", a.body, body)
	}
	if got := a.header.Get("x-amzn-errortype"); got != errorType {
		t.Errorf("x-amzn-ErrorType %q, want %q", got, errorType)
	}
	if status == 200 {
		s.allowed(t, a)
		return
	}
	s.denied(t, a, status)
	if got := a.header.Values("content-type"); len(got) != 1 || got[0] != "application/json" {
		t.Errorf("content-type %q, want application/json once", got)
	}
	if got := a.header.Get("x-amzn-requestid"); !requestID.MatchString(got) {
		t.Errorf("x-amzn-RequestId %q, want a UUID", got)
	}
}

// What is not there is not told in an Authorization header's own words: those are hashed.
func TestAuthorizationIsNotEchoed(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets})
	a := s.get(t, "/nothing", "Authorization: Bearer s3cr3t")
	check(t, s, a, 403, "IncompleteSignatureException",
		`{"message":"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '`+hashed("Bearer s3cr3t")+`'."}`)
	eventually(t, "the request is in Envoy's log", func() bool { return strings.Contains(s.envoy.Stdout(), "/nothing") })
	for _, text := range []string{a.raw, s.envoy.Stdout(), s.portcullis.Stdout(), s.portcullis.Stderr()} {
		if strings.Contains(text, "s3cr3t") {
			t.Errorf("the token is in %s", text)
		}
	}
}

const custom = pets + `
    gatewayResponses:
      ACCESS_DENIED:
        statusCode: 404
        responseParameters:
          gatewayresponse.header.Access-Control-Allow-Origin: "'*'"
          gatewayresponse.header.X-Asked: method.request.header.x-asked
        responseTemplates:
          application/xml: <denied type="$context.error.responseType" stage="$context.stage"/>
      DEFAULT_4XX:
        responseParameters:
          gatewayresponse.header.X-Default: "'yes'"
`

func TestGatewayResponses(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: custom})

	a := s.get(t, "/admin", "X-Asked: why")
	s.denied(t, a, 404)
	for name, want := range map[string]string{
		"Content-Type":                "application/xml",
		"Access-Control-Allow-Origin": "*",
		"X-Asked":                     "why",
		"X-Default":                   "",
		"X-Amzn-Errortype":            "AccessDeniedException",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if want := `<denied type="ACCESS_DENIED" stage="prod"/>`; a.body != want {
		t.Errorf("body %s, want %s", a.body, want)
	}

	a = s.get(t, "/nothing")
	check(t, s, a, 403, "MissingAuthenticationTokenException", noRoute)
	if got := a.header.Get("X-Default"); got != "yes" {
		t.Errorf("X-Default: %q, want yes, from DEFAULT_4XX", got)
	}

	a = s.get(t, "/admin", "X-Asked: a\u00e9\xff<script>")
	s.denied(t, a, 404)
}

// A setting that portcullis does not know is a mistake in Envoy's configuration, and closes.
func TestUnknownSettingsOfEnvoyDeny(t *testing.T) {
	t.Parallel()
	const api, stage, secure = "portcullis.api: a1b2c3d4e5", "portcullis.stage: prod", `portcullis.secureTransport: "false"`
	for _, e := range []envoytest.Edit{
		{Old: api, New: "portcullis.api: a1b2c3d4e6"},
		{Old: stage, New: "portcullis.stage: Prod"},
		{Old: secure, New: `portcullis.secureTransport: "yes"`},
		{Old: secure, New: "portcullis.stages: prod"},
		{Old: secure, New: "portcullis.body: streamed"},
	} {
		t.Run(e.New, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: pets, edits: []envoytest.Edit{e}})
			check(t, s, s.get(t, "/pets"), 500, "InternalServerErrorException", `{"message":"Internal server error"}`)
		})
	}
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}
