package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	plain "google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portcullis-authz/portcullis/pkg/explain"
)

// recorder stands between Envoy and portcullis and keeps each CheckRequest, in the JSON of grpcurl.
type recorder struct {
	authv3.UnimplementedAuthorizationServer
	portcullis authv3.AuthorizationClient

	mu   sync.Mutex
	last []byte
}

func (r *recorder) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	text, err := protojson.Marshal(in)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.last = text
	r.mu.Unlock()
	return r.portcullis.Check(ctx, in)
}

// recorded returns the last CheckRequest.
func (r *recorder) recorded() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

var portcullisCluster = regexp.MustCompile(`(?s)(- name: portcullis\n.*?port_value: )(\d+)`)

// between puts the recorder into a bootstrap.
func (r *recorder) between(t *testing.T, bootstrap string) string {
	t.Helper()
	found := portcullisCluster.FindStringSubmatch(bootstrap)
	if found == nil {
		t.Fatal("the bootstrap has no cluster of portcullis")
	}
	conn, err := grpc.NewClient("127.0.0.1:"+found[2], grpc.WithTransportCredentials(plain.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r.portcullis = authv3.NewAuthorizationClient(conn)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, r)
	serveUntilEnd(t, server, listener)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return portcullisCluster.ReplaceAllString(bootstrap, "${1}"+port)
}

// explainedStack is a stack whose denials are explained.
type explainedStack struct {
	*stack
	recorder *recorder
	own      *signer
}

func startExplained(t *testing.T) *explainedStack {
	t.Helper()
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_, _ = w.Write([]byte(`{"errorMessage":"the-function-says-s3cr3t"}`))
	}))
	t.Cleanup(function.Close)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "pkg", "explain", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	e := &explainedStack{recorder: &recorder{}, own: newSigner(t)}
	e.stack = start(t, withAdmin(t, setup{
		file: "iam.yaml", config: strings.ReplaceAll(read("portcullis.yaml"), "FUNCTION", function.URL) + "decisionLog: {file: {path: decisions.jsonl}, audit: REQUIRED}\n",
		files: map[string]string{
			"keys.json": e.own.set, "account.json": read("account.json"),
			"access-keys.yaml": "accessKeys:\n  - {id: AKIAALICE, secret: {value: the-s3cr3t-of-alice}, user: \"arn:aws:iam::111122223333:user/alice\"}\n",
		},
		change: func(_, bootstrap string) string { return e.recorder.between(t, bootstrap) },
	}))
	return e
}

// token returns a header line with a token.
func (e *explainedStack) token(t *testing.T, claims string) string {
	t.Helper()
	return bearer(e.own.sign(t, e.own.header, fmt.Sprintf(`{"iss":"https://id.example.com/","sub":"ann",%s}`, claims)))
}

// explanation runs `portcullis explain` with the files of the running portcullis, or against it.
func (e *explainedStack) explanation(t *testing.T, against bool, flags ...string) *explain.Report {
	t.Helper()
	args := []string{"explain", "-o", "json", "--config", filepath.Join(e.dir, "portcullis.yaml")}
	if against {
		args = []string{"explain", "-o", "json", "--against", e.portcullis.Admin, "--admin-token-file", e.adminToken(t)}
	}
	out, err := exec.CommandContext(t.Context(), portcullis(t), append(args, flags...)...).Output()
	var r explain.Report
	if json.Unmarshal(out, &r) != nil {
		t.Fatalf("portcullis explain %v: %v: %s", flags, err, out)
	}
	if strings.Contains(string(out), "s3cr3t") || strings.Contains(string(out), "eyJ") {
		t.Errorf("the explanation has what it must not have: %s", out)
	}
	return &r
}

