package policy

import (
	"fmt"
	"strings"
	"testing"
)

const (
	owner    = "111122223333"
	stranger = "444455556666"
	getPets  = benchPrefix + "/prod/GET/pets"
)

var (
	alice     = Principal{Kind: User, ARN: "arn:aws:iam::111122223333:user/dev/alice", Account: owner, ID: "AIDAALICEALICEALICE1"}
	session   = Principal{Kind: RoleSession, ARN: "arn:aws:sts::111122223333:assumed-role/ops/ci", ParentARN: "arn:aws:iam::111122223333:role/team/ops", Account: owner, ParentID: "AROAOPSOPSOPSOPSOPS1"}
	federated = Principal{Kind: FederatedUser, ARN: "arn:aws:sts::111122223333:federated-user/bob", ParentARN: alice.ARN, Account: owner}
	root      = Principal{Kind: Root, ARN: "arn:aws:iam::111122223333:root", Account: owner}
	outsider  = Principal{Kind: User, ARN: "arn:aws:iam::444455556666:user/eve", Account: stranger}
	lambda    = Principal{Kind: Service, ARN: "lambda.amazonaws.com"}
	callers   = map[string]Principal{"alice": alice, "session": session, "federated": federated, "root": root, "outsider": outsider, "service": lambda, "anonymous": {}}
)

// must compiles a policy from statements written without the repeating part: "Allow", "Deny" or, with a principal, such as
// `Allow {"AWS": "111122223333"}`. "" stands for no resource policy.
func must(t testing.TB, kind Kind, name string, statements ...string) *Policy {
	t.Helper()
	if len(statements) == 1 && statements[0] == "" {
		return nil
	}
	var all []string
	for _, s := range statements {
		e, principal, _ := strings.Cut(s, " ")
		element := ""
		switch {
		case strings.HasPrefix(principal, "not "):
			element = `"NotPrincipal": ` + strings.TrimPrefix(principal, "not ") + `, `
		case principal != "":
			element = `"Principal": ` + principal + `, `
		case kind == Resource || kind == RCP || kind == VPCEndpoint:
			element = `"Principal": "*", `
		}
		e, resource, _ := strings.Cut(e, "@")
		if resource == "" {
			resource = "*"
		}
		all = append(all, fmt.Sprintf(`{"Effect": "%s", %s"Action": "execute-api:Invoke", "Resource": "%s"}`, e, element, resource))
	}
	p, faults := Parse([]byte(`{"Version": "2012-10-17", "Statement": [`+strings.Join(all, ",")+`]}`), Options{Name: name, Kind: kind, ExpandPrefix: benchPrefix})
	if p == nil {
		t.Fatalf("%v: %v", statements, faults)
	}
	return p
}

const other = "Allow@arn:aws:s3:::other" // allows something else: silence

