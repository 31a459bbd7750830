package explain_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/explain"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const (
	alice  = "arn:aws:iam::111122223333:user/alice"
	secret = "the-secret-of-alice"
)

// issuer signs tokens; its keys are in a file.
type issuer struct{ key *rsa.PrivateKey }

func (i *issuer) keySet() string {
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k1","n":%q,"e":%q}]}`, b64(i.key.N.Bytes()), b64(big.NewInt(int64(i.key.E)).Bytes()))
}

func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": "https://id.example.com/", "aud": "pets", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + b64(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}

// world is a loaded configuration with an issuer and a function.
type world struct {
	*issuer
	snapshot *config.Snapshot
	calls    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{issuer: &issuer{key}}
	function := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		w.calls++
		out.Header().Set("X-Amz-Function-Error", "Unhandled")
		fmt.Fprint(out, `{"errorMessage":"the-function-says-a-secret"}`)
	}))
	t.Cleanup(function.Close)
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/portcullis.yaml")
	if err != nil {
		t.Fatal(err)
	}
	account, err := os.ReadFile("testdata/account.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"portcullis.yaml": strings.ReplaceAll(string(text), "FUNCTION", function.URL), "keys.json": w.keySet(), "account.json": string(account),
		"access-keys.yaml": "accessKeys:\n  - {id: AKIAALICE, secret: {value: " + secret + "}, user: \"" + alice + "\"}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if w.snapshot, err = config.Load(filepath.Join(dir, "portcullis.yaml"), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.snapshot.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	w.snapshot.Start(ctx)
	w.snapshot.Wait(ctx)
	return w
}

