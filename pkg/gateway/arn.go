package gateway

import "strings"

// maxARN is the length in bytes of the longest method ARN that is authorized ("Quotas": method ARN with authorization).
const maxARN = 1600

// arnLength is the length of the invocation's method ARN.
func (in *invocation) arnLength() int {
	return len(in.stage.arn) + len(in.request.Method) + len(in.path)
}

// buildARN fills in the method ARN and its other spellings. Routing ignores trailing slashes and servers read paths in other ways, so
// that a Deny on …/GET/admin must hold for /admin/ and for /admin;x too. For a plain path ARN and spellings share one string.
func (in *invocation) buildARN() {
	if in.arn != "" {
		return
	}
	in.arn, in.spellings = in.arnWithTwins(in.path, in.spellingBuffer[:0])
	for _, reading := range in.readings {
		arn := in.spell(reading)
		if in.stage.api.find(reading, in.request.Method) != nil {
			in.otherARNs = append(in.otherARNs, arn)
		}
	}
	if !in.stage.api.strictPaths {
		return
	}
	for _, reading := range append(in.readings, in.path) {
		if folded := foldCase(reading); folded != reading {
			in.spell(folded)
		}
	}
}

// spell adds the spellings of a path that some server may read the request's as, and returns its method ARN.
func (in *invocation) spell(path string) string {
	var arn string
	arn, in.spellings = in.arnWithTwins(path, in.spellings)
	in.spellings = append(in.spellings, arn)
	return arn
}

// arnWithTwins returns a path's method ARN, and appends those of the same path with no and with one trailing slash.
func (in *invocation) arnWithTwins(path string, spellings []string) (string, []string) {
	trimmed := trimTrailing(path)
	if trimmed == "" {
		return in.stage.arn + in.request.Method + "/", spellings
	}
	var b strings.Builder
	b.Grow(in.arnLength() + 1)
	b.WriteString(in.stage.arn)
	b.WriteString(in.request.Method)
	b.WriteString(path)
	length, bare := b.Len(), b.Len()-len(path)+len(trimmed)
	if length == bare {
		b.WriteByte('/')
	}
	text := b.String()
	for _, end := range [...]int{bare, bare + 1} {
		if end != length {
			spellings = append(spellings, text[:end])
		}
	}
	return text[:length], spellings
}

// maskARN hides the account's first eight digits, as API Gateway does in what it tells clients.
func (in *invocation) maskARN() string {
	return in.stage.maskedARN + in.arn[len(in.stage.arn):]
}
