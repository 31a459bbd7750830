package model

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// errForwardedFor is the fault of a request whose client cannot be told.
var errForwardedFor = errors.New("X-Forwarded-For holds an entry that is no IP address")

// ClientAddresses finds the client behind trusted proxies.
type ClientAddresses struct{ Trusted bart.Lite }

// Of returns the address that aws:SourceIp and $context.identity.sourceIp show: the TCP peer, or, where that is a trusted
// proxy, the entry of X-Forwarded-For that is the last not to be one, read from the right; the leftmost where all are.
// What stands left of it was written by the client, and is not even read. Without a peer (a Unix socket) there is no
// address.
//
// On a connection that came by a VPC endpoint, as byEndpoint says, the peer is the client: whom the load balancer names, or who has
// connected to the listener. Addresses of a customer's VPC may be those of our trusted proxies, and X-Forwarded-For is not read.
func (c *ClientAddresses) Of(r *authz.Request, byEndpoint bool) (netip.Addr, error) {
	peer := r.Peer.Unmap().WithZone("")
	if byEndpoint || !peer.IsValid() || !c.Trusted.Contains(peer) {
		return peer, nil
	}
	var buffer [4]string
	lines := buffer[:0]
	for line := range r.HeaderValues("x-forwarded-for") {
		lines = append(lines, line)
	}
	client := peer
	for i := len(lines) - 1; i >= 0; i-- {
		rest, more := lines[i], true
		for more {
			var entry string
			rest, entry, more = cutLast(rest)
			addr, ok := parseForwardedFor(entry)
			if !ok {
				return netip.Addr{}, errForwardedFor
			}
			if client = addr; !c.Trusted.Contains(client) {
				return client, nil
			}
		}
	}
	return client, nil
}

// cutLast cuts the last entry off a comma-separated list.
func cutLast(list string) (rest, entry string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// parseForwardedFor reads an entry: an address, or one with a port where that cannot be mistaken for a part of the address
// ("192.0.2.1:80", "[2001:db8::1]:80"). A zone means nothing outside the machine that wrote it, so it is refused.
func parseForwardedFor(entry string) (netip.Addr, bool) {
	entry = strings.Trim(entry, " \t")
	if strings.HasPrefix(entry, "[") && strings.HasSuffix(entry, "]") {
		entry = entry[1 : len(entry)-1]
		if !strings.Contains(entry, ":") {
			return netip.Addr{}, false
		}
	} else if strings.HasPrefix(entry, "[") || strings.Count(entry, ":") == 1 {
		both, err := netip.ParseAddrPort(entry)
		return both.Addr().Unmap(), err == nil && both.Addr().Zone() == ""
	}
	addr, err := netip.ParseAddr(entry)
	return addr.Unmap(), err == nil && addr.Zone() == ""
}