func (w *world) explain(t *testing.T, in *explain.Input, as string, offline bool) *explain.Report {
	t.Helper()
	r, err := explain.Explainer(w.snapshot.Gateway, w.snapshot.Signer)(t.Context(), in.Question(as, offline))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) ask(t *testing.T, method, url string, s explain.Setting, headers ...string) *explain.Report {
	t.Helper()
	in, err := explain.FromURL(method, url, headers, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return w.explain(t, in, "", false)
}

func text(t *testing.T, r *explain.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, explain.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// signedBy returns the header lines of a signed GET.
func signedBy(secret, path string) (lines []string) {
	r := &authz.Request{Method: "GET", Target: path, Host: "pets.example.com"}
	r.SetBody(nil, authz.BodyComplete)
	sigv4test.Signer{KeyID: "AKIAALICE", Secret: secret, Region: "eu-west-1", At: time.Now()}.Sign(r)
	for name, value := range r.Headers() {
		lines = append(lines, name+": "+value)
	}
	return lines
}

// Ten denials. Each names the step, the statement or key that decided, and what to change.
func TestTenDenials(t *testing.T) {
	w := newWorld(t)
	bearer := func(claims map[string]any) []string { return []string{"Authorization: Bearer " + w.token(t, claims)} }
	for _, tt := range []struct {
		name, url string
		setting   explain.Setting
		headers   []string
		step      authz.Step
		code      authz.Code
		want      []string
	}{
		{"wrong signature", "https://pets.example.com/orders/7", explain.Setting{}, signedBy("another-secret", "/orders/7"), authz.StepCaller, authz.CodeBadSignature,
			[]string{"access key    AKIAALICE", "The access key AKIAALICE is known: compare its secret."}},
		{"expired token", "https://pets.example.com/staff", explain.Setting{}, bearer(map[string]any{"exp": 1700000000}), authz.StepCaller, authz.CodeExpiredToken,
			[]string{"https://id.example.com/", "authorizer     staff", "fetch a new one"}},
		{"missing scope", "https://pets.example.com/scoped", explain.Setting{}, bearer(map[string]any{"scope": "pets/list"}), authz.StepCaller, authz.CodeMissingScope,
			[]string{"The token has the scopes pets/list; the route needs one of: pets/read, pets/write."}},
		{"resource policy by address", "https://pets.example.com/office", explain.Setting{Client: netip.MustParseAddr("203.0.113.7")}, nil, authz.StepDecision, authz.CodeExplicitDeny,
			[]string{"=> Deny", "NotOffice", "NotIpAddress aws:SourceIp (the request has: 203.0.113.7)", "Statement NotOffice of resource-policy denies by its condition"}},
		{"implicit deny", "https://pets.example.com/nobody", explain.Setting{}, nil, authz.StepDecision, authz.CodeImplicitDeny,
			[]string{"Allow execute-api:Invoke on arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/nobody, for example in resource-policy.", "Statement Tls of resource-policy would allow, but for its condition StringEquals aws:PrincipalTag/team"}},
		{"unknown host", "https://cats.example.com/", explain.Setting{}, nil, authz.StepStage, authz.CodeUnknownHost,
			[]string{"Add cats.example.com to the domains of a stage."}},
		{"body not buffered", "https://pets.example.com/orders/7", explain.Setting{Unbuffered: true}, signedBy(secret, "/orders/7"), authz.StepCaller, authz.CodeEnvoyConfig,
			[]string{"set with_request_body on the ext_authz filter", "Change the Envoy setting that the detail names."}},
		{"function failure", "https://pets.example.com/trades", explain.Setting{}, []string{"Authorization: t"}, authz.StepCaller, authz.CodeAuthorizerAnswer,
			[]string{"Look at the authorizer partners.", "Read the function's log"}},
		{"wrong audience", "https://pets.example.com/staff", explain.Setting{}, bearer(map[string]any{"aud": "cats"}), authz.StepCaller, authz.CodeUnauthorized,
			[]string{"for the audience cats", "the token's audience is not one of the authorizer's", "the authorizer staff"}},
		{"private API without endpoint", "https://inside.example.com/pets", explain.Setting{}, nil, authz.StepArrival, authz.CodeWrongEndpoint,
			[]string{"the API is private, and the request did not come by a known VPC endpoint", "vpcEndpoints"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.ask(t, "GET", tt.url, tt.setting, tt.headers...)
			if r.Decision != explain.Deny || r.Step != string(tt.step) || r.Reason.Code != tt.code.String() || r.Answer.Status < 400 || len(r.Remedy) == 0 {
				t.Errorf("%+v", r)
			}
			out := text(t, r)
			for _, want := range tt.want {
				if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			var b strings.Builder
			if err := r.JSON(&b); err != nil {
				t.Fatal(err)
			}
			for _, h := range tt.headers {
				_, value, _ := strings.Cut(h, ": ")
				if hidden := value[max(0, len(value)-20):]; len(value) > 20 && strings.Contains(out+b.String(), hidden) {
					t.Errorf("a header's value is shown: %s", hidden)
				}
			}
			if strings.Contains(out+b.String(), "a-secret") {
				t.Error("the function's text is shown")
			}
			if lines := strings.Count(out, "\n"); lines > 40 {
				t.Errorf("%d lines are more than one screen", lines)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	w := newWorld(t)
	r := w.ask(t, "GET", "https://pets.example.com/orders/7", explain.Setting{}, signedBy(secret, "/orders/7")...)
	if r.Decision != explain.Allow || r.Caller.Principal != alice || r.Reason.Statement != "ReadOrders" || len(r.Remedy) != 0 {
		t.Errorf("%+v", r)
	}
	if out := text(t, r); !strings.Contains(out, "Table A") {
		t.Error(out)
	}
}

func TestAs(t *testing.T) {
	w := newWorld(t)
	in, err := explain.FromURL("GET", "https://pets.example.com/orders/7", nil, nil, explain.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.explain(t, in, alice, false); r.Decision != explain.Allow || !strings.HasPrefix(r.Notes[0], "ASSUMED: "+alice) {
		t.Errorf("%+v", r)
	}
	if r := w.explain(t, in, "", false); r.Decision != explain.Deny || r.Reason.Code != "not_signed" {
		t.Errorf("%+v", r)
	}
	if _, err := explain.Explainer(w.snapshot.Gateway, w.snapshot.Signer)(t.Context(), in.Question("arn:aws:iam::1:user/nobody", false)); err == nil || !strings.Contains(err.Error(), "no access key") {
		t.Error(err)
	}
	other, err := explain.FromURL("GET", "https://pets.example.com/open", nil, nil, explain.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.explain(t, other, alice, false); len(r.Notes) != 2 || !strings.Contains(r.Notes[1], "had no part") {
		t.Errorf("%q", r.Notes)
	}
}

func TestOffline(t *testing.T) {
	w := newWorld(t)
	in, err := explain.FromURL("GET", "https://pets.example.com/trades", []string{"Authorization: t"}, nil, explain.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.explain(t, in, "", true); r.Decision != explain.Unknown || w.calls != 0 || r.Answer.Status != 0 {
		t.Errorf("%+v after %d calls", r, w.calls)
	}
}

// What a client sends reaches neither a terminal nor a page as it came.
func TestHostileText(t *testing.T) {
	w := newWorld(t)
	path := "/%1b%5b2J<script>alert(1)</script>/%E2%80%AE\u202e?token=the-query-secret"
	r := w.ask(t, "GET", "https://pets.example.com"+path, explain.Setting{}, "x-evil: \x1b]0;title\x07 the-header-secret")
	var b strings.Builder
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"\x1b", "\x07", "\u202e", "the-query-secret", "the-header-secret"} {
		if strings.Contains(b.String(), never) || strings.Contains(text(t, r), never) {
			t.Errorf("%q is shown", never)
		}
	}
	if strings.Contains(b.String(), "<script>") {
		t.Error("JSON has HTML")
	}
	var back explain.Report
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Errorf("the JSON cannot be read: %v", err)
	}
}

func TestForms(t *testing.T) {
	w := newWorld(t)
	raw, err := explain.FromHTTP([]byte("GET /office HTTP/1.1\r\nHost: pets.example.com\r\nX-A: 1\r\n\r\n"), explain.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	check, err := explain.FromCheck([]byte(`{"attributes":{"source":{"address":{"socketAddress":{"address":"127.0.0.1","portValue":1}}},"request":{"time":"2026-11-28T12:00:00Z","http":{"method":"GET","host":"pets.example.com","path":"/office","scheme":"https","headers":{":path":"/office"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	line, err := explain.FromLine([]byte(`{"msg":"decision","v":1,"time":"2026-11-28T12:00:00Z","decision":"deny","reason":"explicit_deny","host":"pets.example.com","method":"GET","path":"/office","client":"127.0.0.1"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]*explain.Input{"http": raw, "check": check, "line": line} {
		if r := w.explain(t, in, "", false); r.Decision != explain.Deny || r.Reason.Statement != "NotOffice" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A line of a signed request is explained for its caller, and says what differs.
func TestLineOfSigner(t *testing.T) {
	w := newWorld(t)
	line, err := explain.FromLine([]byte(`{"msg":"other"}
{"msg":"decision","v":1,"decision":"deny","reason":"implicit_deny","host":"pets.example.com","method":"GET","path":"/orders/7","principal":"` + alice + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	r := w.explain(t, line, "", false)
	if r.Decision != explain.Allow || !strings.Contains(strings.Join(r.Notes, "\n"), "the line says deny for the reason implicit_deny") {
		t.Errorf("%+v", r)
	}
}

// A line has no token, signature and API key. Where they decided, the line says why, and the missing ones do not.
func TestLinesOfCredentials(t *testing.T) {
	w := newWorld(t)
	const at = `{"msg":"decision","v":1,"decision":"deny","host":"pets.example.com","method":"GET","api":"a1b2c3d4e5","stage":"prod","step":"caller",`
	for text, want := range map[string]string{
		at + `"reason":"expired_token","status":401,"path":"/staff","authorizer":"staff","issuer":"https://id.example.com/","audience":["pets"]}`:                                          "fetch a new one",
		at + `"reason":"unauthorized","status":401,"path":"/staff","detail":"the token's audience is not one of the authorizer's","issuer":"https://id.example.com/","audience":["cats"]}`: "for the audience cats",
		at + `"reason":"missing_scope","status":403,"path":"/scoped","issuer":"https://id.example.com/","scopes":["pets/list"],"needed_scopes":["pets/read"]}`:                             "has the scopes pets/list; the route needs one of: pets/read.",
		at + `"reason":"bad_signature","status":403,"path":"/orders/7","access_key":"AKIAALICE","principal":"` + alice + `"}`:                                                              "AKIAALICE is known",
		at + `"reason":"made_up","status":403,"path":"/orders/7"}`:                                                                                                                         "",
	} {
		line, err := explain.FromLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r := w.explain(t, line, "", false)
		if r.Decision != explain.Deny || r.Reason.Code != r.Logged.Reason || r.Step != "caller" || r.Answer.Status != r.Logged.Status || !r.Steps[len(r.Steps)-1].Decided {
			t.Errorf("%s: %+v", text, r)
		}
		if !strings.Contains(strings.Join(r.Remedy, " "), want) || !strings.Contains(strings.Join(r.Notes, " "), "the line's own reason") {
			t.Errorf("%s: %q, %q", text, r.Remedy, r.Notes)
		}
	}
}

// A line of a decision that depended on what the line does not have is explained by itself, and never as a request that passes.
func TestLinesOfMore(t *testing.T) {
	w := newWorld(t)
	const at = `{"msg":"decision","v":1,"decision":"deny","status":400,"host":"pets.example.com","method":"GET","client":"198.51.100.7","path":"/open",`
	for text, want := range map[string]string{
		at + `"reason":"bad_request","step":"forwarded_host","detail":"names another host","api":"a1b2c3d4e5","stage":"prod","route":"GET /open"}`:                                                         "the detail names the part",
		at + `"reason":"bad_request","detail":"a header value holds NUL"}`:                                                                                                                                 "the detail names the part",
		at + `"reason":"bad_client_address","step":"decision","api":"a1b2c3d4e5","stage":"prod"}`:                                                                                                          "check trustedProxies",
		at + `"reason":"envoy_config","step":"stage","detail":"portcullis.stage"}`:                                                                                                                         "Change the Envoy setting",
		at + `"reason":"overload","detail":"more checks at once than --max-checks"}`:                                                                                                                       "portcullis_share_refused_total",
		at + `"reason":"uri_too_long","step":"arn_length","cut":["path"]}`:                                                                                                                                 "shorten the path",
		at + `"reason":"explicit_deny","step":"decision","policy":"resource-policy","statement":"Tls","condition":"Bool","condition_key":"aws:SecureTransport"}`:                                           "Statement Tls of resource-policy denies by its condition Bool aws:SecureTransport.",
		at + `"reason":"implicit_deny","step":"decision","condition":"StringLike","condition_key":"aws:referer","detail":"no resource-based policy allows the request","api":"a1b2c3d4e5","stage":"prod"}`: "StringLike aws:referer",
		`{"msg":"decision","v":1,"decision":"deny","reason":"undecodable","status":400,"detail":"the message is not a CheckRequest"}`:                                                                      "nothing but Envoy",
	} {
		line, err := explain.FromLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r := w.explain(t, line, "", false)
		if r.Decision != explain.Deny || r.Reason.Code != r.Logged.Reason || r.Step != r.Logged.Step || r.Answer.Status != 400 || len(r.Policies) > 0 {
			t.Errorf("%s: %+v", text, r)
		}
		if last := len(r.Steps) - 1; r.Step != "" && (r.Steps[last].Name != r.Step || r.Steps[last].Outcome != "denies") {
			t.Errorf("%s: steps %+v", text, r.Steps)
		}
		if !strings.Contains(strings.Join(r.Remedy, " "), want) || !strings.Contains(strings.Join(r.Notes, " "), "the line's own reason") {
			t.Errorf("%s: %q, %q", text, r.Remedy, r.Notes)
		}
	}
}

// A line of a call of STS names the role, and what to change there.
func TestLineOfSTS(t *testing.T) {
	w := newWorld(t)
	line, err := explain.FromLine([]byte(`{"msg":"decision","v":1,"decision":"deny","reason":"implicit_deny","step":"sts","status":403,"host":"sts.example.com","method":"POST",` +
		`"path":"/","principal":"ann","action":"AssumeRoleWithWebIdentity","role":"arn:aws:iam::111122223333:role/pod","session_name":"s","detail":"the role's trust policy does not allow"}`))
	if err != nil {
		t.Fatal(err)
	}
	r := w.explain(t, line, "", false)
	out := text(t, r)
	if r.Decision != explain.Deny || r.Step != "sts" || len(r.Policies)+len(r.Routes) > 0 {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{"change the trust policy of arn:aws:iam::111122223333:role/pod", "AssumeRoleWithWebIdentity", "the role's trust policy does not allow"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// The path of a line is the canonical one. It is asked about as a client wrote it, with its escapes.
func TestPathsOfLines(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/nowhere/a%3Fb%20c%23d", "/nowhere/%C3%A4", "/nowhere/100%25", "/nowhere/a%2Fb", "/nowhere/a%2541", "/nowhere/a;b*c"} {
		asked := w.ask(t, "GET", "https://pets.example.com"+path, explain.Setting{})
		text, err := json.Marshal(map[string]any{
			"msg": "decision", "v": 1, "decision": "deny", "reason": asked.Reason.Code, "step": asked.Step, "detail": asked.Reason.Detail,
			"host": "pets.example.com", "method": "GET", "path": asked.Request.Path, "api": "a1b2c3d4e5", "stage": "prod",
		})
		if err != nil {
			t.Fatal(err)
		}
		line, err := explain.FromLine(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.explain(t, line, "", false); r.Request.Path != asked.Request.Path || r.Reason.Code != asked.Reason.Code || len(r.Notes) != 1 {
			t.Errorf("%s: %+v, notes %q", path, r.Request, r.Notes)
		}
	}
}

// What is near is named, and nothing that an earlier step did not look for.
func TestNearMisses(t *testing.T) {
	w := newWorld(t)
	for url, want := range map[string]string{
		"https://pets.example.com/Office":    "The route GET /office is near: it differs in case from the path.",
		"https://shared.example.com/v2/pets": "The host shared.example.com has the base paths /v1, and the path begins with none of them.",
	} {
		if r := w.ask(t, "GET", url, explain.Setting{}); !slices.Contains(r.Remedy, want) {
			t.Errorf("%s: %q", url, r.Remedy)
		}
	}
	if r := w.ask(t, "GET", "https://inside.example.com/pets", explain.Setting{}); r.Step != string(authz.StepArrival) || len(r.Routes) > 0 {
		t.Errorf("routes %+v at the step %s", r.Routes, r.Step)
	}
}

// A screen has no text of any length, and every statement that only a condition keeps from applying.
func TestOneScreen(t *testing.T) {
	w := newWorld(t)
	r := w.ask(t, "GET", "https://pets.example.com/nowhere/"+strings.Repeat("é", 20_000), explain.Setting{})
	if out := text(t, r); len(out) > 12_000 || !strings.Contains(out, "more bytes; --full prints them)") || strings.Contains(out, "\ufffd") {
		t.Errorf("%d bytes", len(out))
	}
	r = w.ask(t, "GET", "https://pets.example.com/nobody", explain.Setting{})
	e := &r.Policies[0]
	for range 20 {
		e.Statements = append([]explain.Statement{{Policy: "p", Effect: "Allow", Because: "Resource"}}, e.Statements...)
	}
	if out := text(t, r); !strings.Contains(out, "resource-policy Tls does not apply: StringEquals aws:PrincipalTag/team") || strings.Count(out, "\n") > 40 {
		t.Error(out)
	}
}

// What could not be read is shown as received, as the log has it.
func TestRequestsThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	for url, want := range map[string]explain.Request{
		"https://pets.example.com/open/..%2foffice?a=secret": {Method: "GET", Host: "pets.example.com", Path: "/open/..%2foffice"},
		"https://pets.example.com<b>/open":                   {Method: "GET", Host: "pets.example.com<b>", Path: "/open"},
		"https://pets.example.com/open":                      {Method: "G+T", Host: "pets.example.com", Path: "/open"},
	} {
		r := w.ask(t, want.Method, url, explain.Setting{})
		r.Request.Client = ""
		if r.Request != want || r.Decision != explain.Deny || strings.Contains(strings.Join(r.Remedy, " "), "<b>") {
			t.Errorf("%s: %+v, %q", url, r.Request, r.Remedy)
		}
	}
}

// The lines that the server writes now can be explained.
func TestLineVersion(t *testing.T) {
	if explain.LineVersion != decisionlog.Version {
		t.Errorf("the decision log has the version %d, and lines of version %d can be explained", decisionlog.Version, explain.LineVersion)
	}
}

func TestInputsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"msg":"decision","v":2}`:        "the line has the version 2 (v); lines of version 1",
		`{"msg":"decision","reason":"x"}`: "the line has no version",
		`{"msg":"draining"}`:              "not a line of the decision log",
		`x`:                               "not a line of the decision log",
		`{"msg":"decision","v":1,"method":"GET","path":"/","client":"x"}`: "client is not an address",
	} {
		if _, err := explain.FromLine([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"GET /\r\n\r\n": "request line", "GET / HTTP/1.1\r\n\r\n": "no Host", "GET / HTTP/1.1\r\nno colon\r\n\r\n": "not valid HTTP/1.1",
	} {
		if _, err := explain.FromHTTP([]byte(text), explain.Setting{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for url, want := range map[string]string{"/x": "not absolute", "ftp://a/": "not absolute", "https:///x": "no host", "https://u:p@h/": "user name"} {
		if _, err := explain.FromURL("GET", url, nil, nil, explain.Setting{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
	in, err := explain.FromCheck([]byte(`{"attributes": "the-secret-token"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := explain.Explain(t.Context(), nil, in, explain.Options{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// Programs read these fields. None is renamed or removed.
func TestFieldsStay(t *testing.T) {
	const want = "decision step reason.code reason.cause reason.detail reason.policy reason.statement reason.condition reason.condition_key remedy notes " +
		"request.method request.host request.path request.client api stage route routes.route routes.chosen routes.why base_paths authorizer " +
		"caller.principal caller.access_key caller.issuer caller.audience caller.client_id caller.key_id caller.scopes needed_scopes cache " +
		"policies.step policies.policies policies.caller policies.resource policies.decision policies.statements.policy policies.statements.kind " +
		"policies.statements.statement policies.statements.effect policies.statements.applies policies.statements.because " +
		"policies.statements.conditions policies.statements.decided policies.values combined steps.name steps.outcome steps.found steps.decided " +
		"answer.status answer.headers answer.body answer.set_headers answer.remove_headers"
	got := map[string]bool{}
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct {
			got[strings.TrimPrefix(prefix, ".")] = true
			return
		}
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			walk(prefix+"."+name, of.Field(i).Type)
		}
	}
	walk("", reflect.TypeFor[explain.Report]())
	for field := range strings.SplitSeq(want, " ") {
		if !got[field] {
			t.Errorf("no field %s", field)
		}
	}
}
