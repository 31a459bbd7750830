package extauthz

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// The limits of a request. Envoy's own are lower unless it was told otherwise (max_request_headers_kb: 60).
const (
	maxHeaders     = 1000
	maxHeaderBytes = 256 << 10
	maxPathBytes   = 64 << 10
	maxNameBytes   = 1 << 10 // method, host
)

// refusal says why a CheckRequest cannot be decided. Its detail is for the operator and repeats nothing that a client sent.
type refusal struct {
	status int
	code   authz.Code
	detail string
}

func badRequest(detail string) *refusal { return &refusal{400, authz.CodeBadRequest, detail} }

func envoyConfig(detail string) *refusal { return &refusal{500, authz.CodeEnvoyConfig, detail} }

// request makes r, an authz.Request, of what Envoy says of one HTTP request. With a refusal it is what was read until then, for the log.
func request(a *attributes, r *authz.Request) (*authz.Request, *refusal) {
	if !a.http {
		return nil, envoyConfig("the check has no HTTP attributes: portcullis serves Envoy's HTTP filter, not the network filter")
	}
	*r = authz.Request{
		Method:     a.method,
		Target:     a.path,
		Host:       a.host,
		Scheme:     a.scheme,
		Protocol:   a.protocol,
		ServerName: a.serverName,
	}
	if refused := requestLine(r, a); refused != nil {
		return r, refused
	}
	lines, refused := headers(a)
	if refused != nil {
		return r, refused
	}
	r.SetHeaders(lines)
	r.TextHeaders = len(a.headerMap) == 0
	r.ID, _ = r.Header("x-request-id")
	buffered, refused := extensions(r, a)
	if refused != nil {
		return r, refused
	}
	if refused := body(r, a, buffered); refused != nil {
		return r, refused
	}
	if r.VPCEndpoint, refused = vpcEndpoint(a.awsTLV); refused != nil {
		return r, refused
	}
	if r.Time, refused = received(a.time); refused != nil {
		return r, refused
	}
	r.Peer, refused = peer(a.source)
	return r, refused
}

// requestLine checks what stands for the request line.
func requestLine(r *authz.Request, a *attributes) *refusal {
	switch {
	case len(r.Target) > maxPathBytes:
		return &refusal{414, authz.CodeTooLong, "the path is longer than 64 KiB"}
	case len(r.Method) > maxNameBytes || !authz.IsMethod(r.Method):
		return badRequest("the method holds other characters than letters and hyphens, or is longer than 1 KiB")
	case len(r.Host) > maxNameBytes || !isVisible(r.Host):
		return badRequest("the host holds blanks or control characters, or is longer than 1 KiB")
	case !strings.HasPrefix(r.Target, "/"):
		return &refusal{400, authz.CodeBadPath, "the path does not begin with a slash"}
	case r.Scheme != "" && r.Scheme != "http" && r.Scheme != "https":
		return badRequest("the scheme is neither http nor https")
	case a.query != "" || a.fragment != "":
		// Envoy leaves both empty: the query is part of the path.
		return badRequest("query or fragment stand apart from the path")
	}
	return nil
}

// extensions reads what Envoy's configuration attests of the route (ExtAuthzPerRoute.check_settings.context_extensions).
func extensions(r *authz.Request, a *attributes) (buffered bool, _ *refusal) {
	for _, f := range a.extensions {
		name, value := f.Name, f.Value
		var known bool
		switch name {
		case "portcullis.api":
			r.API, known = value, value != ""
		case "portcullis.stage":
			r.Stage, known = value, value != ""
		case "portcullis.basePath":
			r.BasePath, known = value, isBasePath(value)
		case "portcullis.listener":
			r.Listener, known = value, value != ""
		case "portcullis.body":
			known = value == "buffered"
			buffered = known
		case "portcullis.headers":
			known = value == "raw"
			if known && len(a.headerMap) == 0 {
				return false, envoyConfig("portcullis.headers says raw, but the headers are joined: set encode_raw_headers on the ext_authz filter; " +
					"with Envoy Gateway, kubectl get envoypatchpolicy must show ACCEPTED and PROGRAMMED, and --gateway-listener name this listener")
			}
		case "portcullis.secureTransport":
			r.Transport = transports(value)
			known = r.Transport != authz.TransportUnstated
		case "portcullis.sourcePrincipal":
			known = value == "verified"
			if known && authz.IsSPIFFE(a.principal) {
				r.SourcePrincipal = a.principal
			}
		default:
			known = !isOurs(name)
		}
		if !known {
			return false, envoyConfig("context_extensions: unknown setting " + strconv.Quote(name) + ": " + strconv.Quote(value))
		}
	}
	return buffered, nil
}

