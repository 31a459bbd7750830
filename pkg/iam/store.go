package iam

import "github.com/portcullis-authz/portcullis/pkg/sigv4"

// Builder gathers accounts and then access keys. Its use ends with Store.
type Builder struct {
	accounts   map[string]*account
	partitions map[string]string
	principals map[string]*principal
	keys       map[string]*identity
}

// NewBuilder returns a Builder that has nothing yet.
func NewBuilder() *Builder {
	return &Builder{
		accounts: map[string]*account{}, partitions: map[string]string{},
		principals: map[string]*principal{}, keys: map[string]*identity{},
	}
}

// Store returns what was gathered.
func (b *Builder) Store() *Store { return &Store{keys: b.keys} }

// Store holds the access keys and who they stand for. It is immutable and safe for concurrent use; its zero value and nil
// hold none.
type Store struct{ keys map[string]*identity }

// Key finds an access key by its id.
func (s *Store) Key(id string) (sigv4.Key, bool) {
	found := s.identity(id)
	if found == nil {
		return sigv4.Key{}, false
	}
	return *found.key, true
}

// identity is whom an active key stands for; nil if there is no such key.
func (s *Store) identity(id string) *identity {
	if s == nil {
		return nil
	}
	if found := s.keys[id]; found != nil && !found.inactive {
		return found
	}
	return nil
}
