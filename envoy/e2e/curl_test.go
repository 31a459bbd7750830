package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// curl sends a request that curl has signed, and returns the status and the body.
func (s *stack) curl(t *testing.T, w who, region, target string, more ...string) (status, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := []string{"-s", "-w", "\n%{http_code}", "--aws-sigv4", "aws:amz:" + region + ":execute-api", "-K", "-", "-H", "Host: pets.example.com"}
	cmd := exec.CommandContext(ctx, "curl", append(append(args, more...), "http://"+s.addr+target)...)
	cmd.Stdin = strings.NewReader(fmt.Sprintf("user = %q\n", w.id+":"+w.secret)) // no secret on a command line
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	end := strings.LastIndexByte(string(out), '\n')
	return string(out[end+1:]), string(out[:end])
}

// requireCurl wants a curl that signs; Debian 12's 7.88 is one.
func requireCurl(t *testing.T) {
	t.Helper()
	help, err := exec.Command("curl", "--help", "all").Output()
	if err == nil && strings.Contains(string(help), "--aws-sigv4") {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no curl that signs: install curl 7.75 or newer")
	}
	t.Skip("no curl that signs: install curl 7.75 or newer")
}

// What curl signs passes, where Debian 12's signs rightly: on plain paths without a query, with and without a body.
func TestCurlSigns(t *testing.T) {
	t.Parallel()
	requireCurl(t)
	s := start(t, signing(""))
	alice, ci := user(owner, member), session(owner, grants)
	for name, c := range map[string]struct {
		caller who
		target string
		more   []string
	}{
		"GET":                   {alice, "/pets", nil},
		"GET of a path":         {alice, "/pets/7", nil},
		"a longer path":         {alice, "/pets/dogs/Rex-1_2.3~4", nil},
		"HEAD":                  {alice, "/pets/7", []string{"-I"}},
		"DELETE":                {alice, "/pets/7", []string{"-X", "DELETE"}},
		"POST of a form":        {alice, "/pets", []string{"-d", "name=rex&kind=dog"}},
		"PUT of JSON":           {alice, "/pets/7", []string{"-X", "PUT", "-H", "Content-Type: application/json", "-d", `{"name": "rex"}`}},
		"a role's session":      {ci, "/pets", []string{"-H", "X-Amz-Security-Token: " + ci.session}},
		"another account's":     {user(other, grants), "/granted", nil},
		"a header of one's own": {alice, "/pets", []string{"-H", "X-Tag: a"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := s.curl(t, c.caller, "eu-west-1", c.target, c.more...)
			if c.caller == user(other, grants) {
				if status != "403" || !strings.Contains(body, "no resource-based policy allows") {
					t.Errorf("%s %s", status, body)
				}
				return
			}
			if status != "200" {
				t.Fatalf("%s %s", status, body)
			}
			seen := s.upstream.Take()
			if len(seen) != 1 {
				t.Fatalf("the upstream saw %d requests", len(seen))
			}
			last := seen[0]
			if got := last.Header("x-caller"); len(got) != 1 || got[0] != c.caller.arn || last.Header("authorization") != nil || last.Header("x-amz-security-token") != nil {
				t.Errorf("the upstream saw %q", last.Headers)
			}
		})
	}
}

// What another secret has signed, for another region, for another method or with another's token, is refused.
func TestCurlIsRefused(t *testing.T) {
	t.Parallel()
	requireCurl(t)
	s := start(t, signing(""))
	alice := user(owner, member)
	impostor, nobody := alice, alice
	impostor.secret, nobody.id = "another", "AKIANOBODY"
	for name, c := range map[string]struct {
		caller who
		region string
		more   []string
		want   string
	}{
		"another secret":  {impostor, "eu-west-1", nil, mismatch},
		"no such key":     {nobody, "eu-west-1", nil, says("The security token included in the request is invalid.")},
		"another region":  {alice, "us-east-1", nil, says("Credential should be scoped to a valid region. ")},
		"another's token": {alice, "eu-west-1", []string{"-H", "X-Amz-Security-Token: " + session(owner, grants).session}, says("The security token included in the request is invalid.")},
		"no token":        {session(owner, grants), "eu-west-1", nil, says("The security token included in the request is invalid.")},
	} {
		status, body := s.curl(t, c.caller, c.region, "/pets", c.more...)
		if status != "403" || body != c.want {
			t.Errorf("%s: %s %s, want %s", name, status, body, c.want)
		}
		if seen := s.upstream.Take(); len(seen) > 0 {
			t.Errorf("%s: the upstream saw %d requests", name, len(seen))
		}
	}
}

// A long upload is not buffered: where its route allows UNSIGNED-PAYLOAD, a signature that leaves the body out passes, and
// nothing else does.
func TestUnsignedUploads(t *testing.T) {
	t.Parallel()
	requireCurl(t)
	c := signing("")
	c.config = strings.Replace(c.config, "- route: ANY /uploads/{proxy+}", `- {route: "ANY /uploads/{proxy+}", signatures: {unsignedPayload: true}}`, 1)
	s := start(t, c)
	alice := user(owner, member)
	impostor := alice
	impostor.secret = "another"
	for name, c := range map[string]struct {
		caller who
		target string
		more   []string
		status string
	}{
		"unsigned payload":          {alice, "/uploads/a", []string{"-H", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"}, "200"},
		"on another route":          {alice, "/pets/7", []string{"-H", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"}, "403"},
		"by another secret":         {impostor, "/uploads/a", []string{"-H", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"}, "403"},
		"signed, and not looked at": {alice, "/uploads/a", nil, "500"},
	} {
		status, body := s.curl(t, c.caller, "eu-west-1", c.target, append(c.more, "-X", "PUT", "--data-binary", "what is uploaded")...)
		if status != c.status {
			t.Errorf("%s: %s %s", name, status, body)
		}
		seen := s.upstream.Take()
		if (c.status == "200") != (len(seen) == 1) || len(seen) == 1 && seen[0].Body != "what is uploaded" {
			t.Errorf("%s: the upstream saw %+v", name, seen)
		}
	}
}

// With explainSignatures, a client is told what to sign. What somebody on the way has put into a header is not among it.
func TestExplainedSignatures(t *testing.T) {
	t.Parallel()
	requireCurl(t)
	c := signing("")
	c.config += "  explainSignatures: true\n"
	s := start(t, c)
	impostor := session(owner, grants)
	token := impostor.session
	impostor.secret = "another"
	status, body := s.curl(t, impostor, "eu-west-1", "/pets/7", "-H", "X-Amz-Security-Token: "+token, "-H", "X-Tag: a tag")
	var answer struct{ Message string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != "403" {
		t.Fatalf("%s %s: %v", status, body, err)
	}
	told := strings.TrimSuffix(strings.TrimPrefix(mismatch, `{"message":"`), `"}`) + "\n\nThe Canonical String for this request should have been\n'GET\n/pets/7\n\nhost:pets.example.com\n"
	if !strings.HasPrefix(answer.Message, told) || !strings.Contains(answer.Message, "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n") {
		t.Errorf("told %s", answer.Message)
	}
	for _, secret := range []string{token, "a tag", session(owner, grants).secret} {
		if strings.Contains(body+s.portcullis.Stderr(), secret) {
			t.Errorf("%s is told", secret)
		}
	}
	if !strings.Contains(s.portcullis.Stderr(), "clients see what a signature") {
		t.Error("the operator is not warned")
	}
}
