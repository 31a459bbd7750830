package workload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// Request is a request without a signature, and what trust policies may ask about it.
type Request struct {
	*authz.Request
	At        time.Time
	SourceIP  netip.Addr
	UserAgent string
	Region    string
	TLS       bool
}

// Token maps the tokens of an issuer that have some claims to a role.
type Token struct {
	Issuer string
	Claims map[string]string
	Role   string
}

// Config says who counts as what.
type Config struct {
	Store *iam.Store
	// Workloads maps SPIFFE ids to roles. An id that ends in a slash stands for all ids below it.
	Workloads map[string]string
	// Tokens are the mappings of tokens. At most one fits a token.
	Tokens []Token
	// Verifier verifies tokens, which it renders as jwt.RenderJSON. It is required if there are Tokens.
	Verifier *jwt.Verifier
	// Audiences are those that tokens must have one of, by issuer.
	Audiences map[string][]string
}

// Finder finds callers who do not sign. It is safe for concurrent use.
type Finder struct {
	store     *iam.Store
	workloads map[string]string
	tokens    map[string][]Token
	verifier  *jwt.Verifier
	audiences map[string]map[string]struct{}
}

// New returns a Finder.
func New(c Config) *Finder {
	f := &Finder{
		store: c.Store, workloads: c.Workloads, verifier: c.Verifier,
		tokens: map[string][]Token{}, audiences: map[string]map[string]struct{}{},
	}
	for _, t := range c.Tokens {
		f.tokens[t.Issuer] = append(f.tokens[t.Issuer], t)
	}
	for issuer, list := range c.Audiences {
		f.audiences[issuer] = map[string]struct{}{}
		for _, audience := range list {
			f.audiences[issuer][audience] = struct{}{}
		}
	}
	return f
}

// Find returns the caller of a request, and what the log says of its token. The caller is nil if the request shows no identity. An error
// denies.
func (f *Finder) Find(ctx context.Context, r *Request) (*iam.Caller, authz.Caller, error) {
	value, lines := r.Header("authorization")
	role, _ := authz.BySPIFFE(f.workloads, r.SourcePrincipal)
	switch {
	case role != "" && lines > 0:
		return nil, authz.Caller{}, ambiguous("the client's certificate identifies it, and the request has the header Authorization too")
	case role != "":
		c, err := f.assume(r, &iam.AssumeRequest{Role: role, Workload: r.SourcePrincipal, SessionName: SessionName("", r.SourcePrincipal)})
		return c, authz.Caller{}, err
	case lines == 0 || len(f.tokens) == 0:
		return nil, authz.Caller{}, nil
	case lines > 1:
		return nil, authz.Caller{}, ambiguous("the header Authorization has several lines")
	}
	scheme, token, _ := strings.Cut(value, " ")
	switch {
	case !strings.EqualFold(scheme, "bearer"):
		return nil, authz.Caller{}, nil
	case strings.ContainsAny(token, " \t,"):
		return nil, authz.Caller{}, ambiguous("the header Authorization has more than one token")
	}
	return f.byToken(ctx, r, token)
}

// byToken verifies a token and assumes the role that it is mapped to.
func (f *Finder) byToken(ctx context.Context, r *Request, text string) (*iam.Caller, authz.Caller, error) {
	token, web, failed := f.verify(ctx, text)
	if failed != nil {
		return nil, authz.Caller{}, failed.Refusal()
	}
	shown := token.Caller()
	role, refused := f.roleFor(token)
	if refused == nil {
		c, err := f.assume(r, &iam.AssumeRequest{Role: role, Web: web, SessionName: SessionName(token.Issuer(), token.Subject())})
		if err == nil {
			return c, shown, nil
		}
		refused = err
	}
	if denied, ok := errors.AsType[*authz.Refusal](refused); ok {
		denied.Caller = shown
	}
	return nil, authz.Caller{}, refused
}

// verify verifies a token as STS does: its signature and times by its issuer, then its audience and the types of its claims.
func (f *Finder) verify(ctx context.Context, text string) (*jwt.Token, *iam.WebIdentity, *jwt.Failure) {
	token, failed := f.verifier.Verify(ctx, text)
	if failed != nil {
		return nil, nil, failed
	}
	detail := ""
	web, err := sts.WebIdentity(token)
	switch {
	case !token.For(f.audiences[token.Issuer()]):
		detail = "the token's aud has none of its issuer's audiences"
	case token.Subject() == "":
		detail = "the token has no sub"
	case err != nil:
		detail = "the token has a claim of another type than it must have"
	default:
		return token, web, nil
	}
	return nil, nil, jwt.NewFailure(authz.CodeUnauthorized, detail).Of(token)
}

// roleFor returns the role that a token is mapped to.
func (f *Finder) roleFor(token *jwt.Token) (role string, refused error) {
	for _, t := range f.tokens[token.Issuer()] {
		switch {
		case !t.fits(token):
		case role != "":
			return "", ambiguous("the token fits two entries of iam.principals")
		default:
			role = t.Role
		}
	}
	if role == "" {
		return "", forbidden(authz.CodeUnmappedCaller, "no entry of iam.principals has the token's issuer and claims")
	}
	return role, nil
}

// fits reports whether a token has every claim of the mapping, as a text.
func (t *Token) fits(token *jwt.Token) bool {
	for name, want := range t.Claims {
		if value, ok := token.StringClaim(name); !ok || value != want {
			return false
		}
	}
	return len(t.Claims) > 0
}

// assume asks the role's trust policy, for this very request.
func (f *Finder) assume(r *Request, ask *iam.AssumeRequest) (*iam.Caller, error) {
	ask.At, ask.SourceIP, ask.UserAgent, ask.Regions, ask.TLS = r.At, r.SourceIP, r.UserAgent, []string{r.Region}, r.TLS
	session, err := f.store.AssumeRole(ask)
	if err != nil {
		return nil, untrusted(ask.Role + " does not admit " + cmp.Or(ask.Workload, "the token") + ": " + err.Error())
	}
	c := f.store.SessionCaller(session, r.At)
	if c == nil {
		return nil, untrusted("no account has the role " + ask.Role)
	}
	return c, nil
}

func untrusted(detail string) error { return forbidden(authz.CodeUntrustedCaller, detail) }

func ambiguous(detail string) error { return forbidden(authz.CodeAmbiguousCaller, detail) }

// forbidden returns the denial of a caller whose identity does not lead to one session. The client is not told more.
func forbidden(code authz.Code, detail string) *authz.Refusal {
	return &authz.Refusal{
		ResponseType: authz.ResponseAccessDenied, ErrorType: "AccessDeniedException", Message: "Forbidden",
		Reason: authz.Reason{Code: code, Detail: detail},
	}
}

// The parts of a session name: at most readable characters of the subject, and digits of a hash.
const (
	maxReadable = 43
	hashDigits  = 20
)

// SessionName returns the session name of a caller: the subject with a hyphen for each character that a name cannot have, and a hash. With
// the hash, different subjects and issuers have different names.
func SessionName(issuer, subject string) string {
	hash := sha256.Sum256([]byte(issuer + "\n" + subject))
	readable := []byte(strings.TrimPrefix(subject, "spiffe://"))
	for i, c := range readable {
		if !inSessionName(c) {
			readable[i] = '-'
		}
	}
	readable = readable[max(0, len(readable)-maxReadable):]
	return string(readable) + "." + hex.EncodeToString(hash[:])[:hashDigits]
}

func inSessionName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_+=,.@-", c) >= 0
}
