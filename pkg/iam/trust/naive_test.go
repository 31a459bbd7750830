package trust

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

const (
	own   = "111122223333"
	other = "444455556666"
	idp   = "idp.example.com/a"
)

var at = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// naiveStatement is a statement in a form that the naive evaluator reads without a parser.
type naiveStatement struct {
	deny       bool
	principals []string // "*", an account, an ARN; "web:" and the provider
	actions    []string
	operator   string
	key        string
	values     []string
}

// naiveCaller is a caller with policies in both forms.
type naiveCaller struct {
	principal                   policy.Principal
	source                      string
	transitive                  []session.Tag
	identity, boundary, session []naiveStatement // boundary and session are nil if there are none
	compiled                    policy.Policies
}

func (c *naiveCaller) Principal() policy.Principal { return c.principal }
func (c *naiveCaller) Policies() policy.Policies   { return c.compiled }

func (c *naiveCaller) TransitiveTags() []session.Tag { return c.transitive }

func (c *naiveCaller) Lookup(key *policy.Key) (policy.Value, bool) {
	switch key.ID() {
	case policy.KeyPrincipalAccount:
		return policy.StringValue(c.principal.Account), true
	case policy.KeySourceIdentity:
		return policy.StringValue(c.source), c.source != ""
	default:
		return policy.Value{}, false
	}
}

// naive decides a request by the words of the IAM User Guide, action by action.
func naive(r *Request, trust []naiveStatement) bool {
	for _, action := range naiveActions(r) {
		if !naiveAllows(r, trust, action) {
			return false
		}
	}
	return true
}

