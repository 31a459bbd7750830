package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// besideDefinitions is what stands in portcullis.yaml beside the definitions of testdata/definitions. PETS and SHOP stand for them.
const besideDefinitions = `
apis:
  - definition: PETS
    id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    apiKeys: [{id: k1, value: {value: key-0123456789-0123456789}, stages: [prod]}]
    upstreamHeaders: {x-caller: $context.identity.userArn, x-tier: $context.authorizer.tier, x-user: $context.authorizer.claims.sub, x-key: $context.identity.apiKeyId}
  - definition: SHOP
    id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: $default, domains: [shop.example.com]}]
    upstreamHeaders: {x-user: $context.authorizer.claims.sub, x-tier: $context.authorizer.tier}
`

// besideAPIs is the part of portcullis.yaml that these tests share: all but the APIs. The function here replaces URL by the
// address of the functions, and PROXIES by the addresses of this machine.
const besideAPIs = `
iam: {accounts: [{file: 111122223333.json}], accessKeys: [{file: access-keys.yaml}]}
issuers:
  "https://id.example.com/": {file: keys.json}
  "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI": {file: keys.json}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:gate": {url: "URL/gate"}
  "arn:aws:lambda:eu-west-1:111122223333:function:partners": {url: "URL/partners"}
clientAddress: {trustedProxies: [PROXIES]}
`

// writings are the ways in which the two APIs are written, each with what stands for PETS and SHOP.
var writings = map[string][2]string{
	"OpenAPI":        {"{file: pets.openapi.yaml}", "{file: shop.openapi.json}"},
	"SAM":            {"{file: sam.yaml, api: Pets, parameters: {Stage: prod}}", "{file: sam.yaml, api: Shop, parameters: {Stage: prod}}"},
	"CloudFormation": {"{file: cloudformation.yaml, api: Pets, parameterFile: prod.json}", "{file: cloudformation.yaml, api: Shop, parameterFile: prod.json}"},
}

// written returns the configuration of a way to write the APIs.
func written(way string) string {
	return strings.NewReplacer("PETS", writings[way][0], "SHOP", writings[way][1]).Replace(besideDefinitions) + besideAPIs
}

// definitionFiles are the definitions and what their configurations name.
func definitionFiles(t *testing.T, own *signer) map[string]string {
	t.Helper()
	files := map[string]string{
		"keys.json":        own.set,
		"access-keys.yaml": keysOfOwner(),
		owner + ".json":    strings.ReplaceAll(export(owner), "a1b2c3d4e5/prod/*", "*"),
		"prod.json":        `[{"ParameterKey": "Stage", "ParameterValue": "prod"}]`,
	}
	for _, name := range []string{"pets.openapi.yaml", "shop.openapi.json", "sam.yaml", "cloudformation.yaml"} {
		files[name] = definitionFile(t, name)
	}
	return files
}

// keysOfOwner are the access keys of the API's own account.
func keysOfOwner() string {
	own, _, _ := strings.Cut(accessKeys(), "  - {id: "+user(other, grants).id)
	return own
}

func definitionFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "definitions", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// here replaces URL and PROXIES in besideAPIs. Both authorizers have one function, which lets the token "good" pass.
func here(t *testing.T) *strings.Replacer {
	t.Helper()
	function := newCloud(t, func(w http.ResponseWriter, token string, event map[string]any) {
		if event["version"] == "2.0" {
			fmt.Fprintf(w, `{"isAuthorized": %t, "context": {"tier": "gold"}}`, token == "good")
			return
		}
		allowsGood(w, token, event)
	})
	return strings.NewReplacer("URL", function.URL, "PROXIES", strings.Join(append(ownAddresses(t), "127.0.0.0/8"), ", "))
}

// One REST API and one HTTP API, written in four ways, give the same answers to the same requests, and so does what `portcullis convert`
// makes of each definition.
func TestDefinitionsAnswerAlike(t *testing.T) {
	t.Parallel()
	envoytest.Require(t)
	own := newSigner(t)
	files, requests, beside := definitionFiles(t, own), definedRequests(t, own), here(t)
	if len(requests) < 200 {
		t.Fatalf("%d requests, want 200", len(requests))
	}
	answers := func(t *testing.T, config string) []exchanged {
		return answersTo(t, setup{config: config, files: files, printed: []string{}}, requests)
	}
	want := answers(t, beside.Replace(definitionFile(t, "portcullis.yaml")+besideAPIs))
	bothWays(t, requests, want)
	for way := range writings {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			config := beside.Replace(written(way))
			if diff := cmp.Diff(want, answers(t, config)); diff != "" {
				t.Errorf("the answers of portcullis.yaml and of %s differ (-want +got):\n%s", way, diff)
			}
			converted := converted(t, files, config)
			if strings.Contains(converted, "definition:") {
				t.Errorf("the converted file names a definition:\n%s", converted)
			}
			if diff := cmp.Diff(want, answers(t, converted)); diff != "" {
				t.Errorf("the answers of portcullis.yaml and of what is converted from %s differ (-want +got):\n%s", way, diff)
			}
		})
	}
}

