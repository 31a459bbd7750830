package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

const benchPrefix = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5"

// fixedContext has the values of one request without a map, as the gateway does.
type fixedContext struct{}

func (fixedContext) Lookup(k *Key) (Value, bool) {
	switch k.ID() {
	case KeySourceIP:
		return AddrValue(netip.AddrFrom4([4]byte{10, 0, 9, 7})), true
	case KeySecureTransport:
		return BoolValue(true), true
	case KeyCurrentTime:
		return TimeValue(time.Unix(1780000000, 0)), true
	case KeyUserAgent:
		return StringValue("curl/8.4.0"), true
	case KeyUsername:
		return StringValue("alice"), true
	case KeyPrincipalOrgID:
		return StringValue("o-a1b2c3d4e5"), true
	default:
		return Value{}, false
	}
}

// benchDocument has n statements: Denies that do not apply and Allows for other paths, each with conditions, and as its last
// the Allow that does.
func benchDocument(n int, resource func(i int) string) string {
	conditions := []string{
		`"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "10.0.0.0/8"]}, "Bool": {"aws:SecureTransport": "true"}`,
		`"StringLike": {"aws:UserAgent": ["Mozilla/*", "curl/*"]}, "DateGreaterThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"}`,
		`"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, "StringNotEquals": {"aws:username": ["mallory", "${aws:PrincipalTag/none}"]}`,
	}
	var b strings.Builder
	b.WriteString(`{"Version": "2012-10-17", "Statement": [{"Sid": "Net", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}},
		{"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}`)
	for i := range n - 3 {
		fmt.Fprintf(&b, `, {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "%s", "Condition": {%s}}`, resource(i), conditions[i%len(conditions)])
	}
	fmt.Fprintf(&b, `, {"Sid": "Pets", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Inv*", "Resource": "execute-api:/*/GET/pets/*", "Condition": {%s}}]}`, conditions[2])
	return b.String()
}

func benchPolicy(t testing.TB, document string) *Policy {
	t.Helper()
	p, faults := Parse([]byte(document), Options{Name: "resource-policy", Kind: Resource, ExpandPrefix: benchPrefix})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

func benchRequest() *Request {
	return &Request{Action: "execute-api:Invoke", Resource: benchPrefix + "/prod/GET/pets/7", Spellings: []string{benchPrefix + "/prod/GET/pets/7/"}, ResourceAccount: "111122223333", Context: fixedContext{}}
}

var resourceForms = map[string]func(int) string{
	"path":   func(i int) string { return fmt.Sprintf("execute-api:/prod/GET/orders-%d/*", i) },
	"stage":  func(i int) string { return fmt.Sprintf("execute-api:/*/GET/orders-%d", i) },
	"middle": func(i int) string { return fmt.Sprintf("execute-api:/*/*/orders-%d/*/items", i) },
}

func BenchmarkEvaluate(b *testing.B) {
	for name, form := range resourceForms {
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/statements=%d", name, n), func(b *testing.B) {
				ps := &Policies{Resource: benchPolicy(b, benchDocument(n, form))}
				r := benchRequest()
				b.ReportAllocs()
				for b.Loop() {
					if Evaluate(ps, r).Decision != Allow {
						b.Fatal("denied")
					}
				}
			})
		}
	}
}

// cidrDocument allows from n networks, the last of which holds the request's address.
func cidrDocument(n int) string {
	var list []string
	for i := range n - 1 {
		list = append(list, fmt.Sprintf(`"172.%d.%d.0/24"`, 16+i/250, i%250))
	}
	list = append(list, `"10.0.0.0/8"`)
	return fmt.Sprintf(`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": {"IpAddress": {"aws:SourceIp": [%s]}}}}`, strings.Join(list, ","))
}

func BenchmarkAddresses(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("cidrs=%d", n), func(b *testing.B) {
			ps := &Policies{Resource: benchPolicy(b, cidrDocument(n))}
			r := benchRequest()
			b.ReportAllocs()
			for b.Loop() {
				if Evaluate(ps, r).Decision != Allow {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	document := []byte(benchDocument(1000, resourceForms["path"]))
	b.ReportAllocs()
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		benchPolicy(b, string(document))
	}
}

func TestEvaluateAllocatesNothing(t *testing.T) {
	alice := Principal{Kind: User, ARN: "arn:aws:iam::111122223333:user/alice", Account: "111122223333"}
	for name, document := range map[string]string{
		"10 statements":   benchDocument(10, resourceForms["path"]),
		"1000 statements": benchDocument(1000, resourceForms["stage"]),
		"1000 addresses":  cidrDocument(1000),
		"variables":       `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "NotResource": "execute-api:/*/GET/${aws:username}/*", "Condition": {"StringLike": {"aws:username": "al${aws:nothing, 'i'}*"}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/${aws:username}"}}}}`,
	} {
		ps := &Policies{Resource: benchPolicy(t, document)}
		for _, caller := range []Principal{{}, alice} {
			r := benchRequest()
			r.Principal = caller
			if got := Evaluate(ps, r); got.Decision != Allow {
				t.Errorf("%s: %+v, want an allow", name, got)
			}
			if n := testing.AllocsPerRun(100, func() { Evaluate(ps, r) }); n != 0 {
				t.Errorf("%s: %v allocations, want none", name, n)
			}
		}
	}
}

// TestIndexLooksAtFewStatements counts what the benchmarks time: the statements that are looked at do not grow with the policy.
func TestIndexLooksAtFewStatements(t *testing.T) {
	for name, form := range resourceForms {
		looked := func(n int) int {
			count := 0
			p, q := benchPolicy(t, benchDocument(n, form)), statement.NewQuery(benchRequest(), false)
			p.allowIndex.Each(&q, func(*statement.Entry) { count++ })
			p.denyIndex.Each(&q, func(*statement.Entry) { count++ })
			return count
		}
		if few, many := looked(10), looked(1000); few != many || many < 3 || many > 5 {
			t.Errorf("%s: %d of 10 statements, %d of 1000", name, few, many)
		}
	}
}