func naiveActions(r *Request) []string {
	if r.Web != nil {
		actions := []string{"sts:AssumeRoleWithWebIdentity"}
		if len(r.Web.Tags) > 0 {
			actions = append(actions, "sts:TagSession")
		}
		return actions
	}
	c := r.Caller.(*naiveCaller)
	actions := []string{"sts:AssumeRole"}
	if len(r.Tags) > 0 || len(c.transitive) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if r.SourceIdentity != "" || c.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

func naiveAllows(r *Request, trust []naiveStatement, action string) bool {
	var direct, role, account bool
	for _, s := range trust {
		how := s.names(r)
		switch {
		case how == "" || !s.applies(r, action):
		case s.deny:
			return false
		case r.Web != nil && how == "everyone":
		case how == "direct", how == "everyone":
			direct = true
		case how == "role":
			role = true
		default:
			account = true
		}
	}
	if r.Web != nil {
		return direct
	}
	c := r.Caller.(*naiveCaller)
	identity, denied := naiveOwn(c.identity, r, action, false)
	boundary, deniedThere := naiveOwn(c.boundary, r, action, true)
	narrowed, deniedToo := naiveOwn(c.session, r, action, true)
	if denied || deniedThere || deniedToo || !direct && !role && !account {
		return false
	}
	chained := c.principal.Kind == policy.RoleSession && action == "sts:SetSourceIdentity"
	if c.principal.Account != own || chained {
		return identity && boundary && narrowed
	}
	return direct || role && boundary && narrowed || identity && boundary && narrowed
}

// naiveOwn says what policies of the caller do: allow, deny. None allows if it only limits.
func naiveOwn(all []naiveStatement, r *Request, action string, limits bool) (allow, deny bool) {
	if all == nil && limits {
		return true, false
	}
	for _, s := range all {
		if s.applies(r, action) {
			allow, deny = allow || !s.deny, deny || s.deny
		}
	}
	return allow, deny
}

// names says how the statement names the caller.
func (s *naiveStatement) names(r *Request) string {
	if r.Web != nil {
		switch {
		case slices.Contains(s.principals, "web:"+idp) && r.Web.Issuer == "https://"+idp:
			return "direct"
		case slices.Contains(s.principals, "*"):
			return "everyone"
		}
		return ""
	}
	p := r.Caller.Principal()
	switch {
	case slices.Contains(s.principals, "*"):
		return "everyone"
	case slices.Contains(s.principals, p.ARN):
		return "direct"
	case p.ParentARN != "" && slices.Contains(s.principals, p.ParentARN):
		return "role"
	case slices.Contains(s.principals, p.Account):
		return "account"
	}
	return ""
}

func (s *naiveStatement) applies(r *Request, action string) bool {
	return (slices.Contains(s.actions, action) || slices.Contains(s.actions, "sts:*")) && s.holds(r)
}

// holds decides the one condition.
func (s *naiveStatement) holds(r *Request) bool {
	if s.operator == "" {
		return true
	}
	value, present := naiveValue(r, s.key)
	switch s.operator {
	case "StringEquals":
		return present && slices.Contains(s.values, value)
	case "StringNotEquals":
		return !present || !slices.Contains(s.values, value)
	case "StringEqualsIfExists":
		return !present || slices.Contains(s.values, value)
	default: // Null
		return present == (s.values[0] == "false")
	}
}

func naiveValue(r *Request, key string) (string, bool) {
	some := func(text string) (string, bool) { return text, text != "" }
	switch {
	case key == "sts:ExternalId":
		return some(r.ExternalID)
	case key == "sts:RoleSessionName":
		return r.SessionName, true
	case key == "aws:ResourceTag/team":
		return "pets", true
	case r.Web != nil && key == idp+":sub":
		if r.Web.Issuer == "https://"+idp {
			return some(r.Web.Subject)
		}
		return "", false
	case key == "aws:RequestTag/Team":
		tags := r.Tags
		if r.Web != nil {
			tags = r.Web.Tags
		}
		for _, tag := range tags {
			if tag.Key == "Team" {
				return tag.Value, true
			}
		}
	case key == "aws:PrincipalAccount" && r.Caller != nil:
		return r.Caller.Principal().Account, true
	}
	return "", false
}

// naiveWorld is a role's trust policy and a request.
type naiveWorld struct {
	trust   []naiveStatement
	request *Request
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func some[T any](r *rand.Rand, most int, of ...T) []T {
	list := make([]T, 1+r.IntN(most))
	for i := range list {
		list[i] = pick(r, of...)
	}
	return list
}

func randomStatement(r *rand.Rand, trust bool) naiveStatement {
	s := naiveStatement{
		deny:    r.IntN(6) == 0,
		actions: some(r, 3, "sts:AssumeRole", "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:AssumeRoleWithWebIdentity", "sts:*", "iam:PassRole"),
	}
	if trust {
		s.principals = some(r, 2, "*", own, other, "arn:aws:iam::"+own+":user/bob", "arn:aws:iam::"+own+":user/alice", "arn:aws:iam::"+other+":user/bob",
			"arn:aws:iam::"+own+":role/ops/job", "arn:aws:sts::"+own+":assumed-role/job/ci", "web:"+idp, "web:idp.example.com/b")
	}
	if r.IntN(2) == 0 {
		s.operator = pick(r, "StringEquals", "StringNotEquals", "StringEqualsIfExists", "Null")
		s.key = pick(r, "sts:ExternalId", "sts:RoleSessionName", "aws:ResourceTag/team", idp+":sub", "aws:RequestTag/Team", "aws:PrincipalAccount", "sts:Nothing")
		s.values = some(r, 2, "Example987", "ci-session", "pets", "pod", own, "cats")
		if s.operator == "Null" {
			s.values = []string{pick(r, "true", "false")}
		}
	}
	return s
}

func randomPolicy(r *rand.Rand, trust bool) []naiveStatement {
	all := make([]naiveStatement, 1+r.IntN(4))
	for i := range all {
		all[i] = randomStatement(r, trust)
	}
	return all
}

func compile(t testing.TB, kind policy.Kind, all []naiveStatement) *policy.Policy {
	t.Helper()
	list := []map[string]any{}
	for _, s := range all {
		m := map[string]any{"Effect": "Allow", "Action": s.actions}
		if s.deny {
			m["Effect"] = "Deny"
		}
		if kind == policy.Trust {
			m["Principal"] = principalsOf(s.principals)
		} else {
			m["Resource"] = "*"
		}
		if s.operator != "" {
			m["Condition"] = map[string]any{s.operator: map[string]any{s.key: s.values}}
		}
		list = append(list, m)
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": list})
	if err != nil {
		t.Fatal(err)
	}
	p, faults := policy.Parse(text, policy.Options{Name: kind.String(), Kind: kind})
	if p == nil {
		t.Fatalf("%s\n%v", text, faults)
	}
	return p
}

func principalsOf(names []string) map[string][]string {
	m := map[string][]string{}
	for _, name := range names {
		if provider, ok := cutWeb(name); ok {
			m["Federated"] = append(m["Federated"], "arn:aws:iam::"+own+":oidc-provider/"+provider)
		} else {
			m["AWS"] = append(m["AWS"], name)
		}
	}
	return m
}

func cutWeb(name string) (string, bool) {
	if len(name) > 4 && name[:4] == "web:" {
		return name[4:], true
	}
	return "", false
}

func randomCaller(t testing.TB, r *rand.Rand) *naiveCaller {
	c := &naiveCaller{identity: randomPolicy(r, false)}
	account := pick(r, own, own, other)
	switch r.IntN(3) {
	case 0, 1:
		c.principal = policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::" + account + ":user/bob", Account: account, ID: "AIDA0123456789ABCDEF"}
	default:
		c.principal = policy.Principal{
			Kind: policy.RoleSession, ARN: "arn:aws:sts::" + account + ":assumed-role/job/ci", Account: account,
			ParentARN: "arn:aws:iam::" + account + ":role/ops/job", ParentID: "AROA0123456789ABCDEF",
		}
		if r.IntN(3) == 0 {
			c.source = "alice"
		}
		if r.IntN(3) == 0 {
			c.transitive = []session.Tag{{Key: "Star", Value: "1"}}
		}
		if r.IntN(3) == 0 {
			c.session = randomPolicy(r, false)
			c.compiled.Session = []*policy.Policy{compile(t, policy.Session, c.session)}
		}
	}
	if r.IntN(3) == 0 {
		c.boundary = randomPolicy(r, false)
		c.compiled.Boundary, c.principal.Bounded = compile(t, policy.Boundary, c.boundary), true
	}
	c.compiled.Identity = []*policy.Policy{compile(t, policy.Identity, c.identity)}
	return c
}

func randomWorld(t testing.TB, r *rand.Rand) naiveWorld {
	w := naiveWorld{trust: randomPolicy(r, true)}
	q := &Request{Role: "arn:aws:iam::" + own + ":role/target", SessionName: "ci-session", At: at}
	var tags []session.Tag
	if r.IntN(3) == 0 {
		tags = []session.Tag{{Key: "Team", Value: pick(r, "pets", "cats")}}
	}
	if r.IntN(3) == 0 {
		q.Web = &WebIdentity{Issuer: "https://" + pick(r, idp, idp, "idp.example.com/c"), Subject: pick(r, "pod", "other"), Audience: []string{"portcullis"}, Tags: tags}
	} else {
		q.Caller, q.Tags = randomCaller(t, r), tags
		q.ExternalID = pick(r, "", "Example987")
		q.SourceIdentity = pick(r, "", "", "alice")
	}
	w.request = q
	return w
}

func (w naiveWorld) assume(t testing.TB) (*session.Session, error) {
	t.Helper()
	return Assume(&Role{
		ARN: w.request.Role, ID: "AROA0123456789TARGET", Partition: "aws", Account: own, Tags: map[string]string{"team": "pets"}, Trust: compile(t, policy.Trust, w.trust),
	}, w.request)
}

// TestNaive compares decisions with those of the naive evaluator.
func TestNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	allowed := 0
	for range 8_000 {
		w := randomWorld(t, r)
		_, err := w.assume(t)
		if want := naive(w.request, w.trust); want != (err == nil) {
			t.Fatalf("the naive evaluator says %v, not %v\n%+v\n%+v\n%+v", want, err, w.trust, w.request, w.request.Caller)
		}
		if err == nil {
			allowed++
		}
	}
	if allowed < 300 {
		t.Errorf("only %d requests were allowed", allowed)
	}
}

// What is allowed never follows from a Deny, from one Allow less, or from a caller with less.
func TestLessNeverOpens(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 4_000 {
		w := randomWorld(t, r)
		if _, err := w.assume(t); err == nil {
			continue
		}
		narrower := w
		switch r.IntN(3) {
		case 0:
			deny := randomStatement(r, true)
			deny.deny = true
			narrower.trust = append(slices.Clone(w.trust), deny)
		case 1:
			narrower.trust = slices.DeleteFunc(slices.Clone(w.trust), func(s naiveStatement) bool { return !s.deny && r.IntN(2) == 0 })
		default:
			c, ok := w.request.Caller.(*naiveCaller)
			if !ok {
				continue
			}
			less := *c
			deny := randomStatement(r, false)
			deny.deny = true
			less.compiled.Identity = append(slices.Clone(less.compiled.Identity), compile(t, policy.Identity, []naiveStatement{deny}))
			q := *w.request
			q.Caller, narrower.request = &less, &q
		}
		if _, err := narrower.assume(t); err == nil {
			t.Fatalf("less opens\n%+v\n%+v\n%+v", w.trust, narrower.trust, w.request)
		}
	}
}

// A session keeps what its caller's session passes on, and has nothing that was not asked for.
func TestSessionsKeepWhatIsPassedOn(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	chained := 0
	for range 4_000 {
		w := randomWorld(t, r)
		s, err := w.assume(t)
		if err != nil {
			if s != nil {
				t.Fatal("a session beside an error")
			}
			continue
		}
		tags, _ := w.request.newTags()
		want := slices.Clone(tags)
		if c, ok := w.request.Caller.(*naiveCaller); ok {
			want = append(slices.Clone(c.transitive), tags...)
			if c.source != "" && s.SourceIdentity != c.source {
				t.Fatalf("%+v of %+v", s, c)
			}
			if c.principal.Kind == policy.RoleSession {
				chained++
			}
			for _, tag := range c.transitive {
				if !slices.Contains(s.TransitiveTagKeys, tag.Key) {
					t.Fatalf("%s is no longer transitive", tag.Key)
				}
			}
		}
		if !slices.Equal(s.Tags, want) || s.RoleID == "" || !s.Expires.After(s.Issued) || s.Expires.Sub(s.Issued) > time.Hour || !s.Issued.Equal(at) {
			t.Fatalf("%+v", s)
		}
	}
	if chained == 0 {
		t.Error("no roles were chained")
	}
}