// converted is what portcullis convert prints for a configuration.
func converted(t *testing.T, files map[string]string, config string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "portcullis.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	program := portcullis(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "convert")
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("portcullis convert: %v\n%s", err, errs.String())
	}
	return out.String()
}

// exchanged is a request, its answer and what the upstream saw, without ids and times.
type exchanged struct{ Request, Answer, Upstream string }

var (
	ids     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	moments = regexp.MustCompile(`(?im)^(date|x-envoy-upstream-service-time|x-envoy-expected-rq-timeout-ms|apigw-requestid): .*$`)
)

// answersTo runs a stack and sends it requests.
func answersTo(t *testing.T, c setup, requests []definedRequest) []exchanged {
	t.Helper()
	s := start(t, c)
	all := make([]exchanged, len(requests))
	for i, r := range requests {
		a := s.send(t, r.wire)
		all[i] = exchanged{r.name, moments.ReplaceAllString(ids.ReplaceAllString(a.raw, "ID"), "$1: *"), ""}
		for _, seen := range s.upstream.Take() {
			all[i].Upstream += ids.ReplaceAllString(fmt.Sprintf("%+v", seen), "ID") + "\n"
		}
	}
	return all
}

// bothWays fails unless each target is allowed for one request and refused for another.
func bothWays(t *testing.T, requests []definedRequest, answers []exchanged) {
	t.Helper()
	allowed, refused := map[string]bool{}, map[string]bool{}
	for i, r := range requests {
		passed := strings.HasPrefix(answers[i].Answer, "HTTP/1.1 200") || strings.HasPrefix(answers[i].Answer, "HTTP/1.1 204")
		if passed != (answers[i].Upstream != "") && !strings.Contains(answers[i].Answer, "204 No Content") {
			t.Errorf("%s: the answer %s, and the upstream saw %q", r.name, answers[i].Answer, answers[i].Upstream)
		}
		allowed[r.target] = allowed[r.target] || passed
		refused[r.target] = refused[r.target] || !passed
	}
	for target := range refused {
		if nothing := strings.Contains(target, "nothing"); allowed[target] == nothing || !refused[target] {
			t.Errorf("%s: allowed %t, refused %t", target, allowed[target], refused[target])
		}
	}
}

// definedRequest is a request as it stands on the wire.
type definedRequest struct{ name, target, wire string }

// definedRequests are requests for all routes of the two APIs, each with every credential.
func definedRequests(t *testing.T, own *signer) []definedRequest {
	t.Helper()
	var all []definedRequest
	add := func(host, method, target, name string, headers ...string) {
		lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + host, "Connection: close"}, headers...)
		all = append(all, definedRequest{strings.Join([]string{method, host + target, name}, " "), host + target, strings.Join(lines, "\r\n") + "\r\n\r\n"})
	}
	credentials := definedCredentials(t, own)
	for host, targets := range map[string][]string{
		"pets.example.com": {"/open", "/signed", "/token", "/me", "/orders", "/key", "/inside", "/pets/7", "/pets/7/toys", "/nothing"},
		"shop.example.com": {"/stock", "/signed", "/trades/7", "/elsewhere"},
	} {
		for _, target := range targets {
			for _, name := range slices.Sorted(maps.Keys(credentials)) {
				add(host, "GET", target, name, credentials[name]...)
			}
			for _, caller := range []who{user(owner, grants), user(owner, silent), user(owner, refuses)} {
				add(host, "GET", target, "signed by "+caller.arn, signedLines(t, host, target, caller)...)
			}
			add(host, "OPTIONS", target, "preflight", "Origin: https://www.example.com", "Access-Control-Request-Method: GET")
			add(host, "DELETE", target, "nothing")
		}
	}
	add("shop.example.com", "GET", "/elsewhere", "twice the token", "X-Token: a", "Host: other")
	add("pets.example.com", "OPTIONS", "/me", "another origin", "Origin: https://evil.example.com", "Access-Control-Request-Method: GET")
	add("shop.example.com", "GET", "/stock", "another origin", "Origin: https://evil.example.com")
	return all
}

