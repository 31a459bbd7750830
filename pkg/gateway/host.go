package gateway

import (
	"net/netip"
	"strings"
)

// host is what is known of one host name.
type host struct {
	// owner is the API whose default endpoint the host is (<id>.execute-api.<region>.amazonaws.com), nil for a custom
	// domain. Off the endpoint the host still belongs to its API, but serves nothing.
	owner *api
	// depth is the number of segments of the longest base path on the host: no longer prefix of a path is looked up.
	depth int
	// upper says that a base path holds a letter from A to Z.
	upper bool
}

// domain is a custom domain name with a base path: "" or "/v1/pets".
type domain struct{ host, basePath string }

// location is whom a host and a path belong to.
type location struct {
	// known says that some API has the host.
	known bool
	// owner is the API whose default endpoint the host is.
	owner *api
	// stage is nil where the host has no such base path, or its API no such stage.
	stage *stage
	// base is the base path, or the stage's name with its slash, and path the canonical path without it.
	base, path string
	// shared is the host if base paths or stage names share it out, or else nil.
	shared *host
}

// locate finds whom a canonical host name and path belong to. The longest base path wins.
func (g *Gateway) locate(name, path string) location {
	h := g.host(name)
	if h == nil {
		return location{}
	}
	l := location{known: true, owner: h.owner}
	if h.depth > 0 || h.owner != nil && h.owner.endpoint {
		l.shared = h
	}
	end := 0
	for depth := 0; ; depth++ {
		if s := g.mappings[domain{name, path[:end]}]; s != nil {
			l.lead(s, path, end)
		}
		if depth == h.depth || end == len(path) {
			break
		}
		end = segmentEnd(path, end)
	}
	if l.stage == nil && h.owner != nil && h.owner.endpoint {
		s, end := h.owner.endpointStage(path)
		l.lead(s, path, end)
	}
	return l
}

// locateFolded finds where a path on a shared host would lead if case did not count in base paths and stage names. It finds nothing
// where that cannot be another place than locate's.
func (g *Gateway) locateFolded(name string, h *host, path string) (l location) {
	path = foldWide(path)
	if h.depth > 0 && (h.upper || hasUpper(path)) {
		var buffer [128]byte
		base, end := buffer[:0], 0
		for depth := 0; ; depth++ {
			if s := g.mappings[domain{name, string(base)}]; s != nil {
				l.lead(s, path, end)
			} else if s := g.folded[domain{name, string(base)}]; s != nil {
				l.lead(s, path, end)
			}
			if depth == h.depth || end == len(path) {
				break
			}
			start := end
			end = segmentEnd(path, start)
			base = appendLower(base, path[start:end])
		}
	}
	if l.stage == nil && h.owner != nil && h.owner.endpoint {
		end := segmentEnd(path, 0)
		l.lead(h.owner.stageInAnyCase(path[1:end]), path, end)
	}
	return l
}

// lead says that the beginning of a path, up to an end, leads to a stage.
func (l *location) lead(s *stage, path string, end int) {
	l.stage, l.base, l.path = s, path[:end], collapseLeading(path[end:])
}

// host returns what is known of a host name, nil if nothing is. Each VPC endpoint has a name for a private API's default
// endpoint; they are not in the table, for any endpoint may have one.
func (g *Gateway) host(name string) *host {
	if h := g.hosts[name]; h != nil {
		return h
	}
	if _, owner := g.endpointHost(name); owner != nil {
		return &host{owner: owner}
	}
	return nil
}

// endpointHost reads a name of the form <id>-<VPC endpoint id>.execute-api.<region>.amazonaws.com: the endpoint and the
// private API. Route 53 leads it to the endpoint ("How to invoke a private API").
func (g *Gateway) endpointHost(name string) (endpoint string, owner *api) {
	id, rest, _ := strings.Cut(name, "-")
	endpoint, domain, _ := strings.Cut(rest, ".")
	if !strings.HasPrefix(endpoint, "vpce-") {
		return "", nil
	}
	h := g.hosts[id+"."+domain]
	if h == nil || h.owner == nil || !h.owner.private {
		return "", nil
	}
	return endpoint, h.owner
}

// onlyBelow reports whether the stage has hosts, and is below a base path or its name on each of them.
func (s *stage) onlyBelow() bool {
	return !s.whole && (s.below || s.api.endpoint && s.name != DefaultStage)
}

// segmentEnd returns where the segment ends that follows the slash at start.
func segmentEnd(path string, start int) int {
	if i := strings.IndexByte(path[start+1:], '/'); i >= 0 {
		return start + 1 + i
	}
	return len(path)
}

// canonicalHost makes the canonical form of an authority: in lower case, without port and without one trailing dot; an
// IPv6 address in its shortest form. Anything else becomes the empty text, which no API owns.
func canonicalHost(authority string) string {
	if strings.HasPrefix(authority, "[") {
		return canonicalIPv6(authority)
	}
	name, port, _ := strings.Cut(authority, ":")
	if !isDigits(port) || !isHostName(name) {
		return ""
	}
	return lower(strings.TrimSuffix(name, "."))
}

// isHostName reports whether a name holds only letters, digits, dots, hyphens and underscores. RFC 3986 allows more, and no name that is
// looked up in the DNS uses it. An asterisk in a host would be a pattern in the policy of a function that builds it from the domain name.
func isHostName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isLowerAlphanumeric(c|0x20) && c != '.' && c != '-' && c != '_' {
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

// isDigits reports whether s holds nothing but digits; the empty text does.
func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func appendLower(to []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// lower maps A-Z only: with Unicode's rules the Kelvin sign would become a k.
func lower(s string) string {
	i := 0
	for i < len(s) && (s[i] < 'A' || 'Z' < s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	out := []byte(s)
	for ; i < len(out); i++ {
		if 'A' <= out[i] && out[i] <= 'Z' {
			out[i] += 'a' - 'A'
		}
	}
	return string(out)
}
