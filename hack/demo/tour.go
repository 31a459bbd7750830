package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// stop is one request of the tour.
type stop struct {
	why string
	// flags are curl's flags in addition to the host; path is the requested path.
	flags []string
	path  string
	// host is pets.example.com unless it is set.
	host string
	// function marks a stop that needs a function, which runs only on Linux.
	function bool
	// status is the expected status, body a text that the body must contain, and never a text that it must not.
	status, body, never string
}

// stops is the tour.
var stops = []stop{
	{why: "GET /pets is open: the statement Everybody allows it. The upstream is told who asks.",
		path: "/pets", status: "200", body: "x-client-ip: 127.0.0.1"},
	{why: "POST /pets is a route, but no statement allows it.",
		flags: []string{"-X", "POST"}, path: "/pets", status: "403", body: "because no resource-based policy allows the execute-api:Invoke action"},
	{why: "/admin: the statement NobodyToAdmin denies, and a Deny outweighs the Allow of Everybody. The account id is masked, as in API Gateway.",
		path: "/admin", status: "403", body: "arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/admin with an explicit deny"},
	{why: "So is every other way to write it: with a second slash,",
		path: "//admin", status: "403", body: "with an explicit deny"},
	{why: "with a letter escaped,",
		path: "/%61dmin", status: "403", body: "with an explicit deny"},
	{why: "with a slash at the end,",
		path: "/admin/", status: "403", body: "with an explicit deny"},
	{why: "by way of an open path, with escaped dots,",
		path: "/pets/%2e%2e/admin", status: "403", body: "with an explicit deny"},
	{why: "or with an escaped slash, which two servers may read differently: refused before any policy.",
		path: "/pets/..%2Fadmin", status: "400", body: "Bad Request"},
	{why: "/office is for clients of this machine's network: aws:SourceIp is 127.0.0.1.",
		path: "/office", status: "200", body: "GET /office"},
	{why: "/partners is for clients of 203.0.113.0/24.",
		path: "/partners", status: "403", body: "with an explicit deny"},
	{why: "To claim such an address does not help: without trustedProxies the client is the peer of the connection.",
		flags: []string{"-H", "X-Forwarded-For: 203.0.113.7"}, path: "/partners", status: "403", body: "with an explicit deny"},
	{why: "What a client sends under a name that portcullis sets does not reach the upstream, in no spelling.",
		flags: []string{"-H", "X-Client-Ip: 203.0.113.7", "-H", "x_client_ip: 203.0.113.7"}, path: "/pets/7", status: "200", body: "x-client-ip: 127.0.0.1\n", never: "203.0.113.7"},
	{why: "/orders wants a signature (authorization AWS_IAM).",
		path: "/orders/7", status: "403", body: "Missing Authentication Token"},
	{why: "alice signs, and her own policy allows it. The upstream is told who she is, and does not see the signature.",
		flags: signed("the-secret-of-the-demo"), path: "/orders/7", status: "200", body: "x-user: arn:aws:iam::111122223333:user/alice", never: "uthorization"},
	{why: "She may read orders, not write them.",
		flags: append(signed("the-secret-of-the-demo"), "-X", "PUT"), path: "/orders/7", status: "403",
		body: "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: execute-api:Invoke"},
	{why: "With another secret, the signature is not hers.",
		flags: signed("another-secret"), path: "/orders/7", status: "403", body: "The request signature we calculated does not match"},
	{why: "/me is for who has signed in to the user pool (the authorizer customers, of type COGNITO_USER_POOLS).",
		path: "/me", status: "401", body: `{"message":"Unauthorized"}`},
	{why: "ann has signed in, and shows her ID token. The upstream is told what the token says of her.",
		flags: bearer("$ID_TOKEN"), path: "/me", status: "200", body: "x-user: ann@example.com"},
	{why: "Her access token is not an ID token. It would be asked for where a route has scopes.",
		flags: bearer("$ACCESS_TOKEN"), path: "/me", status: "401", body: `{"message":"Unauthorized"}`},
	{why: "/trades is for partners: the Lambda authorizer partners, a function in Python, reads their tokens and answers with a policy. The upstream is told what the function says of the caller.", function: true,
		flags: bearer("rex-and-sons.f4155cafd496f894007c877fd41ac927991d97ba52464a58f1b83b53ab38eac0"), path: "/trades/7", status: "200", body: "x-user: rex-and-sons"},
	{why: "The policy of the function allows to read. Its answer is cached for the token, and evaluated again in each request.", function: true,
		flags: append(bearer("rex-and-sons.f4155cafd496f894007c877fd41ac927991d97ba52464a58f1b83b53ab38eac0"), "-X", "DELETE"), path: "/trades/7", status: "403", body: "because no identity-based policy allows the execute-api:Invoke action"},
	{why: "A token that somebody made up: the function says Unauthorized.", function: true,
		flags: bearer("cat-and-sons.0000"), path: "/trades/7", status: "401", body: `{"message":"Unauthorized"}`},
	{why: "A path without a route: the answer that API Gateway gives, though no token would help.",
		path: "/cats", status: "403", body: "Missing Authentication Token"},
	{why: "A host of no API.",
		path: "/pets", host: "cats.example.com", status: "403", body: `{"message":"Forbidden"}`},
}

