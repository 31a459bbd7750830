package sigv4

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAWSSigningTestSuite verifies what AWS publishes as signed (awslabs/aws-c-auth, tests/aws-signing-test-suite). The suite is
// not part of this module: AWS_SIGNING_TEST_SUITE names its folder.
func TestAWSSigningTestSuite(t *testing.T) {
	root := os.Getenv("AWS_SIGNING_TEST_SUITE")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "vectors", "aws-signing-test-suite")
	}
	if _, err := os.Stat(filepath.Join(root, "v4")); err != nil {
		t.Skip("AWS's signing test suite is not here: set AWS_SIGNING_TEST_SUITE to the folder that holds v4 and v4a")
	}
	verified := 0
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "-signed-request.txt") {
			verified++
			verifySuiteCase(t, path)
		}
		return err
	})
	if err != nil || verified != 152 {
		t.Errorf("%d signed requests, want 152; %v", verified, err)
	}
}

type suiteContext struct {
	Credentials struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		Token           string
	}
	Normalize        bool
	OmitSessionToken bool `json:"omit_session_token"`
	Region, Service  string
	Timestamp        time.Time
}

func verifySuiteCase(t *testing.T, path string) {
	t.Helper()
	var c suiteContext
	if err := json.Unmarshal(readFile(t, filepath.Join(filepath.Dir(path), "context.json")), &c); err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, Config{
		Regions: []string{c.Region}, Service: c.Service, Now: func() time.Time { return c.Timestamp },
		Key: func(id, _ string) (Key, bool) {
			return Key{Secret: c.Credentials.SecretAccessKey, Token: c.Credentials.Token}, id == c.Credentials.AccessKeyID
		},
		AcceptPathAsSent:         !c.Normalize,
		AcceptUnsignedQueryToken: c.OmitSessionToken,
	})
	if _, err := v.Verify(parseRequest(string(readFile(t, path)))); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parseRequest reads a request as the suite writes it, with raw spaces in targets and folded header lines.
func parseRequest(text string) *Request {
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, target, _ := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
	var fields [][2]string
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		if l[0] == ' ' {
			fields[len(fields)-1][1] += "\n" + l
			continue
		}
		fields = append(fields, [2]string{name, value})
	}
	return newRequest(method, target, fields, []byte(body))
}
