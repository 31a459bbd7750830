package session

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Session is the content of a session token: whose credentials it belongs to, and how they are narrowed. A role session has Role and
// RoleID, the session of a user (GetSessionToken) has User and UserID.
type Session struct {
	// Role is the ARN of the role with its path, RoleID the role's unique id (AROA…), which another role of the same name does not have.
	Role, RoleID string
	// Name is the name of the role session.
	Name string
	// User is the ARN of the user with its path, UserID the user's unique id (AIDA…).
	User, UserID string
	// Issued is aws:TokenIssueTime. It is the beginning of 1970 if the caller's own credentials were temporary and tell no such time.
	Issued time.Time
	// Expires is the end that the client was told. Credentials work a little longer.
	Expires time.Time
	// Policy is the inline session policy, as JSON; PolicyARNs are the managed ones.
	Policy     string
	PolicyARNs []string
	// Tags are the session tags, with keys as they were given; TransitiveTagKeys are those that a chained session inherits.
	Tags              []Tag
	TransitiveTagKeys []string
	SourceIdentity    string
	// FederatedProvider is aws:FederatedProvider: the ARN of the identity provider of a web identity.
	FederatedProvider string
}

// Tag is a session tag.
type Tag struct{ Key, Value string }

// Credentials are the credentials of a session.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expiration is the session's Expires.
	Expiration time.Time
}

// Grace is how long credentials work after the end that the client was told. Some clients use credentials to their last second.
const Grace = time.Minute

// End is when the session's credentials stop working.
func (s *Session) End() time.Time { return s.Expires.Add(Grace) }

// TransitiveTags returns the tags that a chained session inherits. Tag keys are compared in lower case, as policies compare them.
func (s *Session) TransitiveTags() []Tag {
	var tags []Tag
	for _, t := range s.Tags {
		if slices.ContainsFunc(s.TransitiveTagKeys, func(key string) bool { return strings.ToLower(key) == strings.ToLower(t.Key) }) { //nolint:staticcheck // as policies do
			tags = append(tags, t)
		}
	}
	return tags
}

// Format prints only the access key id, for every verb.
func (c Credentials) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "session.Credentials(%s)", c.AccessKeyID)
}

// LogValue logs only the access key id.
func (c Credentials) LogValue() slog.Value {
	return slog.StringValue("session.Credentials(" + c.AccessKeyID + ")")
}
