package explain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Input is a request to explain. FromURL, FromHTTP, FromCheck and FromLine read one.
type Input struct {
	// check is the CheckRequest in protobuf's JSON form.
	check []byte
	// caller is the caller that a line of the decision log names; logged is what it says of the decision.
	caller string
	logged *Logged
	// secrets are the values that must not appear in a Report.
	secrets []string
}

// Setting describes the connection of a request that comes without Envoy.
type Setting struct {
	// Client is the address of the client; the zero Addr stands for 127.0.0.1.
	Client netip.Addr
	// Extensions are Envoy's context_extensions.
	Extensions map[string]string
	// Unbuffered says that Envoy does not buffer the body.
	Unbuffered bool
	// Time is when the request came; the zero Time stands for now.
	Time time.Time
}

// maxInput limits what is read.
const maxInput = 12 << 20

var errTooLong = fmt.Errorf("it is longer than %d bytes", maxInput)

// FromURL makes an Input of a method, an absolute URL, header lines ("name: value") and a body.
func FromURL(method, target string, lines []string, body []byte, s Setting) (*Input, error) {
	scheme, rest, ok := strings.Cut(target, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return nil, errors.New("the URL is not absolute; write it with https:// or http://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path := rest[:end], rest[end:]
	if path, _, _ = strings.Cut(path, "#"); !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if host == "" || strings.Contains(host, "@") {
		return nil, errors.New("the URL has no host, or has a user name; write https://host/path")
	}
	m := message{method: method, scheme: scheme, host: host, path: path, body: body}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, errors.New("-H: a header has no colon after its name; write 'name: value'")
		}
		m.add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return m.input(s)
}

// FromHTTP makes an Input of an HTTP/1.1 request as on the wire. Its body extends to the end of the text.
func FromHTTP(data []byte, s Setting) (*Input, error) {
	if len(data) > maxInput {
		return nil, errTooLong
	}
	head, body, _ := bytes.Cut(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	if _, rest, ok := bytes.Cut(data, []byte("\r\n\r\n")); ok {
		body = rest
	}
	lines := strings.Split(string(head), "\n")
	words := strings.Fields(lines[0])
	if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/") {
		return nil, errors.New("its first line is not a request line; write METHOD /path HTTP/1.1")
	}
	if _, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\n\n")))); err != nil {
		return nil, errors.New("its header is not valid HTTP/1.1")
	}
	m := message{method: words[0], scheme: "https", path: words[1], body: body}
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(line, ":"); ok {
			m.add(name, strings.TrimSpace(value))
		}
	}
	if m.host == "" {
		return nil, errors.New("it has no Host header; write one")
	}
	return m.input(s)
}

// FromCheck makes an Input of a CheckRequest in protobuf's JSON form, as grpcurl takes it.
func FromCheck(data []byte) (*Input, error) {
	if len(data) > maxInput {
		return nil, errTooLong
	}
	return &Input{check: data, secrets: secretsOfCheck(data)}, nil
}

// secretsOfTarget returns the values of a query, as written and decoded.
func secretsOfTarget(target string) (secrets []string) {
	_, query, _ := strings.Cut(target, "?")
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		secrets = append(secrets, value)
		if decoded, err := url.QueryUnescape(value); err == nil {
			secrets = append(secrets, decoded)
		}
	}
	return secrets
}
