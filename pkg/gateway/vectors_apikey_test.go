package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// keyVector is one row of testdata/apikeys.jsonl: what API Gateway is documented or was observed to do where a method requires a key.
type keyVector struct {
	Given struct {
		APIKeyRequired           bool
		APIKeySource, Authorizer string
		Function                 string
		Keys                     map[string]struct {
			Enabled bool
			Stages  []string
		}
	}
}

// notCounted are the rows about a usage plan's limits: portcullis does not count requests.
var notCounted = []string{"key-10", "key-11"}

func TestAPIKeyVectors(t *testing.T) {
	ran := 0
	for line := range rows(t, "testdata/apikeys.jsonl") {
		var v vector
		var k keyVector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := json.Unmarshal(line, &k); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if slices.Contains(notCounted, v.ID) {
			continue
		}
		ran++
		t.Run(v.ID, func(t *testing.T) {
			d := authorizeExplained(t, mustNew(t, k.api(t, &v)), v.request())
			if want := v.Expected.Decision == "allow"; d.Allow != want {
				t.Fatalf("allow %v, want %v: %+v", d.Allow, want, d.Reason)
			}
			v.checkAnswer(t, d)
		})
	}
	if ran != 10 {
		t.Errorf("%d rows were run, want 10", ran)
	}
}

// api is the API that a row describes.
func (k *keyVector) api(t *testing.T, v *vector) API {
	auth := v.Given.Auth
	v.Given.Auth = "" // the other rows' api knows NONE and AWS_IAM
	a := v.api(t)
	a.Stages = append(a.Stages, Stage{Name: "dev"})
	a.APIKeySource = APIKeySource(k.Given.APIKeySource)
	for text, key := range k.Given.Keys {
		compiled := APIKey{ID: "k1", Value: hashed(t, text), Enabled: key.Enabled}
		for _, stage := range key.Stages {
			compiled.Stages = append(compiled.Stages, strings.TrimPrefix(stage, a.ID+":"))
		}
		a.APIKeys = append(a.APIKeys, compiled)
	}
	a.Authorizers = map[string]Authorizer{"partners": {
		Authorization: Custom, TokenType: true, Function: func(context.Context, LambdaCall) (LambdaAnswer, error) {
			answer := &testAnswer{policy: answerPolicy(t, allowEverything)}
			if strings.Contains(k.Given.Function, "usageIdentifierKey=k…k") {
				answer.usageKey = strings.Repeat("k", 20)
			}
			return answer, nil
		},
	}}
	for i := range a.Routes {
		a.Routes[i].APIKeyRequired = k.Given.APIKeyRequired
		if auth == string(Custom) {
			a.Routes[i].Authorization, a.Routes[i].Authorizer = Custom, "partners"
		}
	}
	return a
}

func hashed(t testing.TB, text string) APIKeyValue {
	t.Helper()
	value, err := HashAPIKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
