package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// keyed are APIs whose callers show an API key: in the header, or as their function says.
const keyed = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}, {name: dev, domains: [dev.example.com]}]
    apiKeys:
      - {id: k1, value: {file: key-one}, stages: [prod]}
      - {id: k2, value: {value: "off-0123456789-0123456789"}, enabled: false}
      - {id: k3, value: {value: "dev-0123456789-0123456789"}, stages: [dev]}
    upstreamHeaders: {x-key-id: $context.identity.apiKeyId}
    routes:
      - {route: GET /pets, authorization: NONE, apiKeyRequired: true}
      - {route: GET /open, authorization: NONE}
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [cats.example.com]}]
    apiKeySource: AUTHORIZER
    apiKeys: [{id: k4, value: {value: "said-0123456789-0123456789"}}]
    authorizers:
      token: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 300s}}
    upstreamHeaders: {x-key: $context.identity.apiKey, x-key-id: $context.identity.apiKeyId}
    routes:
      - {route: GET /cats, authorizer: token, apiKeyRequired: true}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:door": {url: "URL"}
`

const (
	firstKey  = "one-0123456789-0123456789"
	secondKey = "two-0123456789-0123456789"
	saidKey   = "said-0123456789-0123456789"
)

// startKeyed starts a stack with the APIs of keyed. The function says of the token "said" that it has the API's key, and of others what
// they are.
func startKeyed(t *testing.T, v variant) *stack {
	t.Helper()
	f := newCloud(t, func(w http.ResponseWriter, _ string, event map[string]any) {
		key, _ := event["authorizationToken"].(string)
		switch key {
		case "said":
			key = saidKey
		case "denied":
			fmt.Fprint(w, strings.Replace(policyFor("Deny", arnOf(event)), "{", `{"usageIdentifierKey":"`+saidKey+`",`, 1))
			return
		case "none":
			fmt.Fprint(w, policyFor("Allow", arnOf(event)))
			return
		}
		fmt.Fprint(w, strings.Replace(policyFor("Allow", arnOf(event)), "{", fmt.Sprintf(`{"usageIdentifierKey":%q,`, key), 1))
	})
	return start(t, setup{
		config: strings.Replace(keyed, "URL", f.URL, 1), files: map[string]string{"key-one": firstKey + "\n"},
		edits: slices.Concat(v.edits, byHost("pets.example.com", "dev.example.com", "cats.example.com")),
	})
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := startKeyed(t, v)
			for _, tc := range []struct {
				name, host, target string
				headers            []string
				status             int
				errorType, body    string
			}{
				{"a key", "pets.example.com", "/pets", []string{"x-api-key: " + firstKey}, 200, "", "GET /pets\n"},
				{"a key, in another spelling of the name", "pets.example.com", "/pets", []string{"X-API-Key: " + firstKey}, 200, "", "GET /pets\n"},
				{"the stage's key", "dev.example.com", "/pets", []string{"x-api-key: dev-0123456789-0123456789"}, 200, "", "GET /pets\n"},
				{"a route that requires none", "pets.example.com", "/open", []string{"x-api-key: wrong"}, 200, "", "GET /open\n"},
				{"no key", "pets.example.com", "/pets", nil, 403, "ForbiddenException", forbidden},
				{"a wrong key", "pets.example.com", "/pets", []string{"x-api-key: wrong"}, 403, "ForbiddenException", forbidden},
				{"two keys", "pets.example.com", "/pets", []string{"x-api-key: " + firstKey, "x-api-key: " + firstKey}, 403, "ForbiddenException", forbidden},
				{"a wrong key before", "pets.example.com", "/pets", []string{"x-api-key: wrong", "x-api-key: " + firstKey}, 403, "ForbiddenException", forbidden},
				{"a wrong key behind", "pets.example.com", "/pets", []string{"x-api-key: " + firstKey, "x-api-key: wrong"}, 403, "ForbiddenException", forbidden},
				{"a key in the query", "pets.example.com", "/pets?x-api-key=" + firstKey, nil, 403, "ForbiddenException", forbidden},
				{"a key that is not enabled", "pets.example.com", "/pets", []string{"x-api-key: off-0123456789-0123456789"}, 403, "ForbiddenException", forbidden},
				{"another stage's key", "pets.example.com", "/pets", []string{"x-api-key: dev-0123456789-0123456789"}, 403, "ForbiddenException", forbidden},
				{"another API's key", "pets.example.com", "/pets", []string{"x-api-key: " + saidKey}, 403, "ForbiddenException", forbidden},
				{"an unknown path", "pets.example.com", "/nothing", []string{"x-api-key: " + firstKey}, 403, "MissingAuthenticationTokenException", noRoute},

				{"a function says the key", "cats.example.com", "/cats", []string{shows("said")}, 200, "", "GET /cats\n"},
				{"the header does not count", "cats.example.com", "/cats", []string{shows("said"), "x-api-key: wrong"}, 200, "", "GET /cats\n"},
				{"a function says none", "cats.example.com", "/cats", []string{shows("none"), "x-api-key: " + saidKey}, 403, "ForbiddenException", forbidden},
				{"a function says another", "cats.example.com", "/cats", []string{shows(firstKey), "x-api-key: " + saidKey}, 403, "ForbiddenException", forbidden},
				{"a function denies", "cats.example.com", "/cats", []string{shows("denied")}, 403, "AccessDeniedException", functionDenies},
				{"no token", "cats.example.com", "/cats", []string{"x-api-key: " + saidKey}, 401, "UnauthorizedException", unauthorized},
			} {
				t.Run(tc.name, func(t *testing.T) {
					for range 2 { // the second time, the function's answer is remembered
						for _, send := range s.over(asked{tc.host, tc.target, tc.headers}) {
							check(t, s, send(t), tc.status, tc.errorType, tc.body)
						}
					}
				})
			}
			s.hidesKeys(t)
		})
	}
}

// hidesKeys fails if an API key is in what the programs wrote.
func (s *stack) hidesKeys(t *testing.T) {
	t.Helper()
	metrics := s.admin(t, "/metrics")
	if !strings.Contains(metrics, `reason="invalid_api_key"`) {
		t.Errorf("the metrics have no invalid_api_key:\n%s", metrics)
	}
	for _, text := range []string{s.envoy.Stdout(), s.envoy.Stderr(), s.portcullis.Stdout(), s.portcullis.Stderr(), metrics} {
		for line := range strings.Lines(text) {
			if strings.Contains(strings.ReplaceAll(line, "/pets?x-api-key="+firstKey, ""), "0123456789-0123456789") {
				t.Errorf("a key is in %s", line)
			}
		}
	}
}

// The upstream gets the client's header as it is, and what is mapped of the key.
func TestAPIKeyForUpstreams(t *testing.T) {
	t.Parallel()
	s := startKeyed(t, variants()[0])
	seen := s.allowed(t, s.get(t, "/pets", "x-api-key: "+firstKey, "x-key-id: k9"))
	if id, key := seen.Header("x-key-id"), seen.Header("x-api-key"); !slices.Equal(id, []string{"k1"}) || !slices.Equal(key, []string{firstKey}) {
		t.Errorf("x-key-id %q, x-api-key %q", id, key)
	}
	seen = s.allowed(t, s.get(t, "/open", "x-api-key: "+firstKey, "x-key-id: k9"))
	if id := seen.Header("x-key-id"); len(id) != 0 {
		t.Errorf("x-key-id %q where no key is required", id)
	}
	seen = s.allowed(t, s.at(t, "cats.example.com", "/cats", shows("said"), "x-key: "+firstKey))
	if id, key := seen.Header("x-key-id"), seen.Header("x-key"); !slices.Equal(id, []string{"k4"}) || !slices.Equal(key, []string{saidKey}) {
		t.Errorf("x-key-id %q, x-key %q", id, key)
	}
}

// A key that is replaced in its file counts no more.
func TestAPIKeyIsReplaced(t *testing.T) {
	t.Parallel()
	s := startKeyed(t, variants()[0])
	s.allowed(t, s.get(t, "/pets", "x-api-key: "+firstKey))
	before := s.metric(t, `portcullis_reloads_total{result="loaded"}`)
	s.write(t, "key-one", secondKey)
	eventually(t, "the configuration is read", func() bool { return s.metric(t, `portcullis_reloads_total{result="loaded"}`) > before })
	s.allowed(t, s.get(t, "/pets", "x-api-key: "+secondKey))
	check(t, s, s.get(t, "/pets", "x-api-key: "+firstKey), 403, "ForbiddenException", forbidden)
}

// unknownGuards are APIs with a route whose guard is not known, beside open ones.
const unknownGuards = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    defaultAuthorization: NONE
    routes:
      - {route: "ANY /{proxy+}"}
      - {route: GET /admin, unresolved: "the authorizer Staff is a parameter without a value"}
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages: [{name: $default, domains: [http.example.com]}]
    cors: {allowOrigins: ["https://www.example.com"]}
    routes:
      - {route: $default, unresolved: "the issuer is a parameter without a value"}
      - {route: GET /open, authorization: NONE}
`

func TestUnresolvedRoutes(t *testing.T) {
	t.Parallel()
	const why = "the configuration does not know the route's guard: the authorizer Staff is a parameter without a value"
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: unknownGuards, edits: slices.Concat(v.edits, byHost("pets.example.com", "http.example.com"))})
			check(t, s, s.get(t, "/pets"), 200, "", "GET /pets\n")
			check(t, s, s.send(t, request("PUT", "/admin", "Content-Length: 0")), 200, "", "PUT /admin\n")
			for _, target := range []string{"/admin", "/admin/", "/admin?x"} {
				check(t, s, s.get(t, target, "Authorization: Bearer t"), 500, "InternalServerErrorException", `{"message":"Internal server error"}`)
			}
			for _, target := range []string{"/admin;x", "/admin%3Fx", "/admin/%2e", "/%2561dmin"} {
				if a := s.get(t, target); a.status == 200 || len(s.upstream.Take()) > 0 {
					t.Errorf("%s: status %d", target, a.status)
				}
			}
			check(t, s, s.at(t, "http.example.com", "/open"), 200, "", "GET /open\n")
			refused := func(a answer) {
				t.Helper()
				if seen := s.upstream.Take(); a.status != 500 || a.body != internalError || len(seen) > 0 {
					t.Errorf("status %d, body %s, upstream %v", a.status, a.body, seen)
				}
			}
			refused(s.at(t, "http.example.com", "/pets"))
			refused(s.send(t, "OPTIONS /pets HTTP/1.1\r\nHost: http.example.com\r\nOrigin: https://www.example.com\r\nAccess-Control-Request-Method: GET\r\n\r\n"))
			eventually(t, "the log says why", func() bool { return strings.Contains(s.portcullis.Stdout()+s.portcullis.Stderr(), why) })
		})
	}
}
