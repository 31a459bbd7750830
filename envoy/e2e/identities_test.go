package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const (
	identityIssuer   = "https://id.example.com"
	identityAudience = "sts.pets.example.com"
	identitySubject  = "system:serviceaccount:shop:pets"
	workloadRole     = "arn:aws:iam::111122223333:role/workloads/pets"
)

// forWorkloads is an API for a role of workloads, which its service accounts get by their tokens. The role may use rex, and with the tag
// team=cats also tom.
const forWorkloads = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [127.0.0.1]}
    upstreamHeaders: {x-caller: $context.identity.userArn, x-key: $context.identity.accessKey}
    defaultAuthorization: AWS_IAM
    routes:
      - route: ANY /@connections/{id}
iam:
  roles:
    - arn: ` + workloadRole + `
      trustPolicy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/id.example.com"}
            Action: [sts:AssumeRoleWithWebIdentity, sts:TagSession]
            Condition: {StringEquals: {"id.example.com:aud": ` + identityAudience + `, "id.example.com:sub": "` + identitySubject + `"}}
      policies:
        - Version: "2012-10-17"
          Statement:
            - {Effect: Allow, Action: execute-api:Invoke, Resource: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/*/@connections/rex"}
            - {Effect: Allow, Action: execute-api:Invoke, Resource: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/*/@connections/tom",
               Condition: {StringEquals: {"aws:PrincipalTag/team": cats}}}
  sessions: {keys: [{id: "2026-11", secret: {value: "DzpiHlJAB5W00b58t0jXvBrLJoF+TiDSMXzh6zAZMVU="}, use: ISSUE}]}
issuers:
  "` + identityIssuer + `": {jwksUri: "JWKS", audiences: [` + identityAudience + `]}
