package config

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	"github.com/portcullis-authz/portcullis/pkg/lambda/runner"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const (
	maxFunctionTime = 30 * time.Second
	maxResultTTL    = time.Hour
	// anyFunction is the entry of functions that have none of their own.
	anyFunction = "*"
)

// lambda compiles a Lambda authorizer.
func (c *compiler) lambda(m *configv1.LambdaAuthorizer, name string, api *gateway.API, at *path) gateway.Authorizer {
	token := m.GetType() == configv1.LambdaType_TOKEN
	compiled := gateway.Authorizer{
		Authorization: gateway.Custom, IdentitySource: m.GetIdentitySource(), TokenType: token, Function: refuseCalls,
		IdentityValidationExpression: m.GetIdentityValidationExpression(),
	}
	if token && len(compiled.IdentitySource) == 0 && !api.HTTP {
		compiled.IdentitySource = []string{"method.request.header.Authorization"}
	}
	if !token && m.GetIdentityValidationExpression() != "" {
		c.ifNew(at.field("identityValidationExpression"), "identityValidationExpression belongs to authorizers of type TOKEN: remove it")
	}
	config := lambda.Config{
		Name: name, Type: lambda.Type(m.GetType().String()), HTTP: api.HTTP,
		PayloadFormatVersion: m.GetPayloadFormatVersion(), EnableSimpleResponses: m.GetEnableSimpleResponses(),
		IdentitySource: compiled.IdentitySource, Function: m.GetFunction(),
		Timeout: c.duration(m.GetTimeout(), at.field("timeout"), span{time.Millisecond, maxFunctionTime}, 0),
		Cache:   c.answers.cache, Waits: c.runtime.waits,
	}
	if m.GetResultTtl() != "" {
		ttl := c.duration(m.GetResultTtl(), at.field("resultTtl"), span{0, maxResultTTL}, 0)
		config.TTL = &ttl
	}
	if m.GetType() == configv1.LambdaType_LAMBDA_TYPE_UNSPECIFIED {
		c.ifNew(at.field("type"), "type must be TOKEN or REQUEST")
		config.Type = lambda.Request
	}
	compiled.Timeout = config.Timeout
	if config.Invoker, config.Digest = c.invoker(m, config.Timeout, at); config.Invoker == nil {
		return compiled
	}
	config.Digest = append(config.Digest, api.Account, api.Region, stageVariables(api))
	a, err := lambda.New(config)
	if err != nil {
		c.faults(at, err)
		return compiled
	}
	c.flushable = append(c.flushable, flushable{api, name})
	c.asking[api.ID] = true
	compiled.Function = func(ctx context.Context, call gateway.LambdaCall) (gateway.LambdaAnswer, error) {
		answer, err := a.Authorize(ctx, lambda.Call(call))
		if err != nil {
			return nil, err // not the nil *lambda.Answer, which would be no nil LambdaAnswer
		}
		return answer, nil
	}
	return compiled
}

// refuseCalls stands in for an authorizer that is at fault.
func refuseCalls(context.Context, gateway.LambdaCall) (gateway.LambdaAnswer, error) {
	return nil, &authz.Refusal{}
}

// stageVariables are what a function is told of each stage, as one text.
func stageVariables(api *gateway.API) string {
	text, err := json.Marshal(api.Stages)
	if err != nil {
		panic(err) // texts
	}
	return string(text)
}

// invoker is what invokes an authorizer's function, and what an answer depends on of it. It is nil where there is a fault.
func (c *compiler) invoker(m *configv1.LambdaAuthorizer, timeout time.Duration, at *path) (lambda.Invoker, []string) {
	arn := m.GetFunction()
	if arn == "" {
		c.ifNew(at.field("function"), "function must be the ARN of the function, such as arn:aws:lambda:eu-west-1:111122223333:function:partners")
		return nil, nil
	}
	entry := arn
	if c.functions[entry] == nil {
		entry = anyFunction
	}
	spec := functionSpec{}
	if given := c.functions[entry]; given != nil {
		c.called[entry] = true
		spec = *given
	}
	if spec.faulty {
		return nil, nil
	}
	spec.arn, spec.role, spec.timeout = arn, m.GetCredentials(), timeout
	if spec.role != "" && (spec.url != nil || spec.command != nil) {
		c.ifNew(at.field("credentials"), "credentials are for functions that run on AWS Lambda: remove them, or the function's url or command")
		return nil, nil
	}
	f, err := c.runtime.functions.use(spec)
	if err != nil {
		c.faults(at.field("function"), err)
		return nil, nil
	}
	c.resources, c.asked = append(c.resources, f), append(c.asked, arn)
	guarded, err := c.runtime.guards.Guard(arn, f.invoker, lambda.GuardLimits{Concurrency: spec.atOnce(), Queue: spec.queue, Timeout: timeout})
	if err != nil {
		c.faults(at.field("function"), err)
		return nil, nil
	}
	digest := spec.digest()
	return guarded, []string{string(digest[:])}
}

// functionSpec says where a function runs. Two that are equal are one function.
type functionSpec struct {
	arn, role          string
	url                *lambda.URLConfig
	command            *runner.Config
	aws                lambda.AWSConfig
	concurrency, queue int
	timeout            time.Duration
	faulty             bool
}

