package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// at sends a GET request for a host.
func (s *stack) at(t *testing.T, host, target string, headers ...string) answer {
	t.Helper()
	return s.send(t, strings.Replace(request("GET", target, headers...), "Host: pets.example.com", "Host: "+host, 1))
}

// shows is the header line that identifies a caller.
func shows(token string) string { return "Authorization: " + token }

// called are the lines that a function which runs by its command has left.
func called(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(strings.ReplaceAll(string(text), " ", ":"))
}

// times counts the calls with a token.
func times(calls []string, token string) int {
	n := 0
	for _, c := range calls {
		if strings.HasPrefix(c, token+":") {
			n++
		}
	}
	return n
}

// cloud is a function at a url: a server of the test's own.
type cloud struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int
	// gone has a gateway answer in its place; attempts counts who came.
	gone     bool
	attempts int
}

// newCloud serves a function. It gets the event's token, and answers itself.
func newCloud(t *testing.T, answers func(w http.ResponseWriter, token string, event map[string]any)) *cloud {
	t.Helper()
	c := &cloud{calls: map[string]int{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.isGone() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v: %v", r.Method, r.Header, err)
		}
		token := tokenOf(event)
		c.mu.Lock()
		c.calls[token]++
		c.mu.Unlock()
		answers(w, token, event)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		c.attempts++
	}
	return c.gone
}

// take returns how often the function was called with a token, and forgets it.
func (c *cloud) take(token string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.calls[token]
	delete(c.calls, token)
	return n
}

func tokenOf(event map[string]any) string {
	if token, ok := event["authorizationToken"].(string); ok {
		return token
	}
	if list, ok := event["identitySource"].([]any); ok && len(list) > 0 {
		token, _ := list[0].(string)
		return token
	}
	headers, _ := event["headers"].(map[string]any)
	token, _ := headers["Authorization"].(string)
	return token
}

// policyFor is the answer of a function.
func policyFor(effect string, resource any) string {
	arn, _ := resource.(string)
	return fmt.Sprintf(`{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":%q,"Resource":%q}]},"context":{"tier":"gold","pets":7,"member":true}}`, effect, arn)
}

// arnOf is the method ARN, or the route's, of an event.
func arnOf(event map[string]any) any {
	if arn, ok := event["methodArn"]; ok {
		return arn
	}
	return event["routeArn"]
}

// allowsGood allows every method to the token good, and those that begin with it, and denies all others.
func allowsGood(w http.ResponseWriter, token string, _ map[string]any) {
	effect := "Deny"
	if strings.HasPrefix(token, "good") {
		effect = "Allow"
	}
	fmt.Fprint(w, policyFor(effect, "*"))
}

// goFunction is the program of a function in Go: this test's own, where functionMark is in its environment.
const functionMark = "PORTCULLIS_E2E_FUNCTION"

func runGoFunction() {
	lambda.Start(func(_ context.Context, event map[string]any) (any, error) {
		token := tokenOf(event)
		if err := leave(token); err != nil {
			return nil, err
		}
		switch token {
		case "Unauthorized":
			return nil, errors.New("Unauthorized")
		case "error":
			return nil, errors.New("Unauthorized: no such user")
		case "hang":
			time.Sleep(time.Minute)
		case "slow":
			time.Sleep(time.Second)
		case "crash":
			os.Exit(3)
		case "garbage":
			return "Allow", nil
		case "null":
			return nil, nil
		case "large":
			return map[string]string{"padding": strings.Repeat("x", 10<<20)}, nil
		}
		if key, _ := event["routeKey"].(string); strings.HasSuffix(key, "/simple") {
			return map[string]any{"isAuthorized": token == "allow" || token == "slow", "context": map[string]any{"tier": "gold", "pets": 7, "member": true}}, nil
		}
		switch arn, _ := arnOf(event).(string); token {
		case "deny":
			return json.RawMessage(policyFor("Deny", arn)), nil
		case "silent":
			return json.RawMessage(policyFor("Allow", arn+"/else")), nil
		case "nested":
			return json.RawMessage(strings.Replace(policyFor("Allow", arn), `"tier"`, `"list":["a"],"tier"`, 1)), nil
		case "allow", "slow":
			return json.RawMessage(policyFor("Allow", arn)), nil
		default:
			return nil, errors.New("Unauthorized")
		}
	})
}

// leave notes a call in the file $CALLS.
func leave(token string) error {
	f, err := os.OpenFile(os.Getenv("CALLS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %d\n", token, os.Getpid())
	return errors.Join(err, f.Close())
}

// language is one that functions are written in.
type language struct {
	name string
	// function is the YAML of a function that leaves its calls in a file.
	function func(t *testing.T, calls string) string
}

func languages() []language {
	return []language{{"python", pythonFunction}, {"go", goFunction}}
}

func pythonFunction(t *testing.T, calls string) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("testdata", "functions"))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("{command: [python3, -m, awslambdaric, app.handler], handler: app.handler, directory: %q, memoryMib: 512, environment: {CALLS: %q, PYTHONPATH: %q, PYTHONDONTWRITEBYTECODE: \"1\", PATH: %q}}",
		folder, calls, envoytest.PythonRuntime.Require(t), os.Getenv("PATH"))
}

func goFunction(t *testing.T, calls string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("{command: [%q], memoryMib: 512, environment: {CALLS: %q, %s: \"1\"}}", self, calls, functionMark)
}
