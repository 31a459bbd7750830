package sigv4

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultClockSkew = 5 * time.Minute
	maxClockSkew     = 15 * time.Minute
	dateLayout       = "20060102T150405Z"
	terminator       = "aws4_request"
)

// checkRequestLine refuses a request without a method or an absolute path.
func (s *state) checkRequestLine() *Error {
	path, _, _ := strings.Cut(s.request.Target, "?")
	if path != "" && path[0] != '/' || !isMethod(s.request.Method) {
		return mismatch("the request has no method, or its path does not begin with a slash")
	}
	if s.config.AcceptPathAsSent {
		s.readings |= pathAsSent
	}
	return nil
}

// isMethod reports whether a text is a token. Other text could add lines to the canonical request.
func isMethod(method string) bool {
	for i := range len(method) {
		if method[i] <= ' ' || method[i] >= 0x7f {
			return false
		}
	}
	return method != ""
}

func (s *state) checkAlgorithm() *Error {
	switch {
	case s.algorithm == AlgorithmV4:
		return nil
	case s.algorithm == AlgorithmV4A && !s.config.DisableSigV4A:
		return nil
	default:
		return incomplete("Unsupported AWS 'algorithm' " + hashed(s.algorithm) + ".")
	}
}

// checkSignedHeaders parses the list of signed headers: lower-case names in strictly ascending order, so without empty
// names and duplicates.
func (s *state) checkSignedHeaders() *Error {
	rest, more, before := s.signedHeaders, true, ""
	for more {
		var name string
		name, rest, more = strings.Cut(rest, ";")
		if !isHeaderName(name) || name <= before {
			return incomplete("'SignedHeaders' must be a sorted list of different lower-case header names.")
		}
		if len(s.names) == maxSignedNames {
			return incomplete("'SignedHeaders' has more than " + strconv.Itoa(maxSignedNames) + " names.")
		}
		s.names = append(s.names, name)
		before = name
	}
	return nil
}

