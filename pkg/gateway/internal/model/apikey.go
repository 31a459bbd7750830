package model

import (
	"crypto/sha256"
	"errors"
	"slices"
)

// APIKeyValue is the SHA-256 of an API key's value, which nothing keeps. Its zero value is that of no key.
type APIKeyValue [sha256.Size]byte

// The shortest and the longest value of an API key ("API Gateway API key file format").
const (
	minAPIKey = 20
	maxAPIKey = 128
)

// HashAPIKey hashes an API key's value. The error does not repeat it.
func HashAPIKey(text string) (APIKeyValue, error) {
	if len(text) < minAPIKey || len(text) > maxAPIKey {
		return APIKeyValue{}, errors.New("an API key must have 20 to 128 characters")
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return APIKeyValue{}, errors.New("an API key must consist of letters, digits and other visible characters of ASCII")
		}
	}
	return sha256.Sum256([]byte(text)), nil
}

// APIKeys are the API keys of an API.
type APIKeys struct {
	// FromAuthorizer says that the Lambda authorizer's function names the key, and not the x-api-key header.
	FromAuthorizer bool

	byValue map[APIKeyValue]*APIKey
}

// APIKey is one API key.
type APIKey struct {
	ID string
	// Label names the key in logs.
	Label   string
	Enabled bool
	// Stages are those whose usage plan the key is in.
	Stages []*Stage
}

// Add adds a key. It returns false if another key has the value.
func (k *APIKeys) Add(value APIKeyValue, key *APIKey) bool {
	if k.byValue[value] != nil {
		return false
	}
	if k.byValue == nil {
		k.byValue = map[APIKeyValue]*APIKey{}
	}
	k.byValue[value] = key
	return true
}

// Find returns the key that has a value, nil if there is none. The hash decides: the time that it takes tells nothing of a key's value.
func (k *APIKeys) Find(shown string) *APIKey {
	value, err := HashAPIKey(shown)
	if err != nil {
		return nil
	}
	return k.byValue[value]
}

// Counts reports whether the key counts on a stage.
func (k *APIKey) Counts(s *Stage) bool { return k.Enabled && slices.Contains(k.Stages, s) }
