package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// failer has the methods that tests and rapid's checks have in common.
type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// world is a random set of policies and a request, as data that both evaluators read.
type world struct {
	// documents by their place: "identity", "boundary", "session", "resource", "scp", "rcp", "endpoint".
	documents map[string][]map[string]any
	request   Request
	context   map[string]any
}

func (w *world) text(place string, i int) []byte {
	text, err := json.Marshal(w.documents[place][i])
	if err != nil {
		panic(err)
	}
	return text
}

var places = map[string]Kind{"identity": Identity, "boundary": Boundary, "session": Session, "resource": Resource, "scp": SCP, "rcp": RCP, "endpoint": VPCEndpoint}

// compiled parses the documents; each SCP and RCP is a level of its own.
func (w *world) compiled(t failer) *Policies {
	ps := &Policies{}
	for place, kind := range places {
		for i := range w.documents[place] {
			p, faults := Parse(w.text(place, i), Options{Name: place, Kind: kind})
			if p == nil {
				t.Fatalf("%s: %v", w.text(place, i), faults)
			}
			switch kind {
			case Identity:
				ps.Identity = append(ps.Identity, p)
			case Boundary:
				ps.Boundary = p
			case Session:
				ps.Session = append(ps.Session, p)
			case Resource:
				ps.Resource = p
			case SCP:
				ps.SCP = append(ps.SCP, []*Policy{p})
			case RCP:
				ps.RCP = append(ps.RCP, []*Policy{p})
			case VPCEndpoint:
				ps.VPCEndpoint = p
			case Authorizer, Trust:
			}
		}
	}
	return ps
}

// naive hands the same documents to the naive evaluator.
func (w *world) naive() (*naivePolicies, *naiveRequest) {
	ps := &naivePolicies{}
	for place := range places {
		for i := range w.documents[place] {
			d := naiveDecode(w.text(place, i))
			switch place {
			case "identity":
				ps.identity = append(ps.identity, d)
			case "boundary":
				ps.boundary = d
			case "session":
				ps.session = append(ps.session, d)
			case "resource":
				ps.resource = d
			case "scp":
				ps.scp = append(ps.scp, []any{d})
			case "rcp":
				ps.rcp = append(ps.rcp, []any{d})
			case "endpoint":
				ps.endpoint = d
			}
		}
	}
	return ps, naiveRequestOf(&w.request, w.context)
}

func naiveRequestOf(r *Request, context map[string]any) *naiveRequest {
	n := &naiveRequest{
		arn: r.Principal.ARN, parent: r.Principal.ParentARN, account: r.Principal.Account,
		action: r.Action, resource: r.Resource, resourceAccount: r.ResourceAccount, spellings: r.Spellings,
		context: map[string]any{},
	}
	for name, kind := range principalKinds {
		if kind == r.Principal.Kind {
			n.kind = name
		}
	}
	for key, value := range context {
		n.context[NewKey(key).Name()] = value
	}
	return n
}

func (w *world) evaluate(t failer) Decision {
	w.request.Context = asContext(w.context)
	return Evaluate(w.compiled(t), &w.request).Decision
}

// The generators draw from few words, so that things match often.
func drawList(t *rapid.T, words []string, label string) any {
	list := rapid.SliceOfN(rapid.SampledFrom(words), 1, 3).Draw(t, label)
	if len(list) == 1 && rapid.Bool().Draw(t, label+" alone") {
		return list[0]
	}
	return list
}

