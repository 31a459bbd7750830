package sts

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// own reports whether a host that a call is signed for is this STS.
func (s *Service) own(host string, c *Call) bool {
	host = strings.ToLower(host)
	if len(s.hosts) > 0 {
		return slices.Contains(s.hosts, host) || slices.Contains(s.hosts, strings.TrimSuffix(host, ":443"))
	}
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	if err == nil {
		name = address.Unmap().String()
	}
	if c.Request.Scheme == "https" && slices.Contains(c.certified, name) {
		return true
	}
	return c.Request.Peer.IsLoopback() && (name == "localhost" || address.Unmap().IsLoopback())
}
