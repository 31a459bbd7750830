package sigv4

import "strings"

// maxDebug limits each text of a Debug.
const maxDebug = 8 << 10

// Debug explains a failure to the signing client: the rule that its request breaks, or what its signature was compared
// with. It omits session tokens and the values of headers that a proxy may have added or that authenticate, even if the
// client lists them as signed.
type Debug struct{ Rule, CanonicalRequest, StringToSign string }

// Text returns the text to append to the message: the rule, or what AWS showed clients until 2023. It is empty for nil.
func (d *Debug) Text() string {
	switch {
	case d == nil || *d == Debug{}:
		return ""
	case d.Rule != "":
		return "\n\n" + d.Rule
	}
	return "\n\nThe Canonical String for this request should have been\n'" + d.CanonicalRequest +
		"'\n\nThe String-to-Sign should have been\n'" + d.StringToSign + "'\n"
}

// debug returns nil unless Config.Debug is on.
func (s *state) debug() *Debug {
	if !s.config.Debug {
		return nil
	}
	stringToSign := string(s.createStringToSign(s.createCanonicalRequest(s.request.Host, 0))) // over the complete request
	return &Debug{CanonicalRequest: bounded(s.toldRequest()), StringToSign: bounded(stringToSign)}
}

const leftOut = "..."

// toldRequest returns the canonical request without the omitted values.
func (s *state) toldRequest() string {
	for i := range s.lines {
		if !mayBeTold(s.lines[i].name) {
			s.lines[i].value = leftOut
		}
	}
	canonical := string(s.createCanonicalRequest(s.request.Host, 0))
	if s.token == "" {
		return canonical
	}
	return strings.ReplaceAll(canonical, string(appendEscaped(nil, s.token, false)), leftOut)
}

// mayBeTold lists the headers whose values may be shown, because they contain only what the client asks for. A proxy
// may put a secret in any other header, and a client may list any name as signed.
func mayBeTold(name string) bool {
	switch name {
	case "accept", "accept-encoding", "accept-language", "cache-control", "content-encoding", "content-length", "content-md5",
		"content-type", "date", "host", "range", "user-agent", "x-amz-content-sha256", "x-amz-date", "x-amz-region-set",
		"x-amz-target":
		return true
	}
	return false
}

// bounded shortens a text that is too long and marks the cut.
func bounded(text string) string {
	const cut = "... (cut)"
	if len(text) <= maxDebug {
		return text
	}
	return text[:maxDebug-len(cut)] + cut
}