var (
	actionWords   = []string{"*", "execute-api:Invoke", "execute-api:*", "EXECUTE-api:inv?ke", "execute-api:ManageConnections", "s3:*", "s3:GetObject"}
	resourceWords = []string{"*", "arn:aws:execute-api:*:*:*", "arn:aws:execute-api:eu-west-1:111122223333:a1b2/*", "arn:aws:execute-api:eu-*:1111????3333:a1b2/*/GET/*", "arn:aws:execute-api:*:*:a1b2/prod/GET/pets", "arn:aws:execute-api:*:*:a1b2/prod/GET/pets/",
		"arn:aws:execute-api:*:*:*/pets", "arn:aws:execute-api:*:*:a1b2/*/GET/${aws:username}", "arn:aws:execute-api:*:*:a1b2/*/${aws:nothing}", "arn:aws:execute-api:*:*:a1b2/*/${aws:nothing, 'pets'}", "arn:aws:execute-api:*:*:a1b2/${*}/*", "arn:aws:s3:::bucket/*", "arn:*:execute-api:*:*:*s", "arn:aws:execute-api:*:*:?1b2/p*/*/p*", "arn:aws:execute-api:*:*:*/GET/pets*", "arn:aws:execute-api:*:*:*/GET//pets"}
	requestResources = []string{"arn:aws:execute-api:eu-west-1:111122223333:a1b2/prod/GET/pets", "arn:aws:execute-api:eu-west-1:111122223333:a1b2/prod/GET/pets/", "arn:aws:execute-api:us-east-1:444455556666:a1b2/v1/POST/a:b/pets", "arn:aws:execute-api:eu-west-1:111122223333:a1b2/*/GET/alice", "arn:aws:execute-api:eu-west-1:111122223333:a1b2/prod/GET//pets", "arn:aws:s3:::bucket/key", "no ARN"}
	principalWords   = []string{"*", "111122223333", "arn:aws:iam::444455556666:root", alice.ARN, session.ARN, session.ParentARN, federated.ARN, outsider.ARN}
	operatorWords    = []string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals", "DateEquals", "DateLessThan", "DateGreaterThanEquals", "DateNotEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnLike", "ArnNotEquals", "Null"}
	keyWords         = []string{"aws:username", "AWS:SourceIp", "aws:CurrentTime", "aws:SecureTransport", "aws:PrincipalTag/Team", "aws:TagKeys", "aws:PrincipalArn", "aws:MultiFactorAuthAge"}
	valueWords       = []any{"alice", "ALICE", "", "al*", "5", "5.0", "-3.5", "10.0.0.1", "10.0.0.0/8", "::ffff:10.0.0.1", "2001:db8::1", "2025-06-15T12:30:00Z", "1749990600", "true", "false", "AAEC", "arn:aws:iam::111122223333:user/dev/alice", "a*ce", "é"}
	policyValues     = map[string][]any{
		"String":  {"alice", "ALICE", "al*", "?lice", "*", "${aws:username}", "${aws:PrincipalTag/Team, 'alice'}", "${aws:nothing}", "${*}", "a${*}ce", "É", "true", 5, ""},
		"Numeric": {5, "5", "5.0", "-3.50", "0.5", "+7"},
		"Date":    {"2025-06-15T12:30:00Z", "2025-06-15T08:30:00-04:00", "1749990600", "2025-06-15", "2025-06", 0},
		"Bool":    {true, false, "true"},
		"Null":    {true, "false"},
		"Binary":  {"AAEC", "AAE="},
		"IpAddr":  {"10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.7/24"},
		"NotIpA":  {"10.0.0.0/8", "0.0.0.0/0", "2001:db8::1"},
		"Arn":     {"arn:aws:iam::111122223333:user/*", "arn:aws:iam::*:user/dev/alice", "arn:aws:iam::111122223333:user/dev/${aws:username}", "*", "arn:*:iam:*:*:*"},
	}
)

func drawCondition(t *rapid.T) map[string]any {
	block := map[string]any{}
	for range rapid.IntRange(0, 2).Draw(t, "operators") {
		base := rapid.SampledFrom(operatorWords).Draw(t, "operator")
		var values []any
		for prefix, list := range policyValues {
			if len(base) >= len(prefix) && base[:len(prefix)] == prefix {
				values = list
			}
		}
		if base == "ArnNotEquals" {
			values = policyValues["Arn"]
		}
		operator := base
		if base != "Null" {
			operator = rapid.SampledFrom([]string{"", "", "ForAllValues:", "ForAnyValue:"}).Draw(t, "set") + base + rapid.SampledFrom([]string{"", "IfExists"}).Draw(t, "suffix")
		}
		block[operator] = map[string]any{rapid.SampledFrom(keyWords).Draw(t, "key"): rapid.SliceOfN(rapid.SampledFrom(values), 1, 3).Draw(t, "values")}
	}
	return block
}

