package explain

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"strings"
	"time"
)

// message is an HTTP request that is made into a CheckRequest.
type message struct {
	method, scheme, host, path string
	lines                      []header
	body                       []byte
}

// header is one header line, as Envoy's HeaderValue in JSON.
type header struct {
	Key      string `json:"key"`
	RawValue []byte `json:"rawValue"`
}

// add adds a header line. Host is not among Envoy's header lines.
func (m *message) add(name, value string) {
	if strings.EqualFold(name, "host") {
		m.host = value
		return
	}
	m.lines = append(m.lines, header{strings.ToLower(name), []byte(value)})
}

// The CheckRequest that Envoy would send, in protobuf's JSON form.
type (
	check struct {
		Attributes attributes `json:"attributes"`
	}
	attributes struct {
		Source            source            `json:"source"`
		Request           request           `json:"request"`
		ContextExtensions map[string]string `json:"contextExtensions,omitempty"`
		TLSSession        *tlsSession       `json:"tlsSession,omitempty"`
	}
	source struct {
		Address address `json:"address"`
	}
	address struct {
		SocketAddress socketAddress `json:"socketAddress"`
	}
	socketAddress struct {
		Address   string `json:"address"`
		PortValue int    `json:"portValue"`
	}
	tlsSession struct {
		SNI string `json:"sni"`
	}
	request struct {
		Time string      `json:"time"`
		HTTP httpRequest `json:"http"`
	}
	httpRequest struct {
		Method    string    `json:"method"`
		Scheme    string    `json:"scheme"`
		Host      string    `json:"host"`
		Path      string    `json:"path"`
		Protocol  string    `json:"protocol"`
		HeaderMap headerMap `json:"headerMap"`
		RawBody   []byte    `json:"rawBody,omitempty"`
	}
	headerMap struct {
		Headers []header `json:"headers"`
	}
)

// bodySetting is the context extension by which Envoy's configuration says that bodies are buffered.
const bodySetting = "portcullis.body"

func (m *message) input(s Setting) (*Input, error) {
	at := s.Time
	if at.IsZero() {
		at = time.Now()
	}
	extensions := map[string]string{}
	for name, value := range s.Extensions {
		extensions[name] = value
	}
	if !s.Unbuffered && extensions[bodySetting] == "" {
		extensions[bodySetting] = "buffered"
	}
	client := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if s.Client.IsValid() {
		client = s.Client
	}
	c := check{attributes{
		Source:            source{address{socketAddress{client.String(), 443}}},
		ContextExtensions: extensions,
		Request: request{at.UTC().Format(time.RFC3339Nano), httpRequest{
			Method: cmp.Or(m.method, "GET"), Scheme: m.scheme, Host: m.host, Path: m.path, Protocol: "HTTP/1.1", HeaderMap: headerMap{m.pseudo()},
		}},
	}}
	if !s.Unbuffered {
		c.Attributes.Request.HTTP.RawBody = m.body
	}
	if m.scheme == "https" {
		name, _, _ := strings.Cut(m.host, ":")
		c.Attributes.TLSSession = &tlsSession{name}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return &Input{check: text, secrets: m.secrets()}, nil
}

// pseudo returns the header lines as Envoy sends them, with the pseudo headers first.
func (m *message) pseudo() []header {
	first := []header{
		{":authority", []byte(m.host)}, {":path", []byte(m.path)}, {":method", []byte(cmp.Or(m.method, "GET"))}, {":scheme", []byte(m.scheme)},
	}
	return append(first, m.lines...)
}

func (m *message) secrets() []string {
	secrets := secretsOfTarget(m.path)
	for _, h := range m.lines {
		secrets = append(secrets, string(h.RawValue))
		secrets = append(secrets, strings.Fields(string(h.RawValue))...)
	}
	if len(m.body) > 0 {
		secrets = append(secrets, string(m.body))
	}
	return secrets
}

// secretsOfCheck returns the values of a CheckRequest that must not be shown: those of headers and of the query, and the body.
func secretsOfCheck(data []byte) (secrets []string) {
	var all any
	if json.Unmarshal(data, &all) != nil {
		return nil
	}
	root, _ := all.(map[string]any)
	of := func(m map[string]any, names ...string) map[string]any {
		for _, name := range names {
			if inner, ok := m[name].(map[string]any); ok {
				return inner
			}
		}
		return nil
	}
	h := of(of(of(root, "attributes"), "request"), "http")
	path, _ := h["path"].(string)
	m := message{path: path}
	for name, value := range of(h, "headers") {
		if text, ok := value.(string); ok && !strings.HasPrefix(name, ":") {
			m.lines = append(m.lines, header{name, []byte(text)})
		}
	}
	lines, _ := of(h, "headerMap", "header_map")["headers"].([]any)
	for _, l := range lines {
		m.lines = append(m.lines, lineOf(l))
	}
	for _, name := range []string{"body", "rawBody", "raw_body"} {
		if text, ok := h[name].(string); ok {
			secrets = append(secrets, text)
		}
	}
	return append(secrets, m.secrets()...)
}

// lineOf returns a HeaderValue in JSON as a header line.
func lineOf(value any) header {
	text, err := json.Marshal(value)
	var h struct {
		Key   string `json:"key"`
		Value string `json:"value"`
		Raw   []byte `json:"rawValue"`
		Raw2  []byte `json:"raw_value"`
	}
	if err != nil || json.Unmarshal(text, &h) != nil || strings.HasPrefix(h.Key, ":") {
		return header{}
	}
	return header{h.Key, []byte(cmp.Or(string(h.Raw), string(h.Raw2), h.Value))}
}
