package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
	yaml "go.yaml.in/yaml/v3"
)

// statementOf is a policy of one statement, by kind.
func statementOf(kind Kind, elements string) string {
	if kind == Resource || kind == VPCEndpoint {
		elements = `"Principal": "*", ` + elements
	}
	return `{"Version": "2012-10-17", "Statement": {` + elements + `}}`
}

const allowAll = `"Effect": "Allow", "Action": "*", "Resource": "*"`

func parse(t *testing.T, text string, kind Kind) (*Policy, []fault.Fault) {
	t.Helper()
	o := Options{Name: "p", Kind: kind}
	if kind == Resource {
		o.ExpandPrefix = benchPrefix
	}
	p, faults := Parse([]byte(text), o)
	fatal := false
	for _, f := range faults {
		fatal = fatal || !f.Warning
		if f.Line < 1 || f.Column < 1 || f.Message == "" {
			t.Errorf("fault without place or message: %+v", f)
		}
	}
	if fatal != (p == nil) {
		t.Errorf("policy %v with faults %v", p, faults)
	}
	return p, faults
}

func TestParseAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		text string
	}{
		"no version":                {Identity, `{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`},
		"empty Sid":                 {Identity, `{"Statement": [{"Sid": "", ` + allowAll + `}]}`},
		"members in any order":      {Identity, `{"Statement": {"Resource": ["*"], "Action": ["*"], "Effect": "Deny"}, "Version": "2008-10-17"}`},
		"empty condition":           {Identity, statementOf(Identity, allowAll+`, "Condition": {}`)},
		"numbers and booleans":      {Identity, statementOf(Identity, allowAll+`, "Condition": {"Bool": {"aws:SecureTransport": true}, "NumericLessThan": {"aws:MultiFactorAuthAge": [3600, -0.5]}, "Null": {"aws:username": false}}`)},
		"Id and lax Sid":            {Resource, `{"Id": "x y", "Statement": {"Sid": "Allow all, please", "Principal": "*", ` + allowAll + `}}`},
		"abbreviated resource":      {Resource, statementOf(Resource, `"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": ["execute-api:/*", "execute-api:/prod/GET/"]`)},
		"principals":                {Resource, `{"Statement": {"Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/a/b/alice", "arn:aws:iam::111122223333:role/r", "arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws-cn:sts::111122223333:federated-user/f", "AIDAJQABLZS4A3QDU576Q", "*"], "Service": "apigateway.amazonaws.com"}, ` + allowAll + `}}`},
		"NotPrincipal":              {Resource, `{"Statement": {"NotPrincipal": {"AWS": ["111122223333"]}, "Effect": "Deny", "NotAction": "execute-api:Invoke", "NotResource": "*"}}`},
		"every kind of IAM policy":  {Boundary, statementOf(Boundary, allowAll)},
		"session":                   {Session, statementOf(Session, allowAll)},
		"SCP":                       {SCP, statementOf(SCP, allowAll)},
		"RCP":                       {RCP, statementOf(Resource, allowAll)},
		"endpoint":                  {VPCEndpoint, statementOf(VPCEndpoint, allowAll)},
		"authorizer, no statements": {Authorizer, `{"Statement": []}`},
		"authorizer":                {Authorizer, statementOf(Authorizer, `"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/prod/GET/*"`)},
		"variables":                 {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:username}/${*}/${aws:PrincipalTag/a b, 'x}y'}"`)},
		"2008: a variable is text":  {Identity, `{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${nonsense"}}`},
		"escapes":                   {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "execute-api\u003aInvoke", "Resource": "arn:aws:s3:::\"\\\/\b\f\n\r\t\ud83d\ude00é`+"\uFFFD"+`"`)},
		"bare ARN operators' star":  {Identity, statementOf(Identity, allowAll+`, "Condition": {"ArnLike": {"aws:PrincipalArn": ["*", "${aws:PrincipalArn}", "arn:aws:iam::${aws:PrincipalAccount}:user/*"]}}`)},
		"dates":                     {Identity, statementOf(Identity, allowAll+`, "Condition": {"DateGreaterThan": {"aws:CurrentTime": ["2025-03-01", "2025-03", "2025-03-01T10:00Z", "2025-03-01T10:00:00.25+01:00", "2025-03-01T10:00:00-0130", 1740787200]}}`)},
		"YAML":                      {Resource, "Version: 2012-10-17\nStatement:\n- Sid: 42\n  Effect: Allow\n  Principal: {AWS: [111122223333, 012345678901]}\n  Action: execute-api:Invoke\n  Resource: '*'\n  Condition:\n    Bool: {aws:SecureTransport: true}\n"},
		"YAML with an anchor":       {Identity, "Statement:\n- &all {Effect: Allow, Action: '*', Resource: '*'}\n- *all\n"},
		"a byte order mark":         {Identity, "\ufeff" + statementOf(Identity, allowAll)},
		"space before and after it": {Identity, " \r\n\t" + statementOf(Identity, allowAll) + " \n"},
	} {
		if p, faults := parse(t, c.text, c.kind); p == nil {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// TestParseRefuses holds malformed documents with the place of the fault and words of its message.
func TestParseRefuses(t *testing.T) {
	condition := func(block string) string { return statementOf(Identity, allowAll+`, "Condition": `+block) }
	for name, c := range map[string]struct {
		kind Kind
		text string
		want string // line:column and words of the message
	}{
		"empty":                    {Identity, ``, "1:1 empty"},
		"no object":                {Identity, `["x"]`, "1:1 the document is a list"},
		"text":                     {Identity, `"x"`, "1:1 the document is text"},
		"no JSON":                  {Identity, "{\n  \"Statement\": [}", "2:17 found '}' instead of a value"},
		"cut":                      {Identity, `{"Statement": `, "1:15 found the end of the document"},
		"trailing comma":           {Identity, `{"Statement": [],}`, "1:18 found '}' instead of a key in double quotes"},
		"trailing text":            {Identity, `{} x`, "1:4 after the end"},
		"comment":                  {Identity, `{} // x`, "1:4 after the end"},
		"single quotes":            {Identity, `{'Statement': []}`, "1:2 key in double quotes"},
		"no colon":                 {Identity, `{"Statement" []}`, "1:14 a colon after the key"},
		"no comma":                 {Identity, `{"Statement": ["a" "b"]}`, "1:20 comma or a closing bracket"},
		"no comma in an object":    {Identity, `{"Id": "a" "b"}`, "1:12 comma or a closing brace"},
		"open text":                {Identity, `{"Id": "a`, "1:10 no closing quote"},
		"bad escape":               {Identity, `{"Id": "\x"}`, "1:9 not an escape of JSON"},
		"bad unicode escape":       {Identity, `{"Id": "\u00g0"}`, "1:9 four hexadecimal digits"},
		"half a pair":              {Identity, `{"Id": "\ud83d"}`, "1:9 surrogate"},
		"control character":        {Identity, "{\"Id\": \"a\nb\"}", "1:10 control character"},
		"not UTF-8":                {Identity, "{\"Id\": \"é\xff\"}", "1:10 not UTF-8"},
		"bad number":               {Identity, `{"Id": 01}`, "1:8 not a JSON number"},
		"duplicate element":        {Identity, "{\"Statement\": {\"Effect\": \"Deny\",\n \"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}}", `2:2 the key "Effect" stands twice`},
		"duplicate element, YAML":  {Identity, "Statement:\n  Effect: Deny\n  Effect: Allow\n  Action: '*'\n  Resource: '*'\n", `3:3 the key "Effect" stands twice`},
		"duplicate operator":       {Identity, condition(`{"Null": {"aws:username": "true"}, "Null": {"aws:userid": "true"}}`), `the key "Null" stands twice`},
		"duplicate condition key":  {Identity, condition(`{"StringEquals": {"aws:UserName": "a", "AWS:username": "b"}}`), "stands twice under StringEquals"},
		"YAML syntax":              {Identity, "Statement:\n- Effect: Allow\n   Action: x\n", "3:1 YAML"},
		"YAML star":                {Identity, "Statement:\n  Action: *\n", "needs quotes"},
		"YAML tag":                 {Identity, "Statement: !Ref x\n", "1:12 the YAML tag !Ref"},
		"YAML merge":               {Identity, "Statement: {<<: {Effect: Allow}}\n", `"<<" is not an element`},
		"YAML loop":                {Identity, "Statement: &a [*a]\n", "nest deeper"},
		"second YAML document":     {Identity, "Statement: {Effect: Allow, Action: '*', Resource: '*'}\n---\nx: y\n", "second YAML document"},
		"unknown element":          {Identity, `{"statement": {}}`, `1:2 "statement" is not an element of this part of a policy; write Statement`},
		"unknown statement member": {Identity, statementOf(Identity, allowAll+`, "Conditions": {}`), `"Conditions" is not an element`},
		"version":                  {Identity, `{"Version": "2012-10-18", "Statement": {` + allowAll + `}}`, `1:13 Version "2012-10-18" does not exist; write "2012-10-17"`},
		"no statement":             {Identity, `{"Version": "2012-10-17"}`, "1:1 Statement is missing"},
		"no statements":            {Identity, `{"Statement": []}`, "1:15 Statement is empty"},
		"statement is text":        {Identity, `{"Statement": ["x"]}`, "1:16 a statement is an object, not text"},
		"no effect":                {Identity, statementOf(Identity, `"Action": "*", "Resource": "*"`), `Effect is missing; write "Allow" or "Deny"`},
		"effect's case":            {Identity, statementOf(Identity, `"Effect": "allow", "Action": "*", "Resource": "*"`), `Effect is "allow"`},
		"both actions":             {Identity, statementOf(Identity, allowAll+`, "NotAction": "*"`), "Action and NotAction stand in one statement"},
		"no action":                {Identity, statementOf(Identity, `"Effect": "Allow", "Resource": "*"`), "Action is missing"},
		"no resource":              {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*"`), "Resource is missing"},
		"both resources":           {Identity, statementOf(Identity, allowAll+`, "NotResource": "*"`), "Resource and NotResource stand in one statement"},
		"empty list":               {Identity, statementOf(Identity, `"Effect": "Allow", "Action": [], "Resource": "*"`), "Action is an empty list"},
		"action is a number":       {Identity, statementOf(Identity, `"Effect": "Allow", "Action": 1, "Resource": "*"`), "Action holds a number"},
		"action without service":   {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "Invoke", "Resource": "*"`), "not of the form service:Name"},
		"wildcard service":         {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*:*", "Resource": "*"`), `action "*:*" has a wildcard in its service prefix`},
		"wildcard in the service":  {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "exec*:Invoke", "Resource": "*"`), "wildcard in its service prefix"},
		"variable in an action":    {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "execute-api:${aws:username}", "Resource": "*"`), "no action has"},
		"resource is not an ARN":   {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*", "Resource": "prod/GET"`), `neither "*" nor an ARN`},
		"abbreviation, no slash":   {Resource, statementOf(Resource, `"Effect": "Allow", "Action": "*", "Resource": "execute-api:*/*/*"`), "lacks the slash after execute-api:"},
		"short ARN":                {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*", "Resource": "arn:aws:execute-api:*"`), "fewer than the six parts"},
		"ARN without service":      {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*", "Resource": "arn:aws::::x"`), "lacks its partition, service"},
		"ARN in capitals":          {Identity, statementOf(Identity, `"Effect": "Allow", "Action": "*", "Resource": "ARN:aws:s3:::x"`), "does not begin with arn:"},
		"wildcard service in ARN":  {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "*", "Resource": "arn:aws:*:*:*:*"`), "wildcard for its service"},
		"early variable":           {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:${aws:RequestedRegion}::x"`), "before its fifth colon"},
		"abbreviation elsewhere":   {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "*", "Resource": "execute-api:/*"`), "is abbreviated"},
		"open variable":            {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:username"`), "without a closing brace"},
		"variable without prefix":  {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::b/${username}"`), "not of the form prefix:name"},
		"default without quotes":   {Identity, statementOf(Identity, `"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:username, x}"`), "write ${key, 'default'}"},
		"Sid":                      {Identity, statementOf(Identity, `"Sid": "a-b", `+allowAll), "may hold only letters"},
		"Sid is a number":          {Identity, statementOf(Identity, `"Sid": 1, `+allowAll), "Sid is a number"},
		"Sid twice":                {Identity, `{"Statement": [{"Sid": "a", ` + allowAll + `}, {"Sid": "a", ` + allowAll + `}]}`, `Sid "a" stands in two statements`},
		"Id is a list":             {Resource, `{"Id": [], "Statement": {"Principal": "*", ` + allowAll + `}}`, "Id is a list"},
		"condition is a list":      {Identity, condition(`[]`), "Condition is a list"},
		"operator's value":         {Identity, condition(`{"StringEquals": "x"}`), "StringEquals is followed by text"},
		"operator without keys":    {Identity, condition(`{"StringEquals": {}}`), "names no condition key"},
		"no values":                {Identity, condition(`{"StringEquals": {"aws:username": []}}`), "empty list of values"},
		"null value":               {Identity, condition(`{"StringEquals": {"aws:username": null}}`), "null for a value"},
		"object value":             {Identity, condition(`{"StringEquals": {"aws:username": [{}]}}`), "an object for a value"},
		"key without prefix":       {Identity, condition(`{"StringEquals": {"username": "a"}}`), "not of the form prefix:name"},
		"key with a wildcard":      {Identity, condition(`{"StringEquals": {"aws:Principal*": "a"}}`), "no key's name has"},
		"tag without key":          {Identity, condition(`{"StringEquals": {"aws:PrincipalTag": "a"}}`), "write aws:PrincipalTag/key"},
		"tag with empty key":       {Identity, condition(`{"StringEquals": {"aws:PrincipalTag/": "a"}}`), "write aws:PrincipalTag/key"},
		"open variable in a value": {Identity, condition(`{"StringLike": {"aws:username": "${"}}`), "without a closing brace"},
		"NotPrincipal with Allow":  {Resource, `{"Statement": {"NotPrincipal": {"AWS": "111122223333"}, ` + allowAll + `}}`, "only with Deny"},
		"no principal":             {Resource, `{"Statement": {` + allowAll + `}}`, "Principal is missing"},
		"both principals":          {Resource, `{"Statement": {"NotPrincipal": "*", "Principal": "*", "Effect": "Deny", "Action": "*", "Resource": "*"}}`, "stand in one statement"},
		"principal for a user":     {Identity, statementOf(Resource, allowAll), "have no place in a statement of this kind (identity-based policy)"},
		"principal in a boundary":  {Boundary, statementOf(Resource, allowAll), "permissions boundary"},
		"principal for a session":  {Session, statementOf(Resource, allowAll), "session policy"},
		"principal in an SCP":      {SCP, statementOf(Resource, allowAll), "service control policy"},
		"principal in an answer":   {Authorizer, statementOf(Resource, allowAll), "authorizer policy"},
		"no principal in endpoint": {VPCEndpoint, statementOf(Identity, allowAll), "Principal is missing"},
		"RCP for somebody":         {RCP, `{"Statement": {"Principal": {"AWS": "111122223333"}, ` + allowAll + `}}`, "concerns everyone"},
		"RCP with NotPrincipal":    {RCP, `{"Statement": {"NotPrincipal": "*", "Effect": "Deny", "Action": "*", "Resource": "*"}}`, "has no NotPrincipal"},
	} {
		p, faults := parse(t, c.text, c.kind)
		if p != nil || !mentions(faults, c.want) {
			t.Errorf("%s: %v, want %q", name, faults, c.want)
		}
	}
}

// mentions reports whether a fault has the place, if one is given, and the words.
func mentions(faults []fault.Fault, want string) bool {
	for _, f := range faults {
		place := fmt.Sprintf("%d:%d ", f.Line, f.Column)
		if words, ok := strings.CutPrefix(want, place); ok && !f.Warning && strings.Contains(f.Message, words) {
			return true
		}
		if !f.Warning && strings.Contains(f.Message, want) {
			return true
		}
	}
	return false
}

func TestParseRefusesPrincipals(t *testing.T) {
	for principal, want := range map[string]string{
		`"111122223333"`:          `write "*", or an object`,
		`[]`:                      "Principal is a list",
		`{}`:                      "Principal is empty",
		`{"AWS": []}`:             "AWS is an empty list",
		`{"AWS": 111122223333}`:   "AWS holds a number",
		`{"aws": "111122223333"}`: `"aws" is not an element of this part of a policy; write AWS`,
		`{"AWS": "1111"}`:         "is not a principal",
		`{"AWS": "alice"}`:        "is not a principal",
		`{"AWS": "arn:aws:iam::111122223333:role/*"}`:              "has a wildcard",
		`{"AWS": "arn:aws:iam::111122223333:user/al?ce"}`:          "has a wildcard",
		`{"AWS": "arn:aws:iam::*:root"}`:                           "has a wildcard",
		`{"AWS": "arn:aws:iam::1111:user/alice"}`:                  "account of 12 digits",
		`{"AWS": "arn:aws:iam:eu-west-1:111122223333:user/alice"}`: "no region",
		`{"AWS": "arn:aws:iam::111122223333:group/admins"}`:        "is a group",
		`{"AWS": "arn:aws:iam::111122223333:user/"}`:               "not the ARN of a user",
		`{"AWS": "arn:aws:iam::111122223333:rooty"}`:               "not the ARN of a user",
		`{"AWS": "arn:aws:iam::111122223333:root/x"}`:              "not the ARN of a user",
		`{"AWS": "arn:aws:s3::111122223333:bucket/x"}`:             "not the ARN of a user",
		`{"AWS": "arn:aws:sts::111122223333:assumed-role/ops"}`:    "not the ARN of a session",
		`{"AWS": "arn:aws:sts::111122223333:assumed-role/a/b/c"}`:  "not the ARN of a session",
		`{"Service": "*"}`:                 "is not a service",
		`{"Service": "lambda"}`:            "is not a service",
		`{"Federated": "*"}`:               "has a wildcard",
		`{"CanonicalUser": ""}`:            "is empty",
		`{"AWS": "AROA*"}`:                 "has a wildcard",
		`{"AWS": ["*", "arn:aws:iam::x"]}`: "is not a principal",
	} {
		text := `{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": ` + principal + `}}`
		if p, faults := parse(t, text, Resource); p != nil || !mentions(faults, want) {
			t.Errorf("%s: %v, want %q", principal, faults, want)
		}
	}
}

func TestParseRefusesOperatorsAndValues(t *testing.T) {
	for block, want := range map[string]string{
		`"stringequals": {"aws:username": "a"}`:                   "write StringEquals",
		`"foranyvalue:stringlikeifexists": {"aws:username": "a"}`: "write ForAnyValue:StringLikeIfExists",
		`"StringMatches": {"aws:username": "a"}`:                  "is not a condition operator; there are ArnEquals",
		`"ForSomeValues:StringLike": {"aws:username": "a"}`:       "is not a condition operator",
		`"NullIfExists": {"aws:username": "true"}`:                "write Null",
		`"ForAnyValue:Null": {"aws:username": "true"}`:            "write Null",
		`"IfExists": {"aws:username": "true"}`:                    "is not a condition operator",
		`"NumericEquals": {"a:b": "abc"}`:                         `value "abc" of NumericEquals is not a number`,
		`"NumericEquals": {"a:b": "1e3"}`:                         "is not a number",
		`"NumericEquals": {"a:b": "5.0.0"}`:                       "is not a number",
		`"NumericEquals": {"a:b": ""}`:                            "is not a number",
		`"NumericEquals": {"a:b": "${aws:username}"}`:             "is not a number",
		`"DateEquals": {"a:b": "yesterday"}`:                      "is not a date",
		`"DateEquals": {"a:b": "2025-02-30"}`:                     "is not a date",
		`"DateEquals": {"a:b": "2025-03-01T10:00:00"}`:            "is not a date",
		`"DateEquals": {"a:b": "2025-03-01T25:00:00Z"}`:           "is not a date",
		`"DateEquals": {"a:b": "1740787200000"}`:                  "is not a date",
		`"Bool": {"a:b": "True"}`:                                 "in lower case",
		`"Bool": {"a:b": "${aws:SecureTransport}"}`:               "neither true nor false",
		`"Null": {"a:b": "yes"}`:                                  "neither true nor false",
		`"BinaryEquals": {"a:b": "a"}`:                            "is not base64",
		`"IpAddress": {"a:b": "10.0.0.0/33"}`:                     "is not an IP address",
		`"IpAddress": {"a:b": "10.0.0/8"}`:                        "is not an IP address",
		`"IpAddress": {"a:b": "10.0.0.*"}`:                        "is not an IP address",
		`"NotIpAddress": {"a:b": "10.0.0.1:443"}`:                 "is not an IP address",
		`"NotIpAddress": {"a:b": "fe80::1%eth0"}`:                 "is not an IP address",
		`"ArnLike": {"a:b": "arn:*:role/x"}`:                      "is not an ARN of six parts",
		`"ArnEquals": {"a:b": "${aws:username}:x"}`:               "is not an ARN of six parts",
		`"ArnEquals": {"a:b": "urn:aws:s3:::x"}`:                  "is not an ARN of six parts",
		`"StringEquals": {"a:b": "${aws:username"}`:               "without a closing brace",
	} {
		text := statementOf(Identity, allowAll+`, "Condition": {`+block+`}`)
		if p, faults := parse(t, text, Identity); p != nil || !mentions(faults, want) {
			t.Errorf("%s: %v, want %q", block, faults, want)
		}
	}
}

func TestParseReportsAllFaultsInOrder(t *testing.T) {
	_, faults := parse(t, `{
  "Version": "2012",
  "Statement": [
    {"Sid": "first", "Effect": "allow", "Action": "Invoke", "Resource": "x"},
    {"Effect": "Deny", "Action": "*", "Resource": "*",
     "Condition": {"NumericEquals": {"a:b": ["abc", "1", "d"]}, "Bogus": {}}, "Extra": 1}
  ]
}`, Identity)
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Statement))
	}
	want := []string{"2:14 ", "4:32 first", "4:51 first", "4:73 first", "6:46 Statement[1]", "6:58 Statement[1]", "6:65 Statement[1]", "6:79 Statement[1]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, faults)
	}
}

