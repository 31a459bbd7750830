package trust

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// The limits of "AssumeRole" (AWS STS API Reference).
const (
	DefaultDuration = time.Hour
	minDuration     = 15 * time.Minute
	maxDuration     = 12 * time.Hour
	chainedDuration = time.Hour

	maxTags         = 50
	maxTagKey       = 128
	maxTagValue     = 256
	maxPolicy       = 2048
	maxPolicyARNs   = 10
	maxPolicyARN    = 2048
	reservedByAWS   = "aws:"
	namePattern     = `[\w+=,.@-]*`
	externalPattern = `[\w+=,.@:\/-]*`
	tagPattern      = `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`
)

var (
	nameShape     = regexp.MustCompile(`^[0-9A-Za-z_+=,.@-]*$`)
	externalShape = regexp.MustCompile(`^[0-9A-Za-z_+=,.@:/-]*$`)
	tagShape      = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// check finds what is wrong with a request, whatever role it is for.
func (r *Request) check() *Refused {
	switch {
	case r.identities() != 1:
		return &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "a request has one of a caller, a web identity and a workload"}
	case r.At.IsZero():
		return &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "the request has no time"}
	case r.Web != nil && (r.Web.Issuer == "" || r.Web.Subject == "" || r.Web.name() == ""):
		return &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "the token has no issuer or no subject"}
	case r.Caller == nil && (len(r.Tags) > 0 || len(r.TransitiveTagKeys) > 0 || r.SourceIdentity != "" || r.ExternalID != ""):
		return invalid("AssumeRoleWithWebIdentity has no parameters for tags, source identity and external id.")
	}
	for _, problem := range []*Refused{r.checkRole(), r.checkNames(), checkDuration(r.duration(), maxDuration), r.checkPolicies(), r.checkTags(), r.checkMFA()} {
		if problem != nil {
			return problem
		}
	}
	return nil
}

// identities counts the identities that the request has.
func (r *Request) identities() (n int) {
	for _, is := range []bool{r.Caller != nil, r.Web != nil, r.Workload != ""} {
		if is {
			n++
		}
	}
	return n
}

func (r *Request) checkRole() *Refused {
	if len(r.Role) < 20 || utf8.RuneCountInString(r.Role) > 2048 {
		return outOfRange("roleArn", 20, 2048)
	}
	if a, err := arn.Parse(r.Role); err != nil || a.Service != "iam" || a.Region != "" || !strings.HasPrefix(a.Resource, "role/") {
		return invalid("Request ARN is invalid")
	}
	return nil
}

func outOfRange(parameter string, least, most int) *Refused {
	return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length between %d and %d", parameter, least, most)
}

func checkText(parameter, text string, least, most int, shape *regexp.Regexp, pattern string) *Refused {
	if n := utf8.RuneCountInString(text); n < least || n > most {
		return outOfRange(parameter, least, most)
	}
	if !shape.MatchString(text) {
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", parameter, pattern)
	}
	return nil
}

func (r *Request) checkNames() *Refused {
	if problem := checkText("roleSessionName", r.SessionName, 2, 64, nameShape, namePattern); problem != nil {
		return problem
	}
	if r.ExternalID != "" {
		if problem := checkText("externalId", r.ExternalID, 2, 1224, externalShape, externalPattern); problem != nil {
			return problem
		}
	}
	if identity := r.newSourceIdentity(); identity != "" {
		return checkText("sourceIdentity", identity, 2, 64, nameShape, namePattern)
	}
	return nil
}

func checkDuration(d, most time.Duration) *Refused {
	const message = "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value %s than or equal to %d"
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	switch {
	case d < minDuration:
		return invalid(message, seconds(d), "greater", seconds(minDuration))
	case d > most:
		return invalid(message, seconds(d), "less", seconds(most))
	}
	return nil
}

func (r *Request) checkPolicies() *Refused {
	switch {
	case utf8.RuneCountInString(r.Policy) > maxPolicy:
		return outOfRange("policy", 1, maxPolicy)
	case len(r.PolicyARNs) > maxPolicyARNs:
		return invalid("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyARNs)
	}
	for _, text := range r.PolicyARNs {
		a, err := arn.Parse(text)
		if err != nil || utf8.RuneCountInString(text) > maxPolicyARN || a.Service != "iam" || a.Region != "" || !strings.HasPrefix(a.Resource, "policy/") {
			return invalid("A PolicyArn of the request is invalid.")
		}
	}
	return nil
}

// checkTags applies the rules of "Passing session tags in AWS STS" (IAM User Guide) to the tags of the request or of the token.
func (r *Request) checkTags() *Refused {
	tags, transitive := r.newTags()
	if len(tags) > maxTags || len(transitive) > maxTags {
		return invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to %d", maxTags)
	}
	for i, tag := range tags {
		if problem := checkTag(tag); problem != nil {
			return problem
		}
		if hasTag(tags[:i], tag.Key) {
			return invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
	}
	for _, key := range transitive {
		if !hasTag(tags, key) {
			return invalid("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

func checkTag(tag session.Tag) *Refused {
	if problem := checkText("tags.member.key", tag.Key, 1, maxTagKey, tagShape, tagPattern); problem != nil {
		return problem
	}
	if problem := checkText("tags.member.value", tag.Value, 0, maxTagValue, tagShape, tagPattern); problem != nil {
		return problem
	}
	if isReserved(tag.Key) || isReserved(tag.Value) {
		return invalid("Tag keys and values must not begin with aws:, which is reserved for AWS.")
	}
	return nil
}

func isReserved(text string) bool {
	return len(text) >= len(reservedByAWS) && strings.EqualFold(text[:len(reservedByAWS)], reservedByAWS)
}

// hasTag reports whether a key is among tags. Keys are compared without regard to case.
func hasTag(tags []session.Tag, key string) bool {
	return slices.ContainsFunc(tags, func(t session.Tag) bool { return strings.ToLower(t.Key) == strings.ToLower(key) }) //nolint:staticcheck // policies compare tag keys in lower case
}

func (r *Request) checkMFA() *Refused {
	if r.MFADevice != "" || r.MFACode != "" {
		return noMFA()
	}
	return nil
}

func noMFA() *Refused {
	return &Refused{
		Code:    AccessDenied,
		Message: "MultiFactorAuthentication failed, unable to validate MFA code. portcullis has no MFA devices: leave out SerialNumber and TokenCode.",
	}
}