// TestEvaluate is section "Determining whether a request is allowed or denied within an account" and its neighbours as a matrix.
func TestEvaluate(t *testing.T) {
	const (
		allowed = "allowed "
		denied  = "explicitDeny "
		no      = "implicitDeny "
	)
	direct := map[string]string{
		"alice": `Allow {"AWS": "` + alice.ARN + `"}`, "session": `Allow {"AWS": "` + session.ARN + `"}`, "federated": `Allow {"AWS": "` + federated.ARN + `"}`,
	}
	role, user, account := `Allow {"AWS": "`+session.ParentARN+`"}`, `Allow {"AWS": "`+alice.ARN+`"}`, `Allow {"AWS": "111122223333"}`
	for _, c := range []struct {
		caller                                  string
		identity, boundary, session, onResource string
		scp, rcp                                string // levels by |, policies of a level by +
		endpoint                                string
		want                                    string // decision and, by, the deciding policy or what is missing
	}{
		// A caller's own policies.
		{caller: "alice", identity: "Allow", want: allowed + "identity"},
		{caller: "alice", want: no + "identity"},
		{caller: "alice", identity: other, want: no + "identity"},
		{caller: "alice", identity: "Deny", want: denied + "identity"},
		{caller: "alice", identity: "Allow", boundary: "Allow", want: allowed + "identity"},
		{caller: "alice", identity: "Allow", boundary: other, want: no + "boundary"},
		{caller: "alice", identity: "Allow", boundary: "Deny", want: denied + "boundary"},
		{caller: "alice", boundary: "Allow", want: no + "identity"},
		{caller: "session", identity: "Allow", session: "Allow", want: allowed + "identity"},
		{caller: "session", identity: "Allow", session: other, want: no + "session"},
		{caller: "session", identity: "Allow", session: "Deny", want: denied + "session"},
		{caller: "session", session: "Allow", want: no + "identity"},
		{caller: "session", identity: "Allow", boundary: "Allow", session: other, want: no + "session"},
		{caller: "session", identity: "Allow", boundary: other, session: "Allow", want: no + "boundary"},
		{caller: "federated", identity: "Allow", want: no + "session"},
		{caller: "federated", identity: "Allow", session: "Allow", want: allowed + "identity"},
		{caller: "root", want: allowed + "root user"},
		{caller: "root", onResource: "Deny", want: denied + "resource"},
		{caller: "root", scp: other, want: no + "SCP"},

		// The resource-based policy in the caller's account: direct.
		{caller: "alice", onResource: direct["alice"], want: allowed + "resource"},
		{caller: "alice", onResource: direct["alice"], boundary: other, want: allowed + "resource"},
		{caller: "session", onResource: direct["session"], boundary: other, session: other, want: allowed + "resource"},
		{caller: "federated", onResource: direct["federated"], session: other, want: allowed + "resource"},
		{caller: "alice", onResource: direct["alice"], identity: "Deny", want: denied + "identity"},
		{caller: "alice", onResource: direct["alice"], boundary: "Deny", want: denied + "boundary"},
		{caller: "alice", onResource: `Allow {"AWS": "AIDAALICEALICEALICE1"}`, want: allowed + "resource"},
		{caller: "alice", onResource: `Allow {"AWS": "arn:aws:iam::111122223333:user/dev/Alice"}`, want: no + "identity"},
		{caller: "alice", onResource: `Allow {"AWS": "arn:aws:iam::111122223333:user/alice"}`, want: no + "identity"},
		// everyone,
		{caller: "alice", onResource: "Allow", want: allowed + "resource"},
		{caller: "alice", onResource: `Allow {"AWS": "*"}`, boundary: other, want: allowed + "resource"},
		{caller: "session", onResource: "Allow", session: other, want: allowed + "resource"},
		// parent,
		{caller: "session", onResource: role, want: allowed + "resource"},
		{caller: "session", onResource: role, boundary: other, want: no + "boundary"},
		{caller: "session", onResource: role, session: other, want: no + "session"},
		{caller: "session", onResource: role, boundary: "Allow", session: "Allow", want: allowed + "resource"},
		{caller: "session", onResource: `Allow {"AWS": "AROAOPSOPSOPSOPSOPS1"}`, session: other, want: no + "session"},
		{caller: "session", onResource: `Allow {"AWS": "arn:aws:iam::111122223333:role/ops"}`, want: no + "identity"}, // the path belongs to it
		{caller: "federated", onResource: user, want: allowed + "resource"},
		{caller: "federated", onResource: user, session: other, want: no + "session"},
		// account: nothing by itself.
		{caller: "alice", onResource: account, want: no + "identity"},
		{caller: "alice", onResource: account, identity: "Allow", want: allowed + "identity"},
		{caller: "session", onResource: `Allow {"AWS": "arn:aws:iam::111122223333:root"}`, want: no + "identity"},
		{caller: "alice", onResource: `Deny {"AWS": "arn:aws:iam::111122223333:root"}`, identity: "Allow", want: denied + "resource"},
		{caller: "session", onResource: `Deny {"AWS": "` + session.ParentARN + `"}`, identity: "Allow", want: denied + "resource"},
		{caller: "alice", onResource: `Deny {"AWS": "` + session.ParentARN + `"}`, identity: "Allow", want: allowed + "identity"},
		{caller: "alice", onResource: `Allow {"Service": "lambda.amazonaws.com"}`, want: no + "identity"},

		// Across accounts both sides have to allow.
		{caller: "outsider", identity: "Allow", onResource: "Allow", want: allowed + "identity"},
		{caller: "outsider", identity: "Allow", onResource: `Allow {"AWS": "444455556666"}`, want: allowed + "identity"},
		{caller: "outsider", identity: "Allow", onResource: `Allow {"AWS": "` + outsider.ARN + `"}`, boundary: other, want: no + "boundary"},
		{caller: "outsider", identity: "Allow", onResource: "Allow", session: other, want: no + "session"},
		{caller: "outsider", identity: "Allow", want: no + "resource"},
		{caller: "outsider", identity: "Allow", onResource: account, want: no + "resource"},
		{caller: "outsider", onResource: "Allow", want: no + "identity"},
		{caller: "outsider", want: no + "identity"},
		{caller: "outsider", identity: "Deny", onResource: "Allow", want: denied + "identity"},
		{caller: "outsider", identity: "Allow", onResource: "Deny", want: denied + "resource"},

		// Anonymous callers and services have no policies of their own.
		{caller: "anonymous", onResource: "Allow", want: allowed + "resource"},
		{caller: "anonymous", onResource: `Allow {"AWS": "*"}`, want: allowed + "resource"},
		{caller: "anonymous", onResource: account, want: no + "resource"},
		{caller: "anonymous", want: no + "resource"},
		{caller: "anonymous", identity: "Allow", want: no + "resource"},
		{caller: "anonymous", identity: "Deny", boundary: "Deny", session: "Deny", scp: "Deny", onResource: "Allow", want: allowed + "resource"},
		{caller: "anonymous", onResource: "Allow", rcp: "Deny", want: denied + "RCP"},
		{caller: "anonymous", onResource: "Allow", endpoint: other, want: no + "endpoint"},
		{caller: "service", onResource: `Allow {"Service": "lambda.amazonaws.com"}`, want: allowed + "resource"},
		{caller: "service", onResource: `Allow {"Service": "sns.amazonaws.com"}`, want: no + "resource"},

		// NotPrincipal.
		{caller: "anonymous", onResource: `Deny not {"AWS": "111122223333"}`, want: denied + "resource"},
		{caller: "root", onResource: `Deny not {"AWS": "111122223333"}`, want: allowed + "root user"},
		{caller: "service", onResource: `Deny not {"Service": "lambda.amazonaws.com"}`, want: no + "resource"},
		{caller: "alice", identity: "Allow", onResource: `Deny not {"AWS": "111122223333"}`, want: denied + "resource"},
		{caller: "alice", identity: "Allow", onResource: `Deny not {"AWS": "` + alice.ARN + `"}`, want: denied + "resource"},
		{caller: "alice", identity: "Allow", onResource: `Deny not {"AWS": ["111122223333", "` + alice.ARN + `"]}`, want: allowed + "identity"},
		{caller: "session", identity: "Allow", onResource: `Deny not {"AWS": ["111122223333", "` + session.ARN + `"]}`, want: denied + "resource"},
		{caller: "session", identity: "Allow", onResource: `Deny not {"AWS": ["111122223333", "` + session.ParentARN + `"]}`, want: denied + "resource"},
		{caller: "session", identity: "Allow", onResource: `Deny not {"AWS": ["` + session.ARN + `", "` + session.ParentARN + `"]}`, want: denied + "resource"},
		{caller: "session", identity: "Allow", onResource: `Deny not {"AWS": ["111122223333", "` + session.ARN + `", "` + session.ParentARN + `"]}`, want: allowed + "identity"},
		{caller: "session", identity: "Allow", onResource: `Deny not {"AWS": "` + alice.ARN + `"}`, want: denied + "resource"},
		{caller: "alice", identity: "Allow", boundary: "Allow", onResource: `Deny not {"AWS": ["111122223333", "` + alice.ARN + `"]}`, want: denied + "resource"},

		// Organizations: each level has to allow.
		{caller: "alice", identity: "Allow", scp: "Allow|Allow", want: allowed + "identity"},
		{caller: "alice", identity: "Allow", scp: "Allow|" + other, want: no + "SCP"},
		{caller: "alice", identity: "Allow", scp: other + "|Allow", want: no + "SCP"},
		{caller: "alice", identity: "Allow", scp: other + "+Allow|Allow", want: allowed + "identity"},
		{caller: "alice", identity: "Allow", scp: "Allow|Allow+Deny", want: denied + "SCP"},
		{caller: "alice", identity: "Allow", scp: "Allow|none", want: no + "SCP"},
		{caller: "alice", onResource: direct["alice"], scp: other, want: no + "SCP"},
		{caller: "outsider", identity: "Allow", onResource: "Allow", scp: other, want: no + "SCP"},
		{caller: "alice", identity: "Allow", rcp: "Allow|Allow+Deny", want: denied + "RCP"},
		{caller: "alice", identity: "Allow", rcp: "Allow|" + other, want: no + "RCP"},
		{caller: "alice", identity: "Allow", rcp: "Allow|Allow", scp: "Allow", want: allowed + "identity"},

		// VPC endpoint.
		{caller: "alice", identity: "Allow", endpoint: "Allow", want: allowed + "identity"},
		{caller: "alice", identity: "Allow", endpoint: other, want: no + "endpoint"},
		{caller: "alice", identity: "Allow", endpoint: `Allow {"AWS": "444455556666"}`, want: no + "endpoint"},
		{caller: "alice", identity: "Allow", endpoint: "Deny", want: denied + "endpoint"},

		// An explicit deny comes before every implicit one.
		{caller: "alice", scp: other, onResource: "Deny", want: denied + "resource"},
		{caller: "outsider", endpoint: "Deny", rcp: other, want: denied + "endpoint"},
		{caller: "session", session: "Deny", scp: other, want: denied + "session"},
	} {
		ps := &Policies{Boundary: must(t, Boundary, "boundary", c.boundary), Resource: must(t, Resource, "resource", c.onResource), VPCEndpoint: must(t, VPCEndpoint, "endpoint", c.endpoint)}
		if c.identity != "" {
			ps.Identity = []*Policy{must(t, Identity, "identity", other), must(t, Identity, "identity", c.identity)}
		}
		if c.session != "" {
			ps.Session = []*Policy{must(t, Session, "session", c.session)}
		}
		ps.SCP, ps.RCP = levels(t, SCP, c.scp), levels(t, RCP, c.rcp)
		r := &Request{Principal: callers[c.caller], Action: "execute-api:Invoke", Resource: getPets, ResourceAccount: owner}
		got := Evaluate(ps, r)
		if text := got.Decision.String() + " " + decidedBy(got); text != c.want {
			t.Errorf("%+v: %s, want %s", c, text, c.want)
		}
		if explained := Explain(ps, r); explained.Result != got {
			t.Errorf("%+v: Explain says %+v, Evaluate %+v", c, explained.Result, got)
		}
	}
}