func TestParseBoundsTheReport(t *testing.T) {
	_, faults := parse(t, `{"Statement": [`+strings.Repeat(`"x",`, 5000)+`"x"]}`, Identity)
	if len(faults) != maxFaults+1 || faults[maxFaults].Message != "4901 more are not listed" {
		t.Errorf("%d faults, the last %v", len(faults), faults[len(faults)-1])
	}
}

func TestParseWarns(t *testing.T) {
	for text, want := range map[string]string{
		`{"Id": "x", "Statement": {` + allowAll + `}}`:                                          "Id belongs to resource-based policies",
		statementOf(Identity, allowAll+`, "Condition": {"StringEquals": {"aws:TagKeys": "a"}}`): "aws:TagKeys holds a list",
	} {
		if p, faults := parse(t, text, Identity); p == nil || len(faults) != 1 || !strings.Contains(faults[0].Message, want) {
			t.Errorf("%s: %v, want %q", text, faults, want)
		}
	}
	for text, want := range map[string]string{
		`{"Statement": {"Principal": {"Federated": "cognito-identity.amazonaws.com"}, ` + allowAll + `}}`:                                    "matches nobody",
		`{"Statement": {"NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Effect": "Deny", "Action": "*", "Resource": "*"}}`: "list 111122223333 as well",
		`{"Statement": [{"Sid": "a", "Principal": "*", ` + allowAll + `}, {"Sid": "a", "Principal": "*", ` + allowAll + `}]}`:                "stands in two statements",
	} {
		if p, faults := parse(t, text, Resource); p == nil || len(faults) != 1 || !strings.Contains(faults[0].Message, want) {
			t.Errorf("%s: %v, want %q", text, faults, want)
		}
	}
}

