package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

// goFunction is the function in Go, on AWS's own aws-lambda-go: the test binary is its program.
func goFunction() {
	lambda.Start(func(ctx context.Context, event events.APIGatewayCustomAuthorizerRequest) (*events.APIGatewayCustomAuthorizerResponse, error) {
		switch event.AuthorizationToken {
		case "unauthorized":
			return nil, errors.New("Unauthorized") // the text that API Gateway looks for
		case "broken":
			return nil, &os.PathError{Op: "open", Path: event.AuthorizationToken, Err: os.ErrNotExist}
		case "crash":
			os.Exit(1)
		}
		fmt.Println("checked a token")
		about, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return &events.APIGatewayCustomAuthorizerResponse{
			PrincipalID: event.AuthorizationToken,
			PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
				Version:   "2012-10-17",
				Statement: []events.IAMPolicyStatement{{Action: []string{"execute-api:Invoke"}, Effect: "Allow", Resource: []string{event.MethodArn}}},
			},
			Context: map[string]any{
				"function": lambdacontext.FunctionName, "version": lambdacontext.FunctionVersion, "arn": about.InvokedFunctionArn,
				"memory": strconv.Itoa(lambdacontext.MemoryLimitInMB), "requestId": about.AwsRequestID,
				"left": time.Until(deadline).Milliseconds(), "table": os.Getenv("TABLE"),
			},
		}, nil
	})
}

// realRuntimes are the runtimes that functions have in AWS, each with the same function.
var realRuntimes = map[string]func(testing.TB) Config{
	"Python": func(tb testing.TB) Config {
		return Config{
			Command: []string{"python3", "-m", "awslambdaric", "app.handler"}, Dir: testdata(tb, "python"),
			Env: map[string]string{"PYTHONPATH": envoytest.PythonRuntime.Require(tb), "PYTHONDONTWRITEBYTECODE": "1"},
		}
	},
	"Go": func(tb testing.TB) Config {
		c, _ := helperConfig(tb, "aws-lambda-go")
		return c
	},
	"a custom runtime in Node": func(tb testing.TB) Config {
		return Config{Command: []string{"./bootstrap"}, Dir: testdata(tb, "node"), Env: map[string]string{"PATH": nodePath(tb)}, Handler: "app.handler"}
	},
	"Node": func(tb testing.TB) Config {
		client := filepath.Join(envoytest.NodeRuntime.Require(tb), "node_modules/aws-lambda-ric/index.mjs")
		return Config{Command: []string{"node", client, "app.handler"}, Dir: testdata(tb, "node"), Env: map[string]string{"PATH": nodePath(tb)}, Handler: "app.handler"}
	},
}

func testdata(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// nodePath is a PATH with node on it.
func nodePath(tb testing.TB) string {
	tb.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("no node on PATH: install Node 20 or newer")
		}
		tb.Skip("no node on PATH: install Node 20 or newer")
	}
	return filepath.Dir(node) + ":" + defaultPath
}

// runReal runs a function in a real runtime.
func runReal(tb testing.TB, c Config) (*Runner, *logtest.Buffer) {
	tb.Helper()
	common, l := helperConfig(tb, "")
	delete(common.Env, helperStart)
	c.ARN, c.Log, c.MemoryMiB = testARN, common.Log, 512
	c.Env["TABLE"] = "pets"
	return run(tb, c), l
}

func tokenEvent(token string) []byte {
	event, err := json.Marshal(map[string]string{
		"type": "TOKEN", "authorizationToken": token, "methodArn": "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets",
	})
	if err != nil {
		panic(err)
	}
	return event
}

func TestRealRuntimes(t *testing.T) {
	t.Parallel()
	for name, config := range realRuntimes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			c.Processes = 2
			r, l := runReal(t, c)
			checkAllow(t, r)
			checkErrors(t, r)
			checkMany(t, r)
			r.Close()
			if !strings.Contains(l.String(), "checked a token") {
				t.Errorf("the function's output is not in the log:\n%s", l)
			}
			if s := r.Stats(); s.Starts != 3 || s.Crashes != 1 || s.Refused != 0 {
				t.Errorf("%+v\n%s", s, l)
			}
		})
	}
}

func checkAllow(t *testing.T, r *Runner) {
	t.Helper()
	answer, err := r.Invoke(t.Context(), testARN+":live", tokenEvent("alice"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		PrincipalID    string `json:"principalId"`
		PolicyDocument struct{ Statement []struct{ Effect string } }
		Context        struct {
			Function, Version, ARN, Memory, RequestID, Table string
			Left                                             int64
		}
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	about := got.Context
	if got.PrincipalID != "alice" || len(got.PolicyDocument.Statement) != 1 || got.PolicyDocument.Statement[0].Effect != "Allow" {
		t.Errorf("%s", answer)
	}
	if about.Function != "partners" || about.Version != "$LATEST" || about.ARN != testARN+":live" || about.Memory != "512" || about.Table != "pets" ||
		len(about.RequestID) != 36 || about.Left < 5000 || about.Left > 10_000 {
		t.Errorf("%+v", about)
	}
}

func checkErrors(t *testing.T, r *Runner) {
	t.Helper()
	for token, want := range map[string]string{"unauthorized": "Unauthorized", "broken": "broken"} {
		answer, err := r.Invoke(t.Context(), "", tokenEvent(token))
		var got *FunctionError
		if answer != nil || !errors.As(err, &got) || !strings.Contains(got.Message, want) || (want == "Unauthorized") != (got.Message == want) || got.Type == "" {
			t.Errorf("%s: %s, %#v", token, answer, err)
		}
	}
	answer, err := r.Invoke(t.Context(), "", tokenEvent("crash"))
	if answer != nil {
		t.Errorf("crash: %s", answer)
	}
	wantErr(t, err, ErrCrashed)
}

// checkMany sends events at once; each gets its own answer.
func checkMany(t *testing.T, r *Runner) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			token := "caller-" + strconv.Itoa(i)
			answer, err := r.Invoke(t.Context(), "", tokenEvent(token))
			if err != nil || !strings.Contains(string(answer), `"`+token+`"`) {
				t.Errorf("%s: %s, %v", token, answer, err)
			}
		})
	}
	wg.Wait()
}

// A module that cannot be imported is an error of the start.
func TestRealInitErrors(t *testing.T) {
	t.Parallel()
	for name, config := range realRuntimes {
		if name == "Go" { // has nothing to import
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			c.Handler = "broken.handler"
			if last := len(c.Command) - 1; c.Command[last] == "app.handler" {
				c.Command[last] = "broken.handler"
			}
			r, l := runReal(t, c)
			r.backoff = backoff{first: time.Minute, most: time.Minute}
			answer, err := r.Invoke(t.Context(), "", tokenEvent("alice"))
			if answer != nil || errors.As(err, new(*FunctionError)) {
				t.Errorf("%s, %v", answer, err)
			}
			wantErr(t, err, ErrStart)
			if text := strings.ReplaceAll(l.String(), "_", "-"); !strings.Contains(text, "no-such-module") {
				t.Errorf("the reason is not in the log:\n%s", l)
			}
		})
	}
}

func BenchmarkInvoke(b *testing.B) {
	for name, config := range realRuntimes {
		b.Run(name, func(b *testing.B) {
			r, _ := runReal(b, config(b))
			event := tokenEvent("alice")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Invoke(b.Context(), "", event); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
