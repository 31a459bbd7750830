package iam

import (
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// Sessions caches opened sessions, beyond one configuration. An entry belongs to one Store. Nil disables caching.
type Sessions = cache.Cache[*identity]

// NewSessions returns a cache for opened sessions.
func NewSessions(c cache.Config) (*Sessions, error) { return cache.New[*identity](c) }

const (
	// keptOpen is how long an opened session is kept. It holds policies of its configuration, which should not outlive it for long.
	keptOpen = 15 * time.Minute
	// openBytes and policyFactor estimate what an opened session takes in memory, from the length of its policies and tags.
	openBytes    = 2048
	policyFactor = 16
	// maxAhead is how far the clock of the replica that issued a session may be ahead.
	maxAhead = 5 * time.Minute
)

// key returns the key of an id and a session token. Configured keys come first, so nothing that a token says changes them.
func (a *Authenticator) key(id, token string) (sigv4.Key, bool) {
	found := a.store.keys[id]
	switch {
	case found != nil && found.inactive:
		return sigv4.Key{Unknown: "the access key " + found.keyID + " is inactive"}, false
	case found == nil && token != "":
		found = a.session(id, token)
	}
	switch {
	case found != nil:
		return *found.key, true
	case token != "":
		return sigv4.Key{Unknown: notSealed}, false
	default:
		return sigv4.Key{}, false
	}
}

// notSealed is for the operator. It is the same for every session token, because the client may have made it up.
const notSealed = "no access key of the configuration has the id that the request is signed with, and its session token is not one that a key of " +
	"iam.sessions opens, for a role or user that still exists"

// session returns the owner of a sealed session, or nil. A session that was issued in the future is none: it would escape policies that
// revoke older sessions.
func (a *Authenticator) session(id, token string) *identity {
	i, ok := a.sessions.Get(cache.Key{Scope: a.store.scope, Parts: []string{id, token}})
	if !ok {
		if i = a.store.open(strings.Clone(id), strings.Clone(token)); i == nil {
			return nil
		}
		a.sessions.Set(cache.Key{Scope: a.store.scope, Parts: []string{id, token}}, i, i.bytes(), time.Now().Add(keptOpen))
	}
	if i.issued.After(a.now().Add(maxAhead)) {
		return nil
	}
	return i
}

// bytes estimates what the identity of a session takes in memory, beyond what it shares with others.
func (i *identity) bytes() int64 {
	n := openBytes + len(i.key.Token) + policyFactor*len(i.session.Policy)
	for name, value := range i.tags {
		n += len(name) + len(value)
	}
	return int64(n)
}

// open opens a session token and returns the owner of its credentials. It returns nil for everything that was not sealed for the id, and
// for a session whose role or user is gone.
func (s *Store) open(id, token string) *identity {
	opened, secret, ok := s.ring.Open(id, token)
	if !ok {
		return nil
	}
	i := s.resume(id, opened)
	if i == nil {
		return nil
	}
	i.key, i.keyID = newKey(secret, token, opened.End(), i), id
	return i
}

// SessionCaller returns the caller of a session that has no credentials, because the caller does not sign. It returns nil if the session's
// role is gone.
func (s *Store) SessionCaller(o *session.Session, at time.Time) *Caller {
	i := s.resume("unsigned", o)
	if i == nil {
		return nil
	}
	return &Caller{identity: i, at: at}
}

// resume returns a new identity of a session, without a key.
func (s *Store) resume(keyID string, o *session.Session) *identity {
	i := s.owner(keyID, o)
	if i == nil {
		return nil
	}
	i.temporary, i.session = true, o
	i.issued, i.sourceIdentity, i.federatedProvider = o.Issued, o.SourceIdentity, o.FederatedProvider
	return i
}

// owner returns a new identity of a session's role or user, as it is now. The unique id differs if another one has taken its name since.
func (s *Store) owner(keyID string, o *session.Session) *identity {
	arn, id, kind := o.Role, o.RoleID, policy.RoleSession
	if o.User != "" {
		arn, id, kind = o.User, o.UserID, policy.User
	}
	if owner := s.rootAccount(o); owner != nil {
		return owner.root(o.User)
	}
	p := s.principals[arn]
	if p == nil || p.kind != kind || p.id != id {
		return nil
	}
	if kind == policy.User {
		return p.user()
	}
	tags := make(map[string]string, len(o.Tags))
	for _, t := range o.Tags {
		tags[strings.ToLower(t.Key)] = t.Value
	}
	policies, ok := p.account.narrow(keyID, o)
	if !ok || len(tags) != len(o.Tags) || !nameShape.MatchString(o.Name) {
		return nil
	}
	i := p.roleSession(s.partitions[p.account.id], o.Name, tags)
	i.policies.Session = policies
	return i
}

// rootAccount returns the account whose root user has a session; nil if it is the session of somebody else. The unique id of a root user
// is its account's.
func (s *Store) rootAccount(o *session.Session) *account {
	if o.User != "arn:"+s.partitions[o.UserID]+":iam::"+o.UserID+":root" {
		return nil
	}
	return s.accounts[o.UserID]
}

// narrow compiles the policies that narrow a session. It fails if one of them cannot be read, or is not in the account any more.
func (a *account) narrow(keyID string, o *session.Session) (policies []*policy.Policy, ok bool) {
	if o.Policy != "" {
		p, _ := policy.Parse([]byte(o.Policy), policy.Options{Name: "session-policy/" + keyID, Kind: policy.Session, Format: policy.FormatJSON})
		policies = append(policies, p)
	}
	for _, arn := range o.PolicyARNs {
		policies = append(policies, a.sessionPolicy(arn))
	}
	return policies, !slices.Contains(policies, nil)
}