func TestParseLimits(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		limits Limits
		want   string
	}{
		"bytes":      {strings.Repeat(" ", 1<<20) + "{}", Limits{}, "longer than 1048576 bytes"},
		"depth":      {`{"Statement": ` + strings.Repeat("[", 100_000), Limits{}, "deeper than 16"},
		"YAML depth": {"Statement: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), Limits{}, "deeper than 16"},
		"values":     {`{"Statement": [` + strings.Repeat(`1,`, 100_000) + `1]}`, Limits{}, "more than 100000 values"},
		"aliases": {"a: &a [" + strings.Repeat("x,", 50) + "]\nb: &b [" + strings.Repeat("*a,", 50) + "]\nc: &c [" + strings.Repeat("*b,", 50) + "]\nd: [" + strings.Repeat("*c,", 50) + "]\n",
			Limits{}, "more than 100000 values"},
		"statements":  {`{"Statement": [` + strings.Repeat(`{},`, 10_000) + `{}]}`, Limits{}, "more than 10000 statements"},
		"own limits":  {`{"Statement": [{}, {}]}`, Limits{Statements: 1}, "more than 1 statements"},
		"own bytes":   {`{"Statement": [{}, {}]}`, Limits{Bytes: 10}, "longer than 10 bytes"},
		"own nesting": {`{"Statement": [{}]}`, Limits{Depth: 1}, "deeper than 1"},
	} {
		p, faults := Parse([]byte(c.text), Options{Limits: c.limits})
		if p != nil || !mentions(faults, c.want) {
			t.Errorf("%s: %.300v, want %q", name, faults, c.want)
		}
	}
	for _, document := range []string{benchDocument(1000, resourceForms["path"]), cidrDocument(1000)} {
		benchPolicy(t, document)
	}
}

