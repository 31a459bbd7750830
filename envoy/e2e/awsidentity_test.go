package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// standsForAWS is a portcullis whose STS verifies what AWS's would.
const standsForAWS = `
apis:
  - {id: a1b2c3d4e5, account: "444455556666", region: eu-west-1, stages: [{name: prod, domains: [aws.example.com]}], routes: [{route: GET /, authorization: AWS_IAM}]}
iam:
  users: [{arn: "arn:aws:iam::444455556666:user/team/alice", id: AIDAALICE0000000EXAMPLE}]
  accessKeys: [{file: keys.json}]
  sessions: {keys: [{id: aws, secret: {file: ring}, use: ISSUE}]}
`

const awsIdentityConfig = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [127.0.0.1]}]
    upstreamHeaders: {x-caller: $context.identity.userArn}
    defaultAuthorization: AWS_IAM
    routes: [{route: "ANY /@connections/{id}"}]
iam:
  roles:
    - name: cart
      account: "111122223333"
      policies: [{Version: "2012-10-17", Statement: {Effect: Allow, Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:*:*:*/*/*/@connections/c1"}}]
  awsIdentities: [{user: "arn:aws:iam::444455556666:user/team/alice", id: AIDAALICE0000000EXAMPLE, mayAssume: ["arn:aws:iam::111122223333:role/cart"]}]
  sts: {urls: ["http://%[1]s"], awsEndpoint: {url: "http://%[2]s", region: eu-central-1, partition: aws}}
  sessions: {keys: [{id: k1, secret: {file: ring}, use: ISSUE}]}
`

const aliceOfAWS = "[alice]\naws_access_key_id = AKIAALICE0000EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"

var containerLine = regexp.MustCompile(`(?m)^AWS_CONTAINER_CREDENTIALS_FULL_URI=(.+)$`)

// unused returns an address of this machine that nothing listens on.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startStandIn starts a portcullis in the place of AWS's STS and returns its address.
func startStandIn(t *testing.T, dir, ring string) string {
	t.Helper()
	for name, text := range map[string]string{
		"portcullis.yaml": standsForAWS, "ring": ring, "credentials": aliceOfAWS,
		"keys.json": `{"accessKeys":[{"id":"AKIAALICE0000EXAMPLE","secret":{"value":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},"user":"arn:aws:iam::444455556666:user/team/alice"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	aws, err := envoytest.StartPortcullis(t.Context(), portcullis(t), filepath.Join(dir, "portcullis.yaml"), "127.0.0.1:0", "--sts=127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(aws.Stop)
	return aws.STS
}

// serveContainer runs portcullis credentials --serve and returns the URL that it prints.
func serveContainer(t *testing.T, environment []string, arguments ...string) string {
	t.Helper()
	cmd := exec.Command(portcullis(t), arguments...)
	cmd.Env = environment
	served, err := envoytest.StartCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(served.Stop)
	var found []string
	if err := served.Await(t.Context(), func() bool { found = containerLine.FindStringSubmatch(served.Stdout()); return found != nil }); err != nil {
		t.Fatal(err)
	}
	return found[1]
}

// Unmodified clients with nothing but a key of AWS call a guarded route, by credential_process and by the endpoint of --serve.
func TestCallersWithAWSCredentials(t *testing.T) {
	t.Parallel()
	envoytest.Require(t)
	const ring = "MDEyMzQ1Njc4OWFiY2RlZkdISUpLTE1OT1BRUlNUVVY="
	dir, program, address := t.TempDir(), portcullis(t), unused(t)
	aws := startStandIn(t, dir, ring)
	s := start(t, setup{
		file: "iam.yaml", config: fmt.Sprintf(awsIdentityConfig, address, aws), flags: []string{"--sts=" + address}, files: map[string]string{"ring": ring},
		edits:  []envoytest.Edit{{Old: "domains: [pets.example.com]", New: "domains: [127.0.0.1]"}},
		answer: func(envoytest.Seen) string { return "{}" },
	})
	flags := []string{
		"credentials", "--source-profile", "alice", "--sts", "http://" + address, "--allow-http", "--region", "eu-central-1", "--aws-endpoint", "http://" + aws,
	}
	config, token := filepath.Join(dir, "config"), filepath.Join(dir, "token")
	if err := os.WriteFile(config, []byte("[profile alice]\n\n[profile pets]\ncredential_process = "+program+" "+strings.Join(flags, " ")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE=" + config,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_ENDPOINT_URL_STS=http://" + address,
	}
	uri := serveContainer(t, own, append(flags, "--serve", "127.0.0.1:0", "--token-file", token)...)
	for _, sdk := range sdks()[:3] {
		for how, environment := range map[string][]string{
			"process":   {"AWS_PROFILE=pets"},
			"container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + token, "AWS_SHARED_CREDENTIALS_FILE=/dev/null"},
		} {
			w := sdk.start(t, append(own[:len(own):len(own)], environment...))
			for connection, want := range map[string]int{"c1": 200, "c2": 403} {
				if status, err := w.run(errand{Endpoint: "http://" + s.addr, Method: "GET", Connection: connection}); err != nil || status != want {
					t.Errorf("%s by %s, %s: %d, %v, want %d", sdk.name, how, connection, status, err, want)
				}
			}
		}
	}
	if log := s.portcullis.Stderr() + s.portcullis.Stdout(); strings.Contains(log, "X-Amz-Signature") || !strings.Contains(log, "user/team/alice") {
		t.Error("the log has a presigned URL, or does not name the caller")
	}
}
