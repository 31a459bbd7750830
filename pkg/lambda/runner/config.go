package runner

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is one function and how it is run.
type Config struct {
	// ARN names the function, with or without a version or alias.
	ARN string
	// Command starts the function's runtime, like ["python3", "-m", "awslambdaric", "app.handler"] or ["./bootstrap"]. A name
	// without a slash is looked for in the PATH that the program gets; a relative path starts at Dir.
	Command []string
	// Dir is the folder with the function's code: the working directory and LAMBDA_TASK_ROOT.
	Dir string
	// Env is the function's own environment. Names that Lambda reserves are refused, but for credentials.
	Env map[string]string
	// Handler is the function's handler, like "app.handler".
	Handler string

	// Processes is how many events are handled at once, 1 by default, 64 at most.
	Processes int
	// Queue is how many more events may wait, 100 by default.
	Queue int
	// MemoryMiB is the memory that a process may have, 128 by default as in Lambda.
	MemoryMiB int
	// Timeout is the time for one event, 10 s by default.
	Timeout time.Duration
	// StartTimeout is the time from a start to the first request for an event, 10 s by default as in Lambda.
	StartTimeout time.Duration
	// StopTimeout is the time that Close gives to events in flight, and again to a process to end itself; 2 s by default.
	StopTimeout time.Duration
	// MaxAnswer is the largest answer, in bytes; 1 MiB by default, 6 MiB at most as in Lambda.
	MaxAnswer int64

	// User is the user to run the program as; nil is the user of portcullis.
	User *User
	// Log takes what the program prints, line by line, and what happens to it. It is never given events or answers, unless
	// the function prints them.
	Log *slog.Logger
}

// User is a user of the system. Give each function one of its own.
type User struct{ UID, GID uint32 }

const (
	maxProcesses  = 64
	maxQueue      = 10_000
	minMemoryMiB  = 64
	maxMemoryMiB  = 10_240
	maxTimeout    = 15 * time.Minute
	maxAnswer     = 6 << 20
	maxEvent      = 6 << 20
	defaultPath   = "/usr/local/bin:/usr/bin:/bin"
	defaultAnswer = 1 << 20
)

