package e2e

import (
	"bufio"
	"bytes"
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
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// mode is how a client signs.
type mode string

const (
	inHeader    mode = "header"
	presigned   mode = "presigned"
	inHeader4A  mode = "header-sigv4a"
	presigned4A mode = "presigned-sigv4a"
)

func (m mode) inQuery() bool { return m == presigned || m == presigned4A }

// toSign is a request before it is signed, with the credentials.
type toSign struct {
	Mode    mode        `json:"mode"`
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers"`
	Body    []byte      `json:"body"`
	Service string      `json:"service"`
	Region  string      `json:"region"`
	// Time is when it is signed, now unless it is set; Expires are the seconds that a presigned request is valid for.
	Time         string `json:"time,omitempty"`
	Expires      int    `json:"expires"`
	AccessKeyID  string `json:"accessKeyId"`
	SecretKey    string `json:"secretAccessKey"`
	SessionToken string `json:"sessionToken,omitempty"`
}

// signed is what the client says to send: the headers are all but Host.
type signed struct {
	Method  string
	Target  string      `json:"target"`
	Headers [][2]string `json:"headers"`
	Body    []byte
	Error   string `json:"error"`
}

// client is a signing client.
type client struct {
	name  string
	modes []mode
	sign  func(*toSign) (signed, error)
}

// startClient runs a program of testdata/clients until the test ends: it signs a request for each line.
func startClient(t *testing.T, parts envoytest.Part, interpreter, script string) func(*toSign) (signed, error) {
	t.Helper()
	dir := parts.Require(t)
	path, err := exec.LookPath(interpreter)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, filepath.Join("testdata", "clients", script))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1", "NODE_MODULES="+filepath.Join(dir, "node_modules"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
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
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, stderr.String())
		}
	})
	answers := bufio.NewReader(out)
	return func(r *toSign) (signed, error) {
		var s signed
		line, err := json.Marshal(r)
		if err != nil {
			return s, err
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			return s, err
		}
		answer, err := answers.ReadBytes('\n')
		if err != nil {
			return s, fmt.Errorf("%s does not answer: %w", script, err)
		}
		return s, json.Unmarshal(answer, &s)
	}
}

// signWithGo signs with aws-sdk-go-v2, and sends what net/http would send.
func signWithGo(r *toSign) (signed, error) {
	req, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return signed{}, err
	}
	for _, h := range r.Headers {
		req.Header.Add(h[0], h[1])
	}
	at := time.Now()
	if r.Time != "" {
		if at, err = time.Parse(amzDate, r.Time); err != nil {
			return signed{}, err
		}
	}
	sum := sha256.Sum256(r.Body)
	hash, credentials := hex.EncodeToString(sum[:]), aws.Credentials{AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretKey, SessionToken: r.SessionToken}
	if r.Mode == presigned {
		if r.Expires > 0 { // PresignHTTP leaves it out unless it is in the query
			req.URL.RawQuery = strings.TrimPrefix(req.URL.RawQuery+"&", "&") + "X-Amz-Expires=" + strconv.Itoa(r.Expires)
		}
		uri, headers, err := v4.NewSigner().PresignHTTP(req.Context(), credentials, req, hash, r.Service, r.Region, at)
		if err != nil {
			return signed{}, err
		}
		if req, err = http.NewRequest(r.Method, uri, http.NoBody); err != nil {
			return signed{}, err
		}
		headers.Del("Host")
		req.Header = headers
	} else if err := v4.NewSigner().SignHTTP(req.Context(), credentials, req, hash, r.Service, r.Region, at); err != nil {
		return signed{}, err
	}
	s := signed{Target: req.URL.RequestURI()}
	if len(r.Body) > 0 && req.Header.Get("Content-Length") == "" {
		s.Headers = append(s.Headers, [2]string{"Content-Length", strconv.Itoa(len(r.Body))})
	}
	for name, values := range req.Header {
		for _, value := range values {
			s.Headers = append(s.Headers, [2]string{name, value})
		}
	}
	return s, nil
}

const amzDate = "20060102T150405Z"

// goClient needs nothing but this program.
func goClient() client { return client{"aws-sdk-go-v2", []mode{inHeader, presigned}, signWithGo} }

// eachClient runs a test for each way in which each client signs. One whose part is not installed skips its tests alone, or
// fails them in a CI.
func eachClient(t *testing.T, test func(*testing.T, client, mode)) {
	t.Helper()
	both := []mode{inHeader, presigned}
	for _, c := range []struct {
		client
		parts               envoytest.Part
		interpreter, script string
	}{
		{client: goClient()},
		{client{"botocore", both, nil}, envoytest.PythonClients, "python3", "botocore_client.py"},
		{client{"awscrt", append(both, inHeader4A, presigned4A), nil}, envoytest.PythonClients, "python3", "awscrt_client.py"},
		{client{"smithy", both, nil}, envoytest.NodeClients, "node", "smithy_client.mjs"},
		{client{"aws4", both, nil}, envoytest.NodeClients, "node", "aws4_client.mjs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.sign == nil {
				c.sign = startClient(t, c.parts, c.interpreter, c.script)
			}
			for _, m := range c.modes {
				t.Run(string(m), func(t *testing.T) { test(t, c.client, m) })
			}
		})
	}
}

// mustSign signs a request that a test cannot do without.
func (c client) mustSign(t *testing.T, r *toSign) signed {
	t.Helper()
	s, err := c.sign(r)
	if err != nil || s.Error != "" {
		t.Fatalf("%s cannot sign %s %s: %v %s", c.name, r.Method, r.URL, err, s.Error)
	}
	s.Method, s.Body = r.Method, r.Body
	return s
}

// header returns the first value of a header.
func (s *signed) header(name string) string {
	for _, h := range s.Headers {
		if http.CanonicalHeaderKey(h[0]) == http.CanonicalHeaderKey(name) {
			return h[1]
		}
	}
	return ""
}

// with returns a copy with a header more.
func (s signed) with(name, value string) signed {
	s.Headers = append(slices.Clone(s.Headers), [2]string{name, value})
	return s
}

// without returns a copy without a header.
func (s signed) without(name string) signed {
	s.Headers = slices.DeleteFunc(slices.Clone(s.Headers), func(h [2]string) bool {
		return http.CanonicalHeaderKey(h[0]) == http.CanonicalHeaderKey(name)
	})
	return s
}

// wire is the request as HTTP/1.1 has it.
func (s signed) wire() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: pets.example.com\r\n", s.Method, s.Target)
	for _, h := range s.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if s.header("Content-Length") == "" && len(s.Body) > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(s.Body))
	}
	_, _ = io.WriteString(&b, "\r\n")
	b.Write(s.Body)
	return b.String()
}
