package simulate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

const (
	alice   = "arn:aws:iam::111122223333:user/alice"
	pets    = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets"
	orders  = "arn:aws:execute-api:eu-west-1:444455556666:f6g7h8i9j0/prod/GET/orders"
	bucket  = "arn:aws:s3:::pets/cat.jpg"
	invoke  = "execute-api:Invoke"
	allowIt = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	denyIt  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
	nothing = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}`
)

// resourcePolicy allows everything to one AWS principal.
func resourcePolicy(principal string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":%q},"Action":"*","Resource":"*"}}`, principal)
}

func ask(t testing.TB, r Request) Response {
	t.Helper()
	if r.ActionNames == nil {
		r.ActionNames = []string{invoke}
	}
	response, err := Run(r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// TestCallers says who the caller is by who has to allow.
func TestCallers(t *testing.T) {
	const (
		session    = "arn:aws:sts::111122223333:assumed-role/deployer/ci"
		role       = "arn:aws:iam::111122223333:role/deployer"
		roleOnPath = "arn:aws:iam::111122223333:role/ops/deployer"
		federated  = "arn:aws:sts::111122223333:federated-user/bob"
		root       = "arn:aws:iam::111122223333:root"
		group      = "arn:aws:iam::111122223333:group/staff"
	)
	p := func(policies ...string) []string { return policies }
	for name, c := range map[string]struct {
		request Request
		want    string
	}{
		"user, identity":                              {Request{CallerArn: alice, PolicyInputList: p(allowIt)}, "allowed"},
		"user, nothing":                               {Request{CallerArn: alice}, "implicitDeny"},
		"user, named":                                 {Request{CallerArn: alice, ResourcePolicy: resourcePolicy(alice)}, "allowed"},
		"user, account named":                         {Request{CallerArn: alice, ResourcePolicy: resourcePolicy("111122223333")}, "implicitDeny"},
		"user, other named":                           {Request{CallerArn: alice, ResourcePolicy: resourcePolicy(alice + "x")}, "implicitDeny"},
		"user, across, identity":                      {Request{CallerArn: alice, PolicyInputList: p(allowIt), ResourceArns: p(orders)}, "implicitDeny"},
		"user, across, both":                          {Request{CallerArn: alice, PolicyInputList: p(allowIt), ResourcePolicy: resourcePolicy("111122223333"), ResourceArns: p(orders)}, "allowed"},
		"user, ARN's account before the owner":        {Request{CallerArn: alice, PolicyInputList: p(allowIt), ResourceOwner: "111122223333", ResourceArns: p(orders)}, "implicitDeny"},
		"user, bucket of its own account":             {Request{CallerArn: alice, PolicyInputList: p(allowIt), ResourceArns: p(bucket)}, "allowed"},
		"user, bucket of another":                     {Request{CallerArn: alice, PolicyInputList: p(allowIt), ResourceArns: p(bucket), ResourceOwner: "444455556666"}, "implicitDeny"},
		"user, bucket of another, by ARN":             {Request{CallerArn: alice, PolicyInputList: p(allowIt), ResourceArns: p(bucket), ResourceOwner: "arn:aws:iam::444455556666:root"}, "implicitDeny"},
		"session, role named":                         {Request{CallerArn: session, ResourcePolicy: resourcePolicy(role)}, "allowed"},
		"session, role named, boundary":               {Request{CallerArn: session, ResourcePolicy: resourcePolicy(role), PermissionsBoundaryPolicyInputList: p(nothing)}, "implicitDeny"},
		"session, named, boundary":                    {Request{CallerArn: session, ResourcePolicy: resourcePolicy(session), PermissionsBoundaryPolicyInputList: p(nothing)}, "allowed"},
		"session, role on a path named":               {Request{CallerArn: session, CallerRoleArn: roleOnPath, ResourcePolicy: resourcePolicy(roleOnPath)}, "allowed"},
		"session, role on a path, other named":        {Request{CallerArn: session, CallerRoleArn: roleOnPath, ResourcePolicy: resourcePolicy(role)}, "implicitDeny"},
		"role, named":                                 {Request{CallerArn: role, ResourcePolicy: resourcePolicy(role)}, "allowed"},
		"role, its session named":                     {Request{CallerArn: role, ResourcePolicy: resourcePolicy(session)}, "implicitDeny"},
		"group, identity":                             {Request{CallerArn: group, PolicyInputList: p(allowIt)}, "allowed"},
		"group, user named":                           {Request{CallerArn: group, ResourcePolicy: resourcePolicy(alice)}, "implicitDeny"},
		"federated, identity":                         {Request{CallerArn: federated, PolicyInputList: p(allowIt)}, "implicitDeny"},
		"federated, identity and session":             {Request{CallerArn: federated, PolicyInputList: p(allowIt), SessionPolicyInputList: p(allowIt)}, "allowed"},
		"federated, user named":                       {Request{CallerArn: federated, CallerRoleArn: alice, ResourcePolicy: resourcePolicy(alice)}, "allowed"},
		"federated, user not known":                   {Request{CallerArn: federated, ResourcePolicy: resourcePolicy(alice)}, "implicitDeny"},
		"root":                                        {Request{CallerArn: root}, "allowed"},
		"root, denied":                                {Request{CallerArn: root, ResourcePolicy: strings.Replace(resourcePolicy("*"), "Allow", "Deny", 1)}, "explicitDeny"},
		"unnamed, identity":                           {Request{PolicyInputList: p(allowIt)}, "allowed"},
		"unnamed, no resource":                        {Request{PolicyInputList: p(allowIt), ResourceArns: p("*")}, "allowed"},
		"unnamed, of the owner":                       {Request{PolicyInputList: p(nothing), ResourcePolicy: resourcePolicy("*"), ResourceOwner: "111122223333"}, "allowed"},
		"unnamed, across":                             {Request{PolicyInputList: p(allowIt), ResourceArns: p(orders), ResourceOwner: "111122223333"}, "implicitDeny"},
		"unnamed, nobody is a group of zeros":         {Request{PolicyInputList: p(nothing), ResourcePolicy: resourcePolicy("000000000000"), ResourceArns: p("*")}, "implicitDeny"},
		"anonymous, everyone":                         {Request{ResourcePolicy: resourcePolicy("*")}, "allowed"},
		"anonymous, account":                          {Request{ResourcePolicy: resourcePolicy("111122223333"), ResourceOwner: "111122223333"}, "implicitDeny"},
		"anonymous, nothing":                          {Request{}, "implicitDeny"},
		"session policy":                              {Request{CallerArn: session, PolicyInputList: p(allowIt), SessionPolicyInputList: p(nothing)}, "implicitDeny"},
		"one of two session policies":                 {Request{CallerArn: session, PolicyInputList: p(allowIt), SessionPolicyInputList: p(nothing, allowIt)}, "allowed"},
		"service control policies, one level silent":  {Request{CallerArn: alice, PolicyInputList: p(allowIt), ServiceControlPolicyInputLists: [][]string{{allowIt}, {nothing}}}, "implicitDeny"},
		"service control policies, one level empty":   {Request{CallerArn: alice, PolicyInputList: p(allowIt), ServiceControlPolicyInputLists: [][]string{{allowIt}, {}}}, "implicitDeny"},
		"service control policies, allowed":           {Request{CallerArn: alice, PolicyInputList: p(allowIt), ServiceControlPolicyInputLists: [][]string{{allowIt}, {nothing, allowIt}}}, "allowed"},
		"service control policies in AWS's own form":  {Request{CallerArn: alice, PolicyInputList: p(allowIt), OrderedOrganizationPolicyInputList: []OrganizationPolicy{{p(allowIt)}, {p(nothing)}}}, "implicitDeny"},
		"permissions boundary":                        {Request{CallerArn: alice, PolicyInputList: p(allowIt), PermissionsBoundaryPolicyInputList: p(nothing)}, "implicitDeny"},
		"a Deny in the boundary":                      {Request{CallerArn: alice, PolicyInputList: p(allowIt), PermissionsBoundaryPolicyInputList: p(denyIt)}, "explicitDeny"},
		"a second identity-based policy denies":       {Request{CallerArn: alice, PolicyInputList: p(allowIt, denyIt)}, "explicitDeny"},
		"abbreviated resource in the resource policy": {Request{CallerArn: alice, ResourcePolicy: strings.Replace(resourcePolicy(alice), `"Resource":"*"`, `"Resource":"execute-api:/prod/GET/*"`, 1)}, "allowed"},
	} {
		if c.request.ResourceArns == nil {
			c.request.ResourceArns = p(pets)
		}
		if got := ask(t, c.request).EvaluationResults[0].EvalDecision; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestContextTypes(t *testing.T) {
	condition := func(operator, key, value string) []string {
		return []string{fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{%q:%q}}}}`, operator, key, value)}
	}
	for _, c := range []struct {
		policies []string
		entry    ContextEntry
		want     string
	}{
		{condition("StringEquals", "aws:username", "alice"), ContextEntry{"AWS:UserName", []string{"alice"}, "string"}, "allowed"},
		{condition("StringEquals", "aws:username", "alice"), ContextEntry{"aws:username", []string{"Alice"}, "string"}, "implicitDeny"},
		{condition("StringEquals", "aws:username", ""), ContextEntry{"aws:username", []string{""}, "string"}, "allowed"},
		{condition("StringEquals", "aws:TagKeys", "team"), ContextEntry{"aws:TagKeys", []string{"team"}, "stringList"}, "implicitDeny"},
		{condition("ForAnyValue:StringEquals", "aws:TagKeys", "team"), ContextEntry{"aws:TagKeys", []string{"env", "team"}, "stringList"}, "allowed"},
		{condition("ForAllValues:StringEquals", "aws:TagKeys", "team"), ContextEntry{"aws:TagKeys", []string{"env", "team"}, "stringList"}, "implicitDeny"},
		{condition("ForAllValues:StringEquals", "aws:TagKeys", "team"), ContextEntry{"aws:TagKeys", nil, "stringList"}, "allowed"},
		{condition("NumericLessThan", "aws:MultiFactorAuthAge", "300"), ContextEntry{"aws:MultiFactorAuthAge", []string{"299.5"}, "numeric"}, "allowed"},
		{condition("NumericLessThan", "aws:MultiFactorAuthAge", "300"), ContextEntry{"aws:MultiFactorAuthAge", []string{"300"}, "numeric"}, "implicitDeny"},
		{condition("ForAllValues:NumericLessThan", "x:ages", "300"), ContextEntry{"x:ages", []string{"-1", "+20"}, "numericList"}, "allowed"},
		{condition("Bool", "aws:SecureTransport", "true"), ContextEntry{"aws:SecureTransport", []string{"True"}, "boolean"}, "allowed"},
		{condition("Bool", "aws:SecureTransport", "true"), ContextEntry{"aws:SecureTransport", []string{"false"}, "boolean"}, "implicitDeny"},
		{condition("ForAllValues:Bool", "x:flags", "true"), ContextEntry{"x:flags", []string{"true", "false"}, "booleanList"}, "implicitDeny"},
		{condition("IpAddress", "aws:SourceIp", "2001:db8::/32"), ContextEntry{"aws:SourceIp", []string{"2001:DB8:0::1"}, "ip"}, "allowed"},
		{condition("IpAddress", "aws:SourceIp", "10.0.0.0/8"), ContextEntry{"aws:SourceIp", []string{"11.0.0.1"}, "ip"}, "implicitDeny"},
		{condition("ForAnyValue:IpAddress", "x:hops", "10.0.0.0/8"), ContextEntry{"x:hops", []string{"192.0.2.1", "10.0.0.1"}, "ipList"}, "allowed"},
		{condition("BinaryEquals", "x:digest", "AAECAw=="), ContextEntry{"x:digest", []string{"AAECAw=="}, "binary"}, "allowed"},
		{condition("BinaryEquals", "x:digest", "AAECAw=="), ContextEntry{"x:digest", []string{"AAECBA=="}, "binary"}, "implicitDeny"},
		{condition("ForAnyValue:BinaryEquals", "x:digest", "AAECAw=="), ContextEntry{"x:digest", []string{"AAECBA==", "AAECAw=="}, "binaryList"}, "allowed"},
		{condition("DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z"), ContextEntry{"aws:CurrentTime", []string{"2026-12-31T23:59:59.9+00:00"}, "date"}, "allowed"},
		{condition("DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z"), ContextEntry{"aws:CurrentTime", []string{"1798761600"}, "date"}, "implicitDeny"},
		{condition("ForAllValues:DateLessThan", "x:dates", "2027-01-01"), ContextEntry{"x:dates", []string{"2026-05", "2026-12-31T23:00-0100"}, "dateList"}, "implicitDeny"},
		{condition("Null", "aws:CurrentTime", "true"), ContextEntry{"aws:username", []string{"alice"}, "string"}, "allowed"},
	} {
		r := Request{CallerArn: alice, PolicyInputList: c.policies, ContextEntries: []ContextEntry{c.entry}}
		if got := ask(t, r).EvaluationResults[0].EvalDecision; got != c.want {
			t.Errorf("%s with %v: %s, want %s", c.policies[0], c.entry, got, c.want)
		}
	}
}

func TestResponse(t *testing.T) {
	conditional := `{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":"execute-api:*","Resource":"*"},
  {"Effect":"Deny","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
  {"Effect":"Deny","Action":"sqs:*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"false"}}}]}`
	got := ask(t, Request{
		CallerArn: alice, PolicyInputList: []string{conditional}, ResourceArns: []string{orders, "*"}, ResourcePolicy: resourcePolicy("111122223333"),
		PermissionsBoundaryPolicyInputList: []string{allowIt}, ServiceControlPolicyInputLists: [][]string{{allowIt}},
	})
	identity := Statement{"PolicyInputList.1", "IAM Policy", policy.Position{Line: 1, Column: 38}, policy.Position{Line: 2, Column: 61}}
	resource := Statement{"ResourcePolicy", "Resource Policy", policy.Position{Line: 1, Column: 38}, policy.Position{Line: 1, Column: 118}}
	boundary := &PermissionsBoundaryDecisionDetail{true}
	want := Response{EvaluationResults: []EvaluationResult{{
		EvalActionName: invoke, EvalResourceName: orders, EvalDecision: "allowed",
		MatchedStatements: []Statement{identity, resource}, MissingContextValues: []string{"aws:SecureTransport"},
		OrganizationsDecisionDetail: &OrganizationsDecisionDetail{true}, PermissionsBoundaryDecisionDetail: boundary,
		EvalDecisionDetails: map[string]string{"IAM Policy": "allowed", "Resource Policy": "allowed"},
		ResourceSpecificResults: []ResourceSpecificResult{{
			EvalResourceName: orders, EvalResourceDecision: "allowed", MatchedStatements: []Statement{identity, resource},
			MissingContextValues: []string{"aws:SecureTransport"}, PermissionsBoundaryDecisionDetail: boundary,
			EvalDecisionDetails: map[string]string{"IAM Policy": "allowed", "Resource Policy": "allowed"},
		}},
	}, {
		EvalActionName: invoke, EvalResourceName: "*", EvalDecision: "allowed",
		MatchedStatements: []Statement{identity, resource}, MissingContextValues: []string{},
		OrganizationsDecisionDetail: &OrganizationsDecisionDetail{true}, PermissionsBoundaryDecisionDetail: boundary,
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMatchedStatements has the denying statements alone where one denies, and none where none allows.
func TestMatchedStatements(t *testing.T) {
	ids := func(r Request) (all []string) {
		for _, s := range ask(t, r).EvaluationResults[0].MatchedStatements {
			all = append(all, s.SourcePolicyId+" "+s.SourcePolicyType)
		}
		return all
	}
	for name, c := range map[string]struct {
		request Request
		want    []string
	}{
		"deny":      {Request{CallerArn: alice, PolicyInputList: []string{allowIt, denyIt}, ResourcePolicy: resourcePolicy("*")}, []string{"PolicyInputList.2 IAM Policy"}},
		"boundary":  {Request{CallerArn: alice, PolicyInputList: []string{allowIt}, PermissionsBoundaryPolicyInputList: []string{denyIt}}, []string{"PermissionsBoundaryPolicyInputList.1 Permissions Boundary Policy"}},
		"session":   {Request{CallerArn: alice, PolicyInputList: []string{allowIt}, SessionPolicyInputList: []string{allowIt, denyIt}}, []string{"SessionPolicyInputList.2 Session Policy"}},
		"level":     {Request{CallerArn: alice, PolicyInputList: []string{allowIt}, ServiceControlPolicyInputLists: [][]string{{allowIt}, {denyIt}}}, []string{"ServiceControlPolicyInputLists.2.1 Service Control Policy"}},
		"allow":     {Request{CallerArn: alice, PolicyInputList: []string{nothing, allowIt}, PermissionsBoundaryPolicyInputList: []string{allowIt}}, []string{"PolicyInputList.2 IAM Policy"}},
		"no allow":  {Request{CallerArn: alice, PolicyInputList: []string{nothing}}, nil},
		"limited":   {Request{CallerArn: alice, PolicyInputList: []string{allowIt}, PermissionsBoundaryPolicyInputList: []string{nothing}}, nil},
		"anonymous": {Request{ResourcePolicy: resourcePolicy("*")}, []string{"ResourcePolicy Resource Policy"}},
	} {
		if diff := cmp.Diff(c.want, ids(c.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestPositions has what IAM's own simulator answered: the first in the AWS CLI's documentation, the others in the shapes of
// published answers.
func TestPositions(t *testing.T) {
	const statement = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	for text, want := range map[string][]where{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}`: {{policy.Position{Line: 1, Column: 38}, policy.Position{Line: 1, Column: 167}}},
		`{"Statement":[` + statement + `,` + statement + `]}`: {
			{policy.Position{Line: 1, Column: 15}, policy.Position{Line: 1, Column: 61}},
			{policy.Position{Line: 1, Column: 61}, policy.Position{Line: 1, Column: 108}},
		},
		"{\n \"Statement\": [\n  " + statement + " ,\n  " + statement + "\n ]\n}": {
			{policy.Position{Line: 2, Column: 16}, policy.Position{Line: 3, Column: 49}},
			{policy.Position{Line: 3, Column: 49}, policy.Position{Line: 4, Column: 49}},
		},
		"{\"Statement\":\n  " + statement + ", \"Id\": \"é\"}":    {{policy.Position{Line: 2, Column: 4}, policy.Position{Line: 2, Column: 49}}},
		"\ufeff{\"Id\": \"é\", \"Statement\": " + statement + "}": {{policy.Position{Line: 1, Column: 27}, policy.Position{Line: 1, Column: 72}}},
	} {
		r := Request{PolicyInputList: []string{text}, ActionNames: []string{"dynamodb:CreateBackup"}, ContextEntries: []ContextEntry{{"aws:CurrentTime", []string{"2019-04-25T11:00:00Z"}, "date"}}}
		var got []where
		for _, s := range ask(t, r).EvaluationResults[0].MatchedStatements {
			got = append(got, where{s.StartPosition, s.EndPosition})
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(where{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestPages(t *testing.T) {
	r := Request{CallerArn: alice, ActionNames: []string{"a:One", "a:Two", "a:Three"}, ResourceArns: []string{pets, orders}, MaxItems: 4}
	first := ask(t, r)
	if !first.IsTruncated || len(first.EvaluationResults) != 4 || first.EvaluationResults[3].EvalActionName != "a:Two" || first.EvaluationResults[3].EvalResourceName != orders {
		t.Errorf("first page: %+v", first)
	}
	r.Marker = first.Marker
	second := ask(t, r)
	if second.IsTruncated || second.Marker != "" || len(second.EvaluationResults) != 2 || second.EvaluationResults[0].EvalActionName != "a:Three" {
		t.Errorf("second page: %+v", second)
	}
}

// TestRunRefuses has requests that were built, not decoded; TestDecodeRefuses has the rest.
func TestRunRefuses(t *testing.T) {
	good := func(change func(*Request)) Request {
		r := Request{PolicyInputList: []string{allowIt}, ActionNames: []string{invoke}, CallerArn: alice, ResourceArns: []string{pets}}
		change(&r)
		return r
	}
	if _, err := Run(good(func(*Request) {})); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = pets
	}
	entry := func(name, kind string, values ...string) func(*Request) {
		return func(r *Request) { r.ContextEntries = []ContextEntry{{name, values, kind}} }
	}
	caller := func(caller, role string) func(*Request) {
		return func(r *Request) { r.CallerArn, r.CallerRoleArn = caller, role }
	}
	const session, federated = "arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:sts::111122223333:federated-user/bob"
	for want, change := range map[string]func(*Request){
		"ActionNames is missing":                                 func(r *Request) { r.ActionNames = nil },
		`ActionNames[0]: "Invoke" is not an action`:              func(r *Request) { r.ActionNames = []string{"Invoke"} },
		`ActionNames[1]: "execute-api:*" is not an action`:       func(r *Request) { r.ActionNames = []string{invoke, "execute-api:*"} },
		`ActionNames[0]: "*" is not an action`:                   func(r *Request) { r.ActionNames = []string{"*"} },
		`ActionNames[0]: "a:b:c" is not an action`:               func(r *Request) { r.ActionNames = []string{"a:b:c"} },
		`ActionNames[0]: "" is not an action`:                    func(r *Request) { r.ActionNames = []string{""} },
		`ResourceArns[0]: "pets" is neither an ARN nor "*"`:      func(r *Request) { r.ResourceArns = []string{"pets"} },
		"101 actions on 101 resources are more than 10000":       func(r *Request) { r.ResourceArns = many; r.ActionNames = many },
		"MaxItems: write a number":                               func(r *Request) { r.MaxItems = 1001 },
		`Marker: "7" is not the Marker`:                          func(r *Request) { r.Marker = "7" },
		`Marker: "-1" is not the Marker`:                         func(r *Request) { r.Marker = "-1" },
		`ResourceOwner: "me" is not an account`:                  func(r *Request) { r.ResourceOwner = "me" },
		`ResourceOwner: "arn:aws:iam::1:root" is not an account`: func(r *Request) { r.ResourceOwner = "arn:aws:iam::1:root" },
		"PermissionsBoundaryPolicyInputList holds 2 policies":    func(r *Request) { r.PermissionsBoundaryPolicyInputList = []string{allowIt, allowIt} },
		"say the same; keep one": func(r *Request) {
			r.ServiceControlPolicyInputLists = [][]string{{allowIt}}
			r.OrderedOrganizationPolicyInputList = []OrganizationPolicy{{[]string{allowIt}}}
		},
		"the caller is anonymous": func(r *Request) {
			r.CallerArn, r.PolicyInputList, r.SessionPolicyInputList = "", nil, []string{allowIt}
		},
		"PolicyInputList.2: 1:1: ":                              func(r *Request) { r.PolicyInputList = []string{allowIt, "Effect: Allow"} },
		"PolicyInputList.1: 1:67: Statement[0]: Principal":      func(r *Request) { r.PolicyInputList = []string{resourcePolicy("*")} },
		"ResourcePolicy: 1:37: Statement[0]: Principal":         func(r *Request) { r.ResourcePolicy = allowIt },
		"SessionPolicyInputList.1: 1:":                          func(r *Request) { r.SessionPolicyInputList = []string{"{}"} },
		"ServiceControlPolicyInputLists.1.2: 1:1: ":             func(r *Request) { r.ServiceControlPolicyInputLists = [][]string{{allowIt, "{}"}} },
		"OrderedOrganizationPolicyInputList.1.1: 1:1: ":         func(r *Request) { r.OrderedOrganizationPolicyInputList = []OrganizationPolicy{{[]string{"{}"}}} },
		`CallerArn: "alice" is not an ARN of a principal`:       caller("alice", ""),
		`CallerArn: "arn:aws:iam::111122223333:policy/p" is no`: caller("arn:aws:iam::111122223333:policy/p", ""),
		`CallerArn: "arn:aws:iam::111122223333:user/" is no`:    caller("arn:aws:iam::111122223333:user/", ""),
		`CallerArn: "arn:aws:iam::111122223333:root/x" is no`:   caller("arn:aws:iam::111122223333:root/x", ""),
		`CallerArn: "apigateway.amazonaws.com" is not an ARN`:   caller("apigateway.amazonaws.com", ""),
		`assumed-role/r" is not a session`:                      caller("arn:aws:sts::111122223333:assumed-role/r", ""),
		`assumed-role/r/s/t" is not a session`:                  caller("arn:aws:sts::111122223333:assumed-role/r/s/t", ""),
		"CallerRoleArn: only a session":                         caller(alice, "arn:aws:iam::111122223333:role/r"),
		"CallerRoleArn: name the session in CallerArn":          caller("", "arn:aws:iam::111122223333:role/r"),
		`role/x" is not the role behind`:                        caller(session, "arn:aws:iam::111122223333:role/x"),
		`444455556666:role/r" is not the role behind`:           caller(session, "arn:aws:iam::444455556666:role/r"),
		`user/r" is not a role`:                                 caller(session, "arn:aws:iam::111122223333:user/r"),
		`role/bob" is not a user`:                               caller(federated, "arn:aws:iam::111122223333:role/bob"),
		`ContextEntries[0]: ContextKeyName is "SourceIp"`:       entry("SourceIp", "ip", "10.0.0.1"),
		`ContextEntries[0]: ContextKeyType is "str"`:            entry("aws:username", "str", "a"),
		`ContextEntries[0]: ContextKeyType is "List"`:           entry("aws:username", "List", "a"),
		`ContextEntries[0]: ContextKeyType is ""`:               entry("aws:username", "", "a"),
		"write stringList for a key with several":               entry("aws:username", "string", "a", "b"),
		"the type string holds one value":                       entry("aws:username", "string"),
		`the value "1e3" is not a number`:                       entry("x:y", "numeric", "1e3"),
		`the value "1." is not a number`:                        entry("x:y", "numeric", "1."),
		`the value "+-1" is not a number`:                       entry("x:y", "numeric", "+-1"),
		`the value "" is not a number`:                          entry("x:y", "numericList", "1", ""),
		`the value "yes" is neither true nor false`:             entry("x:y", "boolean", "yes"),
		`the value "10.0.0.0/8" is not an IP address`:           entry("x:y", "ip", "10.0.0.0/8"),
		`the value "AAE" is not base64`:                         entry("x:y", "binary", "AAE"),
		`the value "tomorrow" is not a date`:                    entry("x:y", "dateList", "2026-01-01", "tomorrow"),
		`"AWS:Username" stands twice`: func(r *Request) {
			r.ContextEntries = []ContextEntry{{"aws:username", []string{"a"}, "string"}, {"AWS:Username", []string{"a"}, "string"}}
		},
	} {
		response, err := Run(good(change))
		var e *Error
		if !errors.As(err, &e) || e.Code != InvalidInput || !strings.Contains(e.Message, want) {
			t.Errorf("%v, want InvalidInput with %q", err, want)
		}
		if len(response.EvaluationResults) != 0 {
			t.Errorf("%s: results beside the error: %+v", want, response)
		}
	}
}

// TestFaultsTogether finds the faults of all policies at once, but no more than a page of them.
func TestFaultsTogether(t *testing.T) {
	r := Request{ActionNames: []string{invoke}, PolicyInputList: []string{"{}"}, ResourcePolicy: "[]"}
	_, err := Run(r)
	if err == nil || !strings.Contains(err.Error(), "PolicyInputList.1: ") || !strings.Contains(err.Error(), "ResourcePolicy: ") {
		t.Errorf("%v, want both policies", err)
	}
	for range 10_000 {
		r.PolicyInputList = append(r.PolicyInputList, "{}")
	}
	if _, err = Run(r); err == nil || !strings.HasSuffix(err.Error(), "; and 9982 more") || len(err.Error()) > 5000 {
		t.Errorf("%v", err)
	}
}

func TestWarnings(t *testing.T) {
	text := strings.Replace(allowIt, `"Resource":"*"`, `"Resource":"*","Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":"soon"}}`, 1)
	got := ask(t, Request{PolicyInputList: []string{text}, ContextEntries: []ContextEntry{{"aws:MultiFactorAuthAge", []string{"5"}, "numeric"}}})
	if len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], "PolicyInputList.1: 1:") || got.EvaluationResults[0].EvalDecision != "implicitDeny" {
		t.Errorf("%+v", got)
	}
}

func TestPanicIsNoAllow(t *testing.T) {
	response, err := guarded(func() (Response, error) {
		defer panic("boom")
		return Response{EvaluationResults: []EvaluationResult{{EvalDecision: "allowed"}}}, nil
	})
	var e *Error
	if !errors.As(err, &e) || e.Code != PolicyEvaluation || len(response.EvaluationResults) != 0 {
		t.Errorf("%+v, %v", response, err)
	}
}
