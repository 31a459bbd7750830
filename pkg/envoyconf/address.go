package envoyconf

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// address is a listening address: a host and a port, or a Unix socket.
type address struct {
	Host string
	Port int
	Path string
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// parseAddress parses the value of a flag: host:port or unix:/path.
func parseAddress(flag, text string) (address, error) {
	if path, is := strings.CutPrefix(text, "unix:"); is {
		if !strings.HasPrefix(path, "/") {
			return address{}, fmt.Errorf("--%s: %q is not a Unix socket; write unix:/path", flag, text)
		}
		return address{Path: path}, nil
	}
	host, port, err := net.SplitHostPort(text)
	number, bad := strconv.ParseUint(port, 10, 16)
	if a := (address{Host: host, Port: int(number)}); err == nil && bad == nil && (a.isIP() || nameShape.MatchString(host)) {
		return a, nil
	}
	return address{}, fmt.Errorf("--%s: %q is not an address; write host:port", flag, text)
}

// parseListener is parseAddress for an address that Envoy binds.
func parseListener(flag, text string) (address, error) {
	a, err := parseAddress(flag, text)
	if err == nil && !a.isIP() {
		return a, fmt.Errorf("--%s: %q: write an IP address and a port, such as 127.0.0.1:10000", flag, text)
	}
	return a, err
}

func (a address) isIP() bool {
	_, err := netip.ParseAddr(a.Host)
	return err == nil
}

// Local reports whether the address is reachable only from this machine.
func (a address) Local() bool {
	ip, err := netip.ParseAddr(a.Host)
	return a.Path != "" || err == nil && ip.IsLoopback()
}

// Resolved reports whether Envoy must resolve the host.
func (a address) Resolved() bool { return a.Path == "" && !a.isIP() }

// String returns the address in Envoy's format.
func (a address) String() string {
	if a.Path != "" {
		return "{pipe: {path: " + quote(a.Path) + "}}"
	}
	return "{socket_address: {address: " + quote(a.Host) + ", port_value: " + strconv.Itoa(a.Port) + "}}"
}

// canonical returns the same text for equal addresses, however they are written. A server may listen on both loopback
// addresses, so these and localhost are equal. The wildcard addresses are equal too.
func (a address) canonical() string {
	if a.Path != "" {
		return "unix:" + path.Clean(a.Path)
	}
	host := strings.ToLower(a.Host)
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	switch host {
	case "127.0.0.1", "::1", "0.0.0.0", "::":
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// Flag returns the address as a flag of portcullis serve.
func (a address) Flag() string {
	if a.Path != "" {
		return "unix:" + a.Path
	}
	if a.Local() {
		return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	}
	return net.JoinHostPort("0.0.0.0", strconv.Itoa(a.Port))
}
