package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// target is one server to measure and its checks.
type target struct {
	name    string
	command []string
	// requests returns the checks of a round.
	requests func() (func(i int) *authv3.CheckRequest, error)
	// warm is how many checks precede the measured ones; 0 means a fifth of these.
	warm int
}

// row is a target that runs portcullis.
type row struct {
	name     string
	text     string
	requests func() (func(i int) *authv3.CheckRequest, error)
	warm     int
}

func build(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "./cmd/portcullis")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// plan configures the rows.
type plan struct {
	dir, binary string
	checks      int
	// many adds the rows that take long.
	many bool
	// function is the URL of an authorizer's function.
	function string
	pool     *pool
}

func targets(ctx context.Context, dir, binary string, checks int, many bool) ([]target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := plan{dir: dir, binary: binary, checks: checks, many: many}
	if p.function, err = serveFunction(ctx); err != nil {
		return nil, err
	}
	if p.pool, err = newPool(dir); err != nil {
		return nil, err
	}
	if err := p.pool.issue(p.tokens()); err != nil {
		return nil, err
	}
	list := []target{{"floor: allows everything", []string{self, "-floor", "127.0.0.1:0"}, always(browser(host(0))), 0}}
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, []byte(r.text), 0o600); err != nil {
			return nil, err
		}
		command := []string{binary, "serve", "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--decision-log", "off"}
		list = append(list, target{r.name, command, r.requests, r.warm})
	}
	return list, nil
}

// all returns how many checks a round has, including warm-up.
func (p plan) all() int { return p.checks + p.checks/warmUp }

// manyOf is the number of tokens and principals in the rows with many.
const manyOf = 100_000

func (p plan) tokens() int {
	if p.many {
		return max(p.all(), manyOf)
	}
	return p.all()
}

func always(request func(i int) *authv3.CheckRequest) func() (func(i int) *authv3.CheckRequest, error) {
	return func() (func(i int) *authv3.CheckRequest, error) { return request, nil }
}

func (p plan) rows() ([]row, error) {
	accepted, credentials, err := p.sealed()
	if err != nil {
		return nil, err
	}
	temporary := signedWith(1, func(int) aws.Credentials { return credentials })
	plain, seen := always(browser(host(0))), always(p.pool.bearer(64))
	iam := strings.Replace(configuration(1, ""), "NONE", "AWS_IAM", 1)
	cognito := guarded(fmt.Sprintf("{cognito: {userPools: [%q]}}", userPool), "")
	list := []row{
		{"NONE, no policy, 1 API", configuration(1, ""), plain, 0},
		{"NONE, no policy, encode_raw_headers", configuration(1, ""), always(raw(host(0))), 0},
		{"NONE, HTTP API", asHTTP(configuration(1, "")), plain, 0},
		{"NONE, no policy, 10,000 APIs", configuration(10000, ""), always(browser(host(9999))), 0},
		{"resource policy, 10 statements, 1 CIDR each", configuration(1, policy(10, 1)), plain, 0},
		{"resource policy, 1,000 statements", configuration(1, policy(1000, 1)), plain, 0},
		{"resource policy, 10 statements, 1,000 CIDRs", configuration(1, policy(10, 1000)), plain, 0},
		{"Cognito, ID token seen before", cognito, seen, 0},
		{"JWT, REST API, token seen before", guarded(jwtAuthorizer(false), ""), seen, 0},
		{"JWT, HTTP API, token seen before", asHTTP(guarded(jwtAuthorizer(true), "")), seen, 0},
		{"JWT, REST API, token first seen (RS256)", guarded(jwtAuthorizer(false), ""), always(p.pool.bearer(p.all())), 0},
		{"Lambda (TOKEN), answer cached", guarded(fmt.Sprintf("{lambda: {type: TOKEN, function: %q, resultTtl: 3600s}}", function),
			fmt.Sprintf("functions:\n  %q: {url: %q}\n", function, p.function)), always(opaque), 0},
		{"AWS_IAM, signing key seen before", iam + p.accounts(1, 1), signed(1), 0},
		{"AWS_IAM, each check with a new signing key", iam + p.accounts(1, p.all()), signed(p.all()), 0},
		{"AWS_IAM, temporary key", iam + p.temporary(credentials), temporary, 0},
		{"AWS_IAM, sealed session", iam + accepted, temporary, 0},
	}
	if p.many {
		list = append(list,
			row{"AWS_IAM, signing key seen before, 100,000 users", iam + p.accounts(manyOf, 1), signed(1), 0},
			row{"JWT, REST API, 100,000 tokens seen before", guarded(jwtAuthorizer(false), ""), always(p.pool.bearer(manyOf)), manyOf})
	}
	return list, nil
}