// isHeaderName reports whether a name is a lower-case field name (RFC 9110, section 5.1), or :authority.
func isHeaderName(name string) bool {
	if name == ":authority" {
		return true
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("-_!#$%&'*+.^`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

func (s *state) isSigned(name string) bool {
	_, found := slices.BinarySearch(s.names, name)
	return found
}

// checkHost requires exactly one host, and that it is signed.
func (s *state) checkHost() *Error {
	if !s.isSigned("host") && !s.isSigned(":authority") {
		return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if line := s.headers[host]; s.request.Host == "" || line.lines > 1 || line.lines == 1 && line.value != s.request.Host {
		return mismatch("the request does not name exactly one host")
	}
	return nil
}

// checkHeadersAreSigned requires that every signed header is present, and that every header that must be signed is.
func (s *state) checkHeadersAreSigned() *Error {
	for i := range s.lines {
		l := &s.lines[i]
		n, signed := slices.BinarySearch(s.names, l.name)
		if !signed {
			if mustBeSigned(l.name) {
				return mismatch("an x-amz header is not signed: " + shortName(l.name) + "; add it to SignedHeaders")
			}
			continue
		}
		l.signed = n + 1
		s.present[n] = true
		if strings.IndexByte(l.value, '\t') >= 0 {
			s.readings |= keepTabs
		}
	}
	for n, name := range s.names {
		if !s.present[n] && !isHost(name) {
			return mismatch("a signed header is absent: " + shortName(name) + "; send it, or remove it from SignedHeaders")
		}
	}
	if s.form == FormHeader && s.headers[amzDate].lines == 0 && !s.isSigned("date") {
		return mismatch("the date header is not signed")
	}
	return nil
}

// shortName returns a header's name as messages show it.
func shortName(name string) string { return name[:min(len(name), 64)] }

func isHost(name string) bool { return name == "host" || name == ":authority" }

// mustBeSigned reports whether a header is an x-amz- header, in any spelling that an upstream may read as one: CGI maps
// x-amz-a, x_amz_a and X.Amz.A to one name. The exceptions apply only to their exact spelling.
func mustBeSigned(name string) bool {
	if len(name) < len("x-amz-") || name[0]|0x20 != 'x' || isAlphanumeric(name[1]) || !strings.EqualFold(name[2:5], "amz") || isAlphanumeric(name[5]) {
		return false
	}
	return name != "x-amz-content-sha256" && name != "x-amz-security-token" && name != "x-amz-cf-id"
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// checkDate compares the date of signing with the clock.
func (s *state) checkDate() *Error {
	signedAt, ok := parseDate(s.date)
	if !ok {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '" + shown(s.date) +
			"'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	s.signedAt = signedAt
	skew := s.config.ClockSkew
	minutes := strconv.Itoa(int(skew/time.Minute)) + " min."
	valid, unit := skew, minutes
	if s.form == FormQuery {
		var err *Error
		if valid, err = s.lifetime(); err != nil {
			return err
		}
		unit = strconv.Itoa(int(valid/time.Second)) + " sec."
	}
	switch now := s.now.UTC(); {
	case now.Add(skew).Before(signedAt):
		return invalid("Signature not yet current: " + s.date + " is still later than " + now.Add(skew).Format(dateLayout) +
			" (" + now.Format(dateLayout) + " + " + minutes + ")")
	case now.Add(-valid).After(signedAt):
		return invalid("Signature expired: " + s.date + " is now earlier than " + now.Add(-valid).Format(dateLayout) +
			" (" + now.Format(dateLayout) + " - " + unit + ")")
	default:
		return nil
	}
}

// lifetime returns how long a presigned request is valid. X-Amz-Expires is a decimal number from 1 to 604800. Without
// it, the lifetime is ClockSkew, as for a signed request. MaxExpires limits both.
func (s *state) lifetime() (time.Duration, *Error) {
	if s.expires == "" {
		return min(s.config.ClockSkew, s.config.MaxExpires), nil
	}
	const longest = int(maxExpires / time.Second)
	seconds, ok := parseDigits(s.expires)
	if !ok || len(s.expires) > 6 || seconds < 1 || seconds > longest {
		return 0, incomplete("X-Amz-Expires must be a number of seconds from 1 to " + strconv.Itoa(longest) + ".")
	}
	return min(time.Duration(seconds)*time.Second, s.config.MaxExpires), nil
}

// parseDate accepts only YYYYMMDDTHHMMSSZ.
func parseDate(text string) (time.Time, bool) {
	if len(text) != len(dateLayout) || text[8] != 'T' || text[15] != 'Z' {
		return time.Time{}, false
	}
	var n [6]int
	for i, at := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {9, 11}, {11, 13}, {13, 15}} {
		var ok bool
		if n[i], ok = parseDigits(text[at[0]:at[1]]); !ok {
			return time.Time{}, false
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	// time.Date makes the 1st of March of the 30th of February.
	same := int(t.Month()) == n[1] && t.Day() == n[2] && t.Hour() == n[3] && t.Minute() == n[4] && t.Second() == n[5]
	return t, same
}

func parseDigits(text string) (n int, ok bool) {
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' || n > 1e8 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, text != ""
}

// shown returns a date as the client sees it. Text that does not look like a date is hashed.
func shown(date string) string {
	const longest = len("Sun, 22 Nov 2026 14:30:00 GMT+00:00")
	if len(date) > longest || strings.ContainsFunc(date, func(r rune) bool { return r < ' ' || r > '~' }) {
		return base64SHA256(date)
	}
	return date
}

// splitCredential splits keyid/date/region/service/term, without the region for 4A. Later steps use the configured
// values wherever the two must be equal.
func (s *state) splitCredential() *Error {
	elements, example := 5, "keyid/date/region/service/term"
	if s.algorithm == AlgorithmV4A {
		elements, example = 4, "keyid/date/service/term"
	}
	keyID, scope, _ := strings.Cut(s.credential, "/")
	if strings.Count(s.credential, "/") != elements-1 || keyID == "" || len(keyID) > maxKeyID {
		return incomplete("Credential must have exactly " + strconv.Itoa(elements) + " slash-delimited elements, e.g. " + example +
			", got " + hashed(s.credential))
	}
	s.keyID, s.scope = keyID, scope
	return nil
}

// checkScope reports all faults of the scope in one message.
func (s *state) checkScope() *Error {
	date, rest, _ := strings.Cut(s.scope, "/")
	if s.algorithm == AlgorithmV4A {
		s.region = s.matchRegionSet()
	} else {
		var region string
		region, rest, _ = strings.Cut(rest, "/")
		s.region = s.matchRegion(region)
		if s.config.AnyRegion {
			s.region = region
		}
	}
	service, term, _ := strings.Cut(rest, "/")
	text := ""
	if s.region == "" && !s.config.AnyRegion {
		text += "Credential should be scoped to a valid region. "
	}
	if service != s.config.Service {
		text += "Credential should be scoped to correct service: '" + s.config.Service + "'. "
	}
	if term != terminator {
		text += "Credential should be scoped with a valid terminator: '" + terminator + "'."
	}
	if date != s.date[:8] {
		if text != "" {
			text = strings.TrimSuffix(text, " ") + " "
		}
		text += s.wrongDate(date)
	}
	if text != "" {
		return invalid(text)
	}
	return nil
}

func (s *state) wrongDate(date string) string {
	if _, digits := parseDigits(date); !digits || len(date) != 8 {
		date = base64SHA256(date)
	}
	return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + date + "' != '" +
		s.date[:8] + "', from '" + s.date + "'."
}

// matchRegion returns the configured region that the scope names, or "".
func (s *state) matchRegion(region string) string {
	for _, own := range s.config.Regions {
		if own == region {
			return own
		}
	}
	return ""
}

// matchRegionSet returns a configured region that the region set contains, or "".
func (s *state) matchRegionSet() string {
	for _, own := range s.config.Regions {
		if matchesRegionSet(s.regionSet, own) {
			return own
		}
	}
	return ""
}

// matchesRegionSet reports whether a comma-separated set, in which "*" matches any characters, contains a region.
func matchesRegionSet(set, region string) bool {
	for more := true; more; {
		var pattern string
		pattern, set, more = strings.Cut(set, ",")
		if matchesWildcard(strings.Trim(pattern, " "), region) {
			return true
		}
	}
	return false
}

// matchesWildcard backtracks only to the last "*", which suffices and limits the time.
func matchesWildcard(pattern, text string) bool {
	p, t, star, resume := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
