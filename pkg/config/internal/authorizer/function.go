package authorizer

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	"github.com/portcullis-authz/portcullis/pkg/lambda/runner"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// anyFunction is the key of the entry for functions without their own.
const anyFunction = "*"

// readFunctions reads where functions run.
func (c *Compiler) readFunctions(m map[string]*configv1.Function) {
	at := c.Doc.Root().Field("functions")
	c.functions = make(map[string]*function, len(m))
	c.called = make(map[string]bool, len(m))
	for _, arn := range slices.Sorted(maps.Keys(m)) {
		before := c.Count()
		spec := function{FunctionSpec: c.functionSpec(m[arn], arn, at.Key(arn))}
		spec.faulty = c.Count() > before
		c.functions[arn] = &spec
	}
}

func (c *Compiler) functionSpec(m *configv1.Function, arn string, at *fault.Place) pool.FunctionSpec {
	s := pool.FunctionSpec{Limits: lambda.GuardLimits{Concurrency: int(m.GetConcurrency()), Queue: int(m.GetQueue())}}
	isURL, isCommand := m.GetUrl() != "", len(m.GetCommand()) > 0
	if isURL && isCommand {
		c.IfNew(at, "write either url or command")
	}
	c.onlyWith(isURL, at, "url", map[string]bool{
		"headers": len(m.GetHeaders()) > 0, "caFile": m.GetCaFile() != "", "certFile": m.GetCertFile() != "",
		"keyFile": m.GetKeyFile() != "", "proxy": m.GetProxy() != "",
	})
	c.onlyWith(isCommand, at, "command", map[string]bool{
		"directory": m.GetDirectory() != "", "handler": m.GetHandler() != "", "environment": len(m.GetEnvironment()) > 0,
		"processes": m.GetProcesses() != 0, "memoryMib": m.GetMemoryMib() != 0, "user": m.GetUser() != "",
	})
	switch {
	case isURL:
		s.URL = c.functionURL(m, at)
	case isCommand:
		s.Command = c.functionCommand(m, arn, at)
	}
	if (isURL || isCommand) && (m.GetEndpoint() != "" || m.GetStsEndpoint() != "") {
		c.IfNew(at, "endpoint and stsEndpoint are those of AWS: remove them, or the url or command")
	}
	s.AWS = lambda.AWSConfig{Endpoint: m.GetEndpoint(), STSEndpoint: m.GetStsEndpoint()}
	return s
}

// onlyWith refuses fields that require another field.
func (c *Compiler) onlyWith(has bool, at *fault.Place, what string, given map[string]bool) {
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if given[field] && !has {
			c.IfNew(at.Field(field), field+" requires a "+what+": write one, or remove it")
		}
	}
}

func (c *Compiler) functionURL(m *configv1.Function, at *fault.Place) *lambda.URLConfig {
	u := &lambda.URLConfig{
		URL: m.GetUrl(), Proxy: m.GetProxy(), CA: c.OptionalFile(m.GetCaFile(), at.Field("caFile")),
		Certificate: c.OptionalFile(m.GetCertFile(), at.Field("certFile")), Key: c.OptionalFile(m.GetKeyFile(), at.Field("keyFile")),
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetHeaders())) {
		value := c.Secret(m.GetHeaders()[name], at.Field("headers").Key(name))
		u.Headers = append(u.Headers, authz.Field{Name: name, Value: value})
	}
	if _, err := lambda.NewURL(*u); err != nil {
		c.Faults(at, err)
	}
	return u
}

// sampleARN checks an entry that applies to all functions.
const sampleARN = "arn:aws:lambda:us-east-1:111122223333:function:any"

func (c *Compiler) functionCommand(m *configv1.Function, arn string, at *fault.Place) *runner.Config {
	dir := cmp.Or(m.GetDirectory(), ".")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(c.File), dir)
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		c.IfNew(at.Field("directory"), "directory must be the folder of the function's code: "+fault.Quoted(cmp.Or(m.GetDirectory(), "."))+" is not a folder")
	}
	command := &runner.Config{
		Command: m.GetCommand(), Dir: dir, Handler: m.GetHandler(), Env: m.GetEnvironment(),
		Processes: int(m.GetProcesses()), MemoryMiB: int(m.GetMemoryMib()), User: c.user(m.GetUser(), at.Field("user")),
	}
	check := *command
	if check.ARN = arn; arn == anyFunction {
		check.ARN = sampleARN
	}
	if _, err := runner.New(check); err != nil {
		c.Faults(at, err)
	}
	return command
}

// user reads a user and a group id.
func (c *Compiler) user(text string, at *fault.Place) *runner.User {
	if text == "" {
		return nil
	}
	user, group, _ := strings.Cut(text, ":")
	uid, err := strconv.ParseUint(user, 10, 32)
	gid, errOfGroup := strconv.ParseUint(group, 10, 32)
	if err != nil || errOfGroup != nil {
		c.IfNew(at, "user must be the ids of a user and a group, such as 1001:1001")
	}
	return &runner.User{UID: uint32(uid), GID: uint32(gid)}
}

// WarnUnused warns about entries for functions that no authorizer calls.
func (c *Compiler) WarnUnused() {
	at := c.Doc.Root().Field("functions")
	for _, arn := range slices.Sorted(maps.Keys(c.functions)) {
		if !c.called[arn] {
			c.Warn(at.Key(arn).Name(), "no authorizer calls the function "+fault.Quoted(arn)+": write its ARN exactly as the authorizer does, or remove it")
		}
	}
}

// Gather reads the files that functions name.
func Gather(r *reader.Reader) {
	for f := range r.Doc.Values(r.Doc.Root().Field("functions")) {
		r.GatherNamed(f, "caFile", "certFile", "keyFile")
		for secret := range r.Doc.Values(f.Field("headers")) {
			r.GatherFile(secret, reader.MaxSecretSize)
		}
	}
}

// invoker returns what invokes an authorizer's function, and the part of it that answers depend on. It returns nil
// after a fault.
func (c *Compiler) invoker(m *configv1.LambdaAuthorizer, api *gateway.API, timeout time.Duration, at *fault.Place) (lambda.Invoker, []string) {
	arn := m.GetFunction()
	if arn == "" {
		c.IfNew(at.Field("function"), "function must be the ARN of the function, such as arn:aws:lambda:eu-west-1:111122223333:function:partners")
		return nil, nil
	}
	entry := arn
	if c.functions[entry] == nil {
		entry = anyFunction
	}
	spec := function{}
	if given := c.functions[entry]; given != nil {
		c.called[entry] = true
		spec = *given
	}
	if spec.faulty {
		return nil, nil
	}
	spec.ARN, spec.Role, spec.Limits.Timeout = arn, m.GetCredentials(), timeout
	elsewhere := spec.URL != nil || spec.Command != nil
	if spec.Role != "" && elsewhere && api.Imported {
		c.Warn(at.Field("credentials"), "the definition's credentials are not used, because the function does not run on AWS Lambda")
		spec.Role = ""
	}
	if spec.Role != "" && elsewhere {
		c.IfNew(at.Field("credentials"), "credentials require a function that runs on AWS Lambda: remove them, or the function's url or command")
		return nil, nil
	}
	guarded, err := c.lease.Function(api.ID, spec.FunctionSpec)
	if err != nil {
		c.Faults(at.Field("function"), err)
		return nil, nil
	}
	digest := spec.Digest()
	return guarded, []string{string(digest[:])}
}