// signed makes curl sign as alice.
func signed(secret string) []string {
	return []string{"--aws-sigv4", "aws:amz:eu-west-1:execute-api", "--user", "AKIADEMOALICE:" + secret}
}

// bearer makes curl send a token, given by name.
func bearer(token string) []string { return []string{"-H", "Authorization: Bearer " + token} }

// tour sends every request once and returns how many answers were unexpected.
func (d *demo) tour(ctx context.Context) int {
	fmt.Printf("\nEnvoy listens on http://%s, portcullis decides, an upstream shows what reaches it.\nThe API is in hack/demo/portcullis.yaml, its policy in hack/demo/pets.policy.json, who may sign in hack/demo/iam, the function that partners are let in by in hack/demo/partners; who has signed in, a user pool of cognito-local knows.\n", d.addr)
	surprises := 0
	stops := slices.DeleteFunc(slices.Clone(stops), func(s stop) bool { return s.function && !functionsRun })
	for i, s := range stops {
		if ctx.Err() != nil {
			return surprises
		}
		args := s.args(d.addr)
		fmt.Printf("\n%2d. %s\n    $ curl %s\n", i+1, s.why, quoted(args))
		status, body := ask(ctx, d.pool.expand(args))
		body = strings.NewReplacer(d.pool.id, "$ID_TOKEN", d.pool.access, "$ACCESS_TOKEN").Replace(body)
		fmt.Printf("    %s  %s\n", status, strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n         "))
		if status == s.status && strings.Contains(body, s.body) && (s.never == "" || !strings.Contains(body, s.never)) {
			fmt.Printf("    expected %s: yes\n", s.status)
			continue
		}
		surprises++
		fmt.Printf("    EXPECTED %s with %q\n", s.status, s.body)
	}
	fmt.Printf("\n%d of %d answers were as expected.\n", len(stops)-surprises, len(stops))
	return surprises
}

// args returns curl's command line.
func (s stop) args(addr string) []string {
	host := s.host
	if host == "" {
		host = "pets.example.com"
	}
	args := append([]string{"-s", "--path-as-is", "-H", "Host: " + host}, s.flags...)
	return append(args, "http://"+addr+s.path)
}

// ask runs curl.
func ask(ctx context.Context, args []string) (status, body string) {
	out, err := exec.CommandContext(ctx, "curl", append([]string{"--max-time", "10", "-w", "\n%{http_code}"}, args...)...).Output()
	if err != nil {
		return "000", "curl: " + err.Error()
	}
	i := strings.LastIndexByte(string(out), '\n')
	return string(out[i+1:]), string(out[:i])
}

// quoted returns a command line that a shell parses back to args.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if strings.Contains(a, "_TOKEN") { // a shell variable
			words[i] = `"` + a + `"`
			continue
		}
		if strings.ContainsAny(a, " '\"$&;?*%\\") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// told are the headers that portcullis may change.
var told = []string{"x-client-ip", "x-alias", "x-user", "x-tier", "authorization"}

// show returns the upstream's answer: the request line, and those headers.
func show(s envoytest.Seen) string {
	text := s.Method + " " + s.Target + "\n"
	for _, line := range s.Headers {
		name, _, _ := strings.Cut(line, ":")
		if name = strings.ReplaceAll(strings.ToLower(name), "_", "-"); slices.Contains(told, name) {
			text += line + "\n"
		}
	}
	return text
}
