package iam

import (
	"slices"
	"testing"
	"time"
)

// FuzzAddAccount: whatever an export holds, it is refused or every policy of every principal is there.
func FuzzAddAccount(f *testing.F) {
	f.Add([]byte(accountExport))
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
		}
	})
}
