package runner

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("PORTCULLIS_SECRET", "s3cret")
	t.Setenv("HOME", "/root")
	c, _ := helperConfig(t, "good")
	c.Env["TABLE"], c.Handler, c.ARN, c.MemoryMiB = "pets", "app.handler", testARN+":live", 0
	var got []string
	if err := json.Unmarshal([]byte(mustDo(t, run(t, c), command{Do: "environment"})), &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range got {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
		"AWS_REGION", "LAMBDA_TASK_ROOT", "LANG", "PATH", "RUNNER_HELPER", "RUNNER_MARKER", "TABLE", "TZ", "_HANDLER",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got  %v\nwant %v", names, want)
	}
	for _, v := range []string{
		"AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_NAME=partners", "AWS_LAMBDA_FUNCTION_VERSION=live", "TZ=:UTC",
		"_HANDLER=app.handler", "LAMBDA_TASK_ROOT=" + c.Dir, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "TABLE=pets",
	} {
		if !slices.Contains(got, v) {
			t.Errorf("no %s", v)
		}
	}
}

func TestConfig(t *testing.T) {
	good, _ := helperConfig(t, "good")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no ARN":          {func(c *Config) { c.ARN = "" }, "not the ARN of a function"},
		"a role's ARN":    {func(c *Config) { c.ARN = "arn:aws:iam::111122223333:role/x" }, "not the ARN of a function"},
		"line end in ARN": {func(c *Config) { c.ARN += "\r\nX: y" }, "not the ARN of a function"},
		"no command":      {func(c *Config) { c.Command = nil }, "a command is missing"},
		"unknown command": {func(c *Config) { c.Command = []string{"no-such-program"} }, "not in the function's PATH"},
		"PATH of portcullis": {func(c *Config) {
			c.Command, c.Env = []string{"sh"}, map[string]string{"PATH": ":.:no/such"}
		}, "not in the function's PATH"},
		"missing file":     {func(c *Config) { c.Command = []string{"./bootstrap"} }, "cannot be run"},
		"not executable":   {func(c *Config) { c.Command = []string{file} }, "cannot be run"},
		"relative folder":  {func(c *Config) { c.Dir = "app" }, "absolute path"},
		"missing folder":   {func(c *Config) { c.Dir = "/no/such/folder" }, "no such file"},
		"file for folder":  {func(c *Config) { c.Dir = file }, "is a file"},
		"reserved":         {func(c *Config) { c.Env = map[string]string{"AWS_LAMBDA_RUNTIME_API": "x"} }, "reserved"},
		"name with =":      {func(c *Config) { c.Env = map[string]string{"A=B": "x"} }, "the name of a variable"},
		"NUL":              {func(c *Config) { c.Env = map[string]string{"A": "x\x00y"} }, "NUL"},
		"processes":        {func(c *Config) { c.Processes = 65 }, "processes must be between 1 and 64"},
		"negative timeout": {func(c *Config) { c.Timeout = -1 }, "the timeout must be between"},
		"answer":           {func(c *Config) { c.MaxAnswer = 7 << 20 }, "the largest answer"},
		"root":             {func(c *Config) { c.User = &User{} }, "cannot be root"},
	} {
		c := good
		tc.change(&c)
		if r, err := New(c); err == nil || r != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := New(Config{})
	for _, want := range []string{"ARN", "absolute path"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not all faults at once: %v", err)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newRequestID()
		if len(id) != 36 || id[14] != '4' || seen[id] {
			t.Fatalf("%s", id)
		}
		seen[id] = true
	}
}
