package iam

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// Builder collects accounts and then access keys. Store ends its use.
type Builder struct {
	accounts   map[string]*account
	partitions map[string]string
	principals map[string]*principal
	keys       map[string]*identity
	// managed holds AWS managed policies, which accounts share.
	managed map[string]*storedPolicy
	ring    *session.Ring
	// audiences are those of issuers, by the name of the provider; nil means that trust policies are not checked for more than faults.
	audiences map[string][]string
	// writtenIDs are the unique ids of users and roles that the configuration writes.
	writtenIDs map[string]bool
	// names are those of all users and roles, from when the first written one is added.
	names map[string]bool
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder {
	return &Builder{
		accounts: map[string]*account{}, partitions: map[string]string{},
		principals: map[string]*principal{}, keys: map[string]*identity{}, managed: map[string]*storedPolicy{},
		writtenIDs: map[string]bool{},
	}
}

// Sessions accepts session tokens that a ring has sealed. Call it before AddAccount: managed policies are kept only for sessions.
func (b *Builder) Sessions(r *session.Ring) { b.ring = r }

// Store returns the collected accounts and keys.
func (b *Builder) Store() *Store {
	s := &Store{keys: b.keys, accounts: b.accounts, principals: b.principals, partitions: b.partitions, ring: b.ring}
	rand.Read(s.scope[:]) // never fails, says its documentation
	return s
}

// Store holds access keys and their owners, and all users and roles. It is immutable and safe for concurrent use. Its zero value and nil are
// empty.
type Store struct {
	keys       map[string]*identity
	accounts   map[string]*account
	principals map[string]*principal
	partitions map[string]string
	// ring opens session tokens.
	ring *session.Ring
	// scope tells what is cached for this Store from what is cached for others.
	scope [32]byte
}

// Caller returns a caller by its ARN, as if it had signed at a time. Of several access keys it is the one with the least id. Without an
// active key, it is the user, or a session of the role as STS issues it without session policies and tags. It returns nil if no account
// has the user or role.
func (s *Store) Caller(arn string, at time.Time) *Caller {
	var found *identity
	for _, i := range s.keys {
		if !i.inactive && i.principal.ARN == arn && (found == nil || i.keyID < found.keyID) {
			found = i
		}
	}
	if found == nil {
		found = s.withoutKey(arn, at)
	}
	if found == nil {
		return nil
	}
	return &Caller{identity: found, at: at}
}

// withoutKey returns a new identity of a user or of a role session by its ARN, or nil.
func (s *Store) withoutKey(text string, at time.Time) *identity {
	if p := s.principals[text]; p != nil && p.kind == policy.User {
		return p.user()
	}
	a, err := arn.Parse(text)
	role, isSession := strings.CutPrefix(a.Resource, "assumed-role/")
	role, name, named := strings.Cut(role, "/")
	if err != nil || !isSession || !named || a.Service != "sts" || a.Region != "" || a.Partition != s.partitions[a.Account] || !nameShape.MatchString(name) {
		return nil
	}
	for _, p := range s.principals {
		if p.kind == policy.RoleSession && p.account.id == a.Account && p.name == role {
			i := p.roleSession(a.Partition, name, nil)
			i.temporary, i.issued = true, at
			return i
		}
	}
	return nil
}
