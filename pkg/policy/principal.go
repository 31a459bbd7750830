package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

// principals is a compiled Principal or NotPrincipal element.
type principals struct {
	everyone bool
	// names holds ARNs, unique ids and, for a whole account, its number.
	names map[string]struct{}
	// services holds AWS services' names.
	services map[string]struct{}
}

func has(set map[string]struct{}, name string) bool {
	_, ok := set[name]
	return ok
}

// grant is the strongest way in which the element names the caller.
func (p *principals) grant(c *Principal) Grant {
	if p == nil {
		return GrantNone
	}
	if p.everyone {
		return GrantEveryone
	}
	switch c.Kind {
	case Service:
		if has(p.services, c.ARN) {
			return GrantDirect
		}
		return GrantNone
	case User, RoleSession, FederatedUser, Root:
	default:
		return GrantNone
	}
	switch {
	case has(p.names, c.ARN), has(p.names, c.ID):
		return GrantDirect
	case has(p.names, c.ParentARN), has(p.names, c.ParentID):
		return GrantParent
	case has(p.names, c.Account):
		return GrantAccount
	}
	return GrantNone
}

// spares reports whether the element, as a NotPrincipal, leaves the caller out.
//
// Choice: it does so only if it lists every principal that the caller is: the user, or session and role, and the account
// too. The guide asks to list them all, and says of partial lists no more than that they may deny the account.
func (p *principals) spares(c *Principal) bool {
	g := p.grant(c)
	if g == GrantNone || g == GrantEveryone || c.Kind == Service || c.Kind == Root {
		return g != GrantNone
	}
	own := has(p.names, c.ARN) || has(p.names, c.ID)
	parent := c.Kind == User || has(p.names, c.ParentARN) || has(p.names, c.ParentID)
	return own && parent && has(p.names, c.Account)
}

// reaches reports whether the statement's principal element lets it apply to the caller, and for an Allow by what grant. A
// policy without principals reaches its owner.
//
// Deny with NotPrincipal applies unless the list spares the caller, and always to a caller with a permissions boundary (the
// IAM User Guide's page "AWS JSON policy elements: NotPrincipal").
func (s *statement) reaches(c *Principal, bounded bool) (Grant, bool) {
	if s.principals == nil {
		return GrantNone, true
	}
	if s.notPrincipal {
		return GrantNone, bounded || !s.principals.spares(c)
	}
	g := s.principals.grant(c)
	return g, g != GrantNone
}

func (r *reader) readPrincipals(of, n, not *document.Node, s *statement) {
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
		n, s.notPrincipal = not, true
	}
	s.principals = r.principals(n)
	if s.notPrincipal {
		r.checkAccounts(n.Start, s.principals)
	}
	if r.o.Kind == RCP && !s.principals.everyone {
		r.fault(n.Start, `a resource control policy concerns everyone; write "Principal": "*" and narrow it by conditions`)
	}
}

func (r *reader) checkNotPrincipal(n *document.Node) {
	switch {
	case r.o.Kind == RCP:
		r.fault(n.Start, `a resource control policy has no NotPrincipal; write "Principal": "*" and narrow it by conditions`)
	case r.effect == allow:
		r.fault(n.Start, "NotPrincipal may stand only with Deny: with Allow it would let in everyone else; name the principals to allow in Principal")
	}
}

// checkAccounts warns of a NotPrincipal that names a principal without its account.
func (r *reader) checkAccounts(at Position, p *principals) {
	for _, name := range slices.Sorted(maps.Keys(p.names)) {
		if a, err := arn.Parse(name); err == nil && !p.everyone && !has(p.names, a.Account) {
			r.warn(at, "NotPrincipal lists %s without its account, so that the Deny holds for it too; list %s as well", name, a.Account)
			return
		}
	}
}

func (r *reader) principals(n *document.Node) *principals {
	p := &principals{names: map[string]struct{}{}, services: map[string]struct{}{}}
	switch text, isText := n.AsText(); {
	case isText && text == "*":
		p.everyone = true
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

func (r *reader) principalMember(p *principals, m document.Member) {
	kinds := []string{"AWS", "Service", "Federated", "CanonicalUser"}
	list := m.Value.Elements()
	if len(list) == 0 {
		r.faultf(m.Value.Start, "%s is an empty list; name at least one principal", m.Name)
	}
	r.texts(list, m.Name, func(at Position, text string) {
		problem := ""
		switch m.Name {
		case "AWS":
			problem = p.addAWS(text)
		case "Service":
			problem = p.addService(text)
		case "Federated", "CanonicalUser":
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

func (p *principals) addService(text string) string {
	if text == "" || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || !strings.Contains(text, ".") {
		return "is not a service; write its name, such as apigateway.amazonaws.com"
	}
	p.services[text] = struct{}{}
	return ""
}

// addAWS adds one entry of "AWS". No wildcard stands for a part of a principal.
func (p *principals) addAWS(text string) string {
	switch {
	case text == "*":
		p.everyone = true
		return ""
	case strings.ContainsAny(text, "*?"):
		return `has a wildcard, which a principal never has; name each one, or write "*" and a condition on aws:PrincipalArn`
	case isAccount(text), isUniqueID(text):
		p.names[text] = struct{}{}
		return ""
	}
	a, err := arn.Parse(text)
	if err != nil {
		return "is not a principal; write an account's 12 digits or the ARN of a user, role or session"
	}
	if problem := principalARNProblem(a); problem != "" {
		return problem
	}
	if a.Resource == "root" {
		text = a.Account
	}
	p.names[text] = struct{}{}
	return ""
}

func principalARNProblem(a arn.ARN) string {
	if a.Region != "" || !isAccount(a.Account) {
		return "is not the ARN of a principal; it has no region and an account of 12 digits: arn:aws:iam::111122223333:user/alice"
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch a.Service + " " + kind {
	case "iam root":
		if a.Resource == "root" {
			return ""
		}
	case "iam user", "iam role", "sts federated-user":
		if name != "" && !strings.HasSuffix(name, "/") {
			return ""
		}
	case "sts assumed-role":
		if role, session, ok := strings.Cut(name, "/"); ok && role != "" && session != "" && !strings.Contains(session, "/") {
			return ""
		}
		return "is not the ARN of a session; write arn:aws:sts::111122223333:assumed-role/ROLE/SESSION, or the role's own ARN for all its sessions"
	case "iam group":
		return "is a group, which is not a principal; name its users"
	}
	return "is not the ARN of a user, role, session or account"
}

func isAccount(text string) bool { return len(text) == 12 && strings.Trim(text, "0123456789") == "" }

// isUniqueID reports whether the text is the unique id of a user or role, which AWS stores in the place of a deleted one.
func isUniqueID(text string) bool {
	return len(text) >= 16 && len(text) <= 128 && (strings.HasPrefix(text, "AIDA") || strings.HasPrefix(text, "AROA")) &&
		strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
