package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authorizerFunc lets a test decide.
type authorizerFunc func(context.Context, *authz.Request) authz.Decision

func (f authorizerFunc) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	return f(ctx, r)
}

// allowAs allows everything and says which configuration did.
func allowAs(version string) authorizerFunc {
	return func(context.Context, *authz.Request) authz.Decision {
		return authz.Decision{Allow: true, Reason: authz.Reason{Code: authz.CodeNoPolicy}, SetHeaders: []authz.Field{{Name: "x-version", Value: version}}}
	}
}

func loads(a authorizerFunc) func() (Loaded, error) {
	return func() (Loaded, error) { return Loaded{Authorizer: a, Digest: "d1", APIs: 1, Routes: 2}, nil }
}

// loadsFile is a configuration format of one word: it names the version, and "bad" is a fault.
func loadsFile(path string) func() (Loaded, error) {
	return func() (Loaded, error) {
		text, err := os.ReadFile(path)
		l := Loaded{Files: []string{path}, Digest: string(text), Authorizer: allowAs(string(text))}
		switch {
		case err != nil:
			return l, err
		case strings.HasPrefix(string(text), "bad"):
			return l, errors.New("portcullis.yaml:3: routes: unknown field \"rout\"\nportcullis.yaml:9: no API")
		}
		return l, nil
	}
}

// running is a process of the test.
type running struct {
	t           *testing.T
	grpc, admin string
	sts         string // "" without Config.STS
	log         *logtest.Buffer
	reload      chan os.Signal
	cancel      context.CancelFunc
	done        chan error
}

// serve runs a process on ports that the kernel chooses, until stop or the end of the test.
func serve(t *testing.T, c Config) *running {
	t.Helper()
	r := startProcess(t, c)
	if r.grpc == "" {
		t.Fatalf("the process ended: %v\n%s", <-r.done, r.log)
	}
	return r
}

func startProcess(t *testing.T, c Config) *running {
	t.Helper()
	out, in := io.Pipe()
	r := &running{t: t, log: &logtest.Buffer{}, reload: make(chan os.Signal), done: make(chan error, 1)}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Admin == "" {
		c.Admin = "127.0.0.1:0"
	}
	c.Stdout, c.Reload, c.Version = in, r.reload, "test"
	c.Log = slog.New(slog.NewTextHandler(r.log, nil))
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() {
		r.done <- Run(ctx, c)
		close(r.done)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		r.cancel()
		_ = r.stop()
	})
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		r.grpc = strings.TrimPrefix(lines.Text(), "portcullis: grpc listening on ")
	}
	if c.Admin != "off" && lines.Scan() {
		r.admin = strings.TrimPrefix(lines.Text(), "portcullis: admin listening on ")
	}
	if c.STS != "" && lines.Scan() {
		r.sts = strings.TrimPrefix(lines.Text(), "portcullis: sts listening on ")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return r
}

// stop ends the process and returns what Run did.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.done: // closed, if the test has stopped it already
		return err
	case <-time.After(20 * time.Second):
		r.t.Fatal("the process does not end")
		return nil
	}
}

func (r *running) client(options ...grpc.DialOption) authv3.AuthorizationClient {
	return authv3.NewAuthorizationClient(r.dial(options...))
}

func (r *running) dial(options ...grpc.DialOption) *grpc.ClientConn {
	r.t.Helper()
	if len(options) == 0 {
		options = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	conn, err := grpc.NewClient(r.grpc, options...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// get reads an admin URL.
func (r *running) get(path string) (status int, body string) {
	r.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + r.admin + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// metric fails unless /metrics has the line.
func (r *running) metric(line string) {
	r.t.Helper()
	if _, body := r.get("/metrics"); !strings.Contains(body, "\n"+line+"\n") {
		name, _, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		var have []string
		for l := range strings.SplitSeq(body, "\n") {
			if strings.HasPrefix(l, name) {
				have = append(have, l)
			}
		}
		r.t.Errorf("/metrics has not %q, but %q", line, have)
	}
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within 8 s", what)
}

func checkRequest() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/pets?token=secret-in-query", Host: "pets.example.com", Scheme: "http",
			Headers: map[string]string{"authorization": "Bearer secret-in-header", "x-request-id": "id-1"},
		},
	}}}
}

// check asks once and returns the version that allowed, or the status that denied.
func check(t testing.TB, client authv3.AuthorizationClient) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := client.Check(ctx, checkRequest())
	if err != nil {
		t.Fatal(err)
	}
	return answer(out)
}

func answer(out *authv3.CheckResponse) string {
	if out.GetStatus().GetCode() != 0 {
		return fmt.Sprint(int(out.GetDeniedResponse().GetStatus().GetCode()))
	}
	return out.GetOkResponse().GetHeaders()[0].GetHeader().GetValue()
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func withTLS(c credentials.TransportCredentials) grpc.DialOption {
	return grpc.WithTransportCredentials(c)
}
