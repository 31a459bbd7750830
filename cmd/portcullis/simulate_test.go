package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/simulate"
)

// policyVector is a row of pkg/policy's test cases.
type policyVector struct {
	IdentityPolicies, PermissionsBoundary, SessionPolicy json.RawMessage
	ResourcePolicy                                       json.RawMessage
	SCPs                                                 json.RawMessage
	Request                                              struct {
		Principal                         struct{ ARN, ParentARN string }
		Action, Resource, ResourceAccount string
		Context                           map[string]any
	}
	Expect string
}

// request is the row as a request in which every policy is an object.
func (v *policyVector) request() map[string]any {
	entries := []simulate.ContextEntry{}
	for key, value := range v.Request.Context {
		e := simulate.ContextEntry{ContextKeyName: key, ContextKeyType: "string"}
		if text, is := value.(string); is {
			e.ContextKeyValues = []string{text}
		} else {
			e.ContextKeyType = "stringList"
			for _, text := range value.([]any) {
				e.ContextKeyValues = append(e.ContextKeyValues, text.(string))
			}
		}
		entries = append(entries, e)
	}
	r := map[string]any{
		"ActionNames": []string{v.Request.Action}, "ResourceArns": []string{v.Request.Resource}, "ResourceOwner": v.Request.ResourceAccount,
		"PolicyInputList": v.IdentityPolicies, "ServiceControlPolicyInputLists": v.SCPs, "ContextEntries": entries, "ResourcePolicy": v.ResourcePolicy,
	}
	for name, policy := range map[string]json.RawMessage{"PermissionsBoundaryPolicyInputList": v.PermissionsBoundary, "SessionPolicyInputList": v.SessionPolicy} {
		if string(policy) != "null" {
			r[name] = []json.RawMessage{policy}
		}
	}
	for name, arn := range map[string]string{"CallerArn": v.Request.Principal.ARN, "CallerRoleArn": v.Request.Principal.ParentARN} {
		if arn != "" {
			r[name] = arn
		}
	}
	return r
}

func TestSimulateVectors(t *testing.T) {
	decisions := map[string]string{"Allowed": "allowed", "ImplicitlyDenied": "implicitDeny", "ExplicitlyDenied": "explicitDeny"}
	for file, rows := range map[string]int{"iam.jsonl.gz": 3000, "iam-documents.jsonl.gz": 240} {
		var requests bytes.Buffer
		var want []string
		eachRow(t, filepath.Join("../../pkg/policy/testdata", file), func(v *policyVector) {
			if err := json.NewEncoder(&requests).Encode(v.request()); err != nil {
				t.Fatal(err)
			}
			want = append(want, decisions[v.Expect])
		})
		if len(want) != rows {
			t.Errorf("%s has %d rows, want %d", file, len(want), rows)
		}
		path := filepath.Join(t.TempDir(), "requests.jsonl")
		if err := os.WriteFile(path, requests.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if code := run([]string{"simulate", "--jsonl", path}, &out, &errs); code != cli.ExitGood {
			t.Errorf("%s: exit code %d: %s", file, code, errs.String())
		}
		if diff := cmp.Diff(want, decisionsOf(t, &out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func eachRow(t *testing.T, path string, visit func(*policyVector)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); ; {
		v := &policyVector{}
		switch err := d.Decode(v); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatal(err)
		}
		visit(v)
	}
}

func decisionsOf(t *testing.T, out io.Reader) (all []string) {
	t.Helper()
	for d := json.NewDecoder(out); ; {
		var answer struct {
			EvaluationResults []simulate.EvaluationResult
			Error             *simulate.Error
		}
		switch err := d.Decode(&answer); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		case answer.Error != nil || len(answer.EvaluationResults) != 1:
			t.Fatalf("answer %d: %v, %d results", len(all), answer.Error, len(answer.EvaluationResults))
		}
		all = append(all, answer.EvaluationResults[0].EvalDecision)
	}
}