func TestParseYAMLNode(t *testing.T) {
	const file = `
api: a
resourcePolicy:
  Version: 2012-10-17
  Statement:
    - Effect: Allow
      Principal: {AWS: 111122223333}
      Action: execute-api:Invoke
      Resource: execute-api:/*
text: '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "nonsense", "Resource": "*"}}'
block: |
  {"Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "nonsense", "Resource": "*"}]}
good: |
  {"Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
list: [1]
`
	var top struct{ ResourcePolicy, Text, Block, Good, List yaml.Node }
	if err := yaml.Unmarshal([]byte(strings.Replace(file, "resourcePolicy", "resourcepolicy", 1)), &top); err != nil {
		t.Fatal(err)
	}
	o := Options{Kind: Resource, ExpandPrefix: benchPrefix}
	if p, faults := ParseYAML(&top.ResourcePolicy, o); p == nil || len(faults) > 0 || !statement.Has(p.statements[0].Principals.Names, "111122223333") || p.statements[0].Start != (Position{Line: 6, Column: 7}) {
		t.Errorf("inline: %+v %v", p, faults)
	}
	if p, faults := ParseYAML(&top.Good, o); p == nil || p.statements[0].Start.Line != 16 {
		t.Errorf("JSON text: %+v %v", p, faults)
	}
	for name, c := range map[string]struct {
		node *yaml.Node
		want string
	}{
		"text":  {&top.Text, `10:70 "nonsense" is not of the form`},
		"block": {&top.Block, `13:51 "nonsense" is not of the form`},
		"list":  {&top.List, "the document is a list"},
		"none":  {&yaml.Node{}, "a policy should stand here"},
	} {
		if p, faults := ParseYAML(c.node, o); p != nil || !mentions(faults, c.want) {
			t.Errorf("%s: %v, want %q", name, faults, c.want)
		}
	}
}

