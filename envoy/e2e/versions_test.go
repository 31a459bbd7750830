package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// eachEnvoy runs a test with the pinned Envoy and with the oldest one.
func eachEnvoy(t *testing.T, test func(t *testing.T, bin string)) {
	t.Helper()
	for name, program := range map[string]func(testing.TB) string{"current": envoytest.Require, envoytest.OldestVersion: envoytest.RequireOldest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program(t))
		})
	}
}

// controlled is an API with each of the four controls: resource policy, IAM, Lambda authorizer and user pool.
const controlled = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      door: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s}}
      shop: {cognito: {userPools: [%q]}}
    upstreamHeaders: {x-caller: $context.identity.userArn, x-principal: $context.authorizer.principalId, x-email: $context.authorizer.claims.email}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/GET/open", "execute-api:/prod/GET/shop"]}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/*/admin", "execute-api:/prod/*/closed/*"]}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /silent, authorization: NONE}
      - {route: GET /admin, authorization: NONE}
      - {route: "ANY /pets/{proxy+}", authorization: AWS_IAM}
      - {route: GET /closed/pets, authorization: AWS_IAM}
      - {route: GET /door, authorizer: door}
      - {route: GET /closed/door, authorizer: door}
      - {route: GET /shop, authorizer: shop}
      - {route: GET /closed/shop, authorizer: shop}
