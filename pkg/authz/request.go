package authz

import (
	"iter"
	"net/netip"
	"strings"
	"time"
)

// Field is one header line or one query pair.
type Field struct{ Name, Value string }

// BodyState is how far a request's body is known.
type BodyState uint8

const (
	// BodyUnknown means that Envoy did not buffer the body: the request may or may not have one. It is the zero value.
	BodyUnknown BodyState = iota
	// BodyComplete means that Body returns the whole body, byte for byte.
	BodyComplete
	// BodyPartial means that Envoy cut off the body. It cannot be verified.
	BodyPartial
	// BodyAltered means that Envoy sent the body as text, and may have replaced bytes that are not UTF-8.
	BodyAltered
)

// SecureTransport says whether Envoy's configuration attests TLS.
type SecureTransport uint8

const (
	// TransportUnstated attests nothing, so the TLS session that Envoy reports decides. It is the zero value.
	TransportUnstated SecureTransport = iota
	// TransportSecure attests TLS.
	TransportSecure
	// TransportInsecure attests plain text.
	TransportInsecure
	// TransportForwardedProto attests that x-forwarded-proto is right, which Envoy overwrites if it uses the remote address.
	TransportForwardedProto
)

// Request is one HTTP request as Envoy received it.
type Request struct {
	// Method as sent; methods are case-sensitive.
	Method string
	// Target is path and query as Envoy passes them on: escaped, beginning with a slash.
	Target string
	// Host is the :authority as the client sent it, with case and port.
	Host string
	// Scheme is http or https.
	Scheme string
	// Protocol is HTTP/1.1, HTTP/2 or the like.
	Protocol string
	// ID is the x-request-id that Envoy assigned or passed on; empty if there is none.
	ID string
	// Time is when Envoy received the request.
	Time time.Time
	// Peer is the address at the other end of the TCP connection; the zero Addr if there is none.
	Peer netip.Addr
	// ServerName is the server name of the TLS session; empty without TLS or without a name.
	ServerName string
	// Transport says whether Envoy's configuration attests TLS (portcullis.secureTransport).
	Transport SecureTransport
	// API and Stage are the API id and stage that Envoy's configuration names (portcullis.api, portcullis.stage).
	API, Stage string
	// BasePath is the API's base path in Envoy's configuration, "/" for none (portcullis.basePath); empty if the configuration does not
	// name one.
	BasePath string
	// VPCEndpoint is the id of the VPC endpoint that the connection came by, which a load balancer attests in the PROXY
	// protocol's header; empty if there is none.
	VPCEndpoint string
	// Listener is the name of the request's listener in Envoy's configuration (portcullis.listener).
	Listener string

	// SourcePrincipal is the SPIFFE id of the workload at the other end of the connection, by a certificate that Envoy has verified
	// (portcullis.sourcePrincipal); empty without one.
	SourcePrincipal string

	// TextHeaders reports whether Envoy sent the headers as text (encode_raw_headers is off). Then a "!" in a value may stand for bytes
	// that are not UTF-8.
	TextHeaders bool

	headers []Field
	body    []byte
	state   BodyState
	release func()
}

// SetHeaders sets the header lines, in the order of the wire and with lower-case names, without pseudo headers. The request keeps the
// slice.
func (r *Request) SetHeaders(lines []Field) { r.headers = lines }

// SetBody sets the body and its state.
func (r *Request) SetBody(body []byte, state BodyState) { r.body, r.state = body, state }

// Body returns the body and its state. Only a BodyComplete body is what the client sent.
func (r *Request) Body() ([]byte, BodyState) { return r.body, r.state }

// OnBodyRelease sets the function that the first ReleaseBody calls.
func (r *Request) OnBodyRelease(f func()) { r.release = f }

// ReleaseBody frees the body before the check ends, for a check that waits and does not need the body any more. Body then returns
// BodyUnknown.
func (r *Request) ReleaseBody() {
	r.body, r.state = nil, BodyUnknown
	if f := r.release; f != nil {
		r.release = nil
		f()
	}
}

// Headers yields every header line in the order of the wire; names are lower-case.
func (r *Request) Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range r.headers {
			if !yield(r.headers[i].Name, r.headers[i].Value) {
				return
			}
		}
	}
}

// Header returns the first line of a header and how many lines it has. The name is lower-case.
func (r *Request) Header(name string) (value string, lines int) {
	for i := range r.headers {
		if r.headers[i].Name != name {
			continue
		}
		if lines == 0 {
			value = r.headers[i].Value
		}
		lines++
	}
	return value, lines
}

// HeaderValues yields the lines of one header in the order of the wire. The name is lower-case.
func (r *Request) HeaderValues(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range r.headers {
			if r.headers[i].Name == name && !yield(r.headers[i].Value) {
				return
			}
		}
	}
}

// Path returns the target before the first question mark, as received.
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path
}

// RawQuery returns the target after the first question mark, as received.
func (r *Request) RawQuery() string {
	_, query, _ := strings.Cut(r.Target, "?")
	return query
}

// Query yields the pairs of the query in their order, still escaped. It skips empty pieces. A piece without an equal sign has an empty
// value.
func (r *Request) Query() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for piece := range strings.SplitSeq(r.RawQuery(), "&") {
			if piece == "" {
				continue
			}
			name, value, _ := strings.Cut(piece, "=")
			if !yield(name, value) {
				return
			}
		}
	}
}

// QueryValues yields the escaped values of one query parameter. The name is compared with the escaped name.
func (r *Request) QueryValues(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, v := range r.Query() {
			if n == name && !yield(v) {
				return
			}
		}
	}
}
