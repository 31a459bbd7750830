package config

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

const withSTS = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    routes: [{route: GET /, authorization: AWS_IAM}]
iam:
  sessions: {keys: [{id: a, secret: {file: ring}, use: ISSUE}]}
  sts: {callsPerSecond: 50, clockSkew: 30s}
issuers:
  https://id.example.com: {file: keys.json, audiences: [https://sts.example.com]}
`

func loadSTS(t *testing.T, change ...string) (*Snapshot, error) {
	t.Helper()
	dir := everything(t)
	write(t, filepath.Join(dir, "ring"), []byte(ringOne))
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(strings.NewReplacer(change...).Replace(withSTS)))
	return Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
}

func TestSTS(t *testing.T) {
	s, err := loadSTS(t)
	if err != nil || s.STS == nil || len(s.Warnings) > 0 {
		t.Fatalf("%v, %v", err, s)
	}
	t.Cleanup(s.Close)
	if answersCalls(s.STS, "AssumeRoleWithCallerIdentity") || !answersCalls(s.STS, "AssumeRoleWithWebIdentity") {
		t.Error("STS answers other calls than it should")
	}
	without, err := loadSTS(t, "  sessions: {keys: [{id: a, secret: {file: ring}, use: ISSUE}]}\n", "", "  sts: {callsPerSecond: 50, clockSkew: 30s}\n", "  explainSignatures: false\n",
		"AWS_IAM", "NONE")
	if err != nil || without.STS != nil {
		t.Errorf("without a key ring: %v, %v", err, without.STS)
	}
	if err == nil {
		without.Close()
	}
}

func TestFaultsOfSTS(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		message        string
	}{
		{"empty audience", "[https://sts.example.com]", `[""]`, "empty or given twice"},
		{"an audience twice", "[https://sts.example.com]", "[a, b, a]", "empty or given twice"},
		{"many audiences", "[https://sts.example.com]", "[a" + strings.Repeat(", a", 50) + "]", "at most 50 audiences"},
		{"two issuers of one name", "issuers:\n", "issuers:\n  http://id.example.com: {file: keys.json, audiences: [a]}\n", "cannot tell the issuers"},
		{"no calls", "callsPerSecond: 50", "callsPerSecond: 0", "from 1 to 10000"},
		{"many calls", "callsPerSecond: 50", "callsPerSecond: 10001", "from 1 to 10000"},
		{"skew", "clockSkew: 30s", "clockSkew: 6m", "clockSkew"},
		{"no sessions", "  sessions: {keys: [{id: a, secret: {file: ring}, use: ISSUE}]}\n", "", "write iam.sessions, or remove sts"},
	} {
		_, err := loadSTS(t, c.old, c.new)
		faults, ok := errors.AsType[fault.List](err)
		if !ok || !slices.ContainsFunc(faults, func(f fault.Fault) bool { return strings.Contains(f.String(), c.message) && !f.Warning }) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
}

// answersCalls reports whether STS knows an operation.
func answersCalls(s *sts.Service, action string) bool {
	server := sts.NewServer(sts.ServerConfig{Current: func() (*sts.Service, func()) { return s, func() {} }, Log: slog.New(slog.DiscardHandler)})
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Version=2011-06-15&Action="+action))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	server.ServeHTTP(w, r)
	return !strings.Contains(w.Body.String(), "InvalidAction")
}

const withAWS = `iam:
  roles: [{name: cart, account: "111122223333"}]
  awsIdentities:
    - {role: "arn:aws:iam::444455556666:role/ci/deploy", id: AROADEPLOY000000EXAMPLE, mayAssume: ["arn:aws:iam::111122223333:role/cart"]}
`

func TestAWSIdentities(t *testing.T) {
	load := func(change ...string) (*Snapshot, error) {
		t.Helper()
		return loadSTS(t, append(change, "iam:\n", withAWS, "{callsPerSecond", "{urls: [https://sts.example.com], callsPerSecond")...)
	}
	s, err := load()
	if err != nil || len(s.Warnings) > 0 || !answersCalls(s.STS, "AssumeRoleWithCallerIdentity") {
		t.Fatalf("%v, %v", err, s)
	}
	s.Close()
	for name, c := range map[string]struct{ urls, identities, message string }{
		"no URLs":            {"", "", "write them to iam.sts.urls"},
		"a path":             {"urls: [https://sts.example.com/x],", "", "is not a URL of STS"},
		"plain text":         {"urls: ['http://sts.example.com'],", "", "is plain text"},
		"another spelling":   {"urls: ['https://STS.example.com/'],", "", "write that"},
		"an endpoint":        {"urls: [https://sts.example.com], awsEndpoint: {url: https://aws.example.com, region: us-east-1},", "", "the region or the partition is missing"},
		"a plain endpoint":   {"urls: [https://sts.example.com], awsEndpoint: {url: 'http://aws.example.com', region: us-east-1, partition: aws},", "", "is plain text"},
		"an unknown role":    {"urls: [https://sts.example.com],", strings.ReplaceAll(withAWS, "role/cart", "role/other"), "no account has the role"},
		"no id":              {"urls: [https://sts.example.com],", strings.ReplaceAll(withAWS, "id: AROADEPLOY000000EXAMPLE, ", ""), "begins with AROA"},
		"an account in half": {"urls: [https://sts.example.com],", strings.ReplaceAll(withAWS, "444455556666", "4444"), "must be the ARN of a role of AWS"},
	} {
		if c.identities == "" {
			c.identities = withAWS
		}
		_, err := loadSTS(t, "iam:\n", c.identities, "{callsPerSecond", "{"+c.urls+" callsPerSecond")
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", name, err, c.message)
		}
	}
	s, err = loadSTS(t, "iam:\n", withAWS, "{callsPerSecond", "{urls: ['http://127.0.0.1:9003'], awsEndpoint: {url: 'http://127.0.0.1:9004', region: us-east-1, partition: aws}, callsPerSecond")
	if err != nil || len(s.Warnings) != 2 {
		t.Fatalf("%v, %v", err, s)
	}
	s.Close()
}

// The example of pkg/sts/README.md is a part of a configuration that loads without a warning.
func TestREADMEOfSTS(t *testing.T) {
	text, err := os.ReadFile("../sts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n# portcullis.yaml\n")
	example, _, _ = strings.Cut(example, "```")
	api, _, _ := strings.Cut(withSTS, "iam:\n")
	dir := everything(t)
	write(t, filepath.Join(dir, "ring"), []byte(ringOne))
	example = strings.NewReplacer("/run/secrets/ring", "ring", "    caFile: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt\n", "    file: keys.json\n").Replace(example)
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(api+example))
	s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
	if err != nil || s.STS == nil || len(s.Warnings) > 0 {
		t.Fatalf("%v, %v", err, s.Warnings)
	}
	s.Close()
}

