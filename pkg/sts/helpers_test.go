package sts

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const (
	issuer      = "https://id.example.com/realm"
	stsAudience = "https://sts.example.com"
	pod         = "arn:aws:iam::111122223333:role/apps/pod"
	ops         = "arn:aws:iam::111122223333:role/ops"
	secret      = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// account has alice, who may assume ops, bob, who may do nothing, and pod, which trusts a workload of the issuer.
const account = `{
	"UserDetailList": [
		{"Path": "/", "UserName": "alice", "UserId": "AIDAALICE0000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:user/alice", "GroupList": [],
			"AttachedManagedPolicies": [], "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17",
				"Statement": {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "Resource": "*"}}}]},
		{"Path": "/", "UserName": "bob", "UserId": "AIDABOB000000000EXAMPLE", "Arn": "arn:aws:iam::111122223333:user/bob", "GroupList": [],
			"AttachedManagedPolicies": [], "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17",
				"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}}]}
	],
	"GroupDetailList": [],
	"RoleDetailList": [
		{"Path": "/apps/", "RoleName": "pod", "RoleId": "AROAPOD000000000EXAMPLE", "Arn": "` + pod + `", "RolePolicyList": [], "AttachedManagedPolicies": [],
			"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
				"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/id.example.com/realm"},
				"Condition": {"StringEquals": {"id.example.com/realm:sub": "system:serviceaccount:shop:cart"}}}}},
		{"Path": "/", "RoleName": "ops", "RoleId": "AROAOPS000000000EXAMPLE", "Arn": "` + ops + `", "RolePolicyList": [], "AttachedManagedPolicies": [],
			"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
				"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}}}
	],
	"Policies": [{"PolicyName": "Narrow", "Arn": "arn:aws:iam::111122223333:policy/Narrow", "PolicyId": "ANPANARROW000000EXAMPLE", "Path": "/", "DefaultVersionId": "v1",
		"IsAttachable": true, "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document":
			{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}]}]
}`

var signingKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// claims are a token's payload.
type claims = map[string]any

// token signs a good token with changed claims; nil removes one.
func token(t testing.TB, change claims) string {
	t.Helper()
	now := time.Now().Unix()
	payload := claims{"iss": issuer, "aud": []string{stsAudience}, "sub": "system:serviceaccount:shop:cart", "exp": now + 600, "iat": now - 5}
	for name, value := range change {
		if payload[name] = value; value == nil {
			delete(payload, name)
		}
	}
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64([]byte(`{"alg":"ES256","kid":"k1"}`)) + "." + b64(text)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, signingKey(), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// fixture is a Server that is called without a network.
type fixture struct {
	*Server
	ring *session.Ring
	log  *lockedBuffer
	at   time.Time // the clock of signatures
}

type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newRing(t testing.TB) *session.Ring {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	ring, faults := session.NewRing([]session.RingKey{{ID: "k", Secret: base64.StdEncoding.EncodeToString(key), Issues: true}}, fault.Root(nil))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return ring
}

func newStore(t testing.TB, ring *session.Ring) *iam.Store {
	t.Helper()
	b := iam.NewBuilder()
	b.Sessions(ring)
	if faults := b.AddAccount([]byte(account), iam.Organization{}); len(faults) > 0 {
		t.Fatal(faults)
	}
	for id, user := range map[string]string{"AKIAALICE0000EXAMPLE": "user/alice", "AKIABOB000000EXAMPLE": "user/bob", "AKIAROOT00000EXAMPLE": "root"} {
		for _, f := range b.AddKey(&iam.AccessKey{ID: id, Secret: secret, User: "arn:aws:iam::111122223333:" + user}, fault.Root(nil)) {
			t.Fatal(f)
		}
	}
	return b.Store()
}

func newTokens(t testing.TB) *jwt.Verifier {
	t.Helper()
	public, err := signingKey().PublicKey.Bytes() // 4, X and Y
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	set := `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","use":"sig","x":"` + b64(public[1:33]) + `","y":"` +
		b64(public[33:]) + `"}]}`
	if err := os.WriteFile(file, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	sets := jwt.NewKeySets(slog.New(slog.DiscardHandler))
	t.Cleanup(sets.Close)
	v, err := jwt.NewVerifier(jwt.VerifierConfig{
		API: "sts", KeySets: sets, Algorithms: []string{"ES256"}, Rendering: jwt.RenderJSON,
		Sources: []jwt.Source{{Issuer: issuer, File: file}, {Issuer: "http://127.0.0.1:1/down"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	v.Start(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = v.WaitReady(ctx) // one of the issuers never is
	return v
}

func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{ring: newRing(t), log: &lockedBuffer{}, at: time.Now()}
	c := Config{
		Store: newStore(t, f.ring), Sessions: f.ring, Tokens: newTokens(t), CallsPerSecond: 10000, Hosts: []string{"example.com"},
		Audiences: map[string][]string{issuer: {stsAudience, "other"}, "http://127.0.0.1:1/down": {stsAudience}},
	}
	if change != nil {
		change(&c)
	}
	service, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = NewServer(ServerConfig{
		Current: func() (*Service, func()) { return service, func() {} }, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	return f
}

// form returns a call's parameters, with the version.
func form(action string, pairs ...string) url.Values {
	v := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i]] = append(v[pairs[i]], pairs[i+1])
	}
	return v
}

// post returns an unsigned call.
func post(parameters url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(parameters.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

func (f *fixture) signer(keyID string) sigv4test.Signer {
	return sigv4test.Signer{KeyID: keyID, Secret: secret, Region: "eu-west-1", Service: "sts", At: f.at}
}

// sign signs a call in its headers.
func sign(t testing.TB, s sigv4test.Signer, r *http.Request) *http.Request {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &authz.Request{Method: r.Method, Target: r.URL.RequestURI(), Host: r.Host}
	var lines []authz.Field
	for _, name := range []string{"Content-Type", "X-Portcullis-Sts"} {
		if value := r.Header.Get(name); value != "" {
			lines = append(lines, authz.Field{Name: strings.ToLower(name), Value: value})
		}
	}
	a.SetHeaders(lines)
	a.SetBody(body, authz.BodyComplete)
	s.Sign(a)
	for name, value := range a.Headers() {
		r.Header.Set(name, value)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}

// presigned returns a GET that is signed in its query.
func presigned(s sigv4test.Signer, query string) *http.Request {
	a := &authz.Request{Method: http.MethodGet, Target: "/?" + query, Host: "example.com"}
	a.SetBody(nil, authz.BodyComplete)
	s.Presign(a)
	return httptest.NewRequest(http.MethodGet, a.Target, nil)
}

// answer is an answer, with every element of the XML by its name.
type answerOf struct {
	status int
	body   string
	header http.Header
	texts  map[string]string
}

func (f *fixture) send(t testing.TB, r *http.Request) answerOf {
	t.Helper()
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	a := answerOf{status: w.Code, body: w.Body.String(), header: w.Header(), texts: map[string]string{}}
	if w.Header().Get("Content-Type") != "text/xml" {
		return a
	}
	decoder, name := xml.NewDecoder(strings.NewReader(a.body)), ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		switch v := token.(type) {
		case xml.StartElement:
			name = v.Name.Local
		case xml.CharData:
			if text := strings.TrimSpace(string(v)); text != "" {
				a.texts[name] += text
			}
		}
	}
	if id := a.texts["RequestId"]; id == "" || id != w.Header().Get("x-amzn-RequestId") {
		t.Errorf("request ids %q and %q", id, w.Header().Get("x-amzn-RequestId"))
	}
	return a
}

// refused checks an error's status and code.
func (f *fixture) refused(t testing.TB, name string, r *http.Request, status int, code Code, message string) {
	t.Helper()
	a := f.send(t, r)
	kind := "Sender"
	if status >= 500 {
		kind = "Receiver"
	}
	if a.status != status || a.texts["Code"] != string(code) || a.texts["Type"] != kind || !strings.Contains(a.texts["Message"], message) {
		t.Errorf("%s: %d %s, want %d %s with %q", name, a.status, a.body, status, code, message)
	}
}

// granted checks that a call returns credentials, and returns the answer.
func (f *fixture) granted(t testing.TB, name string, r *http.Request) answerOf {
	t.Helper()
	a := f.send(t, r)
	if a.status != http.StatusOK || a.texts["AccessKeyId"] == "" || a.texts["SecretAccessKey"] == "" || a.texts["SessionToken"] == "" || a.texts["Expiration"] == "" {
		t.Errorf("%s: %d %s", name, a.status, a.body)
	}
	return a
}

func webForm(t testing.TB, change claims, pairs ...string) url.Values {
	t.Helper()
	v := form("AssumeRoleWithWebIdentity", "RoleArn", pod, "RoleSessionName", "cart-1", "WebIdentityToken", token(t, change))
	maps.Copy(v, form("AssumeRoleWithWebIdentity", pairs...))
	return v
}

func assumeForm(pairs ...string) url.Values {
	v := form("AssumeRole", "RoleArn", ops, "RoleSessionName", "deploy")
	maps.Copy(v, form("AssumeRole", pairs...))
	return v
}

func withToken(s sigv4test.Signer, token string) sigv4test.Signer {
	s.Token = token
	return s
}

// change replaces a body.
func change(r *http.Request, body string) *http.Request {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}
