package policy

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
)

// vector is one row of testdata/*.jsonl.gz: policies, a request and the decision that AWS's documents, or two independent
// evaluators, give it.
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

// mapContext is a request context by the keys' lower-case names.
type mapContext map[string]Value

func (m mapContext) Lookup(k *Key) (Value, bool) {
	v, ok := m[k.Name()]
	return v, ok
}

// asContext reads a context as the vectors write it: a text or a list of texts by key.
func asContext(values map[string]any) mapContext {
	m := mapContext{}
	for name, value := range values {
		name = NewKey(name).Name()
		switch value := value.(type) {
		case string:
			m[name] = StringValue(value)
		case []any:
			list := make([]string, len(value))
			for i := range value {
				list[i] = value[i].(string)
			}
			m[name] = ListValue(list)
		}
	}
	return m
}

var principalKinds = map[string]PrincipalKind{
	"anonymous": Anonymous, "user": User, "role-session": RoleSession, "federated-user": FederatedUser, "root": Root,
}

func readVectors(t testing.TB, path string) []vector {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for dec := json.NewDecoder(z); ; {
		var v vector
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
}

// policies parses a row's policies. The rows hold values that their operators cannot read, to see that nothing equals them.
func (v *vector) policies(t testing.TB) *Policies {
	one := func(text json.RawMessage, name string, kind Kind) *Policy {
		if len(text) == 0 || string(text) == "null" {
			return nil
		}
		p, faults := Parse(text, Options{Name: name, Kind: kind, UnreadableValues: true})
		if p == nil {
			t.Fatalf("%s: %s: %v", v.ID, name, faults)
		}
		return p
	}
	ps := &Policies{Boundary: one(v.PermissionsBoundary, "boundary", Boundary), Resource: one(v.ResourcePolicy, "resource", Resource)}
	for _, text := range v.IdentityPolicies {
		ps.Identity = append(ps.Identity, one(text, "identity", Identity))
	}
	if p := one(v.SessionPolicy, "session", Session); p != nil {
		ps.Session = []*Policy{p}
	}
	for _, level := range v.SCPs {
		var list []*Policy
		for _, text := range level {
			list = append(list, one(text, "scp", SCP))
		}
		ps.SCP = append(ps.SCP, list)
	}
	return ps
}

func (v *vector) request() *Request {
	r := v.Request
	return &Request{
		Principal: Principal{Kind: principalKinds[r.Principal.Kind], ARN: r.Principal.ARN, Account: r.Principal.Account, ParentARN: r.Principal.ParentARN},
		Action:    r.Action, Resource: r.Resource, ResourceAccount: r.ResourceAccount, Context: asContext(r.Context),
	}
}

func TestVectors(t *testing.T) {
	expect := map[string]Decision{"Allowed": Allow, "ImplicitlyDenied": ImplicitDeny, "ExplicitlyDenied": ExplicitDeny}
	for file, rows := range map[string]int{"testdata/iam.jsonl.gz": 3000, "testdata/iam-documents.jsonl.gz": 240} {
		all := readVectors(t, file)
		if len(all) != rows {
			t.Errorf("%s has %d rows, want %d", file, len(all), rows)
		}
		for _, v := range all {
			want, known := expect[v.Expect]
			got := Evaluate(v.policies(t), v.request())
			if !known || got.Decision != want {
				t.Errorf("%s: %v by %s %s (missing %d), want %s", v.ID, got.Decision, got.Policy, got.Statement, got.Missing, v.Expect)
			}
		}
	}
}