func levels(t testing.TB, kind Kind, text string) [][]*Policy {
	if text == "" {
		return nil
	}
	var all [][]*Policy
	for level := range strings.SplitSeq(text, "|") {
		var list []*Policy
		for s := range strings.SplitSeq(level, "+") {
			if s != "none" {
				list = append(list, must(t, kind, map[Kind]string{SCP: "SCP", RCP: "RCP"}[kind], s))
			}
		}
		all = append(all, list)
	}
	return all
}

func decidedBy(r Result) string {
	if r.Decision != ImplicitDeny {
		return r.Policy
	}
	return map[Side]string{SideIdentity: "identity", SideResource: "resource", SideBoundary: "boundary", SideSession: "session", SideSCP: "SCP", SideRCP: "RCP", SideVPCEndpoint: "endpoint"}[r.Missing]
}

// TestClosed holds what must never allow: nothing to go by, policies that failed to load, policies in the wrong place.
func TestClosed(t *testing.T) {
	everything := must(t, Identity, "identity", "Allow")
	request := func(p Principal) *Request {
		return &Request{Principal: p, Action: "execute-api:Invoke", Resource: getPets, ResourceAccount: owner}
	}
	var broken *Policy
	for name, c := range map[string]struct {
		ps *Policies
		r  *Request
	}{
		"no policies":                      {nil, request(alice)},
		"no request":                       {&Policies{Identity: []*Policy{everything}}, nil},
		"empty policies":                   {&Policies{}, request(alice)},
		"nil policies":                     {&Policies{Identity: []*Policy{nil, broken}}, request(alice)},
		"nil session policy":               {&Policies{Identity: []*Policy{everything}, Session: []*Policy{broken}}, request(session)},
		"nil SCP":                          {&Policies{Identity: []*Policy{everything}, SCP: [][]*Policy{{broken}}}, request(alice)},
		"nil RCP":                          {&Policies{Identity: []*Policy{everything}, RCP: [][]*Policy{{broken}}}, request(alice)},
		"zero policy":                      {&Policies{Identity: []*Policy{{}}, Resource: &Policy{}}, request(alice)},
		"identity policy for the resource": {&Policies{Resource: everything}, request(Principal{})},
		"the same across accounts":         {&Policies{Identity: []*Policy{everything}, Resource: everything}, request(outsider)},
		"unknown kind of principal":        {&Policies{Identity: []*Policy{everything}, Resource: must(t, Resource, "resource", "Allow")}, request(Principal{Kind: 99, ARN: alice.ARN, Account: owner})},
		"unknown accounts":                 {&Policies{Resource: must(t, Resource, "resource", "Allow")}, &Request{Principal: Principal{Kind: User, ARN: "x"}, Action: "execute-api:Invoke", Resource: getPets}},
		"principal without a name":         {&Policies{Resource: must(t, Resource, "resource", `Allow {"AWS": "444455556666"}`)}, request(Principal{Kind: User, Account: owner})},
		"root that needs an allow":         {&Policies{RootNeedsAllow: true, Resource: must(t, Resource, "resource", `Allow {"AWS": "111122223333"}`)}, request(root)},
		"root without an action":           {&Policies{}, &Request{Principal: root, Resource: getPets, ResourceAccount: owner}},
		"no action":                        {&Policies{Identity: []*Policy{everything}}, &Request{Principal: alice, Resource: getPets, ResourceAccount: owner}},
	} {
		if got := Evaluate(c.ps, c.r); got.Decision != ImplicitDeny || got.Missing == SideNone {
			t.Errorf("%s: %+v, want an implicit deny with what is missing", name, got)
		}
	}
	if got := broken.Evaluate(request(alice)); got.Decision != ImplicitDeny {
		t.Errorf("a nil policy alone: %+v", got)
	}
	if got := everything.Evaluate(nil); got.Decision != ImplicitDeny {
		t.Errorf("no request: %+v", got)
	}
	if (Result{}).Decision != ImplicitDeny || (Result{}).Decision == Allow {
		t.Error("the zero Result allows")
	}
}

