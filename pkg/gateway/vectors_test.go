package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"iter"
	"net/netip"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// vector is one row of testdata/apigateway.jsonl: what API Gateway is documented or was observed to do.
type vector struct {
	ID, Area string
	Given    struct {
		API, APIID, Account, Region, Stage, Auth, Endpoint, Route, Resource string

		CallerAccount, CallerARN, IdentityPolicy, IdentityPolicyResource string

		Routes           []string
		ResourcePolicy   []json.RawMessage
		VPCEPolicy       string `json:"vpcePolicy"`
		GatewayResponses map[string]GatewayResponse
	}
	Request struct {
		Method, Path, SourceIP, VPCE, VPC, VPCSourceIP, SigV4, PrincipalOrgID string

		TLS     bool
		Headers map[string]string
	}
	Expected struct {
		Decision, Kind, MethodARN, Expanded string
		// Route is null where there must be none.
		Route               json.RawMessage
		Status              int
		Body, LegacyBody    json.RawMessage
		Headers             map[string]string
		BodyMessageContains []string

		BodyMessageStartsWith, BodyKey string

		PathParameters map[string]string
	}
}

// notYetRun are the rows that need what does not exist yet, and why.
var notYetRun = map[string]string{
	"arn-ws":  "WebSocket API",
	"arn-414": "its path is described, not written; TestLongARN and TestLongARNOfSignedRequest",
	"iam-9":   "the wording of old; iam-7 and iam-8 have the current one",
}

