package extauthz

import (
	"maps"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// headers reads the header lines: from header_map, which Envoy fills under encode_raw_headers, or from the map headers.
func headers(h *authv3.AttributeContext_HttpRequest) ([]authz.Field, *refusal) {
	joined, lines := h.GetHeaders(), h.GetHeaderMap().GetHeaders()
	if len(joined) > maxHeaders || len(lines) > maxHeaders {
		return nil, &refusal{431, authz.CodeBadRequest, "there are more than 1000 headers"}
	}
	c := collector{http: h, lines: make([]authz.Field, 0, max(len(joined), len(lines)))}
	if len(lines) == 0 {
		return c.fromMap(joined)
	}
	if len(joined) > 0 && !maps.Equal(joined, join(lines)) {
		return nil, badRequest("headers and header_map differ")
	}
	return c.fromLines(lines)
}

// collector gathers header lines and keeps their limits.
type collector struct {
	http  *authv3.AttributeContext_HttpRequest
	lines []authz.Field
	bytes int
}

// fromMap takes each name's values as Envoy joined them, sorted: a map has no order, and nothing may depend on Go's.
func (c *collector) fromMap(joined map[string]string) ([]authz.Field, *refusal) {
	for name, value := range joined {
		if refused := c.add(name, value); refused != nil {
			return nil, refused
		}
	}
	slices.SortFunc(c.lines, func(a, b authz.Field) int {
		if order := strings.Compare(a.Name, b.Name); order != 0 {
			return order
		}
		return strings.Compare(a.Value, b.Value)
	})
	return c.lines, nil
}

func (c *collector) fromLines(lines []*corev3.HeaderValue) ([]authz.Field, *refusal) {
	for _, line := range lines {
		if line.GetValue() != "" && len(line.GetRawValue()) > 0 && line.GetValue() != string(line.GetRawValue()) {
			return nil, badRequest("value and raw_value of a header differ")
		}
		if refused := c.add(line.GetKey(), lineValue(line)); refused != nil {
			return nil, refused
		}
	}
	return c.lines, nil
}

func (c *collector) add(name, value string) *refusal {
	c.bytes += len(name) + len(value)
	switch {
	case c.bytes > maxHeaderBytes:
		return &refusal{431, authz.CodeBadRequest, "the headers are longer than 256 KiB"}
	case !isFieldValue(value):
		return badRequest("a header value holds NUL, CR or LF")
	case strings.HasPrefix(name, ":"):
		return c.pseudo(name, value)
	case !authz.IsToken(name):
		return badRequest("a header name is no token")
	}
	name = strings.ToLower(name)
	if name == "host" && value != c.http.GetHost() {
		return badRequest("host and the host header differ")
	}
	c.lines = append(c.lines, authz.Field{Name: name, Value: value})
	return nil
}

// pseudo holds a pseudo header against the attribute that says the same.
func (c *collector) pseudo(name, value string) *refusal {
	var attribute string
	switch name {
	case ":authority":
		attribute = c.http.GetHost()
	case ":path":
		attribute = c.http.GetPath()
	case ":method":
		attribute = c.http.GetMethod()
	case ":scheme":
		attribute = c.http.GetScheme()
	case ":protocol": // extended CONNECT; no attribute says it
		return nil
	default:
		return badRequest("an unknown pseudo header")
	}
	if value != attribute {
		return badRequest("the attributes and the pseudo header " + name + " differ")
	}
	return nil
}

func lineValue(line *corev3.HeaderValue) string {
	if raw := line.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return line.GetValue()
}

// join makes the map headers out of header_map.
func join(lines []*corev3.HeaderValue) map[string]string {
	joined := make(map[string]string, len(lines))
	for _, line := range lines {
		name, value := line.GetKey(), lineValue(line)
		if before, again := joined[name]; again {
			value = before + "," + value
		}
		joined[name] = value
	}
	return joined
}

// isFieldValue tells a value that cannot end its own line.
func isFieldValue(s string) bool {
	return strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 && strings.IndexByte(s, 0) < 0
}

// isVisible tells a text without blanks and control characters.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