`

// identities is a stack with STS, and the issuer of the workloads' tokens.
type identities struct {
	*stack
	issuer *envoytest.OIDCProvider
}

// startIdentities runs them.
func startIdentities(t *testing.T, issuer *envoytest.OIDCProvider) *identities {
	t.Helper()
	s := start(t, setup{
		file:   "iam.yaml",
		config: strings.Replace(forWorkloads, "JWKS", issuer.JWKS, 1),
		edits:  []envoytest.Edit{{Old: "domains: [pets.example.com]", New: "domains: [127.0.0.1]"}},
		flags:  []string{"--sts", "127.0.0.1:0"},
		answer: func(envoytest.Seen) string { return "{}" },
	})
	return &identities{s, issuer}
}

// writeToken writes a token of the workload to a file, with the tag team unless it is empty. It ends with a newline, as some tools write it.
func (s *identities) writeToken(t *testing.T, file, team string) {
	t.Helper()
	claims := map[string]any{"sub": identitySubject, "client_id": nil}
	if team != "" {
		claims["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": map[string]any{"team": []string{team}}}
	}
	text := s.issuer.Token(t, envoytest.TokenRequest{Audience: identityAudience, Claims: claims})
	if err := os.WriteFile(file+".new", []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// bare is the environment of a workload without credentials: it knows nothing of this machine's AWS.
func bare(t *testing.T) []string {
	t.Helper()
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}
}

// workloadEnvironment is what a workload is told, and nothing else.
func workloadEnvironment(t *testing.T, sts, token string, more ...string) []string {
	t.Helper()
	return append(append(bare(t),
		"AWS_ROLE_ARN="+workloadRole, "AWS_WEB_IDENTITY_TOKEN_FILE="+token, "AWS_ENDPOINT_URL_STS="+sts, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"), more...)
}

// does runs an errand and holds the status against what is expected. It returns what the upstream saw of an allowed one.
func (s *identities) does(t *testing.T, w workload, method, connection string, body []byte, want int) envoytest.Seen {
	t.Helper()
	s.upstream.Take()
	status, err := w.run(errand{Endpoint: "http://" + s.addr, Method: method, Connection: connection, Body: body})
	if err != nil || status != want {
		t.Fatalf("%s %s: status %d, %v, want %d", method, connection, status, err, want)
	}
	seen := s.upstream.Take()
	switch {
	case want != http.StatusOK && len(seen) > 0:
		t.Fatalf("the upstream saw %v of a request that was denied", seen)
	case want != http.StatusOK:
		return envoytest.Seen{}
	case len(seen) != 1:
		t.Fatalf("the upstream saw %d requests, want 1", len(seen))
	}
	got := seen[0]
	if got.Method != method || got.Target != "/@connections/"+connection || got.Body != string(body) {
		t.Errorf("the upstream saw %s %s with %q", got.Method, got.Target, got.Body)
	}
	if caller := got.Header("x-caller"); len(caller) != 1 || !strings.HasPrefix(caller[0], "arn:aws:sts::111122223333:assumed-role/pets/") {
		t.Errorf("the upstream was told of %q, want a session of the role", caller)
	}
	if token := got.Header("x-amz-security-token"); token != nil {
		t.Error("the upstream saw the session token")
	}
	return got
}

// calls is how often STS has issued a session for a web identity.
func (s *identities) calls(t *testing.T) float64 {
	t.Helper()
	return s.metric(t, `portcullis_sts_calls_total{action="AssumeRoleWithWebIdentity",code="OK"}`)
}

// The six AWS SDKs, unmodified and told by environment variables alone, get credentials and call a guarded API.
func TestWorkloadsGetCredentials(t *testing.T) {
	envoytest.Long(t)
	t.Parallel()
	s := startIdentities(t, envoytest.StartOIDCProvider(t, identityIssuer))
	token := filepath.Join(t.TempDir(), "token")
	s.writeToken(t, token, "")
	for _, c := range sdks() {
		t.Run(c.name, func(t *testing.T) {
			before := s.calls(t)
			w := c.start(t, workloadEnvironment(t, "http://"+s.portcullis.STS, token))
			first := s.does(t, w, "GET", "rex", nil, 200)
			second := s.does(t, w, "POST", "rex", everyByte(), 200)
			s.does(t, w, "GET", "tom", nil, 403)
			s.does(t, w, "POST", "tom", everyByte(), 403)
			if a, b := first.Header("x-key"), second.Header("x-key"); a[0] != b[0] || !strings.HasPrefix(a[0], "ASIA") {
				t.Errorf("the requests are signed with %s and %s, want one key that begins with ASIA", a, b)
			}
			if n := s.calls(t) - before; n != 1 {
				t.Errorf("%v calls of STS, want 1", n)
			}
		})
	}
	s.keepsTokens(t, token)
}

// keepsTokens fails if a token of the file, or a session token, is in what the programs wrote.
func (s *identities) keepsTokens(t *testing.T, file string) {
	t.Helper()
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(strings.TrimSpace(string(token)), ".")
	for _, text := range []string{s.envoy.Stdout(), s.envoy.Stderr(), s.portcullis.Stdout(), s.portcullis.Stderr()} {
		if strings.Contains(text, signature) || strings.Contains(strings.ToLower(text), "x-amz-security-token: ") {
			t.Error("a token is in a log")
		}
	}
	s.logsNoSecret(t)
}

// A profile names STS for processes that use AWS too.
func TestWorkloadsGetCredentialsByAProfile(t *testing.T) {
	envoytest.Long(t)
	t.Parallel()
	s := startIdentities(t, envoytest.StartOIDCProvider(t, identityIssuer))
	dir := t.TempDir()
	token, file := filepath.Join(dir, "token"), filepath.Join(dir, "config")
	s.writeToken(t, token, "")
	profile := `[profile pets]
role_arn = ` + workloadRole + `
web_identity_token_file = ` + token + `
role_session_name = by-profile
region = eu-west-1
services = portcullis

[services portcullis]
sts =
  endpoint_url = http://` + s.portcullis.STS + `
