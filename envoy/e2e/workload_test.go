package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// errand is a request of a workload: GET or POST of a connection, the resource that the service apigatewaymanagementapi of AWS has. It
// signs for execute-api, so that the AWS CLI, whose signature cannot be had for another request, can call a guarded API too.
type errand struct {
	Endpoint   string `json:"endpoint"`
	Method     string `json:"method"`
	Connection string `json:"connection"`
	Body       []byte `json:"body"`
}

// workload is an unmodified client that gets credentials by itself. run does an errand and returns the status of the answer.
type workload struct {
	run func(errand) (status int, err error)
}

// sdk is a client and how it is told what the environment does not tell all alike.
type sdk struct {
	name string
	// start starts the client in an environment, in which there is nothing else.
	start func(t *testing.T, environment []string) workload
	// trust is the environment that has the client trust the authority in the file.
	trust func(t *testing.T, file string) string
}

func sdks() []sdk {
	bundle := func(_ *testing.T, file string) string { return "AWS_CA_BUNDLE=" + file }
	return []sdk{
		{"boto3", startBoto3, bundle},
		{"awscli", startAWSCLI, bundle},
		{"go", startGo, bundle},
		{"javascript", startJavaScript, func(_ *testing.T, file string) string { return "NODE_EXTRA_CA_CERTS=" + file }},
		{"java", startJava, trustStore},
		{"rust", startRust, func(_ *testing.T, file string) string { return "SSL_CERT_FILE=" + file }},
	}
}

func startBoto3(t *testing.T, environment []string) workload {
	dir := envoytest.PythonClients.Require(t)
	return startWorkload(t, append(environment, "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1"), "python3", "testdata/clients/workload.py")
}

func startGo(t *testing.T, environment []string) workload {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startWorkload(t, append(environment, workloadMark+"=1"), self)
}

func startJavaScript(t *testing.T, environment []string) workload {
	dir := envoytest.NodeClients.Require(t)
	return startWorkload(t, append(environment, "NODE_MODULES="+filepath.Join(dir, "node_modules"), "NODE_NO_WARNINGS=1"), "node", "testdata/clients/workload.mjs")
}

func startJava(t *testing.T, environment []string) workload {
	dir := envoytest.JavaClients.Require(t)
	return startWorkload(t, environment, "java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(dir, "jars", "*"), "testdata/clients/Workload.java")
}

func startRust(t *testing.T, environment []string) workload {
	return startWorkload(t, environment, filepath.Join(envoytest.RustClient.Require(t), "workload"))
}

// trustStore makes a trust store of a certificate, as Java wants it.
func trustStore(t *testing.T, file string) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "trust.p12")
	out, err := exec.Command("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", file, "-keystore", store, "-storetype", "PKCS12",
		"-storepass", "changeit").CombinedOutput()
	if err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	return "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=" + store + " -Djavax.net.ssl.trustStorePassword=changeit"
}

// startWorkload runs a program that does an errand for each line, until the test ends.
func startWorkload(t *testing.T, environment []string, program string, arguments ...string) workload {
	t.Helper()
	cmd := exec.Command(program, arguments...)
	cmd.Env = environment
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // which ends it
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("%s: %v\n%s", program, err, stderr.String())
		}
	})
	answers := bufio.NewReader(out)
	return workload{func(e errand) (int, error) {
		e.Body = append([]byte{}, e.Body...) // never null
		line, err := json.Marshal(e)
		if err != nil {
			return 0, err
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			return 0, err
		}
		text, err := answers.ReadBytes('\n')
		if err != nil {
			return 0, fmt.Errorf("%s does not answer: %w", program, err)
		}
		var answer struct {
			Status int
			Error  string
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return 0, err
		}
		if answer.Error != "" {
			return 0, errors.New(answer.Error)
		}
		return answer.Status, nil
	}}
}

// startAWSCLI runs the AWS CLI for each errand. It keeps credentials in a file of its home from one run to the next.
func startAWSCLI(t *testing.T, environment []string) workload {
	dir, files := envoytest.AWSCLI.Require(t), t.TempDir()
	return workload{func(e errand) (int, error) {
		arguments := []string{"-m", "awscli", "apigatewaymanagementapi", "--endpoint-url", e.Endpoint}
		if e.Method == http.MethodPost {
			body := filepath.Join(files, "body")
			if err := os.WriteFile(body, e.Body, 0o600); err != nil {
				return 0, err
			}
			arguments = append(arguments, "post-to-connection", "--data", "fileb://"+body)
		} else {
			arguments = append(arguments, "get-connection")
		}
		cmd := exec.Command("python3", append(arguments, "--connection-id", e.Connection)...)
		cmd.Env = append(slices.Clone(environment), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
		out, err := cmd.CombinedOutput()
		switch {
		case err == nil:
			return http.StatusOK, nil
		case strings.Contains(string(out), "An error occurred (AccessDeniedException) when calling"):
			return http.StatusForbidden, nil
		}
		return 0, fmt.Errorf("%w: %s", err, out)
	}}
}

// workloadMark is in the environment of this test's program where it is the workload with the AWS SDK for Go.
const workloadMark = "PORTCULLIS_E2E_WORKLOAD"

// runGoWorkload does the errands of its standard input. Credentials come from the SDK's default chain, the signature from its signer.
func runGoWorkload() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	call := func(e *errand) (int, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, e.Method, e.Endpoint+"/@connections/"+e.Connection, bytes.NewReader(e.Body))
		if err != nil {
			return 0, err
		}
		credentials, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return 0, err
		}
		sum := sha256.Sum256(e.Body)
		if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "execute-api", cfg.Region, time.Now()); err != nil {
			return 0, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var e errand
		answer := map[string]any{}
		err := json.Unmarshal(lines.Bytes(), &e)
		if err == nil {
			answer["status"], err = call(&e)
		}
		if err != nil {
			answer["error"] = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			panic(err)
		}
	}
}
