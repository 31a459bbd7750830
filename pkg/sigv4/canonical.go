package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// pair is one name and value of the query in canonical form, as offsets into state.query, and the original value.
type pair struct {
	start, equal, end int
	value             string
	// literal reports whether the name came without escapes.
	literal bool
}

func (p *pair) name(query []byte) []byte { return query[p.start:p.equal] }

// readQuery converts the query to canonical form and order: decoded once, escaped again, sorted by name, then by value.
func (s *state) readQuery() *Error {
	if len(s.request.Target) > maxTarget {
		return incomplete("The request's path and query are too long.")
	}
	_, rest, _ := strings.Cut(s.request.Target, "?")
	for rest != "" {
		var piece string
		if piece, rest, _ = strings.Cut(rest, "&"); piece == "" {
			continue
		}
		if len(s.pairs) == maxPairs {
			return incomplete("The request has too many query-string parameters.")
		}
		s.addPair(piece)
	}
	if len(s.pairs) > 1 {
		slices.SortFunc(s.pairs, func(a, b pair) int {
			if c := bytes.Compare(a.name(s.query), b.name(s.query)); c != 0 {
				return c
			}
			return bytes.Compare(s.query[a.equal:a.end], s.query[b.equal:b.end])
		})
	}
	return nil
}

func (s *state) addPair(piece string) {
	name, value, _ := strings.Cut(piece, "=")
	p := pair{start: len(s.query), value: value}
	s.query = appendReencoded(s.query, name, s.config.PlusLiteral)
	p.equal = len(s.query)
	s.query = appendReencoded(append(s.query, '='), value, s.config.PlusLiteral)
	p.end = len(s.query)
	p.literal = string(p.name(s.query)) == name
	s.pairs = append(s.pairs, p)
}

// parameter returns the first pair of that name, or nil. The name needs no escapes.
func (s *state) parameter(name string) *pair {
	for i := range s.pairs {
		if string(s.pairs[i].name(s.query)) == name {
			return &s.pairs[i]
		}
	}
	return nil
}

// hashPayload is "HashedPayload": the SHA-256 of the body. x-amz-content-sha256, if sent, must equal it.
func (s *state) hashPayload() *Error {
	claimed := s.headers[amzContentSHA256]
	if claimed.lines == 1 && claimed.value == unsignedPayload && s.config.AllowUnsignedPayload {
		s.unsigned, s.payloadMatches = true, true
		return nil
	}
	if !s.request.BodyComplete {
		return &Error{Kind: BodyUnknown, Message: "Internal server error",
			Detail: "the signature covers the body, and the request does not carry all of it"}
	}
	if len(s.request.Body) == 0 {
		copy(s.payload[:], emptySHA256)
	} else {
		sum := sha256.Sum256(s.request.Body)
		hex.Encode(s.payload[:], sum[:])
	}
	s.payloadMatches = claimed.lines == 0 || claimed.lines == 1 && claimed.value == string(s.payload[:])
	return nil
}

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	// emptySHA256 is the SHA-256 of an empty body, which most requests have.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// createCanonicalRequest is step 1, "Create a canonical request".
func (s *state) createCanonicalRequest(host string, r reading) []byte {
	path, _, _ := strings.Cut(s.request.Target, "?")
	b := append(append(s.buffer[:0], s.request.Method...), '\n')
	if r&pathAsSent != 0 {
		b = appendEscaped(b, path, true)
	} else {
		b = appendNormalized(b, path)
	}
	b = s.appendQuery(append(b, '\n'), r)
	b = append(b, '\n')
	for n, name := range s.names {
		b = append(append(b, name...), ':')
		if isHost(name) {
			b = appendCollapsed(b, host, r&keepTabs != 0)
		} else {
			b = s.appendHeader(b, n, r&keepTabs != 0)
		}
		b = append(b, '\n')
	}
	b = append(append(append(b, '\n'), s.signedHeaders...), '\n')
	if s.unsigned {
		b = append(b, unsignedPayload...)
	} else {
		b = append(b, s.payload[:]...)
	}
	s.buffer = b
	return b
}