`
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range sdks() {
		t.Run(c.name, func(t *testing.T) {
			w := c.start(t, append(bare(t), "AWS_PROFILE=pets", "AWS_CONFIG_FILE="+file, "AWS_REGION=eu-west-1"))
			seen := s.does(t, w, "GET", "rex", nil, 200)
			if caller := seen.Header("x-caller")[0]; !strings.HasSuffix(caller, "/by-profile") {
				t.Errorf("the upstream was told of %s, want the session of the profile", caller)
			}
		})
	}
}

// expirySoon is a proxy in front of STS that tells clients an early end of their credentials.
func expirySoon(t *testing.T, sts string, left time.Duration) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: sts})
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		end := time.Now().Add(left).UTC().Format(time.RFC3339)
		body = expiration.ReplaceAll(body, []byte("<Expiration>"+end+"</Expiration>"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

var expiration = regexp.MustCompile(`<Expiration>[^<]*</Expiration>`)

// Each client renews its credentials before they end, with the token that its file then has: the new token has a tag by which the role may
// do more.
func TestWorkloadsRenewCredentials(t *testing.T) {
	t.Parallel()
	envoytest.Long(t)
	s := startIdentities(t, envoytest.StartOIDCProvider(t, identityIssuer))
	const lifetime = 12 * time.Second
	sts := expirySoon(t, s.portcullis.STS, lifetime)
	for _, c := range sdks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token := filepath.Join(t.TempDir(), "token")
			s.writeToken(t, token, "")
			w := c.start(t, workloadEnvironment(t, sts, token))
			visit := func(connection string) int {
				t.Helper()
				status, err := w.run(errand{Endpoint: "http://" + s.addr, Method: "GET", Connection: connection})
				if err != nil {
					t.Fatal(err)
				}
				return status
			}
			if rex, tom := visit("rex"), visit("tom"); rex != 200 || tom != 403 {
				t.Fatalf("status %d for rex and %d for tom, want 200 and 403", rex, tom)
			}
			s.writeToken(t, token, "cats")
			begun := time.Now()
			for visit("tom") != 200 {
				if status := visit("rex"); status != 200 {
					t.Fatalf("status %d for rex, want 200 all along", status)
				}
				if time.Since(begun) > 4*lifetime {
					t.Fatalf("after %v the session is still without the tag of the new token", time.Since(begun))
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Logf("%s has renewed its credentials after %v", c.name, time.Since(begun).Round(time.Second/10))
		})
	}
}

// Replicas share sessions by their keys alone.
func TestReplicasShareSessions(t *testing.T) {
	t.Parallel()
	issuer := envoytest.StartOIDCProvider(t, identityIssuer)
	one, two := startIdentities(t, issuer), startIdentities(t, issuer)
	token := filepath.Join(t.TempDir(), "token")
	one.writeToken(t, token, "")
	w := startGo(t, workloadEnvironment(t, "http://"+one.portcullis.STS, token))
	here := one.does(t, w, "GET", "rex", nil, 200)
	there := two.does(t, w, "POST", "rex", everyByte(), 200)
	two.does(t, w, "GET", "tom", nil, 403)
	if a, b := here.Header("x-key")[0], there.Header("x-key")[0]; a != b {
		t.Errorf("the replicas were asked with %s and %s, want one key", a, b)
	}
	if n := two.calls(t); n != 0 {
		t.Errorf("%v calls of the second replica's STS, want none", n)
	}
}

// Each client trusts a private authority by the environment. STS is that of another replica, because its certificate is that of the gRPC
// port too.
func TestWorkloadsTrustAPrivateAuthority(t *testing.T) {
	envoytest.Long(t)
	t.Parallel()
	dir := t.TempDir()
	newAuthority(t, dir).issue(t, dir, "sts", "localhost")
	s := startIdentities(t, envoytest.StartOIDCProvider(t, identityIssuer))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	replica, err := envoytest.StartPortcullis(ctx, portcullis(t), filepath.Join(s.dir, "portcullis.yaml"), "127.0.0.1:0",
		"--sts", "127.0.0.1:0", "--tls-cert", filepath.Join(dir, "sts.crt"), "--tls-key", filepath.Join(dir, "sts.key"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(replica.Stop)
	_, port, _ := strings.Cut(replica.STS, ":")
	token := filepath.Join(t.TempDir(), "token")
	s.writeToken(t, token, "")
	for _, c := range sdks() {
		t.Run(c.name, func(t *testing.T) {
			environment := workloadEnvironment(t, "https://localhost:"+port, token)
			if status, err := c.start(t, environment).run(errand{Endpoint: "http://" + s.addr, Method: "GET", Connection: "rex"}); err == nil {
				t.Errorf("without the authority: status %d, want an error", status)
			}
			s.does(t, c.start(t, append(environment, c.trust(t, filepath.Join(dir, "ca.crt")))), "GET", "rex", nil, 200)
		})
	}
}
