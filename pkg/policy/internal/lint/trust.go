package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

// TrustTarget is where a role's trust policy is.
type TrustTarget struct {
	// Partition and Account are the role's.
	Partition, Account string
	// Audiences has the audiences of each issuer, by the name of its identity provider: the issuer without https://.
	Audiences map[string][]string
}

// awsAudience is the audience of tokens that AWS's own STS accepts.
const awsAudience = "sts.amazonaws.com"

// Trust reports what is legal in the statements of a trust policy and rarely intended: whom it trusts without limits, and whom it
// names without effect. All of it are warnings.
func Trust(all []*statement.Statement, t TrustTarget) []fault.Fault {
	l := trustLinter{target: t}
	for _, s := range all {
		if s.Effect != statement.Allow || s.Principals == nil {
			continue
		}
		if s.Principals.Everyone && s.Concerns("sts", "assumerole") && !slices.ContainsFunc(s.Conditions, narrowsPrincipal) {
			l.warn(s, s.Start, `this Allow trusts everybody: all users and roles of the role's account, and those of other accounts whose own policies allow it; `+
				`name principals, or write a condition on aws:PrincipalArn, aws:PrincipalAccount or aws:PrincipalOrgID`)
		}
		if s.Concerns("sts", "assumerolewithwebidentity") {
			for _, name := range slices.Sorted(maps.Keys(s.Principals.Providers)) {
				l.provider(s, name)
			}
		}
	}
	return l.faults
}

type trustLinter struct {
	target TrustTarget
	faults []fault.Fault
}

func (l *trustLinter) warn(s *statement.Statement, at document.Position, format string, args ...any) {
	l.faults = append(l.faults, fault.Fault{Line: at.Line, Column: at.Column, Statement: s.Label, Warning: true, Message: fmt.Sprintf(format, args...)})
}

// provider looks at one identity provider of an Allow.
func (l *trustLinter) provider(s *statement.Statement, written string) {
	name := written
	if a, err := arn.Parse(written); err == nil {
		kind, of, _ := strings.Cut(a.Resource, "/")
		if kind != "oidc-provider" {
			l.warn(s, s.Start, "%s is no provider of web identities, and no other federation is supported: it admits nobody", document.Quote(written))
			return
		}
		if a.Account != l.target.Account || a.Partition != l.target.Partition {
			l.warn(s, s.Start, "%s belongs to another account than the role and admits nobody; write arn:%s:iam::%s:oidc-provider/%s",
				document.Quote(written), l.target.Partition, l.target.Account, of)
			return
		}
		name = of
	}
	audiences, configured := l.target.Audiences[name]
	if !configured {
		l.warn(s, s.Start, "the issuer of %s is not configured, so that it admits nobody; add %s to issuers, or remove the principal", document.Quote(written), document.Quote("https://"+name))
		return
	}
	if len(audiences) == 0 {
		l.warn(s, s.Start, "the issuer of %s has no audiences, so that no token of it is accepted; write audiences in issuers", document.Quote(written))
	}
	l.claims(s, name)
}

// claims looks for the conditions that tell the tokens of a provider apart.
func (l *trustLinter) claims(s *statement.Statement, name string) {
	on := func(claims ...string) func(statement.Clause) bool {
		return func(c statement.Clause) bool {
			claim, ok := strings.CutPrefix(c.Key.Name(), strings.ToLower(name)+":")
			return ok && slices.Contains(claims, claim) && narrows(c)
		}
	}
	if !slices.ContainsFunc(s.Conditions, on("sub", "email", "id", "user_id")) {
		l.warn(s, s.Start, "this Allow trusts every token of %s; write a condition on %s:sub", document.Quote(name), name)
	}
	if !slices.ContainsFunc(s.Conditions, on("aud", "oaud", "azp", "app_id")) {
		l.warn(s, s.Start, "this Allow trusts tokens of %s for every audience of the issuer; write a condition on %s:aud", document.Quote(name), name)
	}
	for _, c := range s.Conditions {
		if c.Key.Name() == strings.ToLower(name)+":aud" && c.Holds(probe(awsAudience), false) && narrows(c) {
			l.warn(s, c.At, "tokens for %s can be used at AWS, too; give tokens for portcullis an audience of their own", awsAudience)
		}
	}
}

// narrowsPrincipal reports whether a condition tells callers apart by what they cannot choose. An external id is not a secret.
func narrowsPrincipal(c statement.Clause) bool {
	switch c.Key.ID() {
	case condition.KeyPrincipalArn, condition.KeyPrincipalAccount, condition.KeyPrincipalOrgID, condition.KeyPrincipalOrgPaths, condition.KeyPrincipalTag,
		condition.KeyUserID, condition.KeyUsername, condition.KeySourceIP, condition.KeyVpcSourceIP, condition.KeySourceVpc, condition.KeySourceVpce:
		return narrows(c)
	default:
		return false
	}
}

// probes are values that nobody names: of a condition that holds for one of them, much is left open.
var probes = []probe{
	"\x01", "arn:aws:iam::000000000000:user/\x01", "arn:aws:iam::000000000000:role/\x01", "o-\x01",
	"repo:\x01/\x01:ref:refs/heads/\x01", "system:serviceaccount:\x01:\x01", "project_path:\x01/\x01:ref_type:branch:ref:\x01",
}

// narrows reports whether a condition holds for named values only.
func narrows(c statement.Clause) bool {
	return !c.HoldsWithoutKey(false) && c.EveryAddress() == "" && !slices.ContainsFunc(probes, func(p probe) bool { return c.Holds(p, false) })
}

// probe is a context in which every key has one value.
type probe string

func (p probe) Lookup(*condition.Key) (condition.Value, bool) {
	return condition.StringValue(string(p)), true
}
