package extauthz

import "strings"

const (
	spiffeScheme = "spiffe://"
	maxSPIFFE    = 2048 // by the SPIFFE standard
)

// spiffeID is the principal if it is a SPIFFE id, spiffe://trust-domain/path, else nothing: a DNS name or a subject, which Envoy falls
// back to, is no identity of a mesh.
func spiffeID(principal string) string {
	rest, is := strings.CutPrefix(principal, spiffeScheme)
	if !is || len(principal) > maxSPIFFE {
		return ""
	}
	domain, path, _ := strings.Cut(rest, "/")
	if domain == "" || strings.ContainsFunc(domain, func(c rune) bool { return !inSPIFFE(c) || 'A' <= c && c <= 'Z' }) {
		return ""
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(c rune) bool { return !inSPIFFE(c) }) {
			return ""
		}
	}
	return principal
}

// inSPIFFE says whether a character may be in a SPIFFE id between the slashes.
func inSPIFFE(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}
