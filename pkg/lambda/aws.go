package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// AWSConfig says how AWS Lambda is reached. Its zero value is AWS itself, with the credentials of the standard chain:
// environment, shared files, web identity, container, instance.
type AWSConfig struct {
	// Endpoint and STSEndpoint stand in for the services' own addresses.
	Endpoint, STSEndpoint string
	// Connections bounds the connections to each address; zero stands for 64.
	Connections int
}

// AWS invokes functions on AWS Lambda. It is safe for concurrent use.
type AWS struct {
	c         AWSConfig
	transport *http.Transport

	mu   sync.Mutex
	base *aws.Config
	// roles are the credentials of assumed roles, by role and region.
	roles map[[2]string]aws.CredentialsProvider
}

// NewAWS makes an AWS. Credentials are looked for at the first invocation.
func NewAWS(c AWSConfig) (*AWS, error) {
	var faults []error
	if c.Endpoint != "" {
		_, faults = address("endpoint", c.Endpoint, faults)
	}
	if c.STSEndpoint != "" {
		_, faults = address("stsEndpoint", c.STSEndpoint, faults)
	}
	if c.Connections < 0 || c.Connections > maxConnections {
		faults = append(faults, fmt.Errorf("connections is %d; write 1 up to %d", c.Connections, maxConnections))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Connections == 0 {
		c.Connections = defaultConnections
	}
	transport := newTransport(c.Connections)
	transport.Proxy = http.ProxyFromEnvironment // as every AWS SDK does
	return &AWS{c: c, transport: transport, roles: map[[2]string]aws.CredentialsProvider{}}, nil
}

var (
	functionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:([a-z0-9-]+):[0-9]{12}:function:[A-Za-z0-9_-]{1,140}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?$`)
	roleShape   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}$`)
)

// Function returns the Invoker of one function. role is authorizerCredentials, an IAM role that is assumed to invoke it; empty
// for our own credentials.
func (a *AWS) Function(function, role string) (Invoker, error) {
	f, r := functionARN.FindStringSubmatch(function), roleShape.MatchString(role)
	switch {
	case f == nil && strings.Contains(function, ":lambda:path/"):
		return nil, fmt.Errorf("function %q is the URI by which API Gateway invokes a function; write the function's ARN that stands in it", function)
	case f == nil:
		return nil, fmt.Errorf("function %q is not an ARN of a Lambda function; write arn:aws:lambda:region:account:function:name", function)
	case role != "" && !r:
		return nil, fmt.Errorf("credentials %q is not an ARN of a role; write arn:aws:iam::account:role/name", role)
	}
	return &awsFunction{aws: a, region: f[1], role: role}, nil
}

// Close closes the connections that nobody uses.
func (a *AWS) Close() { a.transport.CloseIdleConnections() }

// awsFunction is the Invoker of a function on AWS Lambda.
type awsFunction struct {
	aws          *AWS
	region, role string

	mu     sync.Mutex
	client *awslambda.Client
}

// Invoke implements Invoker.
func (f *awsFunction) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	client, err := f.connect(ctx)
	if err != nil {
		return nil, awsError(ctx, err)
	}
	out, err := client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: &function, Payload: event})
	switch {
	case err != nil:
		return nil, awsError(ctx, err)
	case len(out.Payload) > MaxAnswer:
		return nil, errAnswerTooLarge
	case out.StatusCode != http.StatusOK:
		return nil, statusError(int(out.StatusCode))
	case out.FunctionError != nil:
		return nil, newFunctionError(out.Payload)
	}
	return out.Payload, nil
}

// connect makes the client at the first invocation.
func (f *awsFunction) connect(ctx context.Context) (*awslambda.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.client != nil {
		return f.client, nil
	}
	base, err := f.aws.configure(ctx, f.role, f.region)
	if err != nil {
		return nil, err
	}
	f.client = awslambda.NewFromConfig(base, func(o *awslambda.Options) {
		if f.aws.c.Endpoint != "" {
			o.BaseEndpoint = &f.aws.c.Endpoint
		}
	})
	return f.client, nil
}

// configure returns the SDK's configuration for a region, with our own credentials or those of a role. They are kept and
// renewed.
func (a *AWS) configure(ctx context.Context, role, region string) (aws.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.base == nil {
		base, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return aws.Config{}, err
		}
		base.HTTPClient, base.Retryer = a.http(), func() aws.Retryer { return aws.NopRetryer{} }
		a.base = &base
	}
	c := a.base.Copy()
	c.Region = region
	if role != "" {
		c.Credentials = a.assumed(c, role)
	}
	return c, nil
}

// assumed returns the credentials of a role.
func (a *AWS) assumed(c aws.Config, role string) aws.CredentialsProvider {
	key := [2]string{role, c.Region}
	if found := a.roles[key]; found != nil {
		return found
	}
	client := sts.NewFromConfig(c, func(o *sts.Options) {
		if a.c.STSEndpoint != "" {
			o.BaseEndpoint = &a.c.STSEndpoint
		}
	})
	provider := stscreds.NewAssumeRoleProvider(client, role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "portcullis" })
	a.roles[key] = aws.NewCredentialsCache(provider)
	return a.roles[key]
}

// http is an HTTP client that reads no more than an answer may have.
func (a *AWS) http() *http.Client {
	return &http.Client{Transport: limitedTransport{a.transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// limitedTransport bounds bodies.
type limitedTransport struct{ inner http.RoundTripper }

func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.inner.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, MaxAnswer)
	}
	return response, err
}

var errAnswerTooLarge = &InvokeError{TooLarge, fmt.Sprintf("the function's answer is longer than %d bytes", MaxAnswer)}

// throttles are the error codes of Lambda and STS that ask for fewer calls.
var throttles = map[string]bool{
	"TooManyRequestsException": true, "Throttling": true, "ThrottlingException": true, "RequestLimitExceeded": true,
}

// awsError says what an SDK's error means. Its code is shown and its message is not: one about a signature holds the request.
func awsError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return errAnswerTooLarge
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		detail := "AWS answered " + code(api.ErrorCode())
		response, _ := errors.AsType[*smithyhttp.ResponseError](err)
		switch {
		case throttles[api.ErrorCode()] || response != nil && response.HTTPStatusCode() == http.StatusTooManyRequests:
			return &InvokeError{Throttled, detail}
		case api.ErrorFault() == smithy.FaultServer || response != nil && response.HTTPStatusCode() >= 500:
			return &InvokeError{Unreachable, detail}
		}
		return &InvokeError{NotPermitted, detail}
	}
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return unreachable(ctx, err)
	}
	if _, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return &InvokeError{Unreachable, "what answered in place of AWS Lambda is not AWS Lambda"}
	}
	return &InvokeError{NotPermitted, "there are no AWS credentials that could be used to invoke the function"}
}

// code is an error code if it looks like one.
func code(s string) string {
	if s == "" || len(s) > 64 || strings.ContainsFunc(s, func(c rune) bool { return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') }) {
		return "with an error"
	}
	return s
}
