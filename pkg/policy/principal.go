package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

func (r *reader) readPrincipals(of, n, not *document.Node, s *statement.Statement) {
	if !r.hasPrincipals() {
		for _, e := range []*document.Node{n, not} {
			if e != nil {
				r.faultf(e.Start, "Principal and NotPrincipal have no place in a statement of this kind (%s); remove the element", r.o.Kind)
			}
		}
		return
	}
	switch {
	case n != nil && not != nil:
		r.fault(not.Start, "Principal and NotPrincipal stand in one statement; keep one of them")
	case n == nil && not == nil:
		r.faultf(of.Start, `Principal is missing; a %s says whom each statement concerns, "*" for everyone`, r.o.Kind)
		return
	case not != nil:
		r.checkNotPrincipal(not)
		n, s.NotPrincipal = not, true
	}
	s.Principals = r.principals(n)
	if s.NotPrincipal {
		r.checkAccounts(n.Start, s.Principals)
	}
	if r.o.Kind == RCP && !s.Principals.Everyone {
		r.fault(n.Start, `a resource control policy concerns everyone; write "Principal": "*" and narrow it by conditions`)
	}
}

func (r *reader) checkNotPrincipal(n *document.Node) {
	switch {
	case r.o.Kind == Trust:
		r.fault(n.Start, `a role trust policy has no NotPrincipal; write "Principal": "*" with Deny, and except principals by a condition on aws:PrincipalArn`)
	case r.o.Kind == RCP:
		r.fault(n.Start, `a resource control policy has no NotPrincipal; write "Principal": "*" and narrow it by conditions`)
	case r.effect == statement.Allow:
		r.fault(n.Start, "NotPrincipal may stand only with Deny: with Allow it would let in everyone else; name the principals to allow in Principal")
	}
}

// checkAccounts warns of a NotPrincipal that names a principal without its account.
func (r *reader) checkAccounts(at Position, p *statement.Principals) {
	for _, name := range slices.Sorted(maps.Keys(p.Names)) {
		if a, err := arn.Parse(name); err == nil && !p.Everyone && !statement.Has(p.Names, a.Account) {
			r.warn(at, "NotPrincipal lists %s without its account, so that the Deny holds for it too; list %s as well", name, a.Account)
			return
		}
	}
}

func (r *reader) principals(n *document.Node) *statement.Principals {
	p := &statement.Principals{Names: map[string]struct{}{}, Services: map[string]struct{}{}, Providers: map[string]struct{}{}}
	switch text, isText := n.AsText(); {
	case isText && text == "*":
		p.Everyone = true
	case isText:
		r.faultf(n.Start, `principal %s stands alone; write "*", or an object such as {"AWS": %s}`, document.Quote(text), document.Quote(text))
	case n.Kind != document.Object:
		r.faultf(n.Start, `Principal is %s; write "*" or an object such as {"AWS": "111122223333"}`, n.Describe())
	case len(n.Members) == 0:
		r.fault(n.Start, `Principal is empty; write "*" or an object such as {"AWS": "111122223333"}`)
	default:
		for _, m := range n.Members {
			r.principalMember(p, m)
		}
	}
	return p
}

func (r *reader) principalMember(p *statement.Principals, m document.Member) {
	kinds := []string{"AWS", "Service", "Federated", "CanonicalUser"}
	list := m.Value.Elements()
	if len(list) == 0 {
		r.faultf(m.Value.Start, "%s is an empty list; name at least one principal", m.Name)
	}
	r.texts(list, m.Name, func(at Position, text string) {
		problem := ""
		switch {
		case m.Name == "AWS":
			problem = p.AddAWS(text)
		case m.Name == "Service":
			problem = p.AddService(text)
		case m.Name == "Federated" && r.o.Kind == Trust:
			problem = p.AddProvider(text)
		case m.Name == "Federated", m.Name == "CanonicalUser":
			r.warn(at, "no caller of an API is ever a %s principal; this entry matches nobody", m.Name)
			if strings.ContainsAny(text, "*?") || text == "" {
				problem = "has a wildcard or is empty; name one principal"
			}
		}
		if problem != "" {
			r.faultf(at, "principal %s %s", document.Quote(text), problem)
		}
	})
	r.elements(&document.Node{Members: []document.Member{m}}, kinds...)
}

// WellKnownProvider reports whether a trust policy may name an identity provider without an ARN, as accounts.google.com.
func WellKnownProvider(name string) bool { return statement.WellKnownProvider(name) }
