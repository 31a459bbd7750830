package sigv4

import "strings"

// maxDebug bounds each text of a Debug.
const maxDebug = 8 << 10

// Debug is what the client that has signed is told beside the message: the rule that its request breaks, or what its signature was
// compared with. The values of headers that a proxy on the way
// may have added, and of those that authenticate, are left out, whether or not the client lists them as signed, and so are
// session tokens.
type Debug struct{ Rule, CanonicalRequest, StringToSign string }

// Text follows the message: the rule, or else the texts as AWS told clients of them until 2023. Of nil it is empty.
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

// debug is nil unless it is asked for.
func (s *state) debug() *Debug {
	if !s.config.Debug {
		return nil
	}
	stringToSign := string(s.createStringToSign(s.createCanonicalRequest(s.request.Host, 0))) // over the whole of it
	return &Debug{CanonicalRequest: bounded(s.toldRequest()), StringToSign: bounded(stringToSign)}
}

const leftOut = "..."

// toldRequest is the canonical request without what is left out.
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

// mayBeTold lists the headers that clients sign and that say nothing but what the client asks for. In any other, a proxy on
// the way may have put a secret of its own, and a client may list any name as signed.
func mayBeTold(name string) bool {
	switch name {
	case "accept", "accept-encoding", "accept-language", "cache-control", "content-encoding", "content-length", "content-md5",
		"content-type", "date", "host", "range", "user-agent", "x-amz-content-sha256", "x-amz-date", "x-amz-region-set",
		"x-amz-target":
		return true
	}
	return false
}

// bounded cuts a text that is too long, and says so.
func bounded(text string) string {
	const cut = "... (cut)"
	if len(text) <= maxDebug {
		return text
	}
	return text[:maxDebug-len(cut)] + cut
}
