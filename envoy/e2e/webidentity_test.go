package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const webIdentityConfig = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    upstreamHeaders: {x-caller: $context.identity.userArn}
    defaultAuthorization: AWS_IAM
    routes: [{route: "ANY /pets/{proxy+}"}, {route: GET /admin}]
iam:
  roles:
    - name: apps/cart
      account: "111122223333"
      trustPolicy:
        Version: "2012-10-17"
        Statement:
          Effect: Allow
          Action: [sts:AssumeRoleWithWebIdentity, sts:TagSession]
          Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/%[2]s"}
          Condition: {StringEquals: {"%[2]s:sub": cart, "%[2]s:aud": portcullis}}
      policies:
        - Version: "2012-10-17"
          Statement:
            Effect: Allow
            Action: execute-api:Invoke
            Resource: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/*/pets/${aws:PrincipalTag/team}"
  sessions: {keys: [{id: k1, secret: {file: ring}, use: ISSUE}]}
issuers:
  %[1]q: {audiences: [portcullis], refresh: 10s}
`

var stsAddress = regexp.MustCompile(`(?m)^portcullis: sts listening on (.+)$`)

// stsClient calls the STS of a stack.
type stsClient struct{ *awssts.Client }

func (s *stack) sts(t *testing.T) stsClient {
	t.Helper()
	var found []string
	if err := s.portcullis.Await(t.Context(), func() bool {
		found = stsAddress.FindStringSubmatch(s.portcullis.Stdout())
		return found != nil
	}); err != nil {
		t.Fatal(err)
	}
	return stsClient{awssts.New(awssts.Options{BaseEndpoint: aws.String("http://" + found[1]), Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})}
}

// exchange returns the credentials for a token, or the code of the error.
func (c stsClient) exchange(ctx context.Context, token string) (who, string) {
	out, err := c.AssumeRoleWithWebIdentity(ctx, &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/apps/cart"), RoleSessionName: aws.String("cart-1"), WebIdentityToken: aws.String(token),
	})
	if failed := smithy.APIError(nil); errors.As(err, &failed) {
		return who{}, failed.ErrorCode()
	}
	if err != nil {
		return who{}, err.Error()
	}
	return who{
		arn: *out.AssumedRoleUser.Arn, id: *out.Credentials.AccessKeyId, secret: *out.Credentials.SecretAccessKey, session: *out.Credentials.SessionToken,
	}, ""
}

// A token of a real issuer becomes credentials that sign requests through Envoy. Its tags decide what they allow. Keys rotate, and an issuer
// that is down is told apart from a token that is wrong.
func TestWebIdentityOfARealIssuer(t *testing.T) {
	t.Parallel()
	envoytest.Require(t)
	issuer := envoytest.StartOIDCProvider(t, "")
	name := issuer.Issuer[len("http://"):]
	s := start(t, setup{
		file: "iam.yaml", config: fmt.Sprintf(webIdentityConfig, issuer.Issuer, name), flags: []string{"--sts=127.0.0.1:0"},
		files: map[string]string{"ring": "MDEyMzQ1Njc4OWFiY2RlZkdISUpLTE1OT1BRUlNUVVY="},
	})
	sts := s.sts(t)
	token := func(alg, audience, subject string, lifetime time.Duration) string {
		return issuer.Token(t, envoytest.TokenRequest{Alg: alg, Audience: audience, Claims: map[string]any{
			"sub": subject, "exp": time.Now().Add(lifetime).Unix(), "https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"team": []string{"shop"}}},
		}})
	}
	for _, alg := range []string{"RS256", "ES256"} {
		cart, code := sts.exchange(t.Context(), token(alg, "portcullis", "cart", time.Hour))
		if code != "" {
			t.Fatalf("%s: %s", alg, code)
		}
		s.sees(t, s.send11(t, goClient().mustSign(t, by(cart, inHeader, "GET", "/pets/shop"))), "x-caller: arn:aws:sts::111122223333:assumed-role/cart/cart-1")
		for _, target := range []string{"/pets/other", "/admin"} {
			if got := s.send11(t, goClient().mustSign(t, by(cart, inHeader, "GET", target))); got.status != 403 {
				t.Errorf("%s: %d %s", target, got.status, got.body)
			}
		}
	}
	for what, c := range map[string]struct{ token, code string }{
		"another audience": {token("RS256", "pets", "cart", time.Hour), "InvalidIdentityToken"},
		"another subject":  {token("RS256", "portcullis", "intruder", time.Hour), "AccessDenied"},
		"EdDSA":            {token("EdDSA", "portcullis", "cart", time.Hour), "InvalidIdentityToken"},
		"expired":          {token("RS256", "portcullis", "cart", -time.Hour), "ExpiredTokenException"},
		"no token":         {"x", "InvalidIdentityToken"},
	} {
		if _, code := sts.exchange(t.Context(), c.token); code != c.code {
			t.Errorf("%s: %q, want %s", what, code, c.code)
		}
	}
	old := token("RS256", "portcullis", "cart", time.Hour)
	issuer.Rotate(t)
	if _, code := sts.exchange(t.Context(), token("RS256", "portcullis", "cart", time.Hour)); code != "" {
		t.Errorf("a new key: %s", code)
	}
	if _, code := sts.exchange(t.Context(), old); code != "" {
		t.Errorf("an old key that is still in the set: %s", code)
	}
}
