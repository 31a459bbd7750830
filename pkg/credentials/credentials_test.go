package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

func newCredentials(lasts time.Duration) *Credentials {
	return &Credentials{"ASIAEXAMPLE000000000", "secret-key", "session-token", time.Now().Add(lasts).Truncate(time.Second)}
}

// alone gives a test an environment without AWS settings.
func alone(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	return dir
}

func retrieve(t *testing.T) (aws.Credentials, error) {
	t.Helper()
	c, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Credentials.Retrieve(t.Context())
}

func TestTheSDKReadsTheProcess(t *testing.T) {
	dir, want := alone(t), newCredentials(time.Hour)
	write(t, filepath.Join(dir, "out"), string(want.Process()))
	write(t, filepath.Join(dir, "config"), "[default]\ncredential_process = cat "+filepath.Join(dir, "out")+"\n")
	got, err := retrieve(t)
	if err != nil || got.AccessKeyID != want.AccessKeyID || got.SecretAccessKey != want.SecretAccessKey || got.SessionToken != want.SessionToken || !got.Expires.Equal(want.Expiration) {
		t.Errorf("%v, %v", got, err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheSDKReadsTheEndpoint(t *testing.T) {
	dir, want := alone(t), newCredentials(time.Hour)
	token, err := Token(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Token(filepath.Join(dir, "token"))
	if err != nil || again != token {
		t.Errorf("%q, %v", again, err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	e := NewEndpoint(token, func(context.Context) (*Credentials, error) { return want, nil }, func(error) {})
	go func() { ended <- e.Serve(ctx, l) }()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://"+l.Addr().String()+"/")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", filepath.Join(dir, "token"))
	got, err := retrieve(t)
	if err != nil || got.AccessKeyID != want.AccessKeyID || got.SessionToken != want.SessionToken || want.Expiration.Sub(got.Expires).Abs() > 5*time.Minute {
		t.Errorf("%v, %v", got, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestEndpointRefuses(t *testing.T) {
	e := NewEndpoint("the-token-of-this-endpoint", func(context.Context) (*Credentials, error) { return newCredentials(time.Hour), nil }, func(error) {})
	for _, tt := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/", e.token, 200}, {"GET", "/", "", 401}, {"GET", "/", "Bearer " + e.token, 401}, {"GET", "/", e.token + "x", 401}, {"POST", "/", e.token, 405},
		{"GET", "/x", e.token, 404}, {"POST", "/", "", 401},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Authorization", tt.token)
		if e.ServeHTTP(w, r); w.Code != tt.status || w.Code != 200 && strings.Contains(w.Body.String(), "secret-key") {
			t.Errorf("%+v: %d %s", tt, w.Code, w.Body)
		}
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	if NewEndpoint("", e.get, e.failure).ServeHTTP(w, r); w.Code != 401 {
		t.Errorf("without a token: %d", w.Code)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "localhost:0", "127.0.0.1"} {
		if l, err := Listen(t.Context(), address); err == nil {
			_ = l.Close()
			t.Errorf("it listens on %s", address)
		}
	}
	short := filepath.Join(t.TempDir(), "token")
	write(t, short, "short")
	if _, err := Token(short); err == nil {
		t.Error("a short token is taken")
	}
}

// All callers wait for one attempt, credentials are replaced before they end, and a failure leaves those that last.
func TestEndpointRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int32
		var failing atomic.Bool
		e := NewEndpoint("", func(context.Context) (*Credentials, error) {
			attempts.Add(1)
			time.Sleep(time.Second)
			if failing.Load() {
				return nil, errors.New("no")
			}
			return newCredentials(time.Hour), nil
		}, func(error) {})
		get := func(name string, attempted int32, ok bool) {
			t.Helper()
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if c, err := e.current(); (err == nil) != ok || ok && !time.Now().Before(c.Expiration) {
						t.Errorf("%s: %v, %v", name, c, err)
					}
				})
			}
			if all.Wait(); attempts.Load() != attempted {
				t.Errorf("%s: %d attempts, want %d", name, attempts.Load(), attempted)
			}
		}
		get("at first", 1, true)
		time.Sleep(39 * time.Minute)
		get("later", 1, true)
		time.Sleep(time.Minute)
		get("early before the end", 2, true)
		failing.Store(true)
		time.Sleep(41 * time.Minute)
		get("while STS fails", 3, true)
		time.Sleep(30 * time.Minute)
		get("when they have ended", 4, false)
		failing.Store(false)
		time.Sleep(pauseAfterFailure)
		get("again", 5, true)
	})
}

func TestGet(t *testing.T) {
	dir := alone(t)
	write(t, filepath.Join(dir, "credentials"), "[work]\naws_access_key_id = AKIAEXAMPLE000000000\naws_secret_access_key = the-secret-of-aws\n")
	var got url.Values
	reply := `{"AssumeRoleWithCallerIdentityResponse":{"AssumeRoleWithCallerIdentityResult":{"Credentials":{"AccessKeyId":"ASIAX","SecretAccessKey":"s","SessionToken":"t","Expiration":1900000000}}}}`
	status := http.StatusOK
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = r.PostForm
		if status == http.StatusFound {
			w.Header().Set("Location", "http://127.0.0.1:1/")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(sts.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	t.Setenv("AWS_ENDPOINT_URL", sts.URL)
	t.Setenv(Guard, "")
	t.Setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "")
	s, err := New(Config{Profile: "work", STS: sts.URL + "/", AllowHTTP: true, Role: "arn:aws:iam::111122223333:role/cart"})
	if err != nil {
		t.Fatal(err)
	}
	if err := Prepare(); err != nil || os.Getenv("AWS_ENDPOINT_URL_STS")+os.Getenv("AWS_ENDPOINT_URL") != "" {
		t.Errorf("%v: the environment has an endpoint", err)
	}
	if Prepare() == nil {
		t.Error("a process below another is not noticed")
	}
	c, err := s.Get(t.Context())
	if err != nil || c.AccessKeyID != "ASIAX" || c.Expiration.Unix() != 1900000000 {
		t.Fatalf("%v, %v", c, err)
	}
	sent, err := url.Parse(got.Get("CallerIdentityUrl"))
	if err != nil || sent.Host != "sts.us-east-1.amazonaws.com" || sent.Query().Get("X-Amz-SignedHeaders") != "host;x-portcullis-sts" ||
		got.Get("StsUrl") != sts.URL || got.Get("RoleArn") == "" || got.Has("CallerExpiration") || strings.Contains(fmt.Sprint(got), "the-secret") {
		t.Errorf("%v", got)
	}
	for name, tt := range map[string]struct {
		status      int
		reply, want string
	}{
		"refused":       {403, `{"Error":{"Code":"AccessDenied","Message":"no\u001b[0m"},"RequestId":"x"}`, "AccessDenied: no?[0m"},
		"redirect":      {302, reply, "the status 302"},
		"text":          {200, "hello", "without credentials"},
		"no expiration": {200, strings.Replace(reply, `"Expiration":1900000000`, `"Expiration":0`, 1), "without credentials"},
		"an error":      {500, "{}", "the status 500"},
	} {
		status, reply = tt.status, tt.reply
		if c, err := s.Get(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) || c != nil {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if text := fmt.Sprintf("%v %+v", c, *c); strings.Contains(text, "SecretAccessKey") || !json.Valid(c.Process()) {
		t.Errorf("printed as %s", text)
	}
}