// definedCredentials are header lines by what they show.
func definedCredentials(t *testing.T, own *signer) map[string][]string {
	t.Helper()
	token := func(claims string) string {
		return own.sign(t, own.header, fmt.Sprintf(`{"sub":"ann","iat":%d,"exp":9999999999,%s}`, time.Now().Unix(), claims))
	}
	const pool = `"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI",`
	return map[string][]string{
		"nothing":             nil,
		"a good token":        {"X-Token: good"},
		"a bad token":         {"X-Token: bad"},
		"a token out of form": {"X-Token: G00D"},
		"an id token":         {"Authorization: " + token(pool+`"token_use":"id","aud":"client"`)},
		"an access token":     {"Authorization: " + token(pool+`"token_use":"access","client_id":"client","scope":"orders/read other"`)},
		"another scope":       {"Authorization: " + token(pool+`"token_use":"access","client_id":"client","scope":"orders/delete"`)},
		"another pool":        {"Authorization: " + token(`"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_other","token_use":"id","aud":"client"`)},
		"staff":               {bearer(token(`"iss":"https://id.example.com/","aud":"shop","scope":"stock/read"`))},
		"staff without scope": {bearer(token(`"iss":"https://id.example.com/","aud":"shop"`))},
		"a key":               {"x-api-key: key-0123456789-0123456789"},
		"a wrong key":         {"x-api-key: key-0123456789-0000000000"},
		"inside":              {"X-Forwarded-For: 203.0.113.7"},
		"an address denied":   {"X-Forwarded-For: 198.51.100.7", "X-Token: good", "x-api-key: key-0123456789-0123456789"},
	}
}

// signedLines are the headers of a signed request.
func signedLines(t *testing.T, host, target string, caller who) []string {
	t.Helper()
	r := by(caller, inHeader, "GET", target)
	r.URL = "https://" + host + target
	var lines []string
	for _, h := range goClient().mustSign(t, r).Headers {
		lines = append(lines, h[0]+": "+h[1])
	}
	return lines
}

// includingDefinition is a template whose routes stand in another file.
const includingDefinition = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Pets:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      DefinitionBody:
        Fn::Transform: {Name: AWS::Include, Parameters: {Location: parts/pets.yaml}}
`

// A change of a definition, or of a file that it includes, is noticed. One that cannot be used leaves the configuration as it is.
func TestDefinitionsAreReloaded(t *testing.T) {
	t.Parallel()
	open := "openapi: 3.0.1\npaths:\n  /pets:\n    get: {x-amazon-apigateway-integration: {type: mock}}\n"
	closed := strings.Replace(open, "get: {", "get: {x-amazon-apigateway-auth: {type: AWS_IAM}, ", 1)
	unknown := strings.Replace(open, "get: {", "get: {security: [{nobody: []}], ", 1)
	s := start(t, setup{
		config: besideAPI("{file: api/template.yaml}"), printed: []string{},
		files: map[string]string{"api/template.yaml": includingDefinition, "api/parts/pets.yaml": closed, owner + ".json": export(owner), "access-keys.yaml": keysOfOwner()},
	})
	status := func() int {
		a := s.get(t, "/pets")
		s.upstream.Take()
		return a.status
	}
	if got := status(); got != 403 {
		t.Fatalf("status %d, want 403", got)
	}
	refusals := func() float64 { return s.metric(t, `portcullis_reloads_total{result="refused"}`) }
	for _, broken := range []struct{ file, text, complaint string }{
		{"api/parts/pets.yaml", unknown, "nobody"},
		{"api/parts/pets.yaml", "paths: [", "pets.yaml"},
		{"api/template.yaml", "Resources: {}", "the file defines no API"},
	} {
		before, had := refusals(), s.portcullis.Stderr()
		s.write(t, broken.file, broken.text)
		eventually(t, "the definition is refused", func() bool { return refusals() > before })
		if log := strings.TrimPrefix(s.portcullis.Stderr(), had); !strings.Contains(log, broken.complaint) {
			t.Errorf("%s: the log does not say %q:\n%s", broken.file, broken.complaint, log)
		}
		if got := status(); got != 403 {
			t.Errorf("%s: status %d after a refused change, want 403", broken.file, got)
		}
		s.write(t, "api/parts/pets.yaml", closed)
	}
	s.write(t, "api/template.yaml", includingDefinition)
	s.write(t, "api/parts/pets.yaml", open)
	eventually(t, "the included file opens the route", func() bool { return status() == 200 })
	s.write(t, "api/template.yaml", strings.Replace(includingDefinition, "StageName: prod", `StageName: prod
      Auth: {ResourcePolicy: {CustomStatements: [{Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}]}}`, 1))
	eventually(t, "the template's policy denies", func() bool { return status() == 403 })
}

// besideAPI is the configuration of one API with a definition.
func besideAPI(definition string) string {
	pets, _, _ := strings.Cut(strings.Replace(besideDefinitions, "PETS", definition, 1), "    upstreamHeaders")
	return pets + "iam: {accounts: [{file: 111122223333.json}], accessKeys: [{file: access-keys.yaml}]}\n"
}
