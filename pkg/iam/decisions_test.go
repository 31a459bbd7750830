package iam

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// decisions is testdata/trust.yaml.
type decisions struct {
	Callers map[string]actor
	Groups  []struct {
		Group, Source string
		Role          struct{ Max int }
		Trust         yaml.Node
		Rows          []string
	}
}

// actor is one of the callers.
type actor struct {
	Account, User, Role, Name, Source, Federated string
	Root, MFA                                    bool
	Tags, Passed                                 map[string]string
	Transitive                                   []string
	Allow, Deny, Boundary, Session               []yaml.Node
}

const (
	ownAccount = "111122223333"
	targetRole = "arn:aws:iam::111122223333:role/target"
)

// Every row of testdata/trust.yaml is decided as AWS documents it.
func TestTrustDecisions(t *testing.T) {
	d := readDecisions(t)
	rows := 0
	for _, g := range d.Groups {
		t.Run(g.Group, func(t *testing.T) {
			w := newTrustWorld(t, d, &g.Trust, g.Role.Max)
			for _, row := range g.Rows {
				rows++
				ask, want, ok := strings.Cut(row, " -> ")
				if !ok {
					t.Fatalf("%s: no outcome", row)
				}
				got, err := w.store.AssumeRole(w.request(t, ask))
				if problem := differs(want, got, err); problem != "" {
					t.Errorf("%s\n\t%s", row, problem)
				}
			}
		})
	}
	if rows < 300 {
		t.Errorf("%d rows", rows)
	}
}

// differs says how an outcome differs from what a row wants.
func differs(want string, got *session.Session, err error) string {
	word, text, _ := strings.Cut(want, " ")
	code := map[string]string{"allow": "", "deny": "AccessDenied", "invalid": "ValidationError", "malformed": "MalformedPolicyDocument"}
	refused, _ := errors.AsType[*Refused](err)
	switch {
	case word == "allow":
		if err != nil || got == nil {
			return fmt.Sprint(err)
		}
	case code[word] == "":
		return "unknown outcome"
	case err == nil || got != nil:
		return "is allowed"
	case refused == nil || string(refused.Code) != code[word] || !strings.Contains(err.Error(), text):
		return err.Error()
	}
	return ""
}

