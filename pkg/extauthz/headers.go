package extauthz

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// headers reads the header lines: from header_map, which Envoy fills under encode_raw_headers, or from the map headers.
func headers(a *attributes) ([]authz.Field, *refusal) {
	if len(a.headers) > maxHeaders || len(a.headerMap) > maxHeaders {
		return nil, tooManyHeaders
	}
	if len(a.headerMap) == 0 {
		c := collector{attributes: a, lines: a.headers[:0]}
		return c.fromMap()
	}
	if len(a.headers) > 0 && !maps.Equal(asMap(a.headers), join(a.headerMap)) {
		return nil, badRequest("headers and header_map differ")
	}
	if a.torn {
		return nil, badRequest("value and raw_value of a header differ")
	}
	c := collector{attributes: a, lines: a.headerMap[:0]}
	return c.from(a.headerMap)
}

// collector gathers header lines and keeps their limits. The lines take the place of what they are made of, none of which is
// looked at twice.
type collector struct {
	attributes *attributes
	lines      []authz.Field
	bytes      int
	// lowered says that a name had letters in upper case, so that the lines may not be in their order any more.
	lowered bool
}

// fromMap takes each name's values as Envoy joined them, sorted: a map has no order, and nothing may depend on Go's, nor on the
// wire's.
func (c *collector) fromMap() ([]authz.Field, *refusal) {
	lines, refused := c.from(c.attributes.headers)
	if c.lowered {
		slices.SortFunc(lines, byNameAndValue)
	}
	return lines, refused
}

func byNameAndValue(a, b authz.Field) int {
	if order := strings.Compare(a.Name, b.Name); order != 0 {
		return order
	}
	return strings.Compare(a.Value, b.Value)
}

func (c *collector) from(fields []authz.Field) ([]authz.Field, *refusal) {
	for _, f := range fields {
		if refused := c.add(f.Name, f.Value); refused != nil {
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
	}
	if !isLowerToken(name) {
		if !authz.IsToken(name) {
			return badRequest("a header name is not a token")
		}
		name, c.lowered = strings.ToLower(name), true
	}
	if name == "host" && value != c.attributes.host {
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
		attribute = c.attributes.host
	case ":path":
		attribute = c.attributes.path
	case ":method":
		attribute = c.attributes.method
	case ":scheme":
		attribute = c.attributes.scheme
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

func asMap(fields []authz.Field) map[string]string {
	m := make(map[string]string, len(fields))
	for _, f := range fields {
		m[f.Name] = f.Value
	}
	return m
}

// join makes the map headers out of header_map.
func join(lines []authz.Field) map[string]string {
	joined := make(map[string]string, len(lines))
	for _, line := range lines {
		value := line.Value
		if before, again := joined[line.Name]; again {
			value = before + "," + value
		}
		joined[line.Name] = value
	}
	return joined
}

// isLowerToken tells the usual header name: letters in lower case, digits and hyphens.
func isLowerToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// isFieldValue tells a value that cannot end its own line.
func isFieldValue(s string) bool {
	return hasNoControls(s) || strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 && strings.IndexByte(s, 0) < 0
}

// isUTF8 is utf8.Valid, faster for short texts in ASCII.
func isUTF8(b []byte) bool { return isASCII(b) || utf8.Valid(b) }

// isASCII looks at eight bytes at a time.
func isASCII(b []byte) bool {
	var all uint64
	n := len(b)
	if n < 8 {
		for _, c := range b {
			all |= uint64(c)
		}
		return all&0x80 == 0
	}
	for i := 0; i <= n-8; i += 8 {
		all |= binary.LittleEndian.Uint64(b[i:])
	}
	all |= binary.LittleEndian.Uint64(b[n-8:]) // the rest, and what is before it again
	return all&0x8080808080808080 == 0
}

// hasNoControls tells a text without bytes below the blank, looking at eight of them at a time.
func hasNoControls(s string) bool {
	n := len(s)
	if n < 8 {
		for i := range n {
			if s[i] < ' ' {
				return false
			}
		}
		return true
	}
	for i := 0; i <= n-8; i += 8 {
		if hasControl(s[i : i+8]) {
			return false
		}
	}
	return !hasControl(s[n-8:]) // the rest, and what is before it again
}

// hasControl tells whether one of eight bytes is below the blank.
func hasControl(s string) bool {
	_ = s[7]
	word := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	// The highest bit of a byte comes out where the byte is below 0x20. A borrow from the byte before can only make that
	// too often, and only where that one is below it too.
	return (word-0x2020202020202020)&^word&0x8080808080808080 != 0
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

// maxPlainHeaders bounds a headerSet, which lies on the stack.
const maxPlainHeaders = 64

// headerSet sorts header fields by name while they come, without moving them: places are sorted, by the first eight bytes of
// the names where those are enough to tell them apart.
type headerSet struct {
	fields [maxPlainHeaders]authz.Field
	places [maxPlainHeaders]uint8
	heads  [maxPlainHeaders]uint64
	n      int
}

// add reports false for a name that is there already, and for one too many. The set is then of no more use.
func (s *headerSet) add(f authz.Field) bool {
	n := s.n
	if n >= maxPlainHeaders {
		return false
	}
	head := headOf(f.Name)
	at := n
	for at > 0 && s.heads[at-1] >= head {
		if s.heads[at-1] == head {
			order := strings.Compare(s.fields[s.places[at-1]].Name, f.Name)
			if order == 0 {
				return false
			}
			if order < 0 {
				break
			}
		}
		s.heads[at], s.places[at] = s.heads[at-1], s.places[at-1]
		at--
	}
	s.places[at], s.heads[at] = uint8(n), head //nolint:gosec // below maxPlainHeaders
	s.fields[n], s.n = f, n+1
	return true
}

// sorted returns the fields in the order of their names.
func (s *headerSet) sorted() []authz.Field {
	if s.n == 0 {
		return nil
	}
	out := make([]authz.Field, s.n)
	for i := range out {
		out[i] = s.fields[s.places[i]]
	}
	return out
}

// headOf is the first eight bytes of a name, in their order; a shorter name ends in zeros, and may share its head with a longer one.
func headOf(name string) uint64 {
	if len(name) >= 8 {
		return uint64(name[0])<<56 | uint64(name[1])<<48 | uint64(name[2])<<40 | uint64(name[3])<<32 |
			uint64(name[4])<<24 | uint64(name[5])<<16 | uint64(name[6])<<8 | uint64(name[7])
	}
	var head [8]byte
	copy(head[:], name)
	return binary.BigEndian.Uint64(head[:])
}
