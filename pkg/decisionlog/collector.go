package decisionlog

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// OTLP is an OpenTelemetry collector that receives logs.
type OTLP struct {
	// Address is host:port for gRPC. URL is for HTTP. One of them is set.
	Address, URL string
	// TLS is whether the connection to Address is encrypted.
	TLS bool
	// CA has the certificate authorities to trust, in PEM; nil for the system's.
	CA []byte
	// Headers are sent with each request. Their values are secrets.
	Headers []authz.Field
}

// Encrypted reports whether the connection to the collector is encrypted.
func (o *OTLP) Encrypted() bool { return o.TLS || strings.HasPrefix(o.URL, "https:") }

// validate reports everything that is wrong with o, without a header's value and without the URL, which may contain a password.
func (o *OTLP) validate() (errs []error) {
	refuse := func(wrong bool, message string) {
		if wrong {
			errs = append(errs, errors.New("otlp: "+message))
		}
	}
	if o.URL == "" {
		refuse(!isHostPort(o.Address), "address must be host:port, such as 127.0.0.1:4317; write url for HTTP")
	} else {
		refuse(o.Address != "" || o.TLS, "url takes the place of address and tls; remove them, or url")
		refuse(!isCollectorURL(o.URL), "url must be a URL with a path and without a user, a query and a fragment, such as http://127.0.0.1:4318/v1/logs")
	}
	refuse(o.CA != nil && !o.Encrypted(), "caFile needs an encrypted connection; write tls: true or an https url, or remove caFile")
	refuse(o.CA != nil && !x509.NewCertPool().AppendCertsFromPEM(o.CA), "caFile must hold certificates in PEM")
	for i, h := range o.Headers {
		name := strings.ToLower(h.Name)
		switch {
		case !authz.IsToken(h.Name):
			refuse(true, fmt.Sprintf("headers: %q is not the name of a header", h.Name))
		case isConnectionHeader(name):
			refuse(true, fmt.Sprintf("headers: %s belongs to the connection; remove it", name))
		case slices.ContainsFunc(o.Headers[:i], func(other authz.Field) bool { return strings.EqualFold(other.Name, h.Name) }):
			refuse(true, fmt.Sprintf("headers: %s is there twice; remove one", name))
		case strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r > '~' }):
			refuse(true, fmt.Sprintf("headers: the value of %s has a character that is not printable ASCII", name))
		}
	}
	return errs
}

func isHostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	return err == nil && numberErr == nil && number != 0 && !strings.Contains(address, "/")
}

func isCollectorURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && strings.Trim(u.Path, "/") != "" &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// connectionHeaders are written by HTTP and gRPC themselves.
var connectionHeaders = []string{
	"connection", "content-encoding", "content-length", "content-type", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
}

// isConnectionHeader reports whether a header, in lower case, is not for users to set. gRPC encodes values of names with -bin.
func isConnectionHeader(name string) bool {
	return slices.Contains(connectionHeaders, name) || strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "grpc-") || strings.HasSuffix(name, "-bin")
}
