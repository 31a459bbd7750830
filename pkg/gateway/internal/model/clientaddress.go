package model

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// errForwardedFor is returned for a request whose client cannot be determined.
var errForwardedFor = errors.New("X-Forwarded-For contains an entry that is not an IP address")

// ClientAddresses finds the client behind trusted proxies.
type ClientAddresses struct{ Trusted bart.Lite }

// Of returns the client's address, which is the value of aws:SourceIp and $context.identity.sourceIp. It is the TCP peer, unless that is a
// trusted proxy. Then it is the first entry of X-Forwarded-For, from the right, that is not a trusted proxy, or the leftmost if all are.
// Entries left of it were written by the client and are not read. Without a peer (a Unix socket), the address is not valid.
//
// If byEndpoint reports that the connection came by a VPC endpoint, the peer is the client: the address that the load balancer sends, or
// the one that connected to the listener. X-Forwarded-For is not read then, because addresses of a customer's VPC may equal those of
// trusted proxies.
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

// cutLast splits the last entry off a comma-separated list.
func cutLast(list string) (rest, entry string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// parseForwardedFor parses an entry: an address, or one with a port that cannot be read as a part of the address ("192.0.2.1:80",
// "[2001:db8::1]:80"). It refuses a zone, which has a meaning only on the machine that wrote it.
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
