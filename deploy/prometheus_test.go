package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// watched has every kind of outside call. The issuer and Redis cannot be reached.
const watched = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      staff: {jwt: {issuers: [{issuer: "https://id.example.com/", audiences: [pets]}]}}
      partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:partners"}}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /staff, authorizer: staff}
      - {route: GET /partners, authorizer: partners}
functions: {"arn:aws:lambda:eu-west-1:111122223333:function:partners": {url: "FUNCTION"}}
issuers: {"https://id.example.com/": {jwksUri: "http://127.0.0.1:1/keys"}}
cache: {redis: {addresses: ["127.0.0.1:1"], password: {value: secret-password}, key: {value: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}}
`

// observed is a portcullis, and a Prometheus that scrapes it and knows the alerts.
type observed struct {
	config     string
	checks     authv3.AuthorizationClient
	prometheus string
	tokens     int
}

func observe(t *testing.T) *observed {
	t.Helper()
	bin, portcullis, dir := envoytest.RequirePrometheus(t), program(t), t.TempDir()
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}}`)
	}))
	t.Cleanup(function.Close)
	o := &observed{config: filepath.Join(dir, "portcullis.yaml")}
	save(t, dir, "portcullis.yaml", []byte(strings.ReplaceAll(watched, "FUNCTION", function.URL)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := envoytest.StartPortcullis(ctx, portcullis, o.config, "127.0.0.1:0", "--trace-endpoint=grpc://127.0.0.1:1", "--trace-share=1", "--drain-delay=0s")
	must(t, err)
	t.Cleanup(p.Kill)
	conn, err := grpc.NewClient(p.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	o.checks = authv3.NewAuthorizationClient(conn)

	save(t, dir, "alerts.yaml", []byte(read(t, alertsFile)))
	save(t, dir, "prometheus.yml", fmt.Appendf(nil, `global: {scrape_interval: 500ms, evaluation_interval: 1s}
rule_files: [alerts.yaml]
scrape_configs: [{job_name: portcullis, static_configs: [{targets: [%q]}]}]
`, p.Admin))
	server, err := envoytest.Start(filepath.Join(bin, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	must(t, err)
	t.Cleanup(server.Kill)
	listening := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	must(t, server.Await(ctx, func() bool {
		found := listening.FindStringSubmatch(server.Stderr())
		if found != nil {
			o.prometheus = "http://" + found[1]
		}
		return found != nil && strings.Contains(server.Stderr(), "Server is ready")
	}))
	return o
}

// check sends checks that are allowed, denied, and ask everything outside.
func (o *observed) check(t *testing.T) {
	t.Helper()
	o.tokens++
	for path, want := range map[string]bool{"/open": true, "/partners": true, "/staff": false, "/nothing": false} {
		out, err := o.checks.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: peer("127.0.0.1"), Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Host: "pets.example.com", Path: path, Scheme: "http", Headers: map[string]string{"authorization": fmt.Sprint("token", o.tokens)},
			}},
		}})
		must(t, err)
		if allowed := out.GetStatus().GetCode() == 0; allowed != want {
			t.Fatalf("%s: allowed %v: %v", path, allowed, out)
		}
	}
}

// query returns the number of series of an expression.
func (o *observed) query(t *testing.T, expr string) int {
	t.Helper()
	var answer struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	_, text := fetch(t, o.prometheus+"/api/v1/query?query="+url.QueryEscape(expr), "localhost")
	must(t, json.Unmarshal([]byte(text), &answer))
	if answer.Status != "success" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	return len(answer.Data.Result)
}

// rules returns the alerts as Prometheus evaluates them, by name.
func (o *observed) rules(t *testing.T) map[string]evaluated {
	t.Helper()
	var answer struct {
		Data struct{ Groups []struct{ Rules []evaluated } }
	}
	_, text := fetch(t, o.prometheus+"/api/v1/rules", "localhost")
	must(t, json.Unmarshal([]byte(text), &answer))
	found := map[string]evaluated{}
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			found[r.Name] = r
		}
	}
	return found
}

type evaluated struct{ Name, Health, State, LastError string }

var (
	metricName = regexp.MustCompile(`\b(?:portcullis|process)_[a-z_]+\b`)
	variables  = strings.NewReplacer("$__rate_interval", "10s", "$api", ".*")
)

// Every expression of the dashboard has a result, and every alert is evaluated, against a portcullis that allows and denies.
func TestExpressionsInPrometheus(t *testing.T) {
	t.Parallel()
	o := observe(t)
	text, err := expressions(t, "dashboard.json")
	must(t, err)
	missing := strings.Split(strings.TrimSpace(text), "\n")
	if len(missing) < 20 {
		t.Fatalf("%d expressions", len(missing))
	}
	for _, a := range alerts(t) {
		for _, name := range metricName.FindAllString(a.Expr, -1) {
			missing = append(missing, "count("+name+")")
		}
	}
	until(t, "a result of each expression", func() bool {
		o.check(t)
		var left []string
		for _, expr := range missing {
			if o.query(t, variables.Replace(expr)) == 0 {
				left = append(left, expr)
			}
		}
		if missing = left; len(left) > 0 && t.Context().Err() == nil {
			t.Logf("no result yet: %d, such as %s", len(left), left[0])
		}
		return len(left) == 0
	})
	until(t, "Prometheus evaluates every alert", func() bool {
		rules := o.rules(t)
		for _, a := range alerts(t) {
			if rules[a.Alert].Health != "ok" {
				return false
			}
		}
		return true
	})
	for name, want := range map[string]string{"PortcullisAbsent": "inactive", "PortcullisConfigRefused": "inactive", "PortcullisKeysMissing": "pending", "PortcullisFlushesLate": "pending"} {
		until(t, name+" is "+want, func() bool { return o.rules(t)[name].State == want })
	}
	save(t, filepath.Dir(o.config), "portcullis.yaml", []byte("nothing: true\n"))
	until(t, "the refused reload", func() bool { o.check(t); return o.rules(t)["PortcullisConfigRefused"].State == "pending" })
}
