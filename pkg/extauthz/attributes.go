package extauthz

import (
	"maps"
	"slices"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// attributes are the parts of a CheckRequest about one HTTP request that are used. Two decoders fill them in, and what
// evaluates them does not see which: decode reads the wire, attributesOf the generated message. Nothing in them aliases a buffer
// that is used again.
type attributes struct {
	// http says that there are HTTP attributes at all.
	http bool

	method, path, host, scheme, protocol, query, fragment string
	// serverName is that of the TLS session.
	serverName string
	// source is the address of the TCP peer; empty for pipes and Envoy's internal listeners.
	source string
	// principal is whom Envoy calls the TCP peer by its certificate, verified or not; empty without one.
	principal string
	// headers is the map headers, each name once, sorted by name.
	headers []authz.Field
	// headerMap are the lines of header_map. torn says that value and raw_value of one of them differ.
	headerMap []authz.Field
	torn      bool
	// body and rawBody are two forms of one body.
	body, rawBody []byte
	// extensions is the map context_extensions, in no order.
	extensions []authz.Field
	time       timestamp
	awsTLV     metadataText
}

// timestamp is a google.protobuf.Timestamp, or none.
type timestamp struct {
	present bool
	seconds int64
	nanos   int32
}

// metadataText is the text under one key of a namespace of metadata_context. What is present and no text is the empty one.
type metadataText struct {
	present bool
	text    string
}

// attributesOf reads the generated message.
func attributesOf(a *authv3.AttributeContext) attributes {
	h := a.GetRequest().GetHttp()
	out := attributes{
		http:       h != nil,
		method:     h.GetMethod(),
		path:       h.GetPath(),
		host:       h.GetHost(),
		scheme:     h.GetScheme(),
		protocol:   h.GetProtocol(),
		query:      h.GetQuery(),
		fragment:   h.GetFragment(),
		serverName: a.GetTlsSession().GetSni(),
		source:     a.GetSource().GetAddress().GetSocketAddress().GetAddress(),
		principal:  a.GetSource().GetPrincipal(),
		headers:    pairs(h.GetHeaders()),
		body:       []byte(h.GetBody()),
		rawBody:    h.GetRawBody(),
		extensions: pairs(a.GetContextExtensions()),
	}
	for _, line := range h.GetHeaderMap().GetHeaders() {
		out.addLine(line.GetKey(), line.GetValue(), string(line.GetRawValue()))
	}
	if t := a.GetRequest().GetTime(); t != nil {
		out.time = timestamp{true, t.GetSeconds(), t.GetNanos()}
	}
	value, present := a.GetMetadataContext().GetFilterMetadata()[proxyProtocolMetadata].GetFields()[awsTLV]
	out.awsTLV = metadataText{present, value.GetStringValue()}
	return out
}

// addLine adds a line of header_map. Envoy fills raw.
func (a *attributes) addLine(name, value, raw string) {
	if raw != "" {
		a.torn = a.torn || value != "" && value != raw
		value = raw
	}
	a.headerMap = append(a.headerMap, authz.Field{Name: name, Value: value})
}

// pairs are sorted by name.
func pairs(m map[string]string) []authz.Field {
	if len(m) == 0 {
		return nil
	}
	out := make([]authz.Field, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, authz.Field{Name: name, Value: m[name]})
	}
	return out
}