// isOurs tells a name that was meant for portcullis, whatever its spelling: one that is passed over would leave it to the client's host
// which API is asked.
func isOurs(name string) bool {
	const prefix = "portcullis"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// isBasePath reports whether a value is "/" or a path that does not end in a slash.
func isBasePath(value string) bool {
	return value == "/" || strings.HasPrefix(value, "/") && !strings.HasSuffix(value, "/")
}

func transports(value string) authz.SecureTransport {
	switch value {
	case "true":
		return authz.TransportSecure
	case "false":
		return authz.TransportInsecure
	case "x-forwarded-proto":
		return authz.TransportForwardedProto
	default:
		return authz.TransportUnstated
	}
}

// body gives r its body and says how far it can be relied on. An unbuffered request looks exactly like one without a body,
// so that only Envoy's configuration can say that an absent body is an empty one.
func body(r *authz.Request, a *attributes, buffered bool) *refusal {
	raw, state := a.rawBody, authz.BodyComplete
	switch {
	case len(raw) > 0 && len(a.body) > 0 && !bytes.Equal(raw, a.body):
		return badRequest("body and raw_body differ")
	case len(raw) > 0:
	case len(a.body) > 0:
		raw = a.body
		if bytes.IndexByte(raw, '!') >= 0 { // what Envoy writes for bytes that are not UTF-8
			state = authz.BodyAltered
		}
	case !buffered || isUpgrade(r):
		state = authz.BodyUnknown
	}
	for value := range r.HeaderValues("x-envoy-auth-partial-body") {
		if value != "false" {
			state = authz.BodyPartial
		}
	}
	if buffered && state == authz.BodyComplete {
		if refused := bodyIsThere(r, len(raw)); refused != nil {
			return refused
		}
	}
	r.SetBody(raw, state)
	a.body, a.rawBody = nil, nil // the request alone holds it, and can let go of it
	return nil
}

// isUpgrade tells the requests whose bodies Envoy never waits for, whatever its configuration says: those for a WebSocket, of
// HTTP/1.1 or in the form of HTTP/2. It would rather see too many.
func isUpgrade(r *authz.Request) bool {
	if r.Method == "CONNECT" {
		return true
	}
	for value := range r.HeaderValues("upgrade") {
		if strings.Contains(strings.ToLower(value), "websocket") {
			return true
		}
	}
	return false
}

// bodyIsThere holds the body against the length that the client announced.
func bodyIsThere(r *authz.Request, length int) *refusal {
	announced, lines := r.Header("content-length")
	if lines == 0 {
		return nil
	}
	n, err := strconv.ParseInt(announced, 10, 64)
	switch {
	case err != nil || lines > 1:
		return badRequest("content-length is not a number")
	case n != int64(length):
		return envoyConfig("portcullis.body says buffered, but the body is not there: set with_request_body on the ext_authz filter")
	}
	return nil
}

// The years 1 to 9999, which are a google.protobuf.Timestamp's.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// received is when Envoy received the request; now, where it does not say.
func received(t timestamp) (time.Time, *refusal) {
	if !t.present {
		return time.Now(), nil
	}
	if t.seconds < minSeconds || t.seconds > maxSeconds || t.nanos < 0 || t.nanos >= 1e9 {
		return time.Time{}, badRequest("the time of the request is out of range")
	}
	return time.Unix(t.seconds, int64(t.nanos)).UTC(), nil
}

// peer is the address of the TCP peer; the zero Addr for pipes and Envoy's internal listeners.
func peer(text string) (netip.Addr, *refusal) {
	if text == "" {
		return netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, envoyConfig("the source address is not an IP address")
	}
	return addr.Unmap().WithZone(""), nil // no network contains an address with a zone
}

// Where Envoy's proxy_protocol listener filter puts the TLV of type 0xEA, by the rule of envoy/private-api.yaml. It is
// metadata of the connection: no client's header gets there.
const (
	proxyProtocolMetadata = "envoy.filters.listener.proxy_protocol"
	awsTLV                = "aws_vpce"
)

// vpcEndpointSubtype is the first byte of the value of AWS's TLV if a VPC endpoint's id follows (PP2_SUBTYPE_AWS_VPCE_ID;
// "Proxy protocol", User Guide for Network Load Balancers).
const vpcEndpointSubtype = "\x01"

// vpcEndpoint is the id of the VPC endpoint that a Network Load Balancer attests in the PROXY protocol's header, empty where
// there is no such TLV. A TLV that is there and cannot be read is never taken for none.
func vpcEndpoint(value metadataText) (string, *refusal) {
	if !value.present {
		return "", nil
	}
	id, ok := strings.CutPrefix(value.text, vpcEndpointSubtype)
	if !ok || !isVPCEndpointID(id) {
		return "", envoyConfig("the TLV 0xEA of the PROXY protocol's header (metadata " + proxyProtocolMetadata + ", " + awsTLV + ") holds no VPC endpoint id")
	}
	return id, nil
}

// isVPCEndpointID tells vpce-1a2b3c4d and its longer kin.
func isVPCEndpointID(s string) bool {
	rest, ok := strings.CutPrefix(s, "vpce-")
	return ok && rest != "" && len(rest) <= 32 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
