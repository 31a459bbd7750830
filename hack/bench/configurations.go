package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/portcullis-authz/portcullis/pkg/session"
)

// guarded returns the configuration of one API whose routes all have one authorizer.
func guarded(authorizer, more string) string {
	text := strings.Replace(configuration(1, ""), "    defaultAuthorization: NONE\n", "    authorizers: {bench: "+authorizer+"}\n    defaultAuthorizer: bench\n", 1)
	return text + fmt.Sprintf("issuers:\n  %q: {file: jwks.json}\n", issuer) + more
}

func jwtAuthorizer(http bool) string {
	if http {
		return fmt.Sprintf("{jwt: {issuer: %q, audiences: [%s]}}", issuer, clientID)
	}
	return fmt.Sprintf("{jwt: {issuers: [{issuer: %q, audiences: [%s]}]}}", issuer, clientID)
}

// asHTTP changes the APIs to HTTP APIs.
func asHTTP(text string) string {
	return strings.ReplaceAll(text, "    region:", "    kind: HTTP\n    region:")
}

func accessKey(i int) string { return fmt.Sprintf("AKIABENCHEXAMP%06d", i) }

// accounts returns an account with so many users, who are all allowed, and the keys of the last one.
func (p plan) accounts(users, keys int) string {
	const keysInFile = 5000
	name := fmt.Sprintf("account-%d.json", users)
	p.write(name, account(users))
	var files []string
	for first := 0; first < keys; first += keysInFile {
		var b strings.Builder
		b.WriteString("accessKeys:\n")
		for i := first; i < min(first+keysInFile, keys); i++ {
			fmt.Fprintf(&b, "  - {id: %s, secret: {value: %q}, user: %q}\n", accessKey(i), secret, userARN(users-1))
		}
		file := fmt.Sprintf("keys-%d-%d-%d.yaml", users, keys, first)
		p.write(file, b.String())
		files = append(files, "{file: "+file+"}")
	}
	return fmt.Sprintf("iam:\n  accounts: [{file: %s}]\n  accessKeys: [%s]\n", name, strings.Join(files, ", "))
}

// sessionKey is the key that session tokens are sealed under.
var sessionKey = base64.StdEncoding.EncodeToString([]byte("bench: abcdefghijklmnopqrstuvwxy"))

// sealed returns the configuration that accepts a sealed session of a user, and its credentials.
func (p plan) sealed() (text string, c aws.Credentials, err error) {
	ring, faults := session.NewRing([]session.RingKey{{ID: "bench", Secret: sessionKey, Issues: true}}, nil)
	if len(faults) > 0 {
		return "", c, errors.New(faults[0].Message)
	}
	s, err := ring.Seal(&session.Session{
		User: userARN(0), UserID: fmt.Sprintf("AIDABENCHEXAM%06d", 0), Issued: time.Now(), Expires: time.Now().Add(12 * time.Hour),
	})
	text = strings.Replace(p.accounts(1, 0), "  accessKeys: []\n", fmt.Sprintf("  sessions: {keys: [{id: bench, secret: {value: %q}, use: ISSUE}]}\n", sessionKey), 1)
	return text, aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken}, err
}

// temporary returns the configuration of a temporary key with the id and token of others.
func (p plan) temporary(c aws.Credentials) string {
	p.write("temporary.yaml", fmt.Sprintf("accessKeys:\n  - {id: %s, secret: {value: %q}, sessionToken: {value: %q}, user: %q}\n",
		c.AccessKeyID, c.SecretAccessKey, c.SessionToken, userARN(0)))
	return strings.Replace(p.accounts(1, 0), "accessKeys: []", "accessKeys: [{file: temporary.yaml}]", 1)
}

// write writes a file. An error shows when the configuration is read.
func (p plan) write(name, text string) {
	_ = os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600)
}

func userARN(i int) string { return fmt.Sprintf("arn:aws:iam::111122223333:user/bench%06d", i) }

// account is in the format of aws iam get-account-authorization-details.
func account(users int) string {
	list := make([]string, users)
	for i := range list {
		list[i] = fmt.Sprintf(`{"Path":"/","UserName":"bench%06d","UserId":"AIDABENCHEXAM%06d","Arn":%q,"CreateDate":"2026-01-01T00:00:00Z","GroupList":[],`+
			`"AttachedManagedPolicies":[],"Tags":[],"UserPolicyList":[{"PolicyName":"orders","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
			`"Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:111122223333:*/prod/GET/orders/*"}]}}]}`, i, i, userARN(i))
	}
	return `{"UserDetailList":[` + strings.Join(list, ",") + `],"GroupDetailList":[],"RoleDetailList":[],"Policies":[]}`
}

func host(api int) string { return fmt.Sprintf("api%05d.bench.example.com", api) }

// configuration returns a portcullis.yaml with so many APIs of ten routes each. The checks are for the last one.
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

// policy allows the checks in its last statement. The others have conditions that do not match.
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