func drawStatement(t *rapid.T, kind Kind) map[string]any {
	s := map[string]any{"Effect": rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect")}
	s[rapid.SampledFrom([]string{"Action", "Action", "Action", "NotAction"}).Draw(t, "action element")] = drawList(t, actionWords, "action")
	s[rapid.SampledFrom([]string{"Resource", "Resource", "Resource", "NotResource"}).Draw(t, "resource element")] = drawList(t, resourceWords, "resource")
	if c := drawCondition(t); len(c) > 0 {
		s["Condition"] = c
	}
	switch kind {
	case RCP:
		s["Principal"] = "*"
	case Resource, VPCEndpoint:
		element := "Principal"
		if s["Effect"] == "Deny" && rapid.Bool().Draw(t, "not principal") {
			element = "NotPrincipal"
		}
		s[element] = map[string]any{"AWS": drawList(t, principalWords, "principal")}
	default:
	}
	return s
}

func drawWorld(t *rapid.T) *world {
	w := &world{documents: map[string][]map[string]any{}, context: map[string]any{}}
	for _, place := range []string{"identity", "boundary", "session", "resource", "scp", "rcp", "endpoint"} {
		most := map[string]int{"identity": 2, "scp": 2, "session": 2}[place]
		if rapid.IntRange(0, 2).Draw(t, place+"?") == 0 && place != "identity" && place != "resource" {
			continue
		}
		for range rapid.IntRange(0, max(most, 1)).Draw(t, place+"s") {
			var list []any
			for range rapid.IntRange(1, 4).Draw(t, "statements") {
				list = append(list, drawStatement(t, places[place]))
			}
			version := rapid.SampledFrom([]string{"2012-10-17", "2012-10-17", "2008-10-17"}).Draw(t, "version")
			w.documents[place] = append(w.documents[place], map[string]any{"Version": version, "Statement": list})
		}
	}
	for _, key := range keyWords {
		if rapid.IntRange(0, 3).Draw(t, key+"?") == 0 {
			continue
		}
		w.context[key] = rapid.SampledFrom(valueWords).Draw(t, key)
		if key == "aws:TagKeys" {
			w.context[key] = rapid.SliceOfN(rapid.SampledFrom(valueWords), 0, 3).Draw(t, "list")
		}
	}
	w.request = Request{
		Principal: rapid.SampledFrom([]Principal{{}, alice, session, federated, outsider}).Draw(t, "caller"),
		Action:    rapid.SampledFrom([]string{"execute-api:Invoke", "execute-api:Invoke", "s3:GetObject"}).Draw(t, "action"),
		Resource:  rapid.SampledFrom(requestResources).Draw(t, "resource"), ResourceAccount: owner,
		Spellings: rapid.SliceOfN(rapid.SampledFrom(requestResources), 0, 2).Draw(t, "spellings"),
	}
	// Unique ids are not the naive evaluator's concern.
	w.request.Principal.ID, w.request.Principal.ParentID = "", ""
	return w
}

// TestAgreesWithNaiveEvaluator compares the compiled evaluation with the naive one on random policies and requests, until each
// decision has been seen: few of them allow.
func TestAgreesWithNaiveEvaluator(t *testing.T) {
	seen := map[Decision]int{}
	for round := 0; round < 20 && len(seen) < 3 || round < 2; round++ {
		rapid.Check(t, func(t *rapid.T) {
			w := drawWorld(t)
			got := w.evaluate(t)
			seen[got]++
			if want := naiveDecision(w); got != want {
				t.Fatalf("%v, the naive evaluator says %v:\n%s", got, want, w)
			}
		})
	}
	for _, d := range []Decision{Allow, ImplicitDeny, ExplicitDeny} {
		if seen[d] == 0 {
			t.Errorf("no case was %v: the generator tests too little (%v)", d, seen)
		}
	}
}

func naiveDecision(w *world) Decision {
	ps, r := w.naive()
	return ps.evaluate(r)
}

func (w *world) String() string {
	text, _ := json.MarshalIndent(w.documents, "", " ")
	return fmt.Sprintf("%s\n%+v\n%v", text, w.request, w.context)
}

// statementsOf is the statements of a random document of the world, which it can replace.
func (w *world) pick(t *rapid.T) (document map[string]any, kind Kind) {
	var all []string
	for place := range w.documents {
		all = append(all, place)
	}
	if len(all) == 0 {
		t.Skip("no policies")
	}
	slices.Sort(all)
	place := rapid.SampledFrom(all).Draw(t, "place")
	return rapid.SampledFrom(w.documents[place]).Draw(t, "document"), places[place]
}

// TestStatementsAreMonotone: a Deny more never turns a denial into an allow, an Allow more never an allow into a denial, and
// the order of statements never matters.
func TestStatementsAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		before := w.evaluate(t)
		document, kind := w.pick(t)
		original := document["Statement"].([]any)

		document["Statement"] = rapid.Permutation(original).Draw(t, "order")
		if after := w.evaluate(t); after != before {
			t.Fatalf("%v in another order, %v before:\n%s", after, before, w)
		}
		extra := drawStatement(t, kind)
		delete(extra, "NotPrincipal")
		if extra["Principal"] == nil && (kind == Resource || kind == VPCEndpoint) {
			extra["Principal"] = "*"
		}
		document["Statement"] = append(slices.Clone(original), extra)
		after := w.evaluate(t)
		switch {
		case extra["Effect"] == "Deny" && before != Allow && after == Allow:
			t.Fatalf("a Deny more allows:\n%s", w)
		case extra["Effect"] == "Deny" && before == ExplicitDeny && after != ExplicitDeny:
			t.Fatalf("a Deny more takes a Deny away:\n%s", w)
		case extra["Effect"] == "Allow" && before == Allow && after != Allow:
			t.Fatalf("an Allow more denies:\n%s", w)
		case extra["Effect"] == "Allow" && (before == ExplicitDeny) != (after == ExplicitDeny):
			t.Fatalf("an Allow more changes an explicit deny:\n%s", w)
		}
	})
}