func TestPolicyAlone(t *testing.T) {
	for _, c := range []struct {
		kind       Kind
		caller     Principal
		statements []string
		want       Result
	}{
		{Resource, Principal{}, []string{"Allow"}, Result{Decision: Allow, Policy: "p", Statement: "Statement[0]", By: Resource, Grant: GrantEveryone}},
		{Resource, alice, []string{`Allow {"AWS": "111122223333"}`}, Result{Decision: Allow, Policy: "p", Statement: "Statement[0]", By: Resource, Grant: GrantAccount}},
		{Resource, alice, []string{`Allow {"AWS": "111122223333"}`, `Allow {"AWS": "` + alice.ARN + `"}`}, Result{Decision: Allow, Policy: "p", Statement: "Statement[1]", By: Resource, Grant: GrantDirect}},
		{Resource, session, []string{`Allow {"AWS": "` + session.ParentARN + `"}`}, Result{Decision: Allow, Policy: "p", Statement: "Statement[0]", By: Resource, Grant: GrantParent}},
		{Resource, Principal{}, []string{`Allow {"AWS": "111122223333"}`}, Result{Missing: SideResource}},
		{Resource, Principal{}, []string{"Allow", "Allow", "Deny", "Deny"}, Result{Decision: ExplicitDeny, Policy: "p", Statement: "Statement[2]", By: Resource}},
		{Resource, Principal{Kind: User, ARN: alice.ARN, Account: owner, Bounded: true}, []string{`Deny not {"AWS": "111122223333"}`}, Result{Decision: ExplicitDeny, Policy: "p", Statement: "Statement[0]", By: Resource}},
		{Authorizer, Principal{}, []string{other, "Allow"}, Result{Decision: Allow, Policy: "p", Statement: "Statement[1]", By: Authorizer}},
		{Authorizer, Principal{}, []string{other}, Result{Missing: SideIdentity}},
		{Boundary, alice, []string{other}, Result{Missing: SideBoundary}},
		{VPCEndpoint, alice, []string{other}, Result{Missing: SideVPCEndpoint}},
	} {
		p := must(t, c.kind, "p", c.statements...)
		r := &Request{Principal: c.caller, Action: "execute-api:Invoke", Resource: getPets, ResourceAccount: owner}
		if got := p.Evaluate(r); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.statements, got, c.want)
		}
		if got := p.Explain(r); got.Result != c.want {
			t.Errorf("%v explained: %+v, want %+v", c.statements, got.Result, c.want)
		}
	}
}

