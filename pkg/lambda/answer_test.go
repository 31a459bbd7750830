package lambda

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// kinds are the three kinds of authorizers that read answers differently.
func kinds(t testing.TB) (rest, http1, simple *Authorizer) {
	http := simpleConfig(answers(""))
	http.EnableSimpleResponses, http.PayloadFormatVersion = false, "1.0"
	return mustNew(t, tokenConfig(answers(""))), mustNew(t, http), mustNew(t, simpleConfig(answers("")))
}

func TestRefusedAnswers(t *testing.T) {
	rest, http1, simple := kinds(t)
	with := func(member string) string {
		return strings.Replace(allowAll, `{"principalId"`, "{"+member+`,"principalId"`, 1)
	}
	statement := func(s string) string { return answerWith("[" + s + "]") }
	long := "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/" + strings.Repeat("é", 512)
	for name, c := range map[string]struct {
		a      *Authorizer
		answer string
	}{
		"nothing":                      {rest, ""},
		"null":                         {rest, "null"},
		"text":                         {rest, `"Unauthorized"`},
		"JSON in text":                 {rest, `"` + strings.ReplaceAll(allowAll, `"`, `\"`) + `"`},
		"a list":                       {rest, "[" + allowAll + "]"},
		"a number":                     {rest, "1"},
		"true":                         {simple, "true"},
		"not JSON":                     {rest, allowAll[:len(allowAll)-1]},
		"two documents":                {rest, allowAll + allowAll},
		"a proxy's answer":             {rest, `{"statusCode":401,"body":"x"}`},
		"an error that was returned":   {rest, `{"errorMessage":"Unauthorized","errorType":"Error"}`},
		"another spelling":             {rest, strings.Replace(allowAll, "policyDocument", "PolicyDocument", 1)},
		"no principalId":               {rest, strings.Replace(allowAll, `"principalId":"user",`, "", 1)},
		"principalId empty":            {rest, strings.Replace(allowAll, `"user"`, `""`, 1)},
		"principalId null":             {rest, strings.Replace(allowAll, `"user"`, `null`, 1)},
		"principalId true":             {rest, strings.Replace(allowAll, `"user"`, `true`, 1)},
		"principalId a list":           {rest, strings.Replace(allowAll, `"user"`, `[1]`, 1)},
		"no principalId, HTTP":         {http1, strings.Replace(allowAll, `"principalId":"user",`, "", 1)},
		"principalId twice":            {rest, with(`"principalId":"root"`)},
		"a key twice, further in":      {rest, with(`"context":{"a":"1","a":"2"}`)},
		"a key twice, escaped":         {rest, with(`"context":{"a":"1","\u0061":"2"}`)},
		"Effect twice":                 {rest, statement(`{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}`)},
		"not UTF-8":                    {rest, with("\"context\":{\"a\":\"\xff\"}")},
		"half a surrogate pair":        {rest, with(`"context":{"a":"\ud800"}`)},
		"policy null":                  {rest, `{"principalId":"user","policyDocument":null}`},
		"policy as text":               {rest, `{"principalId":"user","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}`},
		"policy a list":                {rest, `{"principalId":"user","policyDocument":[` + allowStar + `]}`},
		"no Statement":                 {rest, `{"principalId":"user","policyDocument":{"Version":"2012-10-17"}}`},
		"statement in lower case":      {rest, strings.Replace(allowAll, "Statement", "statement", 1)},
		"unknown Version":              {rest, strings.Replace(allowAll, "2012-10-17", "2012-10-18", 1)},
		"Effect in lower case":         {rest, strings.Replace(allowAll, `"Allow"`, `"allow"`, 1)},
		"no Effect":                    {rest, statement(`{"Action":"*","Resource":"*"}`)},
		"no Action":                    {rest, statement(`{"Effect":"Allow","Resource":"*"}`)},
		"no Resource":                  {rest, statement(`{"Effect":"Allow","Action":"*"}`)},
		"empty NotAction":              {rest, statement(`{"Effect":"Allow","NotAction":[],"Resource":"*"}`)},
		"empty NotResource":            {rest, statement(`{"Effect":"Allow","Action":"*","NotResource":[]}`)},
		"empty Resource and no Action": {rest, statement(`{"Effect":"Allow","Resource":[]}`)},
		"an empty text in Resource":    {rest, statement(`{"Effect":"Allow","Action":"*","Resource":[""]}`)},
		"an unknown element":           {rest, statement(`{"Effect":"Allow","Action":"*","Resource":"*","Unless":{}}`)},
		"a Principal":                  {rest, statement(`{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}`)},
		"Condition null":               {rest, statement(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":null}`)},
		"an unknown operator":          {rest, statement(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"aws:Referer":"x"}}}`)},
		"an unreadable address":        {rest, statement(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"everywhere"}}}`)},
		"an abbreviated Resource":      {rest, statement(`{"Effect":"Allow","Action":"*","Resource":"execute-api:/*"}`)},
		"a long Resource":              {rest, statement(`{"Effect":"Allow","Action":"*","Resource":"` + long + `"}`)},
		"a long Resource of several":   {rest, statement(allowStar + `,{"Effect":"Allow","Action":"*","Resource":["*","` + long + `"]}`)},
		"a long NotResource":           {rest, answerWith(`{"Effect":"Deny","Action":"*","NotResource":"` + long + `"}`)},
		"context a list":               {rest, with(`"context":["a"]`)},
		"context text":                 {rest, with(`"context":"a"`)},
		"a list in context":            {rest, with(`"context":{"a":["x"]}`)},
		"an object in context":         {rest, with(`"context":{"a":{}}`)},
		"claims in context, 1.0":       {http1, with(`"context":{"claims":"x"}`)},
		"usageIdentifierKey a number":  {rest, with(`"usageIdentifierKey":1`)},
		"isAuthorized beside policy":   {rest, with(`"isAuthorized":true`)},
		"no isAuthorized":              {simple, `{}`},
		"isAuthorized text":            {simple, `{"isAuthorized":"true"}`},
		"isAuthorized a number":        {simple, `{"isAuthorized":1}`},
		"isAuthorized null":            {simple, `{"isAuthorized":null}`},
		"isAuthorized misspelled":      {simple, `{"IsAuthorized":true}`},
		"a policy, simple":             {simple, allowAll},
		"both, simple":                 {simple, `{"isAuthorized":true,"policyDocument":{"Statement":[]}}`},
		"isAuthorized twice":           {simple, `{"isAuthorized":false,"isAuthorized":true}`},
		"nested too deep":              {simple, `{"isAuthorized":true,"context":{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`},
		"too many values":              {simple, `{"isAuthorized":true,"context":{"a":[0` + strings.Repeat(",0", maxValues) + `]}}`},
		"too long":                     {simple, `{"isAuthorized":true}` + strings.Repeat(" ", 256<<10)},
		"too many statements":          {rest, statement(allowStar + strings.Repeat(","+allowStar, 1000))},
	} {
		t.Run(name, func(t *testing.T) {
			c.a.invoker = answers(c.answer)
			answer, err := c.a.Authorize(t.Context(), call("t"))
			r := refusalOf(t, answer, err)
			if r.ResponseType != configurationError || r.Reason.Code != authz.CodeAuthorizerAnswer || r.Message != "" || r.ErrorType != "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	rest, http1, simple := kinds(t)
	with := func(member string) string {
		return strings.Replace(allowAll, `{"principalId"`, "{"+member+`,"principalId"`, 1)
	}
	for name, c := range map[string]struct {
		a       *Authorizer
		answer  string
		allow   bool
		context map[string]string
	}{
		"a policy":           {rest, allowAll, true, nil},
		"no Version":         {rest, strings.Replace(allowAll, `"Version":"2012-10-17",`, "", 1), true, nil},
		"Statement alone":    {rest, answerWith(allowStar), true, nil},
		"no statements":      {rest, answerWith(`[]`), false, nil},
		"empty Resource":     {rest, answerWith(`[{"Effect":"Allow","Action":"*","Resource":[]}]`), false, nil},
		"empty Action":       {rest, answerWith(`[{"Effect":"Allow","Action":[],"Resource":"*"}]`), false, nil},
		"both empty":         {rest, answerWith(`{"Effect":"Allow","Action":[],"Resource":[]}`), false, nil},
		"empty beside":       {rest, answerWith(`[{"Effect":"Deny","Action":"*","Resource":[]},{"Effect":"Deny","Action":[],"Resource":"*"},` + allowStar + `]`), true, nil},
		"NotResource":        {rest, answerWith(`{"Effect":"Allow","Action":"*","NotResource":"arn:aws:execute-api:*:*:*/prod/GET/pets"}`), false, nil},
		"Condition":          {rest, answerWith(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`), false, nil},
		"the same Sid twice": {rest, answerWith(`[{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}]`), true, nil},
		"a Resource of 512":  {rest, answerWith(`[` + allowStar + `,{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:` + strings.Repeat("é", 512-24) + `"}]`), true, nil},
		"unknown members":    {rest, with(`"statusCode":200,"extra":[{}]`), true, nil},
		"scalars":            {rest, with(`"context":{"s":"v\n","i":1,"f":1.50,"e":1E2,"t":true,"n":null,"empty":""}`), true, map[string]string{"s": "v\n", "i": "1", "f": "1.50", "e": "1E2", "t": "true", "empty": ""}},
		"JSON in text":       {rest, with(`"context":{"j":"{\"a\":[1]}"}`), true, map[string]string{"j": `{"a":[1]}`}},
		"context null":       {rest, with(`"context":null,"usageIdentifierKey":null`), true, nil},
		"claims on REST":     {rest, with(`"context":{"claims":"x"}`), true, map[string]string{"claims": "x"}},
		"lists on HTTP":      {http1, with(`"context":{"l":[1, "a"],"m":{"k": null}}`), true, map[string]string{"l": `[1,"a"]`, "m": `{"k":null}`}},
		"yes":                {simple, `{"isAuthorized":true,"context":{"a":[true]}}`, true, map[string]string{"a": "[true]"}},
		"no":                 {simple, ` {"isAuthorized" : false , "context":{"a":1}} `, false, map[string]string{"a": "1"}},
		"claims, simple":     {simple, `{"isAuthorized":true,"context":{"claims":{}}}`, true, map[string]string{"claims": "{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, problem := c.a.read([]byte(c.answer))
			if problem != "" {
				t.Fatal(problem)
			}
			if allows(answer, testARN) != c.allow || (answer.PrincipalID() == "user") == c.a.simple || (answer.Policy() == nil) != c.a.simple {
				t.Errorf("allows %v, principal %q, policy %v", allows(answer, testARN), answer.PrincipalID(), answer.Policy())
			}
			if len(answer.context)+len(c.context) > 0 && !maps.Equal(answer.context, c.context) {
				t.Errorf("context %q, want %q", answer.context, c.context)
			}
			if value, ok := answer.ContextValue("absent"); ok || value != "" {
				t.Errorf("a value that is not there: %q", value)
			}
		})
	}
	for _, id := range []string{"4711", "-1", "12345678901234567890", "1.50"} {
		if answer, problem := rest.read([]byte(strings.Replace(allowAll, `"user"`, id, 1))); problem != "" || answer.PrincipalID() != id {
			t.Errorf("principalId %s: %s %v", id, problem, answer)
		}
	}
	if answer, problem := rest.read([]byte(with(`"usageIdentifierKey":"k"`))); problem != "" || answer.UsageIdentifierKey() != "k" {
		t.Errorf("usageIdentifierKey: %s %v", problem, answer)
	}
	if new(Answer).Allowed() || new(Answer).Policy() != nil {
		t.Error("the zero Answer allows")
	}
}

// TestNothingOfAnAnswerIsTold puts a secret wherever an answer can hold text, and makes a fault of it.
func TestNothingOfAnAnswerIsTold(t *testing.T) {
	rest, _, simple := kinds(t)
	const secret = "s3cr3t"
	for _, text := range []string{secret, `\"` + secret + `\" `, secret + `\\`, "\\n" + secret} {
		q := `"` + text + `"`
		for _, answer := range []string{
			q, `{` + q + `:1}`, `{"principalId":[` + q + `],"policyDocument":{}}`, `{"principalId":"u","policyDocument":` + q + `}`,
			`{"principalId":"u","policyDocument":{` + q + `:1,"Statement":[]}}`, `{"principalId":"u","policyDocument":{"Version":` + q + `,"Statement":[]}}`,
			answerWith(q), answerWith(`{` + q + `:1}`), answerWith(`{"Sid":` + q + `}`), answerWith(`{"Effect":` + q + `}`),
			answerWith(`{"Sid":` + q + `,"Effect":"Allow","Action":` + q + `,"Resource":` + q + `}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + q + `:{"a":"b"}}}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{` + q + `:["a"]}}}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"aws:EpochTime":` + q + `}}}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":` + q + `}}}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":` + q + `}}}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:${` + text + `}:*:*"}`),
			answerWith(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:${` + text + `"}`),
			answerWith(`{"Effect":"Allow","Principal":{` + q + `:` + q + `},"Action":"*","Resource":"*"}`),
			`{"isAuthorized":` + q + `}`, `{"isAuthorized":true,"context":` + q + `}`, `{"isAuthorized":true,` + q + `:1,` + q + `:2}`,
		} {
			for _, a := range []*Authorizer{rest, simple} {
				if _, problem := a.read([]byte(answer)); strings.Contains(problem, secret) {
					t.Errorf("%s: %s", answer, problem)
				}
			}
		}
	}
	for _, err := range []error{&FunctionError{Message: secret}, fmt.Errorf("post https://%s", secret)} {
		rest.invoker = fails(err)
		answer, err := rest.Authorize(t.Context(), call("t"))
		if r := refusalOf(t, answer, err); strings.Contains(fmt.Sprintf("%+v", *r), secret) || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v", r)
		}
	}
}

