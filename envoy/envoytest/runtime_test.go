package envoytest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runtimeAPI serves one event to a Lambda runtime, and sends what comes back to answers.
func runtimeAPI(t *testing.T, event string, answers chan<- string) (addr string) {
	t.Helper()
	events := make(chan string, 1)
	events <- event
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-events:
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
			h.Set("Lambda-Runtime-Deadline-Ms", "9999999999999")
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:111122223333:function:door")
			_, _ = io.WriteString(w, e)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answers <- r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] + " " + string(body)
		w.WriteHeader(http.StatusAccepted)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// The installed runtimes run functions.
func TestLambdaRuntimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		part       Part
		file, text string
		command    func(dir string) *exec.Cmd
	}{
		{
			PythonRuntime, "app.py", "def handler(event, context):\n    return {'principalId': event['who']}\n",
			func(dir string) *exec.Cmd {
				cmd := exec.Command("python3", "-m", "awslambdaric", "app.handler")
				cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
				return cmd
			},
		},
		{
			NodeRuntime, "app.mjs", "export const handler = async (event) => ({ principalId: event.who });\n",
			func(dir string) *exec.Cmd {
				cmd := exec.Command("node", filepath.Join(dir, "node_modules", "aws-lambda-ric", "index.mjs"), "app.handler")
				cmd.Env = os.Environ()
				return cmd
			},
		},
	} {
		t.Run(tc.part.Name, func(t *testing.T) {
			t.Parallel()
			cmd, folder, answers := tc.command(tc.part.Require(t)), t.TempDir(), make(chan string, 1)
			if err := os.WriteFile(filepath.Join(folder, tc.file), []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd.Dir = folder
			cmd.Env = append(cmd.Env, "AWS_LAMBDA_RUNTIME_API="+runtimeAPI(t, `{"who": "ann"}`, answers), "LAMBDA_TASK_ROOT="+folder, "_HANDLER=app.handler",
				"AWS_LAMBDA_FUNCTION_NAME=door", "AWS_LAMBDA_FUNCTION_VERSION=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
				"AWS_LAMBDA_LOG_GROUP_NAME=door", "AWS_LAMBDA_LOG_STREAM_NAME=door")
			p, err := StartCommand(cmd)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			select {
			case got := <-answers:
				if want := `response {"principalId":"ann"}`; strings.ReplaceAll(got, ": ", ":") != want {
					t.Errorf("%s, want %s", got, want)
				}
			case <-p.Done():
				t.Errorf("it ended: %s%s", p.Stdout(), p.Stderr())
			case <-time.After(startTime):
				t.Errorf("no answer in %v: %s%s", startTime, p.Stdout(), p.Stderr())
			}
		})
	}
}
