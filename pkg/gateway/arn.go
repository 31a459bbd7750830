package gateway

import "github.com/portcullis-authz/portcullis/pkg/gateway/canon"

// maxARN is the length in bytes of the longest method ARN that is authorized ("Quotas": method ARN with authorization).
const maxARN = 1600

// arnLength is the length of the invocation's method ARN.
func (in *invocation) arnLength() int {
	return len(in.stage.ARN) + len(in.request.Method) + len(in.path)
}

// buildARN fills in the method ARN and its other spellings. Routing ignores trailing slashes and servers read paths in other ways, so
// that a Deny on …/GET/admin must hold for /admin/ and for /admin;x too. For a plain path ARN and spellings share one string.
//
// 2026-11-28: policies are asked about the path as it came, and a path's other readings, with and without a slash at the end, can only
// take away: a Deny on one holds, and so does a NotResource in an Allow. A wildcard of an Allow must take in each reading that has a route,
// whatever the slash at its end: "*.css" is not for "/admin;.css", which a servlet container serves as "/admin". So must the NotResource of
// a Deny. A Resource that spells out the whole path is about that path. Under strictPaths they are in lower case too: a Deny that is to
// hold whatever the case is written in lower case.
func (in *invocation) buildARN() {
	if in.arn != "" {
		return
	}
	in.arn, in.spellings = canon.Spell(in.stage.ARN, in.request.Method, in.path, in.spellingBuffer[:0])
	for _, reading := range in.readings {
		arn := in.spell(reading)
		if in.stage.API.Routes.Find(reading, in.request.Method) != nil {
			in.otherARNs = append(in.otherARNs, arn)
		}
	}
	if !in.stage.API.StrictPaths {
		return
	}
	for _, reading := range append(in.readings, in.path) {
		if folded := canon.FoldCase(reading); folded != reading {
			in.spell(folded)
		}
	}
}

// spell adds the spellings of a path that some server may read the request's as, and returns its method ARN.
func (in *invocation) spell(path string) string {
	var arn string
	arn, in.spellings = canon.Spell(in.stage.ARN, in.request.Method, path, in.spellings)
	in.spellings = append(in.spellings, arn)
	return arn
}

// maskARN hides the account's first eight digits, as API Gateway does in what it tells clients.
func (in *invocation) maskARN() string {
	return in.stage.MaskedARN + in.arn[len(in.stage.ARN):]
}