// fill sets what is not given to its default.
func (c *Config) fill() {
	setDefault(&c.Processes, 1)
	setDefault(&c.Queue, 100)
	setDefault(&c.MemoryMiB, 128)
	setDefault(&c.Timeout, 10*time.Second)
	setDefault(&c.StartTimeout, 10*time.Second)
	setDefault(&c.StopTimeout, 2*time.Second)
	setDefault(&c.MaxAnswer, defaultAnswer)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check returns all faults at once. It looks at the disk, and starts nothing.
func (c *Config) check() error {
	faults := []error{supported(), c.checkNumbers(), c.checkEnv(), c.checkUser()}
	if _, err := parseARN(c.ARN); err != nil {
		faults = append(faults, err)
	}
	switch info, err := os.Stat(c.Dir); {
	case !filepath.IsAbs(c.Dir):
		faults = append(faults, fmt.Errorf("the folder of the code must be an absolute path, not %q", c.Dir))
	case err != nil:
		faults = append(faults, fmt.Errorf("directory: the folder of the code cannot be entered: %w", err))
	case !info.IsDir():
		faults = append(faults, fmt.Errorf("directory: %s is a file; name the folder that holds the function's code", c.Dir))
	default:
		_, err := c.program()
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (c *Config) checkNumbers() error {
	return errors.Join(
		between("processes", c.Processes, 1, maxProcesses),
		between("the queue", c.Queue, 1, maxQueue),
		between("the memory in MiB", c.MemoryMiB, minMemoryMiB, maxMemoryMiB),
		between("the timeout", c.Timeout, time.Millisecond, maxTimeout),
		between("the start timeout", c.StartTimeout, time.Millisecond, maxTimeout),
		between("the stop timeout", c.StopTimeout, time.Millisecond, maxTimeout),
		between("the largest answer in bytes", c.MaxAnswer, 1, maxAnswer),
	)
}

func between[T int | int64 | time.Duration](what string, value, low, high T) error {
	if value < low || value > high {
		return fmt.Errorf("%s must be between %v and %v, not %v", what, low, high, value)
	}
	return nil
}

func (c *Config) checkUser() error {
	switch {
	case c.User == nil:
		return nil
	case c.User.UID == 0 || c.User.GID == 0:
		return errors.New("a function's own user cannot be root: give a user id and a group id that nobody else has")
	case os.Geteuid() != 0:
		return errors.New("only root may run a function as another user: leave its user out, or run portcullis as root")
	}
	return nil
}

// program returns the absolute path of the command, found as the program itself would find it.
func (c *Config) program() (string, error) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return "", errors.New(`a command is missing, like ["python3", "-m", "awslambdaric", "app.handler"] or ["./bootstrap"]`)
	}
	if slices.ContainsFunc(c.Command, func(s string) bool { return strings.Contains(s, "\x00") }) {
		return "", errors.New("the command holds a NUL character")
	}
	name := c.Command[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(c.Dir, name)
		}
		return executable(name)
	}
	for _, dir := range filepath.SplitList(c.path()) {
		if !filepath.IsAbs(dir) {
			continue // it would depend on where portcullis runs
		}
		if path, err := executable(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", errors.New("command: the program is not in the function's PATH; write its path, or set PATH in its environment")
}

// path is the PATH that the program gets.
func (c *Config) path() string {
	if p, ok := c.Env["PATH"]; ok {
		return p
	}
	return defaultPath
}

// executable returns the path of a program. An error does not repeat it: A=secret may stand before a command.
func executable(path string) (string, error) {
	found, err := exec.LookPath(path)
	if err == nil {
		return found, nil
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return "", fmt.Errorf("command: the program cannot be run: %w", err)
}

// apiVariable tells a runtime client where the Runtime API is.
const apiVariable = "AWS_LAMBDA_RUNTIME_API"

// reserved are the names that Lambda sets itself. Credentials are not among them here: there is no execution role to take
// them from.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_LAMBDA_MAX_CONCURRENCY", apiVariable, "AWS_REGION", "LAMBDA_TASK_ROOT", "TZ",
}

// function is a function's ARN, taken apart.
type function struct{ arn, region, name, version string }

func parseARN(s string) (function, error) {
	parts := strings.Split(s, ":")
	if len(parts) == 7 {
		parts = append(parts, "$LATEST")
	}
	valid := len(parts) == 8 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function" &&
		!slices.Contains(parts, "") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	if !valid {
		return function{}, fmt.Errorf("%q is not the ARN of a function: arn:aws:lambda:<region>:<account>:function:<name>", s)
	}
	return function{arn: strings.TrimSuffix(s, ":"+parts[7]), region: parts[3], name: parts[6], version: parts[7]}, nil
}

// What is wrong with an environment. A name is not repeated: A=secret is what many write for it.
var (
	errBadName  = errors.New("environment: the name of a variable is empty, or holds an equals sign or a NUL character; write NAME: value")
	errBadValue = errors.New("environment: the value of a variable holds a NUL character; remove it")
)

// checkEnv refuses what the operating system or Lambda would not take.
func (c *Config) checkEnv() error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		switch {
		case slices.Contains(reserved, name):
			faults = append(faults, fmt.Errorf("environment: the variable %s is reserved for Lambda; remove it", name))
		case name == "" || strings.ContainsAny(name, "=\x00"):
			faults = append(faults, errBadName)
		case strings.Contains(c.Env[name], "\x00"):
			faults = append(faults, errBadValue)
		}
	}
	if strings.Contains(c.Handler, "\x00") || strings.Contains(c.Dir, "\x00") {
		faults = append(faults, errors.New("handler or folder hold a NUL character"))
	}
	return errors.Join(faults...)
}

// environ is the whole environment of a process, with the address of its Runtime API first.
func (c *Config) environ(f function, address string) []string {
	set := map[string]string{
		"PATH":                            defaultPath,
		"LANG":                            "en_US.UTF-8",
		"TZ":                              ":UTC",
		"_HANDLER":                        c.Handler,
		"LAMBDA_TASK_ROOT":                c.Dir,
		"AWS_REGION":                      f.region,
		"AWS_DEFAULT_REGION":              f.region,
		"AWS_LAMBDA_FUNCTION_NAME":        f.name,
		"AWS_LAMBDA_FUNCTION_VERSION":     f.version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemoryMiB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      time.Now().UTC().Format("2006/01/02/") + "[" + f.version + "]" + randomHex(),
	}
	maps.Copy(set, c.Env)
	env := []string{apiVariable + "=" + address}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env
}

// randomHex returns 32 random hexadecimal digits.
func randomHex() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// newRequestID returns a random id in the form that Lambda's have, a UUID of version 4.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