func readDecisions(t testing.TB) *decisions {
	t.Helper()
	data, err := os.ReadFile("testdata/trust.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := &decisions{}
	if err := yaml.Unmarshal(data, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// trustWorld has a target role with a trust policy, and all callers.
type trustWorld struct {
	store   *Store
	callers map[string]*Caller
}

func exportOf(account, more string) []byte {
	return []byte(`{"UserDetailList": [{"UserName": "nobody", "UserId": "AIDANOBODY", "Arn": "arn:aws:iam::` + account + `:user/nobody"}]` + more + `}`)
}

const managedPolicies = `, "Policies": [
	{"Arn": "arn:aws:iam::111122223333:policy/readers", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true,
		"Document": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}}]},
	{"Arn": "arn:aws:iam::111122223333:policy/broken", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": {}}}]},
	{"Arn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true,
		"Document": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}}]}]`

func newTrustWorld(t testing.TB, d *decisions, statements *yaml.Node, maxSession int) *trustWorld {
	t.Helper()
	b := NewBuilder()
	b.Sessions(&session.Ring{})
	pets := Organization{ID: "o-pets", Paths: []string{"o-pets/r-root/"}}
	limited := Organization{ServiceControlPolicies: [][]*policy.Policy{{mustPolicy(t, policy.SCP, `{"Statement":{"Effect":"Allow","Action":"execute-api:*","Resource":"*"}}`)}}}
	for _, faults := range []any{
		b.AddAccount(exportOf(ownAccount, managedPolicies), pets), b.AddAccount(exportOf("444455556666", ""), pets), b.AddAccount(exportOf("888899990000", ""), limited),
	} {
		if fmt.Sprint(faults) != "[]" {
			t.Fatal(faults)
		}
	}
	target := &Written{ARN: targetRole, ID: "AROAID000000000TARGET", Tags: map[string]string{"Team": "pets"}, MaxSession: maxSession}
	target.Policies = []*policy.Policy{mustPolicy(t, policy.Identity, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)}
	if statements.Kind != 0 {
		target.Trust = mustStatements(t, policy.Trust, statements.Content)
	}
	if faults := b.AddRole(target, nil); len(faults) > 0 {
		t.Fatal(faults)
	}
	mustAdd(t, b, &AccessKey{ID: "ASIAself", Secret: secret, SessionToken: "t", Role: targetRole, SessionName: "ci"})
	for _, name := range slices.Sorted(maps.Keys(d.Callers)) {
		d.Callers[name].add(t, b, name)
	}
	w := &trustWorld{store: b.Store(), callers: map[string]*Caller{}}
	w.callers["self"] = w.store.of("ASIAself")
	for name, a := range d.Callers {
		w.callers[name] = w.store.of("ASIA" + name)
		if a.Passed != nil {
			w.callers[name].identity.session = a.session()
		}
	}
	return w
}

// of returns the owner of a key as a caller.
func (s *Store) of(keyID string) *Caller { return &Caller{identity: s.keys[keyID], at: now} }

func mustPolicy(t testing.TB, kind policy.Kind, text string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(text), policy.Options{Name: "policy", Kind: kind})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

func mustStatements(t testing.TB, kind policy.Kind, statements []*yaml.Node) *policy.Policy {
	t.Helper()
	text := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
	document := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		text("Version"), text("2012-10-17"), text("Statement"), {Kind: yaml.SequenceNode, Content: statements},
	}}
	p, faults := policy.ParseYAML(document, policy.Options{Name: "the policy", Kind: kind})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

// id returns the unique id of a user or role of the role's account: AIDAID000000000000BOB. Others have a derived one.
func (a actor) id(prefix, name string) string {
	if a.Account != ownAccount {
		return ""
	}
	name = strings.ToUpper(name[strings.LastIndexByte(name, '/')+1:])
	return prefix + "ID" + strings.Repeat("0", 15-len(name)) + name
}

// add adds the caller's user or role and a key ASIA… for it.
func (a actor) add(t testing.TB, b *Builder, name string) {
	t.Helper()
	if a.Account == "" {
		a.Account = ownAccount
	}
	k := &AccessKey{ID: "ASIA" + name, Secret: secret, SessionName: a.Name, SourceIdentity: a.Source, SessionTags: a.Passed}
	w := &Written{Account: a.Account, Name: a.User, Tags: a.Tags, Policies: a.policies(t)}
	if a.Boundary != nil {
		w.Boundary = mustStatements(t, policy.Boundary, pointers(a.Boundary))
	}
	if a.Session != nil {
		k.SessionPolicies = []*policy.Policy{mustStatements(t, policy.Session, pointers(a.Session))}
	}
	if a.MFA {
		k.MFATime = now
	}
	var faults any = "[]"
	switch {
	case a.Root:
		k.User = "arn:aws:iam::" + a.Account + ":root"
	case a.Role != "":
		w.Name, w.ID = a.Role, a.id("AROA", a.Role)
		k.Role, k.SessionToken = "arn:aws:iam::"+a.Account+":role/"+a.Role, "t"
		faults = b.AddRole(w, nil)
	default:
		w.ID, k.FederatedUser, k.User = a.id("AIDA", a.User), a.Federated, "arn:aws:iam::"+a.Account+":user/"+a.User
		faults = b.AddUser(w, nil)
	}
	if fmt.Sprint(faults) != "[]" {
		t.Fatal(name, faults)
	}
	if k.SessionToken == "" {
		if k.ID = "KEY" + name; a.Federated != "" {
			k.SessionToken = "t"
		}
	}
	mustAdd(t, b, k)
	b.keys["ASIA"+name] = b.keys[k.ID]
}

func pointers(nodes []yaml.Node) (all []*yaml.Node) {
	for i := range nodes {
		all = append(all, &nodes[i])
	}
	return all
}

// policies returns the identity-based policies, with the effects that the lists stand for.
func (a actor) policies(t testing.TB) (all []*policy.Policy) {
	for effect, list := range map[string][]yaml.Node{"Allow": a.Allow, "Deny": a.Deny} {
		for _, n := range list {
			n.Content = append([]*yaml.Node{{Kind: yaml.ScalarNode, Value: "Effect"}, {Kind: yaml.ScalarNode, Value: effect}}, n.Content...)
			all = append(all, mustStatements(t, policy.Identity, []*yaml.Node{&n}))
		}
	}
	return all
}

func (a actor) session() *session.Session {
	s := &session.Session{TransitiveTagKeys: a.Transitive}
	for _, key := range slices.Sorted(maps.Keys(a.Passed)) {
		s.Tags = append(s.Tags, session.Tag{Key: key, Value: a.Passed[key]})
	}
	return s
}

// request reads what a row asks.
func (w *trustWorld) request(t testing.TB, ask string) *AssumeRequest {
	t.Helper()
	words := strings.Split(ask, " ")
	r := &AssumeRequest{Role: targetRole, SessionName: "ci-session", At: now}
	if words[0] == "web" {
		r.Web = &WebIdentity{Issuer: "https://idp.example.com/a", Subject: "pod"}
	} else if caller := w.callers[words[0]]; caller != nil {
		r.Caller = caller
	} else {
		t.Fatalf("%s: unknown caller", ask)
	}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		if r.Web == nil || !setWeb(t, r.Web, key, value) {
			set(t, r, key, value)
		}
	}
	if r.Web != nil && r.Web.Audience == nil {
		r.Web.Audience = []string{"portcullis"}
	}
	return r
}

func unescape(t testing.TB, text string) string {
	t.Helper()
	plain, err := url.PathUnescape(text)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func tagOf(t testing.TB, value string) session.Tag {
	t.Helper()
	key, value, _ := strings.Cut(value, ":")
	return session.Tag{Key: unescape(t, key), Value: unescape(t, value)}
}

// setWeb sets what a token says; false means that it is a parameter.
func setWeb(t testing.TB, w *WebIdentity, key, value string) bool {
	t.Helper()
	switch key {
	case "iss":
		w.Issuer = value
	case "sub":
		w.Subject = value
	case "aud":
		w.Audience = append(w.Audience, value)
	case "azp":
		w.AuthorizedParty = value
	case "amr":
		w.Methods = append(w.Methods, value)
	case "tag":
		w.Tags = append(w.Tags, tagOf(t, value))
	case "trans":
		w.TransitiveTagKeys = append(w.TransitiveTagKeys, value)
	case "src":
		w.SourceIdentity = unescape(t, value)
	default:
		return false
	}
	return true
}

func set(t testing.TB, r *AssumeRequest, key, value string) {
	t.Helper()
	switch key {
	case "role":
		r.Role = value
	case "name":
		r.SessionName = value
	case "ext":
		r.ExternalID = value
	case "src":
		r.SourceIdentity = unescape(t, value)
	case "tag":
		r.Tags = append(r.Tags, tagOf(t, value))
	case "trans":
		r.TransitiveTagKeys = append(r.TransitiveTagKeys, value)
	case "dur":
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatal(err)
		}
		r.Duration = time.Duration(n) * time.Second
	case "ip":
		r.SourceIP = netip.MustParseAddr(value)
	case "tls":
		r.TLS = value == "true"
	case "ua":
		r.UserAgent = value
	case "region":
		r.Regions = strings.Split(value, ",")
	case "policy":
		r.Policy = value
	case "parn":
		r.PolicyARNs = append(r.PolicyARNs, value)
	case "mfa":
		r.MFADevice = value
	default:
		t.Fatalf("unknown key %s", key)
	}
}