// TestIndexLosesNothing compares large policies, where the index decides what is looked at, with their statements one by one.
func TestIndexLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []any
		for range rapid.IntRange(20, 60).Draw(t, "statements") {
			list = append(list, drawStatement(t, Identity))
		}
		w := &world{documents: map[string][]map[string]any{"identity": {{"Version": "2012-10-17", "Statement": list}}}, context: map[string]any{"aws:username": "alice"}}
		w.request = Request{Principal: alice, Action: "execute-api:Invoke", Resource: rapid.SampledFrom(requestResources).Draw(t, "resource"), ResourceAccount: owner, Context: asContext(w.context)}
		p := w.compiled(t).Identity[0]
		e := p.Explain(&w.request)
		want := Result{Missing: SideIdentity}
		for _, deny := range []bool{false, true} {
			i := slices.IndexFunc(e.Statements, func(s StatementOutcome) bool { return s.Applies && s.Deny == deny })
			if i >= 0 {
				want = Result{Decision: map[bool]Decision{false: Allow, true: ExplicitDeny}[deny], Statement: e.Statements[i].Statement, Policy: "identity"}
			}
		}
		if e.Result != want {
			t.Fatalf("%+v, one by one %+v:\n%s", e.Result, want, w)
		}
	})
}

// TestNaiveEvaluatorPassesVectors keeps the second opinion worth asking.
func TestNaiveEvaluatorPassesVectors(t *testing.T) {
	for _, v := range readVectors(t, "testdata/iam-documents.jsonl.gz") {
		ps := &naivePolicies{boundary: naiveDecode(v.PermissionsBoundary), resource: naiveDecode(v.ResourcePolicy)}
		for _, text := range v.IdentityPolicies {
			ps.identity = append(ps.identity, naiveDecode(text))
		}
		if p := naiveDecode(v.SessionPolicy); p != nil {
			ps.session = []any{p}
		}
		for _, level := range v.SCPs {
			var list []any
			for _, text := range level {
				list = append(list, naiveDecode(text))
			}
			ps.scp = append(ps.scp, list)
		}
		got := ps.evaluate(naiveRequestOf(v.request(), v.Request.Context))
		if want := map[string]Decision{"Allowed": Allow, "ImplicitlyDenied": ImplicitDeny, "ExplicitlyDenied": ExplicitDeny}[v.Expect]; got != want {
			t.Errorf("%s: %v, want %v", v.ID, got, want)
		}
	}
}