// TestLargestAnswer bounds the time that reading takes, and weighs what is kept.
func TestLargestAnswer(t *testing.T) {
	rest, _, _ := kinds(t)
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `,{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/%d/*"}`, i)
	}
	data := []byte(answerWith("[" + b.String()[1:] + "]"))
	before := heap()
	begun := time.Now()
	answer, problem := rest.read(data)
	took := time.Since(begun)
	if problem != "" {
		t.Fatal(problem)
	}
	if grown := heap() - before; grown > answer.bytes {
		t.Errorf("an answer of %d bytes takes %d, and costs %d", len(data), grown, answer.bytes)
	} else {
		t.Logf("an answer of %d bytes takes %d, costs %d, and is read in %v", len(data), grown, answer.bytes, took)
	}
	if took > 2*time.Second {
		t.Errorf("reading took %v", took)
	}
	small, _ := rest.read([]byte(allowAll))
	runtime.KeepAlive(answer)
	if small.bytes > 16<<10 {
		t.Errorf("a small answer costs %d", small.bytes)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// FuzzAnswer holds what is read against a careless second reading: nothing allows that has no Allow in it.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		allowAll, answerWith(denyStar), `{"isAuthorized":true}`, `{"isAuthorized":false,"context":{"a":[1]}}`, "null", `{"principalId":"u","context":{"a":1}}`,
		answerWith(`[` + allowStar + `,` + denyStar + `]`), answerWith(`{"Effect":"Allow","Action":["*"],"NotResource":["arn:aws:execute-api:*:*:*"]}`),
	} {
		f.Add([]byte(seed))
	}
	rest, http1, simple := kinds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, a := range []*Authorizer{rest, http1, simple} {
			answer, problem := a.read(data)
			if (answer == nil) == (problem == "") {
				t.Fatalf("answer %v, problem %q", answer, problem)
			}
			if allows(answer, testARN) && !carelesslyAllows(data, a.simple) {
				t.Fatalf("%s allows", data)
			}
		}
	})
}

func carelesslyAllows(data []byte, simple bool) bool {
	var m struct {
		IsAuthorized   bool
		PrincipalID    string
		PolicyDocument struct{ Statement json.RawMessage }
	}
	if json.Unmarshal(data, &m) != nil {
		return false
	}
	if simple {
		return m.IsAuthorized
	}
	type statement struct{ Effect string }
	var one statement
	var list []statement
	if json.Unmarshal(m.PolicyDocument.Statement, &list) != nil {
		if json.Unmarshal(m.PolicyDocument.Statement, &one) != nil {
			return false
		}
		list = []statement{one}
	}
	for _, s := range list {
		if s.Effect == "Allow" {
			return m.PrincipalID != ""
		}
	}
	return false
}
