package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDecode(t *testing.T) {
	got, err := Decode([]byte(`
{
  "PolicyInputList": ["{\n\t\"Statement\": \"\\u00e9\"}", {"Statement": [ 1e400, {"a": "}"} ]}],
  "PermissionsBoundaryPolicyInputList": [], "SessionPolicyInputList": null,
  "ServiceControlPolicyInputLists": [["a", {}], []],
  "OrderedOrganizationPolicyInputList": [{"ServiceControlPolicyInputList": ["b"]}, {}],
  "ResourcePolicy": {"Principal": {"AWS": 111122223333}},
  "Resource\u004fwner": "\u0031\/\"\\\r\n\t\ud83d\ude00", "CallerArn": "c", "CallerRoleArn": "d", "ActionNames": ["e"], "ResourceArns": ["f", "g"],
  "ContextEntries": [{"ContextKeyName": "h", "ContextKeyValues": ["", "i"], "ContextKeyType": "stringList"}],
  "MaxItems": 1000, "Marker": "j"
}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		PolicyInputList:                    []string{"{\n\t\"Statement\": \"\\u00e9\"}", `{"Statement": [ 1e400, {"a": "}"} ]}`},
		PermissionsBoundaryPolicyInputList: []string{}, ServiceControlPolicyInputLists: [][]string{{"a", "{}"}, {}},
		OrderedOrganizationPolicyInputList: []OrganizationPolicy{{[]string{"b"}}, {}},
		ResourcePolicy:                     `{"Principal": {"AWS": 111122223333}}`,
		ResourceOwner:                      "1/\"\\\r\n\t😀", CallerArn: "c", CallerRoleArn: "d", ActionNames: []string{"e"}, ResourceArns: []string{"f", "g"},
		ContextEntries: []ContextEntry{{"h", []string{"", "i"}, "stringList"}}, MaxItems: 1000, Marker: "j",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "the request is empty",
		" \n ":                                 "the request is empty",
		"[]":                                   "is a list; write an object",
		"null":                                 "is null; write an object",
		"{":                                    "unexpected end of JSON input",
		`{"ActionNames": ["a:B"]} {}`:          "after top-level value",
		`{"ActionNames": ["a:B"],}`:            "a request is one JSON object",
		"{\n\"ActionNames\": [\"a\" \"b\"]\n}": "line 2: invalid character",
		"{\"CallerArn\": \"\xff\"}":            "the request is not UTF-8",
		`{"CallerArn": "\ud800"}`:              "CallerArn: holds half of a surrogate pair",
		`{"CallerArn": "�"}`:                   "CallerArn: holds half of a surrogate pair or U+FFFD",
		`{"PolicyInputLists": []}`:             "PolicyInputLists: there is no such field; write PolicyInputList,",
		`{"policyInputList": []}`:              "policyInputList: there is no such field",
		`{"Unknown": null}`:                    "Unknown: there is no such field",
		`{"CallerArn": "a", "CallerArn": "b"}`: `"CallerArn" stands twice`,
		"{\"CallerArn\": \"a\",\n\n \"Caller\\u0041rn\": null}":                `line 3: "CallerArn" stands twice`,
		`{"CallerArn": null, "CallerArn": "b"}`:                                `"CallerArn" stands twice`,
		`{"CallerArn": 1}`:                                                     "CallerArn: is a number; write text",
		`{"CallerArn": true}`:                                                  "CallerArn: is true or false; write text",
		`{"CallerArn": ""}`:                                                    "CallerArn: is empty; leave the field out",
		`{"ResourceOwner": 111122223333}`:                                      "ResourceOwner: is a number; write text",
		`{"ResourceHandlingOption": "EC2-VPC-EBS"}`:                            "ResourceHandlingOption: is not supported",
		`{"PolicyInputList": "{}"}`:                                            "PolicyInputList: is text; write a list",
		`{"PolicyInputList": {"Statement": []}}`:                               "PolicyInputList: is an object; write a list",
		`{"PolicyInputList": ["{}", null]}`:                                    "PolicyInputList[1]: is null; write the policy as text or as an object",
		`{"PolicyInputList": [""]}`:                                            "PolicyInputList[0]: is empty",
		`{"PolicyInputList": [[]]}`:                                            "PolicyInputList[0]: is a list",
		`{"ResourcePolicy": 1}`:                                                "ResourcePolicy: is a number",
		`{"ServiceControlPolicyInputLists": ["{}"]}`:                           "ServiceControlPolicyInputLists[0]: is text; write a list",
		`{"ServiceControlPolicyInputLists": [[{}, 1]]}`:                        "ServiceControlPolicyInputLists[0][1]: is a number",
		`{"OrderedOrganizationPolicyInputList": [["{}"]]}`:                     "OrderedOrganizationPolicyInputList[0]: is a list; write an object",
		`{"OrderedOrganizationPolicyInputList": [{"Policies": []}]}`:           "OrderedOrganizationPolicyInputList[0].Policies: there is no such field; write ServiceControlPolicyInputList",
		`{"ActionNames": "execute-api:Invoke"}`:                                "ActionNames: is text; write a list",
		`{"ActionNames": [1]}`:                                                 "ActionNames[0]: is a number",
		`{"ResourceArns": [""]}`:                                               "ResourceArns[0]: is empty",
		`{"ContextEntries": {}}`:                                               "ContextEntries: is an object; write a list",
		`{"ContextEntries": [{"Key": ""}]}`:                                    "ContextEntries[0].Key: there is no such field; write ContextKeyName,",
		"{\"ContextEntries\": [{},\n{\"ContextKeyValues\": [true]}]}":          "line 2: ContextEntries[1].ContextKeyValues[0]: is true or false",
		`{"ContextEntries": [{"ContextKeyType": "a", "ContextKeyType": "b"}]}`: `ContextEntries[0]: "ContextKeyType" stands twice`,
		`{"ContextEntries": [{"ContextKeyType": null}]}`:                       "ContextEntries[0].ContextKeyType: is null",
		`{"MaxItems": 0}`:                                                      "MaxItems: write a number from 1 to 1000",
		`{"MaxItems": 1.0}`:                                                    "MaxItems: write a number",
		`{"MaxItems": "5"}`:                                                    "MaxItems: write a number",
		`{"` + strings.Repeat("x", 9<<20) + `": 1}`:                            "the request is longer than",
	} {
		_, err := Decode([]byte(text))
		var e *Error
		if !errors.As(err, &e) || e.Code != InvalidInput || !strings.Contains(e.Message, want) || len(e.Message) > 1000 {
			t.Errorf("%.100q: %.1000v, want InvalidInput with %q", text, err, want)
		}
	}
}

// FuzzDecode holds Decode to encoding/json: what it takes is valid JSON of the same meaning, and whatever comes, no answer allows
// what Run refuses.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"PolicyInputList":["\"\\\/\b\f\n\r\t\u0041"],"CallerArn":null,"MaxItems":7}`))
	f.Add([]byte(`{"PolicyInputList":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}],"ActionNames":["a:B"],"CallerArn":"` + alice + `"}`))
	f.Add([]byte(`{"ResourcePolicy":{"Statement":[{"Effect":"Deny","NotPrincipal":"*","Action":"*","Resource":"*"}]},"ActionNames":["a:B"],"ResourceArns":["` + pets + `"]}`))
	f.Add([]byte(`{"ActionNames":["a:B","c:D"],"ContextEntries":[{"ContextKeyName":"a:b","ContextKeyValues":["1","-2.5"],"ContextKeyType":"numericList"}]}`))
	f.Add([]byte(`{"PolicyInputList":[{}],"ServiceControlPolicyInputLists":[[{}],[]],"ResourceOwner":"111122223333","MaxItems":1,"Marker":"1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			return
		}
		var theirs struct {
			PolicyInputList []any
			CallerArn       *string
			ActionNames     []string
			ContextEntries  []ContextEntry
		}
		if err := json.Unmarshal(data, &theirs); err != nil {
			t.Fatalf("taken, but: %v", err)
		}
		for i, policy := range theirs.PolicyInputList {
			if text, is := policy.(string); is && text != r.PolicyInputList[i] {
				t.Errorf("policy %d: %q, want %q", i, r.PolicyInputList[i], text)
			}
		}
		if theirs.CallerArn != nil && *theirs.CallerArn != r.CallerArn || len(theirs.PolicyInputList) != len(r.PolicyInputList) {
			t.Errorf("%+v, want %+v", r, theirs)
		}
		if !cmp.Equal(theirs.ActionNames, r.ActionNames) || !cmp.Equal(theirs.ContextEntries, r.ContextEntries) {
			t.Errorf("%+v, want %+v", r, theirs)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(again); err != nil || !cmp.Equal(r, back, cmpopts.EquateEmpty()) {
			t.Errorf("%v, %+v, want %+v", err, back, r)
		}
		response, err := Run(r)
		var e *Error
		switch {
		case errors.As(err, &e) && e.Code == PolicyEvaluation:
			t.Error(err)
		case err != nil && len(response.EvaluationResults) > 0:
			t.Error("results beside an error")
		case err == nil && !json.Valid(bytes.TrimSpace(encode(response))):
			t.Error("the response is not JSON")
		}
	})
}
