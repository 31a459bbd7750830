package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// target is one server to measure and the checks that it is sent.
type target struct {
	name    string
	command []string
	request func(i int) *authv3.CheckRequest
}

func build(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "./cmd/portcullis")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func targets(dir, binary string) ([]target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	sign, err := signed(host(0))
	if err != nil {
		return nil, err
	}
	floor := []string{self, "-floor", "127.0.0.1:0"}
	list := []target{{"floor: allows everything", floor, browser(host(0))}}
	for i, c := range []struct {
		name    string
		text    string
		request func(i int) *authv3.CheckRequest
	}{
		{"NONE, no policy, 1 API", configuration(1, ""), browser(host(0))},
		{"NONE, no policy, encode_raw_headers", configuration(1, ""), raw(host(0))},
		{"NONE, no policy, 10,000 APIs", configuration(10000, ""), browser(host(9999))},
		{"resource policy, 10 statements, 1 CIDR each", configuration(1, policy(10, 1)), browser(host(0))},
		{"resource policy, 1,000 statements", configuration(1, policy(1000, 1)), browser(host(0))},
		{"resource policy, 10 statements, 1,000 CIDRs", configuration(1, policy(10, 1000)), browser(host(0))},
		{"AWS_IAM, signing key seen before", strings.Replace(configuration(1, ""), "NONE", "AWS_IAM", 1) + users(dir), sign},
	} {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			return nil, err
		}
		list = append(list, target{
			c.name, []string{binary, "serve", "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--decision-log", "off"}, c.request,
		})
	}
	return list, nil
}

// users is an account with one user who may ask what the checks ask, and that user's key.
func users(dir string) string {
	const account = `{"UserDetailList":[{"Path":"/","UserName":"bench","UserId":"AIDABENCHEXAMPLE00001","Arn":"arn:aws:iam::111122223333:user/bench",` +
		`"CreateDate":"2026-01-01T00:00:00Z","GroupList":[],"AttachedManagedPolicies":[],"Tags":[],"UserPolicyList":[{"PolicyName":"orders","PolicyDocument":` +
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:111122223333:*/prod/GET/orders/*"}]}}]}],` +
		`"GroupDetailList":[],"RoleDetailList":[],"Policies":[]}`
	keys := fmt.Sprintf("accessKeys:\n  - {id: %s, secret: {value: %q}, user: \"arn:aws:iam::111122223333:user/bench\"}\n", accessKey, secret)
	// What cannot be written is missing when the configuration is read.
	_ = os.WriteFile(filepath.Join(dir, "account.json"), []byte(account), 0o600)
	_ = os.WriteFile(filepath.Join(dir, "keys.yaml"), []byte(keys), 0o600)
	return "iam:\n  accounts: [{file: account.json}]\n  accessKeys: [{file: keys.yaml}]\n"
}

func host(api int) string { return fmt.Sprintf("api%05d.bench.example.com", api) }

// configuration is a portcullis.yaml with so many APIs of ten routes each; the last one is asked.
func configuration(apis int, policy string) string {
	var b strings.Builder
	b.WriteString("apis:\n")
	for i := range apis {
		fmt.Fprintf(&b, "  - id: a%09d\n    account: \"111122223333\"\n    region: us-east-1\n    stages: [{name: prod, domains: [%s]}]\n", i, host(i))
		if policy != "" {
			fmt.Fprintf(&b, "    resourcePolicy: '%s'\n", policy)
		}
		b.WriteString("    defaultAuthorization: NONE\n    routes:\n")
		for r := range 9 {
			fmt.Fprintf(&b, "      - {route: \"GET /things%d/{id}\"}\n", r)
		}
		b.WriteString("      - {route: \"GET /orders/v1/customers/{id}/items\"}\n")
	}
	return b.String()
}

// policy allows what the checks ask in its last statement; the others have conditions that do not hold.
func policy(statements, cidrs int) string {
	networks := make([]string, cidrs)
	for i := range networks {
		networks[i] = fmt.Sprintf(`"172.%d.%d.0/24"`, 16+i/256, i%256)
	}
	list := make([]string, 0, statements)
	for i := range statements - 1 {
		list = append(list, fmt.Sprintf(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/things%d/%d",`+
			`"Condition":{"IpAddress":{"aws:SourceIp":["192.0.2.0/24"]},"StringLike":{"aws:UserAgent":"bad*"}}}`, i%9, i))
	}
	list = append(list, `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/orders/*",`+
		`"Condition":{"IpAddress":{"aws:SourceIp":[`+strings.Join(networks, ",")+`,"10.0.0.0/8"]}}}`)
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}
