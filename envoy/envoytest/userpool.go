package envoytest

import "testing"

// UserPool is a user pool in a running Cognito.
type UserPool struct {
	cognito *Cognito
	ID      string
	// Issuer is what the tokens name; JWKS is where the keys are.
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

// CognitoTokens are what a user gets who signs in. A refresh gives no new refresh token.
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
