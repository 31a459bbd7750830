package sigv4

import "strings"

// Limits that are checked before anything else.
const (
	maxAuthorization = 8 << 10
	maxSignedNames   = 100
	maxKeyID         = 128
	maxTarget        = 64 << 10
	maxPairs         = 1000
	maxLines         = 1000
	maxHeaderBytes   = 256 << 10
)

// The query parameters of a presigned request. They must be spelled exactly like this, unescaped.
const (
	queryAlgorithm     = "X-Amz-Algorithm"
	queryCredential    = "X-Amz-Credential"
	queryDate          = "X-Amz-Date"
	queryExpires       = "X-Amz-Expires"
	querySignedHeaders = "X-Amz-SignedHeaders"
	querySignature     = "X-Amz-Signature"
	queryToken         = "X-Amz-Security-Token"
	queryRegionSet     = "X-Amz-Region-Set"
)

func (s *state) readHeaders() *Error {
	if s.request.Headers != nil {
		s.request.Headers(s.addLine)
	}
	if s.overflow {
		return incomplete("The request has too many or too long headers.")
	}
	return nil
}

func (s *state) add(name, value string) bool {
	s.headerBytes += len(name) + len(value)
	s.overflow = len(s.lines) == maxLines || s.headerBytes > maxHeaderBytes
	if s.overflow {
		return false
	}
	s.lines = append(s.lines, line{name: name, value: value})
	if h := headerNamed(name); h != otherHeader {
		if s.headers[h].lines == 0 {
			s.headers[h].value = value
		}
		s.headers[h].lines++
	}
	return true
}

// header is a header that takes part in a signature.
type header uint8

const (
	authorization header = iota
	amzContentSHA256
	amzDate
	amzRegionSet
	amzSecurityToken
	date
	host
	otherHeader
)

func headerNamed(name string) header {
	switch name {
	case "authorization":
		return authorization
	case "x-amz-content-sha256":
		return amzContentSHA256
	case "x-amz-date":
		return amzDate
	case "x-amz-region-set":
		return amzRegionSet
	case "x-amz-security-token":
		return amzSecurityToken
	case "date":
		return date
	case "host":
		return host
	default:
		return otherHeader
	}
}

// found is the first line of a header, and the number of its lines.
type found struct {
	value string
	lines int
}

// readSignature finds where the request is signed, which must be one place, and reads the parts of the signature.
func (s *state) readSignature() *Error {
	presigned := s.isPresigned()
	switch in := s.headers[authorization]; {
	case in.lines > 0 && presigned:
		return incomplete("The request is signed both in the Authorization header and in the query string.")
	case in.lines > 1:
		return incomplete("The request has more than one Authorization header.")
	case presigned:
		s.form = FormQuery
		return s.readPresigned()
	case in.value != "":
		s.form = FormHeader
		return s.readAuthorization(in.value)
	default:
		return &Error{Kind: MissingAuthenticationToken, Message: "Missing Authentication Token"}
	}
}

// readAuthorization parses `ALGORITHM Credential=..., SignedHeaders=..., Signature=...` and the headers that belong to
// it.
func (s *state) readAuthorization(value string) *Error {
	if len(value) > maxAuthorization {
		return incomplete("The Authorization header is too long.")
	}
	algorithm, rest, ok := strings.Cut(value, " ")
	if !ok {
		algorithm, rest = "", value
	}
	s.algorithm = algorithm
	parts := 0
	for more := true; more; parts++ {
		var piece string
		piece, rest, more = strings.Cut(rest, ",")
		name, part, ok := strings.Cut(strings.Trim(piece, " "), "=")
		if !ok {
			return notKeyValue(value)
		}
		if field := s.authorizationPart(name); field != nil {
			*field = part
		}
	}
	if err := s.readHeaderParts(value); err != nil {
		return err
	}
	if parts != 3 {
		return incomplete("Authorization header has a repeated or an unknown parameter " + hashed(value) + ".")
	}
	return nil
}

func (s *state) authorizationPart(name string) *string {
	switch name {
	case "Credential":
		return &s.credential
	case "Signature":
		return &s.signature
	case "SignedHeaders":
		return &s.signedHeaders
	default:
		return nil
	}
}

