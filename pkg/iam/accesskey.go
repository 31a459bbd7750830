package iam

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// AccessKey is the access key of a user (with its ARN, or an account's root user), a federated user of a user, or a
// session of a role.
type AccessKey struct {
	ID, Secret string
	// User is the ARN of a user, or of an account's root user.
	User string
	// FederatedUser is the name of a federated user of User ("GetFederationToken").
	FederatedUser string
	// Role is the ARN of a role, with its path; SessionName is the name of its session.
	Role, SessionName string
	// SessionToken is the session token of a temporary key.
	SessionToken string
	// Expires is when the key stops working; the zero time means never.
	Expires time.Time
	// IssueTime is when a temporary key was issued (aws:TokenIssueTime).
	IssueTime time.Time
	// MFATime is when the caller authenticated with MFA to get a temporary key; the zero time means not at all.
	MFATime         time.Time
	SessionPolicies []*policy.Policy
	SessionTags     map[string]string
	SourceIdentity  string
	// Inactive disables the key. It is checked like any other.
	Inactive bool
}

// Format prints only the id, for every verb.
func (k AccessKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "iam.AccessKey(%s)", k.ID) }

var (
	keyIDShape = regexp.MustCompile(`^[A-Za-z0-9_]{1,128}$`)
	nameShape  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
)

// AddKey adds an access key of an account that was added before. Faults are at the key's fields, below its Place. After
// a fault the key is left out, and the Builder must not be used.
func (b *Builder) AddKey(k *AccessKey, at *fault.Place) []fault.Fault {
	c := keyCheck{AccessKey: k, at: at}
	c.checkID(b)
	c.checkToken()
	c.checkSession()
	i := c.stands(b)
	if len(c.faults) > 0 {
		return c.faults
	}
	i.key, i.keyID, i.temporary = newKey(k.Secret, k.SessionToken, k.Expires, i), k.ID, k.SessionToken != ""
	i.issued, i.mfa, i.sourceIdentity = k.IssueTime, k.MFATime, k.SourceIdentity
	i.policies.Session = slices.Clone(k.SessionPolicies)
	i.inactive = k.Inactive
	b.keys[k.ID] = i
	return nil
}

// newKey returns a key with a version that changes with its secret.
func newKey(secret, token string, expires time.Time, owner *identity) *sigv4.Key {
	sum := sha256.Sum256([]byte(secret))
	return &sigv4.Key{Secret: secret, Version: binary.BigEndian.Uint64(sum[:]), Token: token, Expires: expires, Owner: owner}
}

// keyCheck finds all faults of a key.
type keyCheck struct {
	*AccessKey
	at     *fault.Place
	faults []fault.Fault
}

func (c *keyCheck) fault(field, format string, args ...any) {
	c.faults = append(c.faults, fault.Fault{At: c.at.Field(field), Message: fmt.Sprintf(format, args...)})
}

func (c *keyCheck) checkID(b *Builder) {
	switch {
	case !keyIDShape.MatchString(c.ID):
		c.fault("id", "must be an access key id, such as AKIAIOSFODNN7EXAMPLE: letters, digits and underscores, at most 128")
	case b.keys[c.ID] != nil:
		c.fault("id", "the access key is given twice: keep one")
	}
	if c.Secret == "" {
		c.fault("secret", "the access key has no secret: write a secret that is not empty")
	}
}

// session reports whether the key was issued for a session that may have policies and tags of its own.
func (c *keyCheck) session() bool { return c.Role != "" || c.FederatedUser != "" }

// checkToken compares the key with its id: AKIA is a long-term key, ASIA a temporary one ("IAM identifiers").
func (c *keyCheck) checkToken() {
	switch {
	case c.SessionToken == "" && c.session():
		c.fault("sessionToken", "the key of a role session or a federated user is temporary: write its sessionToken")
	case c.SessionToken == "" && strings.HasPrefix(c.ID, "ASIA"):
		c.fault("sessionToken", "an id that begins with ASIA belongs to a temporary key: write its sessionToken")
	case c.SessionToken != "" && strings.HasPrefix(c.ID, "AKIA"):
		c.fault("sessionToken", "an id that begins with AKIA belongs to a long-term key: remove sessionToken")
	}
	if c.SessionToken == "" && !c.session() {
		if !c.IssueTime.IsZero() {
			c.fault("issueTime", "only a temporary key has issueTime: remove it, or write sessionToken")
		}
		if !c.MFATime.IsZero() {
			c.fault("mfaTime", "only a temporary key has mfaTime: remove it, or write sessionToken")
		}
	}
}

func (c *keyCheck) checkSession() {
	if c.Role == "" && c.SourceIdentity != "" {
		c.fault("sourceIdentity", "only a role session has sourceIdentity: remove it")
	}
	if c.FederatedUser != "" && !c.MFATime.IsZero() {
		c.fault("mfaTime", "a federated user's key has no mfaTime: remove it")
	}
	if !c.session() && len(c.SessionPolicies) > 0 {
		c.fault("sessionPolicies", "only a role session or a federated user has session policies: remove them")
	}
	if !c.session() && len(c.SessionTags) > 0 {
		c.fault("sessionTags", "only a role session or a federated user has session tags: remove them")
	}
	if slices.Contains(c.SessionPolicies, nil) {
		c.fault("sessionPolicies", "a session policy cannot be read")
	}
	names := map[string]bool{}
	for key := range c.SessionTags {
		if key == "" || names[strings.ToLower(key)] {
			c.fault("sessionTags", "a tag key is empty, or differs from another only in case; write each key once")
		}
		names[strings.ToLower(key)] = true
	}
}