// atOnce is how many events the function is given at once; zero for the default. A function that runs here gets no more than it has
// processes, each of which takes one: what waits behind them is not shared among callers.
func (s *functionSpec) atOnce() int {
	if s.command == nil {
		return s.concurrency
	}
	processes := cmp.Or(s.command.Processes, 1)
	return min(cmp.Or(s.concurrency, processes), processes)
}

// digest is equal for equal specs. How many may wait is not the function's, and how long they do only where it runs here.
func (s *functionSpec) digest() [32]byte {
	parts := []any{s.arn, s.role, s.url, s.command, s.aws}
	if s.command != nil {
		parts = append(parts, s.timeout)
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // texts and numbers
	}
	return sha256.Sum256(text)
}

// functionSpecs reads where functions run.
func (c *compiler) functionSpecs(m map[string]*configv1.Function, at *path) {
	c.functions = make(map[string]*functionSpec, len(m))
	c.called = make(map[string]bool, len(m))
	for _, arn := range slices.Sorted(maps.Keys(m)) {
		before := len(c.report.faults)
		spec := c.functionSpec(m[arn], arn, at.key(arn))
		spec.faulty = len(c.report.faults) > before
		c.functions[arn] = &spec
	}
}

func (c *compiler) functionSpec(m *configv1.Function, arn string, at *path) functionSpec {
	s := functionSpec{concurrency: int(m.GetConcurrency()), queue: int(m.GetQueue())}
	isURL, isCommand := m.GetUrl() != "", len(m.GetCommand()) > 0
	if isURL && isCommand {
		c.ifNew(at, "a function runs at a url or by a command: write one of them")
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
		s.url = c.functionURL(m, at)
	case isCommand:
		s.command = c.functionCommand(m, arn, at)
	}
	if (isURL || isCommand) && (m.GetEndpoint() != "" || m.GetStsEndpoint() != "") {
		c.ifNew(at, "endpoint and stsEndpoint are those of AWS: remove them, or the url or command")
	}
	s.aws = lambda.AWSConfig{Endpoint: m.GetEndpoint(), STSEndpoint: m.GetStsEndpoint()}
	return s
}

// onlyWith refuses fields that say nothing without another.
func (c *compiler) onlyWith(has bool, at *path, what string, given map[string]bool) {
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if given[field] && !has {
			c.ifNew(at.field(field), field+" goes with a "+what+": write one, or remove it")
		}
	}
}

func (c *compiler) functionURL(m *configv1.Function, at *path) *lambda.URLConfig {
	u := &lambda.URLConfig{
		URL: m.GetUrl(), Proxy: m.GetProxy(), CA: c.optionalFile(m.GetCaFile(), at.field("caFile")),
		Certificate: c.optionalFile(m.GetCertFile(), at.field("certFile")), Key: c.optionalFile(m.GetKeyFile(), at.field("keyFile")),
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetHeaders())) {
		value := c.secret(m.GetHeaders()[name], at.field("headers").key(name))
		u.Headers = append(u.Headers, authz.Field{Name: name, Value: value})
	}
	if _, err := lambda.NewURL(*u); err != nil {
		c.faults(at, err)
	}
	return u
}

// sampleARN stands for any function, where an entry is for all.
const sampleARN = "arn:aws:lambda:us-east-1:111122223333:function:any"

func (c *compiler) functionCommand(m *configv1.Function, arn string, at *path) *runner.Config {
	dir := cmp.Or(m.GetDirectory(), ".")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(c.file), dir)
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		c.ifNew(at.field("directory"), "directory must be the folder of the function's code: "+quoted(cmp.Or(m.GetDirectory(), "."))+" is none")
	}
	command := &runner.Config{
		Command: m.GetCommand(), Dir: dir, Handler: m.GetHandler(), Env: m.GetEnvironment(),
		Processes: int(m.GetProcesses()), MemoryMiB: int(m.GetMemoryMib()), User: c.user(m.GetUser(), at.field("user")),
	}
	check := *command
	if check.ARN = arn; arn == anyFunction {
		check.ARN = sampleARN
	}
	if _, err := runner.New(check); err != nil {
		c.faults(at, err)
	}
	return command
}

// user reads a user and a group id.
func (c *compiler) user(text string, at *path) *runner.User {
	if text == "" {
		return nil
	}
	user, group, _ := strings.Cut(text, ":")
	uid, err := strconv.ParseUint(user, 10, 32)
	gid, errOfGroup := strconv.ParseUint(group, 10, 32)
	if err != nil || errOfGroup != nil {
		c.ifNew(at, "user must be the ids of a user and a group, such as 1001:1001")
	}
	return &runner.User{UID: uint32(uid), GID: uint32(gid)}
}

func (c *compiler) optionalFile(text string, at *path) []byte {
	if text == "" {
		return nil
	}
	_, data, _ := c.namedFile(text, maxNamedSize, at)
	return data
}

// unusedFunctions warns of entries that no authorizer's function has.
func (c *compiler) unusedFunctions(at *path) {
	for _, arn := range slices.Sorted(maps.Keys(c.functions)) {
		if !c.called[arn] {
			c.warnKey(at.key(arn), "no authorizer has the function "+quoted(arn)+": write its ARN exactly as the authorizer does, or remove it")
		}
	}
}

// gatherFunctions reads the files that functions name.
func (c *compiler) gatherFunctions() {
	for _, f := range values(child(c.root, "functions")) {
		c.gatherNamed(f, "caFile", "certFile", "keyFile")
		for _, secret := range values(child(f, "headers")) {
			c.gatherFile(secret, maxSecretSize)
		}
	}
}