// appendQuery is "CanonicalQueryString", without the signature itself, whose name has only one valid form.
func (s *state) appendQuery(b []byte, r reading) []byte {
	start := len(b)
	for i := range s.pairs {
		name := s.pairs[i].name(s.query)
		if string(name) == querySignature || r&withoutToken != 0 && string(name) == queryToken {
			continue
		}
		if len(b) > start {
			b = append(b, '&')
		}
		b = append(b, s.query[s.pairs[i].start:s.pairs[i].end]...)
	}
	return b
}

// appendHeader is the value of one line of "CanonicalHeaders": the lines of the n-th signed header in order, joined by
// commas.
func (s *state) appendHeader(b []byte, n int, keepTabs bool) []byte {
	first := true
	for i := range s.lines {
		if s.lines[i].signed != n+1 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		b, first = appendCollapsed(b, s.lines[i].value, keepTabs), false
	}
	return b
}

// appendCollapsed trims white space at both ends and replaces each run inside by one space. With keepTabs, a tab inside
// stays. A line break never stays, because it would start a new line of the canonical request.
func appendCollapsed(b []byte, value string, keepTabs bool) []byte {
	plain := 0 // most values have no white space, and a session token is long
	for plain < len(value) && value[plain] > ' ' {
		plain++
	}
	start, space := len(b), false
	b = append(b, value[:plain]...)
	for i := plain; i < len(value); i++ {
		c := value[i]
		inside := len(b) > start
		if kept := keepTabs && inside && c == '\t'; isSpace(c) && !kept {
			space = inside
			continue
		}
		if space {
			b = append(b, ' ')
			space = false
		}
		b = append(b, c)
	}
	return b[:start+len(bytes.TrimRight(b[start:], " \t"))]
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// appendNormalized is "CanonicalURI": without empty and dot segments, with every segment escaped again, so that "%20"
// becomes "%2520".
func appendNormalized(b []byte, path string) []byte {
	start := len(b)
	segment, more := "", path != ""
	for more {
		segment, path, more = strings.Cut(path, "/")
		switch segment {
		case "", ".":
		case "..":
			b = b[:start+max(bytes.LastIndexByte(b[start:], '/'), 0)]
		default:
			b = appendEscaped(append(b, '/'), segment, false)
		}
	}
	if segment == "" || segment == "." || segment == ".." {
		b = append(b, '/')
	}
	return b
}

// appendEscaped escapes every byte except the unreserved ones and, optionally, the slash.
func appendEscaped(b []byte, text string, keepSlash bool) []byte {
	for i := range len(text) {
		if c := text[i]; isUnreserved(c) || keepSlash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// appendReencoded decodes a name or a value of the query and escapes it again.
func appendReencoded(b []byte, text string, plusLiteral bool) []byte {
	for text != "" {
		c, width := decodeByte(text, plusLiteral)
		text = text[width:]
		if isUnreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// decode returns the text that appendReencoded escapes.
func decode(text string, plusLiteral bool) string {
	if strings.IndexByte(text, '%') < 0 && (plusLiteral || strings.IndexByte(text, '+') < 0) {
		return text
	}
	b := make([]byte, 0, len(text))
	for text != "" {
		c, width := decodeByte(text, plusLiteral)
		b, text = append(b, c), text[width:]
	}
	return string(b)
}

// decodeByte decodes the first byte of a text. A percent sign that does not begin an escape is literal.
func decodeByte(text string, plusLiteral bool) (c byte, width int) {
	switch text[0] {
	case '+':
		if !plusLiteral {
			return ' ', 1
		}
	case '%':
		if c, ok := unescape(text); ok {
			return c, 3
		}
	}
	return text[0], 1
}

// unescape decodes "%XX" at the beginning of a text.
func unescape(text string) (c byte, ok bool) {
	if len(text) < 3 {
		return 0, false
	}
	high, ok1 := hexDigit(text[1])
	low, ok2 := hexDigit(text[2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	default:
		return 0, false
	}
}

// isUnreserved reports whether a character is never escaped (RFC 3986, section 2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