// TestResources are API Gateway's examples of resources in policies.
func TestResources(t *testing.T) {
	const api = "arn:aws:execute-api:us-east-1:123456789012:abc123"
	for _, c := range []struct {
		pattern, resource string
		want              bool
	}{
		{api + "/*", api + "/prod/GET/a/b", true},
		{api + "/prod/*", api + "/prod/GET/", true},
		{api + "/*/GET/pets", api + "/dev/GET/pets", true},
		{api + "/*/POST/pets", api + "/dev/GET/pets", false},
		{"arn:aws:execute-api:*:*:*", api + "/prod/GET/x", true},
		{"arn:aws:execute-api:us-east-1:*:*", api + "/prod/GET/x", true},
		{"arn:aws:execute-api:us-east-1:*:abc123/test/*", api + "/prod/GET/x", false},
		{"arn:aws:execute-api:*:*:abc123/*/*/petstorewalkthrough/pets", api + "/prod/PUT/petstorewalkthrough/pets", true},
		{"*", api + "/prod/GET/x", true},
		{api + "/prod/POST/foo/*/baz", api + "/prod/POST/foo/bar:bar/baz", true},
		{api + "/prod/GET/book/*", api + "/prod/GET/book/1/chapter/2", true},
		{api + "/", api + "/prod/GET/x", false},
		{api + "/prod/GET/pets", api + "/prod/GET/pets/", false},
		{api + "/prod/GET/pe?s", api + "/prod/GET/pets", true},
		{api + "/prod/GET/pets/{petId}", api + "/prod/GET/pets/7", false},
		{api + "/prod/GET/Pets", api + "/prod/GET/pets", false},
		{"arn:aws:execute-api:*:*:*/prod/GET/x", api + "/prod/GET/x", true},
		{"arn:aws:execute-api:*:*:a?c123/*", api + "/prod/GET/x", true},
		// Wildcards do not reach over the first five colons,
		{"arn:aws:execute-api:*:abc123/*", api + "/prod/GET/x", false},
		{"arn:aws:execute-api:us-*:*456789012:abc123/*", api + "/prod/GET/x", true},
		{"arn:aws:execute-api:us-east-1:12345678901?:abc123/*", api + "/prod/GET/x", true},
		{"arn:aws-cn:execute-api:*:*:*", api + "/prod/GET/x", false},
		{"arn:aws*:execute-api:*:*:*", api + "/prod/GET/x", true},
		{"arn:aws:Execute-API:*:*:*", api + "/prod/GET/x", false},
		// and over everything after them.
		{"arn:aws:execute-api:*:*:*:c", api + "/prod/GET/a:b:c", true},
		{"*", "no ARN", true},
		{"arn:aws:execute-api:*:*:*", "arn:aws:execute-api:us-east-1", false},
	} {
		for _, element := range []string{"Resource", "NotResource"} {
			text := fmt.Sprintf(`{"Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "%s": "%s"}}`, element, c.pattern)
			p, faults := Parse([]byte(text), Options{})
			if strings.Count(c.pattern, ":") < 5 && c.pattern != "*" {
				if p != nil {
					t.Errorf("%s is taken", c.pattern)
				}
				continue
			}
			if p == nil {
				t.Fatalf("%s: %v", c.pattern, faults)
			}
			got := p.Evaluate(&Request{Action: "execute-api:Invoke", Resource: c.resource}).Decision == Allow
			if want := c.want == (element == "Resource"); got != want {
				t.Errorf("%s %s applies to %s: %v, want %v", element, c.pattern, c.resource, got, want)
			}
		}
	}
}

