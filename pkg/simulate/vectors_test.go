package simulate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is one row of the policy package's test cases: policies, a request and the decision that AWS's documents, or two
// independent evaluators, give it.
type vector struct {
	ID                  string
	IdentityPolicies    []json.RawMessage
	PermissionsBoundary json.RawMessage
	SessionPolicy       json.RawMessage
	ResourcePolicy      json.RawMessage
	SCPs                [][]json.RawMessage
	Request             struct {
		Principal struct{ Kind, ARN, Account, ParentARN string }
		Action    string
		Resource  string

		ResourceAccount string
		Context         map[string]any
	}
	Expect string
}

var decisions = map[string]string{"Allowed": "allowed", "ImplicitlyDenied": "implicitDeny", "ExplicitlyDenied": "explicitDeny"}

func readVectors(t testing.TB) []vector {
	t.Helper()
	var all []vector
	for _, path := range []string{"../policy/testdata/iam.jsonl.gz", "../policy/testdata/iam-documents.jsonl.gz"} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var v vector
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 3240 {
		t.Fatalf("%d vectors, want 3240", len(all))
	}
	return all
}

// line is the vector as a request. Policies stand in it as text, as AWS has them, or as objects.
func (v *vector) line(t testing.TB, objects bool) []byte {
	t.Helper()
	document := func(raw json.RawMessage) any {
		if objects {
			return raw
		}
		return string(raw)
	}
	documents := func(raws ...json.RawMessage) []any {
		all := []any{}
		for _, raw := range raws {
			if len(raw) > 0 && string(raw) != "null" {
				all = append(all, document(raw))
			}
		}
		return all
	}
	entries := []any{}
	for key, value := range v.Request.Context {
		entry := map[string]any{"ContextKeyName": key, "ContextKeyType": "stringList", "ContextKeyValues": value}
		if text, is := value.(string); is {
			entry["ContextKeyType"], entry["ContextKeyValues"] = contextTypeOf(key), []string{text}
		}
		entries = append(entries, entry)
	}
	request := map[string]any{
		"PolicyInputList": documents(v.IdentityPolicies...), "PermissionsBoundaryPolicyInputList": documents(v.PermissionsBoundary),
		"SessionPolicyInputList": documents(v.SessionPolicy), "ResourceOwner": "arn:aws:iam::" + v.Request.ResourceAccount + ":root",
		"ActionNames": []string{v.Request.Action}, "ResourceArns": []string{v.Request.Resource}, "ContextEntries": entries,
	}
	for name, text := range map[string]string{"CallerArn": v.Request.Principal.ARN, "CallerRoleArn": v.Request.Principal.ParentARN} {
		if text != "" {
			request[name] = text
		}
	}
	for _, policy := range documents(v.ResourcePolicy) {
		request["ResourcePolicy"] = policy
	}
	levels := [][]any{}
	for _, level := range v.SCPs {
		levels = append(levels, documents(level...))
	}
	request["ServiceControlPolicyInputLists"] = levels
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(request); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contextTypeOf gives the keys whose type AWS documents that type.
func contextTypeOf(key string) string {
	switch strings.ToLower(key) {
	case "aws:currenttime", "aws:tokenissuetime", "aws:epochtime":
		return "date"
	case "aws:sourceip", "aws:vpcsourceip":
		return "ip"
	case "aws:securetransport", "aws:multifactorauthpresent", "aws:viaawsservice":
		return "boolean"
	case "aws:multifactorauthage":
		return "numeric"
	}
	return "string"
}

func decisionOf(t testing.TB, answer []byte) string {
	t.Helper()
	var got struct {
		EvaluationResults []EvaluationResult
		Error             *Error
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	if got.Error != nil || len(got.EvaluationResults) != 1 {
		return string(answer)
	}
	result := got.EvaluationResults[0]
	if specific := result.ResourceSpecificResults; len(specific) != 1 || specific[0].EvalResourceDecision != result.EvalDecision {
		t.Errorf("ResourceSpecificResults differ: %s", answer)
	}
	return result.EvalDecision
}

func TestVectors(t *testing.T) {
	for i, v := range readVectors(t) {
		if raceEnabled && i%10 != 0 {
			continue // the race detector sees all of them in TestVectorsThroughLines
		}
		r, err := Decode(v.line(t, true))
		if err != nil {
			t.Fatalf("%s: %v", v.ID, err)
		}
		response, err := Run(r)
		if err != nil {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		if got := decisionOf(t, encode(response)); got != decisions[v.Expect] {
			t.Errorf("%s: %s, want %s", v.ID, got, v.Expect)
		}
	}
}

func TestVectorsThroughLines(t *testing.T) {
	var in, out bytes.Buffer
	var want []string
	for _, v := range readVectors(t) {
		in.Write(v.line(t, false))
		want = append(want, decisions[v.Expect])
	}
	if faulty, err := Lines(&in, &out); faulty != 0 || err != nil {
		t.Fatalf("Lines: %d, %v", faulty, err)
	}
	var got []string
	for _, answer := range bytes.SplitAfter(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n")) {
		got = append(got, decisionOf(t, answer))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

// BenchmarkLines reports cases a second; the aim is 2,000 on one core.
func BenchmarkLines(b *testing.B) {
	var in []byte
	cases := readVectors(b)
	for i := range cases {
		in = append(in, cases[i].line(b, false)...)
	}
	var out bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if faulty, err := Lines(bytes.NewReader(in), &out); faulty != 0 || err != nil {
			b.Fatal(faulty, err)
		}
	}
	b.ReportMetric(float64(len(cases))*float64(b.N)/b.Elapsed().Seconds(), "cases/s")
}
