package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// target is one server to measure and the host its checks are for.
type target struct {
	name    string
	command []string
	host    string
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
	list := []target{{name: "floor: allows everything", command: []string{self, "-floor", "127.0.0.1:0"}, host: host(0)}}
	for i, c := range []struct {
		name   string
		apis   int
		policy string
	}{
		{"NONE, no policy, 1 API", 1, ""},
		{"NONE, no policy, 10,000 APIs", 10000, ""},
		{"resource policy, 10 statements, 1 CIDR each", 1, policy(10, 1)},
		{"resource policy, 1,000 statements", 1, policy(1000, 1)},
		{"resource policy, 10 statements, 1,000 CIDRs", 1, policy(10, 1000)},
	} {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, []byte(configuration(c.apis, c.policy)), 0o600); err != nil {
			return nil, err
		}
		list = append(list, target{
			name:    c.name,
			command: []string{binary, "serve", "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--decision-log", "off"},
			host:    host(c.apis - 1),
		})
	}
	return list, nil
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