iam:
  accounts: [{file: 111122223333.json}]
  accessKeys: [{file: access-keys.yaml}]
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:door": {url: %q}
issuers:
%s`

// controls is a stack with all four controls, and what they stand on.
type controls struct {
	*stack
	door  *cloud
	token string // of somebody who signed up at the pool
}

// Each control allows and denies through each Envoy, with the bootstrap that portcullis envoy prints; and when what decides is gone,
// nothing passes.
func TestEachEnvoyIsControlled(t *testing.T) {
	t.Parallel()
	pool := signUp(t, envoytest.StartCognitoLocal(t, poolIssuers, shopPool).UserPool(shopPool), 3600)
	token := pool.signIn(t).ID
	eachEnvoy(t, func(t *testing.T, bin string) {
		door := newCloud(t, allowsGood)
		c := &controls{door: door, token: token, stack: start(t, setup{
			envoy: bin, printed: []string{}, config: fmt.Sprintf(controlled, poolARN(shopPool), door.URL, keysOf(pool.pool.Issuer, pool.pool.JWKS)),
			files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
		})}
		t.Run("NONE", c.resourcePolicy)
		t.Run("AWS_IAM", c.signatures)
		t.Run("bodies", c.bodies)
		t.Run("CUSTOM", c.lambda)
		t.Run("COGNITO_USER_POOLS", c.userPool)
		t.Run("without portcullis", c.outage)
		c.logsNoSecret(t)
		c.logsNoToken(t, token)
	})
}

func (c *controls) resourcePolicy(t *testing.T) {
	c.allowed(t, c.get(t, "/open"))
	c.allowed(t, c.get2(t, "/open"))
	check(t, c.stack, c.get(t, "/admin"), 403, "AccessDeniedException", explicitDeny)
	check(t, c.stack, c.get(t, "/%61dmin/"), 403, "AccessDeniedException", strings.Replace(explicitDeny, "/GET/admin", "/GET/admin/", 1))
	check(t, c.stack, c.get2(t, "/silent"), 403, "AccessDeniedException", implicitDeny)
	check(t, c.stack, c.get(t, "/nowhere"), 403, "MissingAuthenticationTokenException", noRoute)
	c.denied(t, c.from(t, "cats.example.com", "/open"), 403)
}

func (c *controls) signatures(t *testing.T) {
	for _, m := range []mode{inHeader, presigned} {
		for _, caller := range []who{user(owner, grants), session(owner, grants)} {
			r := goClient().mustSign(t, by(caller, m, "GET", "/pets/7?name=big%20dog"))
			c.passes(t, c.send11(t, r), r, caller)
			c.passes(t, c.send20(t, r), r, caller)
		}
		c.denied(t, c.send11(t, goClient().mustSign(t, by(user(owner, silent), m, "GET", "/pets/7"))), 403)
		c.denied(t, c.send11(t, goClient().mustSign(t, by(user(owner, refuses), m, "GET", "/pets/7"))), 403)
		c.denied(t, c.send11(t, goClient().mustSign(t, by(user(owner, grants), m, "GET", "/closed/pets"))), 403)
	}
	check(t, c.stack, c.get(t, "/pets/7"), 403, "MissingAuthenticationTokenException", noRoute)
}

func (c *controls) bodies(t *testing.T) {
	caller := user(owner, grants)
	for _, m := range []mode{inHeader, presigned} {
		withBody := by(caller, m, "POST", "/pets/7")
		withBody.Body = everyByte()
		r := goClient().mustSign(t, withBody)
		c.passes(t, c.send11(t, r), r, caller)
		c.passes(t, c.send20(t, r), r, caller)
		check(t, c.stack, c.send11(t, r.body(strings.Repeat("x", 256))), 403, invalidSignature, mismatch)
	}
	empty := goClient().mustSign(t, by(caller, inHeader, "POST", "/pets/7"))
	head, _, _ := strings.Cut(empty.without("Content-Length").with("Transfer-Encoding", "chunked").wire(), "\r\n\r\n")
	c.denied(t, c.send(t, head+"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 403)
	long := by(caller, inHeader, "POST", "/pets/7")
	long.Body = bytes.Repeat([]byte("x"), 1<<20+1)
	c.denied(t, c.send11(t, goClient().mustSign(t, long)), 413)
}

func (c *controls) lambda(t *testing.T) {
	c.sees(t, c.get(t, "/door", shows("good")), "x-principal: ann")
	check(t, c.stack, c.get(t, "/door", shows("bad")), 403, "AccessDeniedException", strings.ReplaceAll(functionDenies, "/GET/token", "/GET/door"))
	c.denied(t, c.get(t, "/door"), 401)
	c.denied(t, c.get(t, "/closed/door", shows("good")), 403)
	c.door.mu.Lock()
	c.door.gone = true
	c.door.mu.Unlock()
	check(t, c.stack, c.get(t, "/door", shows("good")), 500, failure, nothingSaid)
}

func (c *controls) userPool(t *testing.T) {
	c.sees(t, c.get(t, "/shop", bearer(c.token)), "x-email: "+email)
	c.denied(t, c.get(t, "/shop"), 401)
	for _, forged := range flipped(c.token, 4) {
		c.denied(t, c.get(t, "/shop", bearer(forged)), 401)
	}
	c.denied(t, c.get(t, "/closed/shop", bearer(c.token)), 403)
}

func (c *controls) outage(t *testing.T) {
	c.portcullis.Kill()
	r := goClient().mustSign(t, by(user(owner, grants), inHeader, "GET", "/pets/7"))
	for range 2 {
		c.denied(t, c.get(t, "/open"), 503)
		c.denied(t, c.send11(t, r), 503)
		c.denied(t, c.get(t, "/shop", bearer(c.token)), 503)
	}
	c.comesBack(t)
	c.denied(t, c.get(t, "/admin"), 403)
}

// comesBack starts portcullis again where it was, and waits until Envoy has found it.
func (s *stack) comesBack(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	back, err := envoytest.StartPortcullis(ctx, portcullis(t), filepath.Join(s.dir, "portcullis.yaml"), s.portcullis.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	s.portcullis = back
	eventually(t, "Envoy is connected again", func() bool { return s.get(t, "/open").status == 200 })
	s.upstream.Take()
}

// What the current Envoy does not let through, the oldest does not either.
func TestGuardedPathIsNotReachedByTheOldestEnvoy(t *testing.T) {
	t.Parallel()
	bin := envoytest.RequireOldest(t)
	for i, v := range envoys() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			guards[i%len(guards)].isHeld(t, setup{envoy: bin, edits: v.edits})
		})
	}
}

// An Envoy that is there before portcullis lets nothing pass until it is there.
func TestEnvoyStartsFirst(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"TCP": "envoy.yaml", "unix socket": "unix-socket.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachEnvoy(t, func(t *testing.T, bin string) {
				s := start(t, setup{envoy: bin, file: file, config: guarded("", denyByPattern)}) // so that there is an address to start it at again
				s.envoy.Stop()
				s.portcullis.Kill() // which leaves the socket's file behind
				s.restartEnvoy(t, bin)
				for range 2 {
					s.denied(t, s.get(t, "/open"), 503)
					s.denied(t, s.get(t, "/admin"), 503)
				}
				s.comesBack(t)
				s.allowed(t, s.get(t, "/open"))
				s.denied(t, s.get(t, "/admin"), 403)
			})
		})
	}
}

// restartEnvoy runs Envoy again with the bootstrap that it had.
func (s *stack) restartEnvoy(t *testing.T, bin string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bootstrap, err := os.ReadFile(filepath.Join(s.dir, "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The address of its admin interface is not that of the one before.
	if err := os.Remove(filepath.Join(s.dir, "envoy.admin")); err != nil {
		t.Fatal(err)
	}
	if s.envoy, err = envoytest.StartEnvoy(ctx, bin, s.dir, string(bootstrap)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.envoy.Stop)
	if s.addr, err = s.envoy.Listener(ctx, "http"); err != nil {
		t.Fatal(err)
	}
}