func TestActions(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "execute-api:Invoke", true},
		{"execute-api:*", "execute-api:Invoke", true},
		{"EXECUTE-API:invoke", "execute-api:Invoke", true},
		{"execute-api:Invoke", "EXECUTE-api:INVOKE", true},
		{"execute-api:Inv?ke", "execute-api:Invoke", true},
		{"execute-api:Inv", "execute-api:Invoke", false},
		{"execute-api:ManageConnections", "execute-api:Invoke", false},
		{"s3:*", "execute-api:Invoke", false},
		{"s3:Get*", "s3:GetObject", true},
	} {
		for _, element := range []string{"Action", "NotAction"} {
			p, faults := Parse(fmt.Appendf(nil, `{"Statement": {"Effect": "Allow", "%s": ["sqs:Nothing", "%s"], "Resource": "*"}}`, element, c.pattern), Options{})
			if p == nil {
				t.Fatal(faults)
			}
			got := p.Evaluate(&Request{Action: c.action, Resource: getPets}).Decision == Allow
			if want := c.want == (element == "Action"); got != want {
				t.Errorf("%s %s applies to %q: %v, want %v", element, c.pattern, c.action, got, want)
			}
			for _, action := range []string{"", "s3", "s3:", ":Invoke"} {
				if p.Evaluate(&Request{Action: action, Resource: getPets}).Decision == Allow {
					t.Errorf("%s %s allows %q", element, c.pattern, action)
				}
			}
		}
	}
}

