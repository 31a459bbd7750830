package gateway

import (
	"slices"
	"strings"
)

// hostHeaders are headers by which some servers take another host than the request's, as hyphenated writes them. Beside them stands host=
// in Forwarded.
var hostHeaders = []string{"forwarded", "x-forwarded-host", "x-forwarded-server", "x-host", "x-http-host-override", "x-original-host"}

// namesAnotherHost reports whether a header names a host that leads to other stages than the request's. Where stages share an upstream, it
// tells them apart by the host, and many frameworks take that from X-Forwarded-Host, whoever has sent it. Envoy hands the header on. A proxy
// in front of Envoy may name any host that is not another stage's.
func (in *invocation) namesAnotherHost() bool {
	for name, line := range in.request.Headers() {
		if name = hyphenated(name); !slices.Contains(hostHeaders, name) {
			continue
		}
		for value := range strings.FieldsFuncSeq(line, isListMark) {
			if name == "forwarded" {
				key, host, _ := strings.Cut(value, "=")
				if value = host; !strings.EqualFold(strings.Trim(key, " \t"), "host") {
					continue
				}
			}
			if in.gateway.isAnothers(canonicalHost(strings.Trim(value, " \t\"")), in.stage) {
				return true
			}
		}
	}
	return false
}

// isListMark tells what separates the entries of a list, and the parameters of an entry.
func isListMark(r rune) bool { return r == ',' || r == ';' }

// isAnothers reports whether a host is known and does not lead to the stage.
func (g *Gateway) isAnothers(name string, s *stage) bool {
	h := g.host(name)
	return h != nil && h.owner != s.api && !s.hosts[name]
}
