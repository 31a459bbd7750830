package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// upstreamHeader tells the upstream its own name. Envoy selects the route again only if the answer changes a header.
const upstreamHeader = "x-portcullis-upstream"

var (
	upstreamShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	prefixShape   = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)
	serverShape   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

// Answer returns the text by which portcullis tells Envoy to send a request to the upstream: its name, and a digest of its settings. An
// Envoy that has other settings for the name does not know the text, and answers 500.
func (u Upstream) Answer(name string) string {
	digest := sha256.Sum256([]byte(u.Address + "\n" + u.TLSCA + "\n" + u.PathPrefix))
	return name + "/" + hex.EncodeToString(digest[:8])
}

// answerOf returns the answer for the upstream of a route; empty without upstreams.
func (c *Config) answerOf(a *API, r *Route) string {
	name := a.UpstreamOf(r)
	if name == "" {
		return ""
	}
	return c.Upstreams[name].Answer(name)
}

// checkUpstreams refuses upstreams that Envoy cannot connect to, or that no route names.
func (f *faults) checkUpstreams(c *Config) {
	named := map[string]bool{}
	for i := range c.APIs {
		for j := range c.APIs[i].Routes {
			named[c.APIs[i].UpstreamOf(&c.APIs[i].Routes[j])] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		u, at := c.Upstreams[name], c.At.Field("upstreams").Key(name)
		f.checkShape(name, upstreamShape, at, "an upstream's name", "write 1 to 63 lower-case letters, digits and hyphens")
		host, port, err := net.SplitHostPort(u.Address)
		_, notIP := netip.ParseAddr(host)
		if number, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || number == 0 || notIP != nil && !serverShape.MatchString(host) {
			f.add(at.Field("address"), "%q is not an address; write host:port, such as orders.internal:8080, without a scheme or a path", u.Address)
		}
		if !prefixShape.MatchString(u.PathPrefix) || canon.HasDotSegment(u.PathPrefix) {
			f.add(at.Field("pathPrefix"), "%q cannot be written before a path; write segments such as /v1, of letters, digits and ._~-, without a slash at the end", u.PathPrefix)
		}
		if u.TLSCA != "" {
			f.checkTLS(u.TLSCA, notIP == nil, at)
		}
		if !named[name] {
			f.add(at, "no route has the upstream %s; remove it, or name it in the upstream of a route or an API", name)
		}
	}
}

// checkTLS refuses settings with which Envoy could not verify the server.
func (f *faults) checkTLS(ca string, isIP bool, at *fault.Place) {
	if !path.IsAbs(ca) {
		f.add(at.Field("tlsCa"), "%q is not an absolute path, and Envoy may run in another folder; write a path that begins with a slash", ca)
	}
	if isIP {
		f.add(at.Field("address"), "the server's certificate is verified by its host name; write a name instead of the IP address")
	}
}

// routeUpstream returns the header that names the upstream of a route; nil without upstreams. Named says whether a route of the API has one.
func (f *faults) routeUpstream(c *Config, a *API, r *Route, named bool, at, apiAt *fault.Place) []answer.MappedHeader {
	name := a.UpstreamOf(r)
	_, known := c.Upstreams[name]
	where := at.Field("upstream")
	if r.Upstream == "" && a.Upstream != "" {
		where = apiAt.Field("upstream")
	}
	switch {
	case name == "" && r.Unresolved != "": // no request of it goes anywhere
		return nil
	case name == "" && !named:
		return nil
	case name == "":
		f.add(where, "the route has no upstream, and other routes of the API have one; write upstream: with a name of upstreams here or on the API")
	case !known:
		f.add(where, "the upstream %q is not in upstreams; write another name, or add it there with its address", name)
	}
	return []answer.MappedHeader{{Name: upstreamHeader, Value: answer.Variable{Kind: answer.Literal, Name: name}}}
}