func (e *explainedStack) adminToken(t *testing.T) string {
	t.Helper()
	file := filepath.Join(e.dir, "admin-token")
	if err := os.WriteFile(file, []byte(adminToken), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// agrees checks that an explanation says what the line of the log says.
func agrees(t *testing.T, how string, r *explain.Report, line map[string]any) {
	t.Helper()
	for name, got := range map[string]string{
		"decision": r.Decision, "reason": r.Reason.Code, "step": r.Step, "api": r.API, "stage": r.Stage, "route": r.Route, "authorizer": r.Authorizer,
		"policy": r.Reason.Policy, "statement": r.Reason.Statement, "condition": r.Reason.Condition, "condition_key": r.Reason.ConditionKey,
		"detail": r.Reason.Detail, "host": r.Request.Host, "path": r.Request.Path, "client": r.Request.Client,
	} {
		if want, _ := line[name].(string); got != want {
			t.Errorf("%s: %s is %q, the line has %q", how, name, got, want)
		}
	}
	if float64(r.Answer.Status) != line["status"] {
		t.Errorf("%s: status %d, the line has %v", how, r.Answer.Status, line["status"])
	}
	if len(r.Remedy) == 0 {
		t.Errorf("%s: nothing says what to do", how)
	}
}

// TestDenialsAreExplained takes the line of each denial and the CheckRequest that Envoy sent, and has both explained from the files and by
// the running portcullis.
func TestDenialsAreExplained(t *testing.T) {
	t.Parallel()
	e := startExplained(t)
	for i, tt := range e.denials(t) {
		t.Run(tt.name, func(t *testing.T) {
			a := e.send(t, asked{tt.host, tt.target, tt.headers}.wire())
			lines := e.decisions(t)
			if len(lines) != i+1 {
				t.Fatalf("%d lines, want %d", len(lines), i+1)
			}
			line, err := json.Marshal(lines[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append(tt.line, fmt.Sprintf(`"status":%d`, a.status)) {
				if !strings.Contains(string(line), want) {
					t.Errorf("the line has no %s: %s", want, line)
				}
			}
			e.write(t, "check.json", string(e.recorder.recorded()))
			for _, against := range []bool{false, true} {
				ofLine := e.explanation(t, against, "--log", string(line))
				agrees(t, fmt.Sprintf("line, against %v", against), ofLine, lines[i])
				ofCheck := e.explanation(t, against, "--check", filepath.Join(e.dir, "check.json"))
				agrees(t, fmt.Sprintf("check, against %v", against), ofCheck, lines[i])
				if ofCheck.Answer.Body != a.body {
					t.Errorf("the answer is %s, explained as %s", a.body, ofCheck.Answer.Body)
				}
				for _, r := range []*explain.Report{ofLine, ofCheck} {
					if all := strings.Join(r.Remedy, " "); !strings.Contains(all, tt.remedy) {
						t.Errorf("the remedy has no %q: %s", tt.remedy, all)
					}
				}
			}
		})
	}
}

// deniedCase is a request that is denied. The parts of its line say what to fix.
type deniedCase struct {
	name, host, target string
	headers            []string
	line               []string
	remedy             string
}

func (e *explainedStack) denials(t *testing.T) []deniedCase {
	t.Helper()
	const pets = "pets.example.com"
	inAnHour := fmt.Sprintf(`"exp":%d`, time.Now().Add(time.Hour).Unix())
	return []deniedCase{
		{"wrong signature", pets, "/orders/7", signedLines(t, pets, "/orders/7", who{id: "AKIAALICE", secret: "another-s3cr3t"}), []string{`"bad_signature"`, `"access_key":"AKIAALICE"`}, "AKIAALICE is known: compare its secret"},
		{"expired token", pets, "/staff", []string{e.token(t, `"aud":"pets","exp":1700000000`)}, []string{`"expired_token"`, `"authorizer":"staff"`, `"issuer":"https://id.example.com/"`}, "fetch a new one"},
		{"missing scope", pets, "/scoped", []string{e.token(t, `"aud":"pets","scope":"pets/list",`+inAnHour)},
			[]string{`"missing_scope"`, `"scopes":["pets/list"]`, `"needed_scopes":["pets/read","pets/write"]`}, "has the scopes pets/list; the route needs one of: pets/read, pets/write"},
		{"resource policy by address", pets, "/office", nil,
			[]string{`"explicit_deny"`, `"statement":"NotOffice"`, `"condition":"NotIpAddress"`, `"condition_key":"aws:SourceIp"`, `"client":"127.0.0.1"`}, "NotOffice of resource-policy denies by its condition"},
		{"implicit deny", pets, "/nobody", nil, []string{`"implicit_deny"`, `"route":"GET /nobody"`, `"condition_key":"aws:PrincipalTag/team"`}, "/prod/GET/nobody"},
		{"unknown host", "cats.example.com", "/", nil, []string{`"unknown_host"`, `"host":"cats.example.com"`}, "Add cats.example.com to the domains of a stage"},
		{"body not buffered", pets, "/uploads/7", signedLines(t, pets, "/uploads/7", who{id: "AKIAALICE", secret: "the-s3cr3t-of-alice"}), []string{`"envoy_config"`, "with_request_body", "portcullis.body: buffered"}, "Change the Envoy setting"},
		{"function failure", pets, "/trades", []string{"Authorization: t"}, []string{`"authorizer_answer"`, `"authorizer":"partners"`}, "Look at the authorizer partners"},
		{"wrong audience", pets, "/staff", []string{e.token(t, `"aud":"cats",`+inAnHour)}, []string{`"unauthorized"`, `"audience":["cats"]`, "audience is not one of"}, "for the audience cats"},
		{"private API without endpoint", "inside.example.com", "/pets", nil, []string{`"wrong_endpoint"`, "VPC endpoint"}, "vpcEndpoints"},
	}
}
