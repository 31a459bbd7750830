package trust

import (
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// facts is the request context in which policies are evaluated ("IAM and AWS STS condition context keys", IAM User Guide). A key
// that is not here is absent, such as sts:DurationSeconds, which AWS has for bearer tokens alone.
type facts struct {
	*assumption
}

// Lookup returns the value of a condition key.
func (f facts) Lookup(key *policy.Key) (policy.Value, bool) {
	switch key.ID() {
	case policy.KeyRequestTag:
		return f.requestTag(key.Suffix())
	case policy.KeyTagKeys:
		keys := make([]string, len(f.tags))
		for i, tag := range f.tags {
			keys[i] = tag.Key
		}
		return policy.ListValue(keys), len(keys) > 0
	case policy.KeyResourceTag:
		value, ok := f.role.Tags[key.Suffix()]
		return policy.StringValue(value), ok
	case policy.KeyResourceAccount:
		return policy.StringValue(f.role.Account), true
	case policy.KeyResourceOrgID:
		return policy.StringValue(f.role.OrganizationID), f.role.OrganizationID != ""
	case policy.KeyResourceOrgPaths:
		return policy.ListValue(f.role.OrganizationPaths), len(f.role.OrganizationPaths) > 0
	case policy.KeyPrincipalTag:
		if f.Workload != "" {
			return f.requestTag(key.Suffix())
		}
		return f.ofRequest(key)
	case policy.KeyOther:
		return f.named(key.Name())
	default:
		return f.ofRequest(key)
	}
}

// ofRequest returns what any request has, and then what the caller has.
func (f facts) ofRequest(key *policy.Key) (policy.Value, bool) {
	switch key.ID() {
	case policy.KeyCurrentTime:
		return policy.TimeValue(f.At), true
	case policy.KeyEpochTime:
		return policy.NumberValue(f.At.Unix()), true
	case policy.KeySourceIP:
		return policy.AddrValue(f.SourceIP), f.SourceIP.IsValid()
	case policy.KeySecureTransport:
		return policy.BoolValue(f.TLS), true
	case policy.KeyUserAgent:
		return policy.StringValue(f.UserAgent), f.UserAgent != ""
	case policy.KeyRequestedRegion:
		return oneOf(f.Regions)
	case policy.KeyPrincipalIsAWSService:
		return policy.BoolValue(f.Workload != ""), true
	case policy.KeyPrincipalServiceName:
		return policy.StringValue(RolesAnywhere), f.Workload != ""
	case policy.KeyViaAWSService:
		return policy.BoolValue(false), true
	default:
		if f.Caller == nil {
			return policy.Value{}, false
		}
		return f.Caller.Lookup(key)
	}
}

// requestTag returns a tag that was passed. Tags that the session inherits are the caller's, as aws:PrincipalTag.
func (f facts) requestTag(key string) (policy.Value, bool) {
	for _, tag := range f.tags {
		if strings.ToLower(tag.Key) == key {
			return policy.StringValue(tag.Value), true
		}
	}
	return policy.Value{}, false
}

// named returns the values of keys that are told apart by name, which is in lower case.
func (f facts) named(name string) (policy.Value, bool) {
	switch name {
	case "sts:externalid":
		return policy.StringValue(f.ExternalID), f.ExternalID != ""
	case "sts:rolesessionname":
		return policy.StringValue(f.SessionName), true
	case "sts:sourceidentity":
		return policy.StringValue(f.sourceIdentity), f.sourceIdentity != ""
	case "sts:transitivetagkeys":
		return policy.ListValue(f.transitive), len(f.transitive) > 0
	}
	if tag, ok := strings.CutPrefix(name, "iam:resourcetag/"); ok {
		value, ok := f.role.Tags[tag]
		return policy.StringValue(value), ok
	}
	if f.Web == nil {
		return policy.Value{}, false
	}
	claim, ok := strings.CutPrefix(name, strings.ToLower(f.Web.name())+":")
	if !ok {
		return policy.Value{}, false
	}
	return f.Web.claim(claim)
}

// claim returns the value of an identity provider's condition key ("Available keys for AWS OIDC federation"). With azp, aud is azp, and
// oaud is aud; AWS documents it for Google.
func (w *WebIdentity) claim(name string) (policy.Value, bool) {
	switch name {
	case "sub":
		return policy.StringValue(w.Subject), w.Subject != ""
	case "aud":
		if w.AuthorizedParty != "" {
			return policy.StringValue(w.AuthorizedParty), true
		}
		return w.audience()
	case "oaud":
		return w.audience()
	case "azp":
		return policy.StringValue(w.AuthorizedParty), w.AuthorizedParty != ""
	case "amr":
		return policy.SeveralValue(w.Methods), len(w.Methods) > 0
	}
	return policy.Value{}, false
}

// audience returns one audience as text, and several as such.
//
// Choice: AWS does not document a token with several. In an Allow they satisfy no single-valued operator, so that an audience that
// was added to a token does not replace the one that a policy asks for. A Deny holds if it holds for one of them.
func (w *WebIdentity) audience() (policy.Value, bool) { return oneOf(w.Audience) }

// oneOf returns one text as such, and several for a key that has one.
func oneOf(list []string) (policy.Value, bool) {
	if len(list) == 1 {
		return policy.StringValue(list[0]), list[0] != ""
	}
	return policy.SeveralValue(list), len(list) > 0
}

// seconds returns a time without its fraction, as STS tells times.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
