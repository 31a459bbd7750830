package iam

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// manyUsers is an export of users of a group, of whom each tenth has a policy of their own.
func manyUsers(n int) []byte {
	const policy = `{"PolicyName":"own","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/%s"}]}}`
	var b strings.Builder
	fmt.Fprintf(&b, `{"GroupDetailList":[{"GroupName":"all","GroupId":"AGPA","Arn":"arn:aws:iam::111122223333:group/all","GroupPolicyList":[`+policy+`]}],"UserDetailList":[`,
		"users/${aws:username}")
	for i := range n {
		own := ""
		if i%10 == 0 {
			own = fmt.Sprintf(policy, fmt.Sprintf("own/u%d", i))
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"Path":"/","UserName":"u%d","UserId":"AIDA%d","Arn":"arn:aws:iam::111122223333:user/u%d","CreateDate":"2020-01-01T00:00:00+00:00",
"UserPolicyList":[%s],"GroupList":["all"],"AttachedManagedPolicies":[],"Tags":[{"Key":"team","Value":"pets"}]}`, i, i, i, own)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// One hundred thousand users and keys load in seconds; every one of them is there, and nobody is another.
func TestManyUsersAndKeys(t *testing.T) {
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 5_000
	}
	export := manyUsers(n)
	b := NewBuilder()
	start := time.Now()
	if faults := b.AddAccount(export, Organization{}); len(faults) > 0 {
		t.Fatal(faults[0])
	}
	for i := range n {
		mustAdd(t, b, &AccessKey{ID: fmt.Sprintf("AKIA%d", i), Secret: fmt.Sprintf("secret%d", i), User: fmt.Sprintf("arn:aws:iam::111122223333:user/u%d", i)})
	}
	took := time.Since(start)
	t.Logf("%d users and keys, %d MB, in %v", n, len(export)>>20, took)
	if took > 30*time.Second {
		t.Errorf("%d users and keys took %v", n, took)
	}
	a := mustVerifier(t, b)
	for _, i := range []int{0, n / 2, n - 10} {
		k := &AccessKey{ID: fmt.Sprintf("AKIA%d", i), Secret: fmt.Sprintf("secret%d", i)}
		r := request()
		signerOf(k).Sign(r)
		c, err := a.Verify(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range []string{"users", "own"} {
			if got := invoke(c, fmt.Sprintf("/%s/u%d", of, i)); got.Decision != policy.Allow {
				t.Errorf("user %d at %s: %+v", i, of, got)
			}
			if got := invoke(c, fmt.Sprintf("/%s/u%d", of, i+10)); got.Decision != policy.ImplicitDeny {
				t.Errorf("user %d at another's %s: %+v", i, of, got)
			}
		}
	}
}

// BenchmarkVerify has the signing key cached, and new each time.
func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"cached", "new"} {
		b.Run(name, func(b *testing.B) {
			builder := mustBuilder(b)
			mustAdd(b, builder, aliceKey())
			a := mustVerifier(b, builder)
			a.signingKeys = mustCache[[32]byte](b)
			r := request()
			signerOf(aliceKey()).Sign(r)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if name == "new" {
					a.store.keys["AKIAALICE"].key.Version++
				}
				if _, err := a.Verify(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyAmong verifies the requests of one caller after another, of as many as there are keys, each with its signing
// key cached: a lookup must not cost more among many.
func BenchmarkVerifyAmong(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			builder := NewBuilder()
			if faults := builder.AddAccount(manyUsers(n), Organization{}); len(faults) > 0 {
				b.Fatal(faults[0])
			}
			for i := range n {
				mustAdd(b, builder, &AccessKey{ID: fmt.Sprintf("AKIA%d", i), Secret: "secret", User: fmt.Sprintf("arn:aws:iam::111122223333:user/u%d", i)})
			}
			a := mustVerifier(b, builder)
			a.signingKeys = mustCache[[32]byte](b)
			requests := make([]*authz.Request, 10)
			for i := range requests {
				requests[i] = request()
				signerOf(&AccessKey{ID: fmt.Sprintf("AKIA%d", i*n/len(requests)), Secret: "secret"}).Sign(requests[i])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := a.Verify(requests[i%len(requests)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
