package runner

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