// TestFaultsDoNotEchoWholeDocuments keeps a megabyte of text out of a log line.
func TestFaultsDoNotEchoWholeDocuments(t *testing.T) {
	_, faults := parse(t, statementOf(Identity, `"Effect": "`+strings.Repeat("x", 100_000)+`"`), Identity)
	for _, f := range faults {
		if len(f.Text()) > 1000 {
			t.Errorf("a message of %d bytes", len(f.Text()))
		}
	}
}

// An ARN that AWS's documents rule out is taken in an Allow alone, of a policy that AWS has taken, and grants nothing there.
func TestResourceThatGrantsNothing(t *testing.T) {
	for _, arn := range []string{"arn:aws:execute-api:*:${aws:PrincipalAccount}:*", "arn:aws:execute-api:*:*:"} {
		for kind, taken := range map[Kind]bool{Identity: true, Boundary: true, Session: true, SCP: true, Resource: false, VPCEndpoint: false, Authorizer: false} {
			for element, effects := range map[string][]string{"Resource": {"Allow", "Deny"}, "NotResource": {"Allow", "Deny"}} {
				for _, effect := range effects {
					text := statementOf(kind, fmt.Sprintf(`"Effect": %q, "Action": "*", %q: %q`, effect, element, arn))
					p, faults := parse(t, text, kind)
					if want := taken && effect == "Allow" && element == "Resource"; (p != nil) != want || len(faults) == 0 || faults[0].Warning != want {
						t.Errorf("%s: %s: %v", kind, text, faults)
					}
				}
			}
		}
		p, _ := parse(t, statementOf(Identity, fmt.Sprintf(`"Effect": "Allow", "Action": "*", "Resource": %q`, arn)), Identity)
		for _, resource := range []string{getPets, "arn:aws:execute-api:eu-west-1:111122223333:x", "arn:aws:execute-api:eu-west-1:111122223333:*"} {
			r := &Request{Principal: alice, Action: "execute-api:Invoke", Resource: resource, ResourceAccount: owner, Context: mapContext{"aws:principalaccount": StringValue(owner)}}
			if got := p.Evaluate(r); got.Decision != ImplicitDeny {
				t.Errorf("%s allows %s: %+v", arn, resource, got)
			}
		}
	}
}
