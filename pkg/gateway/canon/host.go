package canon

import (
	"net/netip"
	"strings"
)

// Host returns the canonical form of a host and port: the host in lower case, without port and without one trailing dot, an IPv6 address in
// its shortest form. It returns "" if authority is not a valid host and port. No API has the host "".
func Host(authority string) string {
	if strings.HasPrefix(authority, "[") {
		return canonicalIPv6(authority)
	}
	name, port, _ := strings.Cut(authority, ":")
	if !isDigits(port) || !isHostName(name) {
		return ""
	}
	return Lower(strings.TrimSuffix(name, "."))
}

// isHostName reports whether a name consists of letters, digits, dots, hyphens and underscores. RFC 3986 allows more, which names in the
// DNS do not use. An asterisk in a host would be a pattern in the policy of a function that builds it from the domain name.
func isHostName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !IsLowerAlphanumeric(c) && (c < 'A' || 'Z' < c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func canonicalIPv6(authority string) string {
	text, port, closed := strings.Cut(authority[1:], "]")
	addr, err := netip.ParseAddr(text)
	if !closed || err != nil || !isDigits(strings.TrimPrefix(port, ":")) {
		return ""
	}
	return "[" + addr.String() + "]"
}

// isDigits reports whether s consists of digits. It may be empty.
func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
