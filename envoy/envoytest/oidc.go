package envoytest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// OIDCProvider is a running OpenID Connect issuer. Its key set holds a key each for RSA (RS256 to PS512), ES256, ES384 and EdDSA, and
// one that encrypts. Kill and Restart leave address and keys as they are.
type OIDCProvider struct {
	service
	// URL is where it listens. Issuer is what it calls itself, the URL unless the test chose another name; its discovery
	// document is at the URL all the same, but names addresses below the issuer.
	URL, Issuer string
	// JWKS is where the keys are.
	JWKS  string
	admin string
}

var (
	oidcLine      = regexp.MustCompile(`(?m)^listening on (http://127\.0\.0\.1:\d+)$`)
	oidcAdminLine = regexp.MustCompile(`(?m)^commands on (http://127\.0\.0\.1:\d+)$`)
)

// StartOIDCProvider runs oidc-provider until the test ends. The issuer is its own URL unless another name is given.
func StartOIDCProvider(tb testing.TB, issuer string) *OIDCProvider {
	tb.Helper()
	modules := filepath.Join(NodeIssuers.Require(tb), "node_modules")
	root, err := Root()
	if err != nil {
		tb.Fatal(err)
	}
	p, dir := &OIDCProvider{}, tb.TempDir()
	p.command = func() *exec.Cmd {
		cmd := exec.Command("node", filepath.Join(root, "envoy", "envoytest", "testdata", "oidc-provider.mjs"), dir, issuer)
		cmd.Env = append(os.Environ(), "NODE_MODULES="+modules)
		return cmd
	}
	p.ready = func(process *Process) bool {
		line, admin := oidcLine.FindStringSubmatch(process.Stdout()), oidcAdminLine.FindStringSubmatch(process.Stdout())
		if line == nil || admin == nil {
			return false
		}
		p.URL, p.admin = line[1], admin[1]
		return true
	}
	if err := p.begin(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	p.Issuer, p.JWKS = issuer, p.URL+"/jwks"
	if issuer == "" {
		p.Issuer = p.URL
	}
	p.keep(tb)
	return p
}

// TokenRequest says which access token the issuer makes.
type TokenRequest struct {
	// Alg is the algorithm, RS256 unless it is set.
	Alg string
	// Audience is the token's aud. It may not be empty.
	Audience string
	Scopes   []string
	// Lifetime is an hour unless it is set. Whole seconds count.
	Lifetime time.Duration
	// Claims are further ones. They replace what the issuer would write, and one that is nil is left out: the issuer signs
	// whatever is asked.
	Claims map[string]any
}

// Token returns an access token, which a client gets for its credentials.
func (p *OIDCProvider) Token(tb testing.TB, r TokenRequest) string {
	tb.Helper()
	if r.Alg == "" {
		r.Alg = "RS256"
	}
	if r.Lifetime == 0 {
		r.Lifetime = time.Hour
	}
	if r.Claims == nil {
		r.Claims = map[string]any{}
	}
	asked, err := json.Marshal(map[string]any{
		"alg": r.Alg, "audience": r.Audience, "scopes": append([]string{}, r.Scopes...), "seconds": int(r.Lifetime.Seconds()), "claims": r.Claims,
	})
	if err != nil {
		tb.Fatal(err)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"pets"}, "client_secret": {"pets"}, "scope": {strings.Join(r.Scopes, " ")},
		"resource": {"https://resource.example.com/?token=" + base64.RawURLEncoding.EncodeToString(asked)},
	}
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := post(tb.Context(), p.URL+"/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode(), &out); err != nil {
		tb.Fatal(err)
	}
	return out.AccessToken
}

// Rotate has new keys sign from now on. The old ones stay in the set until Retire.
func (p *OIDCProvider) Rotate(tb testing.TB) {
	tb.Helper()
	p.order(tb, "/rotate", "{}", nil)
}

// Retire takes the old keys out of the set.
func (p *OIDCProvider) Retire(tb testing.TB) {
	tb.Helper()
	p.order(tb, "/retire", "{}", nil)
}

// Fetches says how often the discovery document and the key set were asked for since the issuer started.
func (p *OIDCProvider) Fetches(tb testing.TB) (discovery, keys int) {
	tb.Helper()
	var out struct{ Discovery, Keys int }
	p.order(tb, "/fetches", "{}", &out)
	return out.Discovery, out.Keys
}

// What the issuer can answer wrongly.
const (
	AtKeys      = "keys"
	AtDiscovery = "discovery"
)

// Fault is a way to answer wrongly.
type Fault string

// The faults. FaultEmpty and FaultWithout make no sense for the discovery document, FaultOther none for the keys.
const (
	NoFault       Fault = ""
	FaultHang     Fault = "hang"     // no answer
	FaultError    Fault = "error"    // 500
	FaultHTML     Fault = "html"     // 200 with a page
	FaultRedirect Fault = "redirect" // 302 to where the right answer is
	FaultLarge    Fault = "large"    // 2 MiB of JSON
	FaultEmpty    Fault = "empty"    // a set without keys
	FaultWithout  Fault = "without"  // a set without a key that signs
	FaultOther    Fault = "other"    // the document of another issuer
)

// Misbehave has the issuer answer wrongly at AtKeys or AtDiscovery, or rightly again with NoFault. A restart ends it too. AtKeys+"?a" is
// where requests with the query a alone go, so that one key set can be several that fail in different ways.
func (p *OIDCProvider) Misbehave(tb testing.TB, at string, fault Fault) {
	tb.Helper()
	p.order(tb, "/misbehave", fmt.Sprintf(`{"at": %q, "mode": %q}`, at, fault), nil)
}

// Delay has the issuer answer rightly, but late.
func (p *OIDCProvider) Delay(tb testing.TB, at string, d time.Duration) {
	tb.Helper()
	p.order(tb, "/misbehave", fmt.Sprintf(`{"at": %q, "mode": "slow", "milliseconds": %d}`, at, d.Milliseconds()), nil)
}

// order gives the issuer a command.
func (p *OIDCProvider) order(tb testing.TB, command, body string, out any) {
	tb.Helper()
	if err := post(tb.Context(), p.admin+command, http.Header{"Content-Type": {"application/json"}}, body, out); err != nil {
		tb.Fatal(err)
	}
}
