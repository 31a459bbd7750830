package iam

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// Builder collects accounts and then access keys. Store ends its use.
type Builder struct {
	accounts   map[string]*account
	partitions map[string]string
	principals map[string]*principal
	keys       map[string]*identity
	// managed holds AWS managed policies, which accounts share.
	managed map[string]*managedSessionPolicy
	// audiences are those of issuers, by the name of the provider; nil means that trust policies are not checked for more than faults.
	audiences map[string][]string
	// writtenIDs are the unique ids of users and roles that the configuration writes.
	writtenIDs map[string]bool
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder {
	return &Builder{
		accounts: map[string]*account{}, partitions: map[string]string{},
		principals: map[string]*principal{}, keys: map[string]*identity{}, managed: map[string]*managedSessionPolicy{},
		writtenIDs: map[string]bool{},
	}
}

// Store returns the collected accounts and keys.
func (b *Builder) Store() *Store {
	return &Store{keys: b.keys, principals: b.principals, partitions: b.partitions}
}

// Store holds access keys and their owners, and all users and roles. It is immutable and safe for concurrent use. Its zero value and nil are
// empty.
type Store struct {
	keys       map[string]*identity
	principals map[string]*principal
	partitions map[string]string
}

// Key returns an access key by its id.
func (s *Store) Key(id string) (sigv4.Key, bool) {
	found := s.identity(id)
	if found == nil {
		return sigv4.Key{}, false
	}
	return *found.key, true
}

// identity returns the owner of an active key, or nil.
func (s *Store) identity(id string) *identity {
	if s == nil {
		return nil
	}
	if found := s.keys[id]; found != nil && !found.inactive {
		return found
	}
	return nil
}

// Caller returns a caller by its ARN, as if it had signed at a time. Of several access keys it is the one with the least id. It returns nil
// if no active key has such an owner.
func (s *Store) Caller(arn string, at time.Time) *Caller {
	var found *identity
	for _, i := range s.keys {
		if !i.inactive && i.principal.ARN == arn && (found == nil || i.keyID < found.keyID) {
			found = i
		}
	}
	if found == nil {
		return nil
	}
	return &Caller{identity: found, at: at}
}
