package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

const everyMethod = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}`

// functionAnswers are the answers and errors that the rows' words for functions mean.
var functionAnswers = map[string]string{
	"":        grants(everyMethod),
	"Allow":   grants(everyMethod),
	"Allow *": grants(everyMethod),
	"Deny *":  grants(strings.Replace(everyMethod, "Allow", "Deny", 1)),
	"Deny":    grants(strings.Replace(everyMethod, "Allow", "Deny", 1)),
	"neither": grants(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/other"}`),

	"returns policy Deny on methodArn":    grants(`{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"METHOD"}`),
	"Allow event.methodArn only":          grants(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"METHOD"}`),
	"Allow * plus Deny on methodArn":      grants(`[` + everyMethod + `,{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"METHOD"}]`),
	"returns policy Allow on another ARN": grants(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/other"}`),

	"returns policy with empty Statement list":                        grants(`[]`),
	"Statement as a single object, Action list, Resource list, Allow": grants(`{"Effect":"Allow","Action":["execute-api:Invoke"],"Resource":["arn:aws:execute-api:*:*:*"]}`),
	"Allow with Action 'execute-api:InvalidateCache' only":            grants(`{"Effect":"Allow","Action":"execute-api:InvalidateCache","Resource":"*"}`),
	"Allow, principalId missing":                                      strings.Replace(grants(everyMethod), `"principalId":"user",`, ``, 1),
	"policyDocument key 'statement' lower-case":                       strings.Replace(grants(everyMethod), `"Statement"`, `"statement"`, 1),
	"returns policy Allow + context {a:['x']}":                        strings.Replace(grants(everyMethod), `{`, `{"context":{"a":["x"]},`, 1),
	"Allow + context {s:'v',n:1,b:true}":                              strings.Replace(grants(everyMethod), `{`, `{"context":{"s":"v","n":1,"b":true},`, 1),

	"returns null":                      "null",
	"malformed":                         "null",
	"returns {statusCode:401,body:'x'}": `{"statusCode":401,"body":"x"}`,
	`{"isAuthorized": true}`:            `{"isAuthorized": true}`,
	`{"isAuthorized": false}`:           `{"isAuthorized": false}`,
	`{"isAuthorized": "false"}`:         `{"isAuthorized": "false"}`,
}

var functionErrors = map[string]error{
	"throws Unauthorized":                  &lambda.FunctionError{Message: "Unauthorized"},
	"throws Error('Unauthorized')":         &lambda.FunctionError{Message: "Unauthorized"},
	"throws Error('Error: Invalid token')": &lambda.FunctionError{Message: "Error: Invalid token"},
	"throws Error('x')":                    &lambda.FunctionError{Message: "x"},
	"times out":                            &lambda.InvokeError{Failure: lambda.TimedOut},
	"no invoke permission":                 &lambda.InvokeError{Failure: lambda.NotPermitted},
	"not invokable":                        &lambda.InvokeError{Failure: lambda.NotPermitted},
}

func grants(statements string) string {
	return `{"principalId":"user","policyDocument":{"Version":"2012-10-17","Statement":` + statements + `}}`
}

// function is the function that a row describes: in words, one after another, or by its answer.
func (v *lambdaVector) function(t *testing.T) func(n int, event []byte) (string, error) {
	t.Helper()
	name := v.Given.AuthorizerPolicy
	if len(v.Given.Function) > 0 && json.Unmarshal(v.Given.Function, &name) != nil {
		name = string(v.Given.Function)
	}
	first, then, two := strings.Cut(name, ", then ")
	if !two {
		then = first
	}
	for _, name := range []string{first, then} {
		if _, answers := functionAnswers[name]; !answers && functionErrors[name] == nil {
			t.Fatalf("there is no function %q", name)
		}
	}
	return func(n int, event []byte) (string, error) {
		name := first
		if n > 1 {
			name = then
		}
		if err := functionErrors[name]; err != nil {
			return "", err
		}
		var told struct{ MethodARN string }
		if err := json.Unmarshal(event, &told); err != nil {
			return "", fmt.Errorf("the event: %w", err)
		}
		return strings.ReplaceAll(functionAnswers[name], "METHOD", told.MethodARN), nil
	}
}