// readHeaderParts reads date, region set and token, and reports everything that is missing at once.
func (s *state) readHeaderParts(value string) *Error {
	for _, h := range [...]header{amzDate, amzRegionSet, amzSecurityToken, date} {
		if s.headers[h].lines > 1 {
			return incomplete("The request has a second date, region set or security token header.")
		}
	}
	s.date, s.regionSet, s.token = s.headers[amzDate].value, s.headers[amzRegionSet].value, s.headers[amzSecurityToken].value
	if s.headers[amzDate].lines == 0 {
		s.date = s.headers[date].value
	}
	s.strayToken = s.parameter(queryToken) != nil
	if missing := s.missingParts(); missing != "" {
		return incomplete(missing + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + base64SHA256(value))
	}
	return nil
}

func (s *state) missingParts() string {
	text := ""
	for _, part := range [...]struct{ value, name string }{
		{s.credential, "Credential"}, {s.signature, "Signature"}, {s.signedHeaders, "SignedHeaders"},
	} {
		if part.value == "" {
			text += "Authorization header requires '" + part.name + "' parameter. "
		}
	}
	if s.date == "" {
		text += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
	}
	if s.algorithm == AlgorithmV4A && s.regionSet == "" {
		text += "Authorization header requires existence of a 'X-Amz-Region-Set' header. "
	}
	return text
}

// isPresigned reports whether a request has one of three parameters of presigned requests, however it is escaped.
func (s *state) isPresigned() bool {
	return s.parameter(queryAlgorithm) != nil || s.parameter(queryCredential) != nil || s.parameter(querySignature) != nil
}

// readPresigned reads the parameters of a presigned request. Each must occur once. A name that differs only in case or
// escapes is refused, because another reader might take it for the parameter.
func (s *state) readPresigned() *Error {
	for i := range s.pairs {
		p := &s.pairs[i]
		field, exact := s.queryPart(p.name(s.query))
		switch {
		case field == nil:
			continue
		case !exact || !p.literal:
			return incomplete("AWS query-string parameters must be spelled as documented. Re-examine the query-string parameters.")
		case *field != "" || p.value == "":
			return incomplete("AWS query-string parameters must occur once and have a value. Re-examine the query-string parameters.")
		}
		*field = decode(p.value, s.config.PlusLiteral)
	}
	if s.token != "" && s.config.AcceptUnsignedQueryToken {
		s.readings |= withoutToken
	}
	s.strayToken = s.headers[amzSecurityToken].lines > 0
	return s.missingParameters()
}

// queryPart returns where to store a parameter, and whether its name has the right case.
func (s *state) queryPart(name []byte) (field *string, exact bool) {
	const prefix = "X-Amz-"
	if len(name) < len(prefix) || name[0]|0x20 != 'x' {
		return nil, false
	}
	for _, part := range [...]struct {
		to   *string
		name string
	}{
		{&s.algorithm, queryAlgorithm}, {&s.credential, queryCredential}, {&s.date, queryDate}, {&s.expires, queryExpires},
		{&s.signedHeaders, querySignedHeaders}, {&s.signature, querySignature}, {&s.token, queryToken},
		{&s.regionSet, queryRegionSet},
	} {
		if len(name) == len(part.name) && strings.EqualFold(string(name), part.name) {
			return part.to, string(name) == part.name
		}
	}
	return nil, false
}

func (s *state) missingParameters() *Error {
	text := ""
	for _, part := range [...]struct{ value, name string }{
		{s.algorithm, queryAlgorithm}, {s.credential, queryCredential}, {s.signature, querySignature},
		{s.signedHeaders, querySignedHeaders}, {s.date, queryDate},
	} {
		if part.value == "" {
			text += "AWS query-string parameters must include '" + part.name + "'. "
		}
	}
	if s.algorithm == AlgorithmV4A && s.regionSet == "" {
		text += "AWS query-string parameters must include '" + queryRegionSet + "'. "
	}
	if text != "" {
		return incomplete(text + "Re-examine the query-string parameters.")
	}
	return nil
}
