package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const (
	poolID = "eu-west-1_AbCdEfGhI"
	// poolAddress is the address of the pool's keys in hack/demo/portcullis.yaml; the demo's own pool has another port.
	poolAddress = "http://127.0.0.1:9229"

	email    = "ann@example.com"
	password = "Correct-horse-9"
)

// pool is a user pool with a client and a user who has signed in.
type pool struct {
	*envoytest.Cognito
	client     string
	id, access string
}

// startPool runs cognito-local, which simulates Amazon Cognito, and signs a user up and in.
func (d *demo) startPool(ctx context.Context, root string) error {
	part, err := envoytest.NodeIssuers.Find()
	if err != nil {
		if err := install(ctx, root, envoytest.NodeIssuers.Name); err != nil {
			return err
		}
		if part, err = envoytest.NodeIssuers.Find(); err != nil {
			return err
		}
	}
	dir := filepath.Join(d.dir, "pool")
	d.pool = &pool{}
	if d.pool.Cognito, err = envoytest.RunCognitoLocal(ctx, part, dir, "https://cognito-idp.eu-west-1.amazonaws.com", poolID); err != nil {
		return fmt.Errorf("cognito-local: %w", err)
	}
	return d.pool.signIn(ctx)
}

func (p *pool) signIn(ctx context.Context) error {
	var client struct{ UserPoolClient struct{ ClientId string } }
	if err := p.Call(ctx, "CreateUserPoolClient", map[string]any{"UserPoolId": poolID, "ClientName": "demo", "ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH"}}, &client); err != nil {
		return err
	}
	p.client = client.UserPoolClient.ClientId
	var in struct {
		AuthenticationResult struct{ IdToken, AccessToken string }
	}
	err := errors.Join(
		p.Call(ctx, "SignUp", map[string]any{
			"ClientId": p.client, "Username": email, "Password": password, "UserAttributes": []map[string]string{{"Name": "email", "Value": email}},
		}, nil),
		p.Call(ctx, "ConfirmSignUp", map[string]any{"ClientId": p.client, "Username": email, "ConfirmationCode": envoytest.ConfirmationCode}, nil),
		p.Call(ctx, "InitiateAuth", map[string]any{
			"ClientId": p.client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": map[string]string{"USERNAME": email, "PASSWORD": password},
		}, &in),
	)
	p.id, p.access = in.AuthenticationResult.IdToken, in.AuthenticationResult.AccessToken
	return err
}

// expand replaces names of tokens by the tokens.
func (p *pool) expand(args []string) []string {
	tokens := strings.NewReplacer("$ID_TOKEN", p.id, "$ACCESS_TOKEN", p.access)
	expanded := make([]string, len(args))
	for i, a := range args {
		expanded[i] = tokens.Replace(a)
	}
	return expanded
}

// howToSignIn returns a command that prints an ID token.
func (p *pool) howToSignIn() string {
	return fmt.Sprintf(`curl -s %s/ -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' -H 'Content-Type: application/x-amz-json-1.1' -d '{"ClientId": %q, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": %q, "PASSWORD": %q}}'`,
		p.URL, p.client, email, password)
}

// install installs a part with hack/parts.sh.
func install(ctx context.Context, root, part string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(root, "hack", "parts.sh"), part)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hack/parts.sh %s: %w", part, err)
	}
	return nil
}