// rows returns the rows of a file, each a line in JSON.
func rows(t *testing.T, name string) iter.Seq[[]byte] {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Lines(data)
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	var vectors []vector
	for line := range rows(t, "testdata/apigateway.jsonl") {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

func TestVectors(t *testing.T) {
	ran := 0
	skipped := map[string]bool{}
	for _, v := range readVectors(t) {
		if notYetRun[v.ID] != "" {
			skipped[v.ID] = true
			continue
		}
		ran++
		t.Run(v.ID, func(t *testing.T) { v.run(t) })
	}
	if ran < 80 || len(skipped) != len(notYetRun) {
		t.Errorf("%d rows ran, %d of %d were left out", ran, len(skipped), len(notYetRun))
	}
}

func (v *vector) run(t *testing.T) {
	g := mustCompile(t, Config{APIs: []API{v.api(t)}, VPCEndpoints: v.endpoints(t), Signatures: v.signatures(t)})
	r := v.request()
	v.sign(t, r)
	in := &invocation{gateway: g.model, request: r}
	_ = in.find()
	d := authorizeExplained(t, g, r)

	if v.Expected.Decision != "" {
		if want := v.Expected.Decision == "allow"; d.Allow != want {
			t.Fatalf("allow %v, want %v: %+v", d.Allow, want, d.Reason)
		}
	}
	if v.Expected.MethodARN != "" || v.Expected.Expanded != "" {
		if !d.Allow {
			t.Errorf("the policy that allows %s%s alone does not allow: %+v", v.Expected.MethodARN, v.Expected.Expanded, d)
		}
	}
	if v.Expected.Route != nil {
		want := ""
		if err := json.Unmarshal(v.Expected.Route, &want); err != nil {
			t.Fatal(err)
		}
		if d.Route != want {
			t.Errorf("route %q, want %q", d.Route, want)
		}
	}
	for name, want := range v.Expected.PathParameters {
		if got, _ := in.route.Parameter(name, in.path); got != want {
			t.Errorf("path parameter %s = %q, want %q", name, got, want)
		}
	}
	v.checkAnswer(t, d)
	if v.Expected.LegacyBody != nil {
		a := v.api(t)
		a.LegacyMessages = true
		checkBody(t, mustNew(t, a).Authorize(t.Context(), r).Denial.Body, v.Expected.LegacyBody)
	}
}

func (v *vector) checkAnswer(t *testing.T, d authz.Decision) {
	t.Helper()
	if v.Expected.Status != 0 && d.Denial.Status != v.Expected.Status {
		t.Errorf("status %d, want %d", d.Denial.Status, v.Expected.Status)
	}
	for name, want := range v.Expected.Headers {
		if got := header(d, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if v.Expected.Body != nil {
		checkBody(t, d.Denial.Body, v.Expected.Body)
	}
	for _, want := range v.Expected.BodyMessageContains {
		if !strings.Contains(d.Denial.Body, want) {
			t.Errorf("body %s, want %q in it", d.Denial.Body, want)
		}
	}
	key := `{"` + cmp.Or(v.Expected.BodyKey, "message") + `":"`
	if want := v.Expected.BodyMessageStartsWith; want != "" && !strings.HasPrefix(d.Denial.Body, key+want) {
		t.Errorf("body %s, want %s%s…", d.Denial.Body, key, want)
	}
	if v.Expected.BodyKey != "" && !strings.HasPrefix(d.Denial.Body, key) {
		t.Errorf("body %s, want the key %s", d.Denial.Body, v.Expected.BodyKey)
	}
	codes := map[string]authz.Code{"implicit-deny": authz.CodeImplicitDeny, "explicit-deny": authz.CodeExplicitDeny}
	if want := codes[v.Expected.Kind]; want != "" && d.Reason.Code != want {
		t.Errorf("reason %s, want %s", d.Reason.Code, want)
	}
}

func checkBody(t *testing.T, got string, want json.RawMessage) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("body %s: %v", got, err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(b, a); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// api is the API that a row describes, reached by its default endpoint. Where a row is about an ARN, its policy allows this
// ARN and no other.
func (v *vector) api(t *testing.T) API {
	a := testAPI()
	a.ID, a.Account, a.Region = v.Given.APIID, v.Given.Account, v.Given.Region
	stage := v.Given.Stage
	if v.Given.Resource != "" {
		stage = strings.Split(v.stageAndPath(), "/")[1]
	}
	a.ExecuteAPIEndpoint, a.Stages = true, []Stage{{Name: stage}}
	a.HTTP = v.Given.API == "HTTP"
	a.GatewayResponses, a.Private = v.Given.GatewayResponses, v.Given.Endpoint == "PRIVATE"
	routes := v.Given.Routes
	if v.Given.Route != "" {
		routes = []string{v.Given.Route}
	}
	if len(routes) == 0 {
		routes = []string{"ANY /", "ANY /{proxy+}"}
	}
	for _, key := range routes {
		fields := strings.Fields(key)
		if fields[0] == "(none)" {
			continue
		}
		fields = append(fields, "")
		// A third word is an authorization type: no row that runs comes to a route that has one.
		authorization := None
		if v.Given.Auth == string(IAM) {
			authorization = IAM
		}
		a.Routes = append(a.Routes, Route{Method: fields[0], Resource: fields[1], Authorization: authorization})
	}
	switch {
	case v.Expected.MethodARN != "":
		return guardedBy(t, a, allowOnly(v.Expected.MethodARN))
	case v.Expected.Expanded != "":
		return guardedBy(t, a, allowOnly(v.Given.Resource))
	case v.Given.ResourcePolicy != nil:
		statements, err := json.Marshal(v.Given.ResourcePolicy)
		if err != nil {
			t.Fatal(err)
		}
		return guardedBy(t, a, `{"Version":"2012-10-17","Statement":`+string(statements)+`}`)
	}
	return a
}

// endpoints are the VPC endpoints that a row speaks of: one for whatever comes, in the VPC that the request is said to come
// from, and with the row's policy.
func (v *vector) endpoints(t *testing.T) []VPCEndpoint {
	if v.Given.Endpoint != "PRIVATE" {
		return nil
	}
	e := VPCEndpoint{ID: "vpce-any", VPC: v.Request.VPC, Networks: prefixes("0.0.0.0/0")}
	statements := map[string]string{
		"Allow only role/dev": `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + v.Given.Account + `:role/dev"},"Action":"execute-api:Invoke","Resource":"*"}`,
		"Allow Principal *":   `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}`,
		"denies this API":     `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:` + v.Given.APIID + `/*"}`,
		"custom Allow *":      `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}`,
	}
	if v.Given.VPCEPolicy != "" {
		e.Policy = endpointPolicy(t, statements[v.Given.VPCEPolicy])
	}
	return []VPCEndpoint{e}
}

func allowOnly(resource string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"` + resource + `"}}`
}

// stageAndPath is what a row about an abbreviation means: the stage and path that its expansion names.
func (v *vector) stageAndPath() string {
	_, rest, _ := strings.Cut(v.Expected.Expanded, v.Given.APIID)
	rest = strings.Replace(rest, "/GET/", "/", 1)
	return strings.Replace(rest, "*", v.Given.Stage, 1)
}

func (v *vector) request() *authz.Request {
	target := v.Request.Path
	if v.Expected.Expanded != "" {
		target = v.stageAndPath()
	}
	r := get(target)
	if v.Request.Method != "" {
		r.Method = v.Request.Method
	}
	r.Host = v.Given.APIID + ".execute-api." + v.Given.Region + ".amazonaws.com"
	if v.Request.TLS {
		r.ServerName = r.Host
	}
	if v.Request.SourceIP != "" {
		r.Peer = netip.MustParseAddr(v.Request.SourceIP)
	}
	if v.Request.VPCSourceIP != "" {
		r.Peer = netip.MustParseAddr(v.Request.VPCSourceIP)
	}
	r.VPCEndpoint = v.Request.VPCE
	var lines []string
	for name, value := range v.Request.Headers {
		lines = append(lines, strings.ToLower(name), value)
	}
	setHeaders(r, lines...)
	return r
}