// stands returns the principal of the key.
func (c *keyCheck) stands(b *Builder) *identity {
	switch {
	case (c.User == "") == (c.Role == ""):
		c.fault("user", "the key must have either a user or a role")
		return nil
	case c.Role != "":
		return c.roleSession(b)
	case c.SessionName != "":
		c.fault("sessionName", "only a role session has a sessionName: remove it")
		return nil
	}
	if a, err := arn.Parse(c.User); err == nil && a.Service == "iam" && a.Region == "" && a.Resource == "root" {
		return c.root(b, a)
	}
	return c.user(b)
}

// shown returns an IAM ARN as messages quote it. Other text is not shown, because it may be a secret in the wrong
// place.
func shown(text string) string {
	if a, err := arn.Parse(text); err != nil || a.Service != "iam" {
		return ""
	}
	return fmt.Sprintf(" %q", text)
}

const addAccount = "add its account to iam.accounts, as aws iam get-account-authorization-details prints it now"

func (c *keyCheck) roleSession(b *Builder) *identity {
	if c.FederatedUser != "" {
		c.fault("federatedUser", "federatedUser requires a user, not a role: remove it, or write user")
	}
	if !nameShape.MatchString(c.SessionName) {
		c.fault("sessionName", "must be the name of the role session: 1 to 64 letters, digits and the characters _+=,.@-")
	}
	p := b.principals[c.Role]
	if p == nil || p.kind != policy.RoleSession {
		c.fault("role", "no account has the role%s: write its ARN with its path, add it to iam.roles, or %s", shown(c.Role), addAccount)
		return nil
	}
	return p.roleSession(b.partitions[p.account.id], c.SessionName, c.SessionTags)
}

// roleSession returns the identity of a session of a role.
func (p *principal) roleSession(partition, name string, tags map[string]string) *identity {
	i, account := p.newIdentity(), p.account.id
	i.principal = policy.Principal{
		Kind: policy.RoleSession, Account: account, ParentARN: p.arn, ParentID: p.id, Bounded: p.boundary != nil,
		ARN: "arn:" + partition + ":sts::" + account + ":assumed-role/" + p.name + "/" + name,
	}
	i.principalType, i.userID, i.principalARN = "AssumedRole", p.id+":"+name, p.arn
	i.tags = overlay(p.tags, tags)
	return i
}

func (c *keyCheck) user(b *Builder) *identity {
	p := b.principals[c.User]
	if p == nil || p.kind != policy.User {
		c.fault("user", "no account has the user%s: write its ARN with its path, add it to iam.users, or %s", shown(c.User), addAccount)
		return nil
	}
	if c.FederatedUser != "" {
		i := p.newIdentity()
		c.federate(b, p, i)
		return i
	}
	return p.user()
}

// user returns the identity of a user.
func (p *principal) user() *identity {
	i := p.newIdentity()
	i.principal = policy.Principal{Kind: policy.User, ARN: p.arn, Account: p.account.id, ID: p.id, Bounded: p.boundary != nil}
	i.principalType, i.userID, i.username, i.principalARN = "User", p.id, p.name, p.arn
	i.tags = p.tags
	return i
}

func (c *keyCheck) federate(b *Builder, p *principal, i *identity) {
	if !nameShape.MatchString(c.FederatedUser) {
		c.fault("federatedUser", "must be the name of the federated user: 1 to 64 letters, digits and the characters _+=,.@-")
	}
	account := p.account.id
	i.principalARN = "arn:" + b.partitions[account] + ":sts::" + account + ":federated-user/" + c.FederatedUser
	i.principal = policy.Principal{
		Kind: policy.FederatedUser, ARN: i.principalARN, Account: account, ParentARN: p.arn, ParentID: p.id, Bounded: p.boundary != nil,
	}
	i.principalType, i.userID = "FederatedUser", account+":"+c.FederatedUser
	i.tags = overlay(p.tags, c.SessionTags)
}

func (c *keyCheck) root(b *Builder, a arn.ARN) *identity {
	owner := b.accounts[a.Account]
	if owner == nil || b.partitions[a.Account] != a.Partition {
		c.fault("user", "no account %s is known: add a user or a role of it to iam.users or iam.roles, or %s", a.Account, addAccount)
		return nil
	}
	if c.FederatedUser != "" {
		c.fault("federatedUser", "a root user has no federated users: remove it")
	}
	return owner.root(c.User)
}

// root returns a new identity of the account's root user.
func (a *account) root(arn string) *identity {
	i := (&principal{account: a}).newIdentity()
	i.principal = policy.Principal{Kind: policy.Root, ARN: arn, Account: a.id}
	i.principalType, i.userID, i.principalARN = "Account", a.id, arn
	return i
}

// overlay returns a principal's tags with session tags in front. Tag keys are compared in lower case.
func overlay(tags, session map[string]string) map[string]string {
	if len(session) == 0 {
		return tags
	}
	all := make(map[string]string, len(tags)+len(session))
	maps.Copy(all, tags)
	for key, value := range session {
		all[strings.ToLower(key)] = value
	}
	return all
}