// Signed calls are for the hosts of iam.sts.urls, and policies see the regions of the APIs.
func TestHostsAndRegionsOfSTS(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	trust := func(condition string) string {
		return `{Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: "arn:aws:iam::111122223333:user/alice"}}, ` +
			`{Effect: Deny, Action: "sts:AssumeRole", Principal: "*", Condition: ` + condition + `}]}`
	}
	load := func(condition string, more ...string) *sts.Server {
		dir := everything(t)
		write(t, filepath.Join(dir, "ring"), []byte(ringOne))
		write(t, filepath.Join(dir, "alice.yaml"), []byte(`accessKeys: [{id: AKIAALICE0000EXAMPLE, secret: {value: `+secret+`}, user: "arn:aws:iam::111122223333:user/alice"}]`))
		text := strings.NewReplacer(append(more, "iam:\n", `iam:
  users: [{name: alice, account: "111122223333"}]
  roles: [{name: ops, account: "111122223333", trustPolicy: `+trust(condition)+`}]
  accessKeys: [{file: alice.yaml}]
`, "{callsPerSecond", `{urls: ["https://sts.example.com:9003", "https://sts.example.com"], callsPerSecond`)...).Replace(withSTS)
		write(t, filepath.Join(dir, "portcullis.yaml"), []byte(text))
		s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return sts.NewServer(sts.ServerConfig{Current: func() (*sts.Service, func()) { return s.STS, func() {} }, Log: slog.New(slog.DiscardHandler)})
	}
	const body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/ops&RoleSessionName=ci"
	code := func(server *sts.Server, host, scope string) string {
		a := &authz.Request{Method: http.MethodPost, Target: "/", Host: host}
		a.SetBody([]byte(body), authz.BodyComplete)
		s := sigv4test.Signer{KeyID: "AKIAALICE0000EXAMPLE", Secret: secret, Region: scope, Service: "sts", At: time.Now()}
		s.Sign(a)
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		for name, value := range a.Headers() {
			r.Header.Set(name, value)
		}
		r.Host = host
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		server.ServeHTTP(w, r)
		_, after, _ := strings.Cut(w.Body.String(), "<Code>")
		before, _, _ := strings.Cut(after, "</Code>")
		return before
	}
	server := load(`{StringEquals: {"aws:RequestedRegion": us-east-1}}`)
	for host, want := range map[string]string{
		"sts.example.com:9003": "", "sts.example.com": "", "STS.example.com": "", "sts.example.com:443": "", "sts.example.com:9004": "SignatureDoesNotMatch",
		"sts.other.com": "SignatureDoesNotMatch", "sts.amazonaws.com": "SignatureDoesNotMatch", "127.0.0.1:9003": "SignatureDoesNotMatch",
	} {
		if got := code(server, host, "eu-central-1"); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	two := []string{"apis:\n", `apis:
  - {id: b1b2c3d4e5, account: "111122223333", region: us-east-1, stages: [{name: prod, domains: [us.example.com]}], routes: [{route: GET /, authorization: AWS_IAM}]}
`}
	for _, c := range []struct {
		condition string
		more      []string
		want      string
	}{
		{`{StringEquals: {"aws:RequestedRegion": eu-west-1}}`, nil, "AccessDenied"},
		{`{StringNotEquals: {"aws:RequestedRegion": eu-west-1}}`, nil, ""},
		{`{StringNotEquals: {"aws:RequestedRegion": [eu-west-1, us-east-1]}}`, two, ""},
		{`{StringNotEquals: {"aws:RequestedRegion": eu-west-1}}`, two, "AccessDenied"},
		{`{StringEquals: {"aws:RequestedRegion": us-east-1}}`, two, "AccessDenied"},
		{`{StringEquals: {"aws:RequestedRegion": eu-central-1}}`, two, ""},
	} {
		if got := code(load(c.condition, c.more...), "sts.example.com", "eu-central-1"); got != c.want {
			t.Errorf("%s: %q, want %q", c.condition, got, c.want)
		}
	}
}
