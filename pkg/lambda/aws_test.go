package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

const roleARN = "arn:aws:iam::123456789012:role/invoke"

// awsCredentials sets the environment that the standard chain looks at, and nothing else.
func awsCredentials(t *testing.T, id, secret string) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_LAMBDA": "", "AWS_ENDPOINT_URL_STS": "", "AWS_MAX_ATTEMPTS": "3", "HTTP_PROXY": "", "HTTPS_PROXY": "",
	} {
		t.Setenv(name, value)
	}
}

// verified checks the SDK's signature, and says whose it is.
func verified(t *testing.T, r *http.Request, body []byte, region, service string) string {
	t.Helper()
	keys := map[string]sigv4.Key{
		"AKIAOURS": {Secret: "ours", Version: 1}, "ASIAROLE": {Secret: "role's", Token: "token", Version: 1, Expires: time.Now().Add(time.Hour)},
	}
	v, err := sigv4.New(sigv4.Config{Regions: []string{region}, Service: service, Key: func(id, _ string) (sigv4.Key, bool) {
		key, ok := keys[id]
		return key, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for name := range r.Header {
		headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	result, err := v.Verify(&sigv4.Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Headers: maps.All(headers), Body: body, BodyComplete: true})
	if err != nil {
		t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
		return ""
	}
	return result.KeyID
}

func mustAWS(t *testing.T, c AWSConfig) *AWS {
	t.Helper()
	a, err := NewAWS(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func mustFunction(t *testing.T, a *AWS, function, role string) Invoker {
	t.Helper()
	f, err := a.Function(function, role)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAWS(t *testing.T) {
	awsCredentials(t, "AKIAOURS", "ours")
	const function = "arn:aws:lambda:eu-west-1:123456789012:function:partners:live"
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if by := verified(t, r, body, "eu-west-1", "lambda"); by != "AKIAOURS" {
			t.Errorf("signed by %q", by)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/2015-03-31/functions/"+function+"/invocations" || string(body) != `{"a":"é"}` {
			t.Errorf("%s %s %s", r.Method, r.URL.Path, body)
		}
		if kind := r.Header.Get("X-Amz-Invocation-Type"); kind != "" && kind != "RequestResponse" {
			t.Errorf("invocation type %s", kind)
		}
		fmt.Fprint(w, allowAll)
	})
	f := mustFunction(t, mustAWS(t, AWSConfig{Endpoint: s.URL}), function, "")
	for range 2 {
		if answer, err := f.Invoke(t.Context(), function, []byte(`{"a":"é"}`)); err != nil || string(answer) != allowAll {
			t.Errorf("%s %v", answer, err)
		}
	}
}

func TestAWSFailures(t *testing.T) {
	awsCredentials(t, "AKIAOURS", "ours")
	failure := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if code != "" {
				w.Header().Set("X-Amzn-ErrorType", code)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"Type":"User","Message":"s3cr3t"}`)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    Failure
		detail  string
	}{
		"no permission":     {failure(403, "AccessDeniedException"), NotPermitted, "AccessDeniedException"},
		"no function":       {failure(404, "ResourceNotFoundException"), NotPermitted, "ResourceNotFoundException"},
		"an expired token":  {failure(403, "ExpiredTokenException"), NotPermitted, "ExpiredTokenException"},
		"throttled":         {failure(429, "TooManyRequestsException"), Throttled, "TooManyRequestsException"},
		"throttled, plain":  {failure(429, ""), Throttled, ""},
		"Lambda itself":     {failure(500, "ServiceException"), Unreachable, "ServiceException"},
		"a bad gateway":     {failure(502, ""), Unreachable, ""},
		"a code of its own": {failure(400, "s3cr3t-and"), NotPermitted, ""},
		"10 MB":             {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, allowAll+strings.Repeat(" ", 10<<20)) }, TooLarge, ""},
		"10 MB of error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, strings.Repeat(" ", 10<<20))
		}, TooLarge, ""},
		"an event was taken": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, NotPermitted, ""},
		"closed":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Unreachable, ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, NotPermitted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				c.handler(w, r)
			})
			answer, err := mustFunction(t, mustAWS(t, AWSConfig{Endpoint: s.URL}), testFunction, "").Invoke(t.Context(), testFunction, []byte("{}"))
			if failure := failureOf(t, answer, err); failure != c.want || !strings.Contains(err.Error(), c.detail) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v: %v, want %v", failure, err, c.want)
			}
			if calls.Load() != 1 {
				t.Errorf("%d calls for one invocation", calls.Load())
			}
		})
	}
	const closed = "http://127.0.0.1:1" // another test may get the port of a server that was closed
	answer, err := mustFunction(t, mustAWS(t, AWSConfig{Endpoint: closed}), testFunction, "").Invoke(t.Context(), testFunction, nil)
	if failure := failureOf(t, answer, err); failure != Unreachable {
		t.Errorf("%v", err)
	}
}

func TestAWSFunctionError(t *testing.T) {
	awsCredentials(t, "AKIAOURS", "ours")
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		fmt.Fprint(w, `{"errorMessage":"Unauthorized","errorType":"Error"}`)
	})
	config := tokenConfig(mustFunction(t, mustAWS(t, AWSConfig{Endpoint: s.URL}), testFunction, ""))
	answer, err := mustNew(t, config).Authorize(t.Context(), call("t"))
	if r := refusalOf(t, answer, err); r.ResponseType != unauthorized {
		t.Errorf("%+v", r)
	}
}

func TestAWSHangs(t *testing.T) {
	awsCredentials(t, "AKIAOURS", "ours")
	free := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-free })
	defer close(free)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	answer, err := mustFunction(t, mustAWS(t, AWSConfig{Endpoint: s.URL}), testFunction, "").Invoke(ctx, testFunction, []byte("{}"))
	if !errors.Is(err, context.DeadlineExceeded) || answer != nil {
		t.Errorf("%s %v", answer, err)
	}
}

func TestAWSWithoutCredentials(t *testing.T) {
	awsCredentials(t, "", "")
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("invoked without credentials") })
	answer, err := mustFunction(t, mustAWS(t, AWSConfig{Endpoint: s.URL}), testFunction, "").Invoke(t.Context(), testFunction, []byte("{}"))
	if failure := failureOf(t, answer, err); failure != NotPermitted || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("%v", err)
	}
}

const assumed = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>` +
	`<SecretAccessKey>role's</SecretAccessKey><SessionToken>token</SessionToken><Expiration>%s</Expiration></Credentials>` +
	`<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/invoke/portcullis</Arn><AssumedRoleId>AROA:portcullis</AssumedRoleId></AssumedRoleUser>` +
	`</AssumeRoleResult></AssumeRoleResponse>`

// TestAWSRole assumes authorizerCredentials once, for as long as they hold.
func TestAWSRole(t *testing.T) {
	awsCredentials(t, "AKIAOURS", "ours")
	var assumptions atomic.Int64
	sts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if by := verified(t, r, body, "us-east-1", "sts"); by != "AKIAOURS" || !strings.Contains(string(body), "RoleSessionName=portcullis") {
			t.Errorf("by %s: %s", by, body)
		}
		assumptions.Add(1)
		fmt.Fprintf(w, assumed, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if by := verified(t, r, body, "us-east-1", "lambda"); by != "ASIAROLE" {
			t.Errorf("signed by %q", by)
		}
		fmt.Fprint(w, allowAll)
	})
	a := mustAWS(t, AWSConfig{Endpoint: s.URL, STSEndpoint: sts.URL})
	for range 3 { // a new configuration each time
		if answer, err := mustFunction(t, a, testFunction, roleARN).Invoke(t.Context(), testFunction, []byte("{}")); err != nil || string(answer) != allowAll {
			t.Errorf("%s %v", answer, err)
		}
	}
	if assumptions.Load() != 1 {
		t.Errorf("the role was assumed %d times", assumptions.Load())
	}
}

func TestAWSRoleThatMayNotBeAssumed(t *testing.T) {
	awsCredentials(t, "AKIAOURS", "ours")
	for status, c := range map[int]struct {
		code string
		want Failure
	}{403: {"AccessDenied", NotPermitted}, 400: {"Throttling", Throttled}, 500: {"InternalFailure", Unreachable}} {
		sts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>s3cr3t</Message></Error></ErrorResponse>`, c.code)
		})
		s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("invoked without the role") })
		f := mustFunction(t, mustAWS(t, AWSConfig{Endpoint: s.URL, STSEndpoint: sts.URL}), testFunction, roleARN)
		answer, err := f.Invoke(t.Context(), testFunction, []byte("{}"))
		if failure := failureOf(t, answer, err); failure != c.want || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v: %v", c.code, failure, err)
		}
	}
}

func TestAWSFaults(t *testing.T) {
	for _, c := range []AWSConfig{{Endpoint: "x"}, {STSEndpoint: "ftp://x"}, {Connections: -1}} {
		if a, err := NewAWS(c); err == nil || a != nil {
			t.Errorf("%+v is taken", c)
		}
	}
	a := mustAWS(t, AWSConfig{})
	for _, c := range [][2]string{
		{"", ""}, {"partners", ""}, {"arn:aws:lambda:us-east-1:123456789012:partners", ""}, {"arn:aws:lambda::123456789012:function:partners", ""},
		{"arn:aws:lambda:us-east-1::function:partners", ""}, {"arn:aws:iam:us-east-1:123456789012:function:partners", ""},
		{"arn:aws:lambda:us-east-1:123456789012:function:", ""}, {"arn:aws:lambda:us-east-1:123456789012:function:${stageVariables.fn}", ""},
		{"arn:aws:lambda:us-east-1:123456789012:function:a:b:c", ""}, {"arn:aws:lambda:us/east:123456789012:function:a", ""},
		{testFunction, "role"}, {testFunction, "arn:aws:iam::123456789012:user/a"}, {testFunction, "arn:aws:iam::*:user/*"},
	} {
		if f, err := a.Function(c[0], c[1]); err == nil || f != nil {
			t.Errorf("%q is taken", c)
		}
	}
	for _, function := range []string{testFunction, testFunction + ":live", testFunction + ":7", testFunction + ":$LATEST", "arn:aws-cn:lambda:cn-north-1:123456789012:function:a_b-c"} {
		if _, err := a.Function(function, roleARN); err != nil {
			t.Error(err)
		}
	}
}
