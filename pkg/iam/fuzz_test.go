package iam

import (
	"slices"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// FuzzAddAccount: whatever an export holds, it is refused or every policy of every principal is there.
func FuzzAddAccount(f *testing.F) {
	f.Add([]byte(accountExport))
	f.Add([]byte(trustingExport))
	f.Add([]byte(`{"RoleDetailList":[{"RoleName":"a","RoleId":"A","Arn":"arn:aws:iam::111122223333:role/a","MaxSessionDuration":1e9,"AssumeRolePolicyDocument":"%7B%7D"}]}`))
	f.Add([]byte(`{"RoleDetailList":[{"RoleName":"a","RoleId":"A","Arn":"arn:aws:iam::111122223333:role/a","MaxSessionDuration":null,"AssumeRolePolicyDocument":null}]}`))
	f.Add([]byte(`{"UserDetailList":[{"UserName":"a","UserId":"A","Arn":"arn:aws:iam::111122223333:user/a","GroupList":null,"PermissionsBoundary":null}]}`))
	f.Add([]byte(`{"RoleDetailList":[{"RolePolicyList":[{"PolicyDocument":null}]}],"Policies":[{}]}`))
	f.Add([]byte(`{"UserDetailList":[{"UserPolicyList":[{"PolicyName":"p","PolicyDocument":"%7B"}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := NewBuilder()
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > time.Second {
				t.Errorf("%d bytes took %v", len(data), took)
			}
		}()
		for _, fault := range b.AddAccount(data, Organization{}) {
			if fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
				t.Errorf("a fault without a place or a message: %+v", fault)
			}
			if !fault.Warning {
				return
			}
		}
		if len(b.principals) > 0 && len(b.accounts) != 1 {
			t.Errorf("%d principals of %d accounts", len(b.principals), len(b.accounts))
		}
		for name, p := range b.principals {
			if name != p.arn || p.account == nil || !isAccount(p.account.id) || p.id == "" || slices.Contains(p.identity, nil) {
				t.Errorf("%s: %+v", name, p)
			}
			if trust := p.trust.policy(); p.trust != nil && (p.kind != policy.RoleSession || trust == nil || trust.Kind() != policy.Trust) || p.maxSession < 0 || p.maxSession > 12*time.Hour {
				t.Errorf("%s is trusted by %v for %v", name, p.trust, p.maxSession)
			}
			mayNobody(t, b, p)
		}
	})
}

// mayNobody asks for the role as its own account's root user and as a web identity of no provider, whom no trust policy admits.
func mayNobody(t *testing.T, b *Builder, p *principal) {
	t.Helper()
	s := b.Store()
	root := &Caller{identity: p.account.root("arn:aws:iam::" + p.account.id + ":root"), at: now}
	for _, r := range []*AssumeRequest{
		{Role: p.arn, SessionName: "ci", At: now, Caller: root},
		{Role: p.arn, SessionName: "ci", At: now, Web: &WebIdentity{Issuer: "https://\x00", Subject: "pod", Audience: []string{"portcullis"}}},
	} {
		if got, err := s.AssumeRole(r); err == nil || got != nil {
			t.Errorf("%s admits %+v", p.arn, r)
		}
	}
}
