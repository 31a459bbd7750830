package authz

import "strings"

const (
	spiffeScheme = "spiffe://"
	maxSPIFFE    = 2048 // the limit of the SPIFFE standard
)

// IsSPIFFE reports whether text is a SPIFFE id, spiffe://trust-domain/path. Envoy may send a DNS name or a subject instead, which is not an
// identity of a mesh.
func IsSPIFFE(text string) bool {
	rest, is := strings.CutPrefix(text, spiffeScheme)
	if !is || len(text) > maxSPIFFE {
		return false
	}
	domain, path, _ := strings.Cut(rest, "/")
	if domain == "" || strings.ContainsFunc(domain, func(c rune) bool { return !inSPIFFE(c) || 'A' <= c && c <= 'Z' }) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(c rune) bool { return !inSPIFFE(c) }) {
			return false
		}
	}
	return true
}

// BySPIFFE returns the entry for a SPIFFE id. An entry with a slash at its end is for all ids below it. BySPIFFE prefers the entry for the
// id itself, then the longest entry with a slash. An empty id has no entry.
func BySPIFFE[T any](entries map[string]T, id string) (entry T, found bool) {
	if len(entries) == 0 || id == "" {
		return entry, false
	}
	if entry, found = entries[id]; found {
		return entry, true
	}
	for end := strings.LastIndexByte(id, '/'); end > 0; end = strings.LastIndexByte(id[:end], '/') {
		if entry, found = entries[id[:end+1]]; found {
			return entry, true
		}
	}
	return entry, false
}

// inSPIFFE reports whether a character can be in a SPIFFE id between the slashes.
func inSPIFFE(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}
