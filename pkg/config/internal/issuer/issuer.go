// Package issuer compiles the section issuers of a configuration: where the keys of each issuer are.
//
// Authorizers, STS and the principals without a signature ask Issuers for the source of an issuer's keys. An issuer
// that nothing asks for is reported.
package issuer

import (
	"maps"
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// MaxClockSkew is the longest allowed difference between clocks.
const MaxClockSkew = 5 * time.Minute

// Limits on the times of an issuer.
const (
	maxFetchTime    = 30 * time.Second
	shortestRefresh = 10 * time.Second
	longestRefresh  = 24 * time.Hour
	longestMaxAge   = 7 * 24 * time.Hour
)

// Issuers are the entries of issuers.
type Issuers struct {
	r  *reader.Reader
	at *fault.Place
	// sources says where the keys of issuers are, by issuer. used has the issuers that authorizers refer to.
	sources map[string]jwt.Source
	used    map[string]bool
	// audiences are those of the issuers, by the name of the identity provider.
	audiences map[string][]string
}

// Audiences returns the audiences of the issuers by the names of their identity providers.
func (s *Issuers) Audiences() map[string][]string { return s.audiences }

// Read reads where the keys of issuers are.
func Read(r *reader.Reader, m map[string]*configv1.Issuer, keySets *jwt.KeySets) *Issuers {
	s := &Issuers{
		r: r, at: r.Doc.Root().Field("issuers"),
		sources: make(map[string]jwt.Source, len(m)), used: make(map[string]bool, len(m)), audiences: make(map[string][]string, len(m)),
	}
	for _, issuer := range slices.Sorted(maps.Keys(m)) {
		at := s.at.Key(issuer)
		source := s.issuer(issuer, m[issuer], at)
		set, err := keySets.Use(source)
		if err != nil {
			s.r.Faults(at, err)
			source = jwt.Source{Issuer: issuer} // reported once, not by each authorizer
		} else {
			set.Release()
		}
		s.sources[issuer] = source
		provider := iam.ProviderName(issuer)
		s.audiences[provider] = append(s.audiences[provider], m[issuer].GetAudiences()...)
	}
	return s
}

func (s *Issuers) issuer(issuer string, m *configv1.Issuer, at *fault.Place) jwt.Source {
	keys := jwt.Source{
		Issuer: issuer, JWKSURI: m.GetJwksUri(),
		Interval: s.r.Duration(m.GetRefresh(), at.Field("refresh"), reader.Span{Least: shortestRefresh, Most: longestRefresh}, 0),
		MaxAge:   s.r.Duration(m.GetMaxAge(), at.Field("maxAge"), reader.Span{Least: time.Minute, Most: longestMaxAge}, 0),
		HTTP: jwt.HTTPConfig{
			ProxyURL: m.GetProxy(),
			Timeout:  s.r.Duration(m.GetTimeout(), at.Field("timeout"), reader.Span{Least: time.Millisecond, Most: maxFetchTime}, 0),
		},
	}
	if m.GetFile() != "" {
		s.notFetched(m, at)
		name, data, ok := s.r.NamedFile(m.GetFile(), reader.MaxNamedSize, at.Field("file"))
		keys.File, keys.FileVersion = name, source.Digest(data)
		// A faulty file is a different source, so the last good keys are not used for it.
		if ok {
			if err := jwt.CheckKeySet(data); err != nil {
				s.r.Fault(at.Field("file"), "%s: %v; write into it what the issuer answers at its jwks_uri", fault.Quoted(m.GetFile()), err)
			}
		}
	}
	if m.GetCaFile() != "" {
		_, keys.HTTP.RootCAs, _ = s.r.NamedFile(m.GetCaFile(), reader.MaxNamedSize, at.Field("caFile"))
	}
	return keys
}

// notFetched refuses settings for fetching keys if the keys come from a file.
func (s *Issuers) notFetched(m *configv1.Issuer, at *fault.Place) {
	given := map[string]string{"proxy": m.GetProxy(), "caFile": m.GetCaFile(), "timeout": m.GetTimeout()}
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if given[field] != "" {
			s.r.IfNew(at.Field(field), field+" applies only to keys that are fetched, and file is set: remove one of the two")
		}
	}
}

// Source returns where the keys of an issuer are.
func (s *Issuers) Source(issuer string) jwt.Source {
	s.used[issuer] = true
	if source, ok := s.sources[issuer]; ok {
		return source
	}
	return jwt.Source{Issuer: issuer}
}

// WarnUnused warns about entries that no authorizer uses and whose tokens the STS does not accept. Issuers that differ by a slash are different issuers.
func (s *Issuers) WarnUnused() {
	for _, issuer := range slices.Sorted(maps.Keys(s.sources)) {
		if !s.used[issuer] && len(s.audiences[iam.ProviderName(issuer)]) == 0 {
			s.r.Warn(s.at.Key(issuer).Name(), "no authorizer accepts tokens of the issuer "+fault.Quoted(issuer)+": write it exactly as tokens name it, or remove it")
		}
	}
}

// Gather reads the files that issuers name.
func Gather(r *reader.Reader) {
	for issuer := range r.Doc.Values(r.Doc.Root().Field("issuers")) {
		r.GatherNamed(issuer, "file", "caFile")
	}
}