// TestResourceVariables looks at variables in Resource and NotResource, where their absence must not open anything.
func TestResourceVariables(t *testing.T) {
	const home = "arn:aws:execute-api:*:*:*/prod/GET/home/${aws:username}/*"
	for _, c := range []struct {
		element, effect, resource string
		username                  string
		want                      bool
	}{
		{"Resource", "Allow", home, "alice", true},
		{"Resource", "Allow", home, "bob", false},
		{"Resource", "Allow", home, "*", false},
		{"Resource", "Allow", home, "", false},
		{"Resource", "Deny", home, "", false},
		{"Resource", "Allow", "arn:aws:execute-api:*:*:*/prod/GET/home/${aws:username, 'alice'}/*", "", true},
		{"NotResource", "Allow", home, "alice", false},
		{"NotResource", "Allow", home, "bob", true},
		{"NotResource", "Allow", home, "", false},
		{"NotResource", "Deny", home, "", true},
		{"NotResource", "Deny", home, "alice", false},
		{"NotResource", "Allow", home + `", "arn:aws:s3:::b`, "", true},
	} {
		p, faults := Parse(fmt.Appendf(nil, `{"Version": "2012-10-17", "Statement": {"Effect": "%s", "Action": "*", "%s": ["%s"]}}`, c.effect, c.element, c.resource), Options{})
		if p == nil {
			t.Fatal(faults)
		}
		ctx := mapContext{}
		if c.username != "" {
			ctx["aws:username"] = StringValue(c.username)
		}
		got := p.Evaluate(&Request{Action: "execute-api:Invoke", Resource: benchPrefix + "/prod/GET/home/alice/x", Context: ctx}).Decision != ImplicitDeny
		if got != c.want {
			t.Errorf("%+v applies: %v", c, got)
		}
	}
}

// TestSpellings keeps a Deny from being escaped by another spelling of the path.
func TestSpellings(t *testing.T) {
	const admin = benchPrefix + "/prod/GET/admin"
	for _, c := range []struct {
		statement string
		applies   bool
	}{
		{`"Effect": "Deny", "Resource": "` + admin + `"`, true},
		{`"Effect": "Deny", "Resource": "` + admin + `/"`, true},
		{`"Effect": "Deny", "Resource": "` + admin + `/x"`, false},
		{`"Effect": "Deny", "Resource": "` + admin + `", "Condition": {"Null": {"aws:username": "false"}}`, false},
		{`"Effect": "Deny", "NotResource": "` + admin + `"`, true},
		{`"Effect": "Deny", "NotResource": "` + admin + `/"`, false},
		{`"Effect": "Allow", "Resource": "` + admin + `"`, false},
		{`"Effect": "Allow", "Resource": "` + admin + `/"`, true},
		{`"Effect": "Allow", "NotResource": "` + admin + `"`, false},
		{`"Effect": "Allow", "NotResource": ["` + admin + `/x", "` + admin + `/"]`, false},
		{`"Effect": "Allow", "NotResource": "` + admin + `/x"`, true},
	} {
		p, faults := Parse([]byte(`{"Statement": [{"Effect": "Deny", "Action": "execute-api:*", "Resource": "arn:aws:s3:::b"}, {"Action": "execute-api:Invoke", `+c.statement+`}]}`), Options{})
		if p == nil {
			t.Fatal(faults)
		}
		r := &Request{Action: "execute-api:Invoke", Resource: admin + "/", Spellings: []string{admin}}
		if got := p.Evaluate(r).Decision != ImplicitDeny; got != c.applies {
			t.Errorf("%s applies: %v", c.statement, got)
		}
		if got := p.Explain(r).Statements[1].Applies; got != c.applies {
			t.Errorf("%s is said to apply: %v", c.statement, got)
		}
	}
}

