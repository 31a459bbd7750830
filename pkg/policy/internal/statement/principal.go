package statement

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// Principals is a compiled Principal or NotPrincipal element.
type Principals struct {
	Everyone bool
	// Names holds ARNs, unique ids and, for a whole account, its number.
	Names map[string]struct{}
	// Services holds AWS services' names, Providers identity providers' ARNs and names.
	Services, Providers map[string]struct{}
}

func Has(set map[string]struct{}, name string) bool {
	_, ok := set[name]
	return ok
}

// grant is the strongest way in which the element names the caller.
func (p *Principals) grant(c *Principal) Grant {
	if p == nil {
		return GrantNone
	}
	if c.Kind == WebIdentity && (Has(p.Providers, c.ARN) || Has(p.Providers, c.ID)) {
		return GrantDirect
	}
	if p.Everyone {
		return GrantEveryone
	}
	switch c.Kind {
	case Service:
		if Has(p.Services, c.ARN) {
			return GrantDirect
		}
		return GrantNone
	case User, RoleSession, FederatedUser, Root:
	default:
		return GrantNone
	}
	switch {
	case Has(p.Names, c.ARN), Has(p.Names, c.ID):
		return GrantDirect
	case Has(p.Names, c.ParentARN), Has(p.Names, c.ParentID):
		return GrantParent
	case Has(p.Names, c.Account):
		return GrantAccount
	}
	return GrantNone
}

// spares reports whether the element, as a NotPrincipal, leaves the caller out.
//
// Choice: it does so only if it lists every principal that the caller is: the user, or session and role, and the account
// too. The guide asks to list them all, and says of partial lists no more than that they may deny the account.
func (p *Principals) spares(c *Principal) bool {
	g := p.grant(c)
	if g == GrantNone || g == GrantEveryone || c.Kind == Service || c.Kind == Root || c.Kind == WebIdentity {
		return g != GrantNone
	}
	own := Has(p.Names, c.ARN) || Has(p.Names, c.ID)
	parent := c.Kind == User || Has(p.Names, c.ParentARN) || Has(p.Names, c.ParentID)
	return own && parent && Has(p.Names, c.Account)
}

// Reaches reports whether the statement's principal element lets it apply to the caller, and for an Allow by what grant. A
// policy without principals reaches its owner.
//
// Choice: "*" allows no web identity, since anybody can have one of some provider; the provider has to be named. It allows no service
// either.
//
// Deny with NotPrincipal applies unless the list spares the caller, and always to a caller with a permissions boundary (the
// IAM User Guide's page "AWS JSON policy elements: NotPrincipal").
func (s *Statement) Reaches(c *Principal, bounded bool) (Grant, bool) {
	if s.Principals == nil {
		return GrantNone, true
	}
	if s.NotPrincipal {
		return GrantNone, bounded || !s.Principals.spares(c)
	}
	g := s.Principals.grant(c)
	if (c.Kind == WebIdentity || c.Kind == Service) && g == GrantEveryone && s.Effect != Deny {
		return GrantNone, false
	}
	return g, g != GrantNone
}

func (p *Principals) AddService(text string) string {
	if text == "" || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || !strings.Contains(text, ".") {
		return "is not a service; write its name, such as apigateway.amazonaws.com"
	}
	p.Services[text] = struct{}{}
	return ""
}

// wellKnownProviders are the identity providers that AWS knows without an ARN ("AWS JSON policy elements: Principal").
var wellKnownProviders = []string{"accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"}

// WellKnownProvider reports whether a policy may name the identity provider without an ARN.
func WellKnownProvider(name string) bool { return slices.Contains(wellKnownProviders, name) }

// AddProvider adds one entry of "Federated".
func (p *Principals) AddProvider(text string) string {
	if !WellKnownProvider(text) {
		if problem := providerProblem(text); problem != "" {
			return problem
		}
	}
	p.Providers[text] = struct{}{}
	return ""
}

func providerProblem(text string) string {
	const form = "write arn:aws:iam::111122223333:oidc-provider/ and the issuer without https://"
	a, err := arn.Parse(text)
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case strings.ContainsAny(text, "*?"):
		return "has a wildcard, which a principal never has; name each identity provider"
	case err != nil || a.Service != "iam" || a.Region != "" || !isAccount(a.Account) || name == "":
		return "is not an identity provider; " + form
	case strings.HasPrefix(name, "https:"):
		return "has the issuer with its https://; " + form
	case kind != "oidc-provider" && kind != "saml-provider":
		return "is not an identity provider; " + form
	}
	return ""
}

// AddAWS adds one entry of "AWS". No wildcard stands for a part of a principal.
func (p *Principals) AddAWS(text string) string {
	switch {
	case text == "*":
		p.Everyone = true
		return ""
	case strings.ContainsAny(text, "*?"):
		return `has a wildcard, which a principal never has; name each one, or write "*" and a condition on aws:PrincipalArn`
	case isAccount(text), isUniqueID(text):
		p.Names[text] = struct{}{}
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
	p.Names[text] = struct{}{}
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
