package envoytest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

const (
	// CognitoRegion is the region of the pools that moto makes.
	CognitoRegion = "eu-west-1"
	// ConfirmationCode is the code by which users confirm themselves.
	ConfirmationCode = "123456"
)

// Cognito is a running server that speaks Amazon Cognito's API for user pools: cognito-local or moto.
type Cognito struct {
	service
	// URL is where it listens. moto answers for other services of AWS there too.
	URL string
	// issuer is the prefix of the issuers of its pools.
	issuer string
}

// StartCognitoLocal runs cognito-local until the test ends. The issuer of a pool is the pool's id below the given URL, or below
// cognito-local's own if there is none. Its key is always the same one, and its discovery document is wrong. The pools of the given
// ids are there from the start: those that CreateUserPool makes are in no region of AWS, as in local_1a2b3c4d.
func StartCognitoLocal(tb testing.TB, issuer string, pools ...string) *Cognito {
	tb.Helper()
	c, err := RunCognitoLocal(tb.Context(), NodeIssuers.Require(tb), tb.TempDir(), issuer, pools...)
	if err != nil {
		tb.Fatal(err)
	}
	c.keep(tb)
	return c
}

// RunCognitoLocal is StartCognitoLocal outside tests: it runs the program of the part NodeIssuers, whose folder is given, with what
// it knows in dir, until Stop.
func RunCognitoLocal(ctx context.Context, part, dir, issuer string, pools ...string) (*Cognito, error) {
	modules, c := filepath.Join(part, "node_modules"), &Cognito{}
	release, err := onFreePort(func(port string) error {
		c.URL, c.issuer = "http://127.0.0.1:"+port, issuer
		if issuer == "" {
			c.issuer = c.URL
		}
		if err := writeCognitoConfig(dir, c.issuer, pools); err != nil {
			return err
		}
		c.command = func() *exec.Cmd {
			cmd := exec.Command("node", filepath.Join(modules, "cognito-local", "lib", "bin", "start.js"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT="+port, "CODE="+ConfirmationCode)
			return cmd
		}
		c.ready = func(*Process) bool {
			_, err := get(ctx, c.URL+"/health")
			return err == nil
		}
		return c.begin(ctx)
	})
	if err != nil {
		return nil, err
	}
	release()
	return c, nil
}

func writeCognitoConfig(dir, issuer string, pools []string) error {
	text, err := json.Marshal(map[string]any{"TokenConfig": map[string]string{"IssuerDomain": issuer}})
	if err != nil {
		return err
	}
	db := filepath.Join(dir, ".cognito", "db")
	if err := os.MkdirAll(db, 0o700); err != nil {
		return err
	}
	for _, id := range pools {
		if err := os.WriteFile(filepath.Join(db, id+".json"), []byte("{}"), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, ".cognito", "config.json"), text, 0o600)
}

var motoLine = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// StartMoto runs moto's server until the test ends. Its pools have AWS' own issuers, so that their keys have to be looked for
// elsewhere than there. Its key is always the same one.
func StartMoto(tb testing.TB) *Cognito {
	tb.Helper()
	wheels := MotoServer.Require(tb)
	c := &Cognito{issuer: "https://cognito-idp." + CognitoRegion + ".amazonaws.com"}
	c.command = func() *exec.Cmd {
		cmd := exec.Command("python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
		cmd.Env = append(os.Environ(), "PYTHONPATH="+wheels, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1")
		return cmd
	}
	c.ready = func(p *Process) bool {
		line := motoLine.FindStringSubmatch(p.Stderr())
		if line == nil {
			return false
		}
		c.URL = line[1]
		return true
	}
	if err := c.begin(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	c.keep(tb)
	return c
}

// Call has the server run an operation of Cognito's API. What it answers is read into out, unless that is nil.
func (c *Cognito) Call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"AWSCognitoIdentityProviderService." + operation},
		// Neither server verifies it. moto reads the region from it.
		"Authorization": {"AWS4-HMAC-SHA256 Credential=test/20260101/" + CognitoRegion + "/cognito-idp/aws4_request, SignedHeaders=host, Signature=0"},
	}
	return post(ctx, c.URL+"/", header, string(body), out)
}

// must is Call for what a test cannot do without.
func (c *Cognito) must(tb testing.TB, operation string, in, out any) {
	tb.Helper()
	if err := c.Call(tb.Context(), operation, in, out); err != nil {
		tb.Fatal(err)
	}
}

// UserPool is a user pool in a running Cognito.
type UserPool struct {
	cognito *Cognito
	ID      string
	// Issuer is the issuer of the tokens; JWKS is the URL of the keys.
	Issuer, JWKS string
}

// CreateUserPool makes a pool whose users sign in with their email addresses.
func (c *Cognito) CreateUserPool(tb testing.TB, name string) *UserPool {
	tb.Helper()
	var out struct{ UserPool struct{ Id string } }
	c.must(tb, "CreateUserPool", map[string]any{"PoolName": name, "UsernameAttributes": []string{"email"}}, &out)
	return c.UserPool(out.UserPool.Id)
}

// UserPool is the pool of an id, which is there.
func (c *Cognito) UserPool(id string) *UserPool {
	return &UserPool{cognito: c, ID: id, Issuer: c.issuer + "/" + id, JWKS: c.URL + "/" + id + "/.well-known/jwks.json"}
}

// CreateClient makes an app client, whose tokens are valid for some seconds; 0 leaves it to the server. moto's are valid for an
// hour whatever is asked.
func (p *UserPool) CreateClient(tb testing.TB, name string, seconds int) string {
	tb.Helper()
	in := map[string]any{
		"UserPoolId": p.ID, "ClientName": name,
		"ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	}
	if seconds != 0 {
		in["AccessTokenValidity"], in["IdTokenValidity"] = seconds, seconds
		in["TokenValidityUnits"] = map[string]string{"AccessToken": "seconds", "IdToken": "seconds"}
	}
	var out struct{ UserPoolClient struct{ ClientId string } }
	p.cognito.must(tb, "CreateUserPoolClient", in, &out)
	return out.UserPoolClient.ClientId
}

// SignUp signs a user up, with further attributes. The user cannot sign in before Confirm.
func (p *UserPool) SignUp(tb testing.TB, client, email, password string, attributes map[string]string) {
	tb.Helper()
	list := []map[string]string{{"Name": "email", "Value": email}}
	for name, value := range attributes {
		list = append(list, map[string]string{"Name": name, "Value": value})
	}
	p.cognito.must(tb, "SignUp", map[string]any{"ClientId": client, "Username": email, "Password": password, "UserAttributes": list}, nil)
}

// Confirm confirms a user with the code that was sent.
func (p *UserPool) Confirm(tb testing.TB, client, email string) {
	tb.Helper()
	p.cognito.must(tb, "ConfirmSignUp", map[string]any{"ClientId": client, "Username": email, "ConfirmationCode": ConfirmationCode}, nil)
}

// CreateGroup makes a group.
func (p *UserPool) CreateGroup(tb testing.TB, name string) {
	tb.Helper()
	p.cognito.must(tb, "CreateGroup", map[string]any{"UserPoolId": p.ID, "GroupName": name}, nil)
}

// AddToGroup puts a user into a group. Tokens that the user has already do not change.
func (p *UserPool) AddToGroup(tb testing.TB, email, group string) {
	tb.Helper()
	p.cognito.must(tb, "AdminAddUserToGroup", map[string]any{"UserPoolId": p.ID, "Username": email, "GroupName": group}, nil)
}

// CognitoTokens are the tokens of a user who has signed in. A refresh gives no new refresh token.
type CognitoTokens struct{ ID, Access, Refresh string }

// SignIn signs a confirmed user in.
func (p *UserPool) SignIn(tb testing.TB, client, email, password string) CognitoTokens {
	tb.Helper()
	return p.initiate(tb, client, "USER_PASSWORD_AUTH", map[string]string{"USERNAME": email, "PASSWORD": password})
}

// Refresh returns new tokens for a refresh token.
func (p *UserPool) Refresh(tb testing.TB, client, refresh string) CognitoTokens {
	tb.Helper()
	return p.initiate(tb, client, "REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": refresh})
}

func (p *UserPool) initiate(tb testing.TB, client, flow string, parameters map[string]string) CognitoTokens {
	tb.Helper()
	var out struct {
		AuthenticationResult struct{ IdToken, AccessToken, RefreshToken string }
	}
	p.cognito.must(tb, "InitiateAuth", map[string]any{"ClientId": client, "AuthFlow": flow, "AuthParameters": parameters}, &out)
	r := out.AuthenticationResult
	if r.IdToken == "" || r.AccessToken == "" {
		tb.Fatalf("%s gave no tokens: is there a challenge?", flow)
	}
	return CognitoTokens{ID: r.IdToken, Access: r.AccessToken, Refresh: r.RefreshToken}
}