// TestReadings keeps a wildcard from taking a text for which some server reads another path.
func TestReadings(t *testing.T) {
	const path = benchPrefix + "/prod/GET"
	for _, c := range []struct {
		statement string
		applies   bool
	}{
		{`"Effect": "Allow", "Resource": "` + path + `/*.css"`, false},
		{`"Effect": "Allow", "Resource": "` + path + `/*in;.css"`, false},
		{`"Effect": "Allow", "Resource": "` + path + `/admin;?css"`, false},
		{`"Effect": "Allow", "Resource": "` + path + `/admin;*"`, false},
		{`"Effect": "Allow", "Resource": "` + path + `/${aws:username}.css"`, false},
		{`"Effect": "Allow", "Resource": ["` + path + `/*.css", "` + path + `/a*"]`, true},
		{`"Effect": "Allow", "Resource": "` + path + `/admin*"`, true},
		{`"Effect": "Allow", "Resource": "` + path + `/*"`, true},
		{`"Effect": "Allow", "Resource": "*"`, true},
		{`"Effect": "Allow", "Resource": "` + path + `/admin;.css"`, true},
		{`"Effect": "Allow", "Resource": "` + benchPrefix + `/*/GET/admin;.css"`, true},
		{`"Effect": "Allow", "Resource": "` + benchPrefix + `*/admin;.css"`, true},
		{`"Effect": "Deny", "Resource": "` + path + `/*.css"`, true},
		{`"Effect": "Deny", "Resource": "` + path + `/admin"`, true},
		{`"Effect": "Deny", "NotResource": "` + path + `/*.css"`, true},
		{`"Effect": "Deny", "NotResource": ["` + path + `/*.css", "` + path + `/admin"]`, false},
		{`"Effect": "Deny", "NotResource": "` + path + `/admin;.css"`, false},
		{`"Effect": "Deny", "NotResource": "` + path + `/admin*"`, false},
	} {
		p, faults := Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", `+c.statement+`}]}`), Options{})
		if p == nil {
			t.Fatal(faults)
		}
		other := []string{path + "/admin"}
		r := &Request{Action: "execute-api:Invoke", Resource: path + "/admin;.css", Spellings: other, Readings: other, Context: mapContext{"aws:username": StringValue("admin;")}}
		if got := p.Evaluate(r).Decision != ImplicitDeny; got != c.applies {
			t.Errorf("%s applies: %v", c.statement, got)
		}
		if got := p.Explain(r).Statements[0].Applies; got != c.applies {
			t.Errorf("%s is said to apply: %v", c.statement, got)
		}
	}
}

func TestAbbreviatedResources(t *testing.T) {
	for abbreviated, want := range map[string]string{
		"execute-api:/stage-name/GET/pets": benchPrefix + "/stage-name/GET/pets",
		"execute-api:/*":                   benchPrefix + "/*",
		"execute-api:/":                    benchPrefix + "/",
	} {
		p := must(t, Resource, "p", "Allow@"+abbreviated)
		full := must(t, Resource, "p", "Allow@"+want)
		for _, resource := range []string{benchPrefix + "/stage-name/GET/pets", benchPrefix + "/", benchPrefix + "/x/GET/y", strings.Replace(benchPrefix, "a1b2", "zzzz", 1) + "/x/GET/y"} {
			r := &Request{Action: "execute-api:Invoke", Resource: resource}
			if got, want := p.Evaluate(r), full.Evaluate(r); got != want {
				t.Errorf("%s on %s: %+v, in full %+v", abbreviated, resource, got, want)
			}
		}
	}
}

// API Gateway takes an authorizer's ARNs that end early; nobody else's.
func TestShortARNsOfAuthorizers(t *testing.T) {
	const methodARN = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets"
	for text, want := range map[string]bool{
		"arn:aws:execute-api:*": true, "arn:aws:execute-api:eu-*": true, "arn:aws:execute-api:eu-west-1:*": true, "arn:aws:execute-api:eu-west-1:1111*": true,
		"arn:aws:execute-api:us-*": false, "arn:aws:execute-api:eu-west-1:2*": false, "arn:aws-cn:execute-api:*": false, "arn:aws:s3:*": false,
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			document := fmt.Sprintf(`{"Statement": {"Effect": %q, "Action": "execute-api:Invoke", "Resource": %q}}`, effect, text)
			p, faults := Parse([]byte(document), Options{Name: "p", Kind: Authorizer})
			if p == nil {
				t.Errorf("%s: %v", text, faults)
				continue
			}
			decision := p.Evaluate(&Request{Action: "execute-api:Invoke", Resource: methodARN, ResourceAccount: "111122223333"}).Decision
			if got := decision != ImplicitDeny; got != want || got && (decision == Allow) != (effect == "Allow") {
				t.Errorf("%s %s: %v", effect, text, decision)
			}
			if p, _ := Parse([]byte(document), Options{Name: "p", Kind: Identity}); p != nil {
				t.Errorf("%s: taken from an identity-based policy", text)
			}
		}
	}
	for _, text := range []string{"arn:aws:execute-api", "arn:aws:execute-api:eu-west-1", "arn:*", "arn:aws:*", "aws:execute-api:*", "arn:aws:execute-*:*"} {
		document := fmt.Sprintf(`{"Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": %q}}`, text)
		if p, _ := Parse([]byte(document), Options{Name: "p", Kind: Authorizer}); p != nil {
			t.Errorf("%s: taken", text)
		}
	}
}
