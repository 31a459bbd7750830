package trust

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// The limits of "GetSessionToken" (AWS STS API Reference).
const (
	defaultUserDuration = 12 * time.Hour
	maxUserDuration     = 36 * time.Hour
	maxRootDuration     = time.Hour
)

// UserRequest asks for a session of the caller itself (GetSessionToken).
type UserRequest struct {
	Caller Caller
	// UserID is the caller's aws:userid. Temporary reports whether the caller signed with a temporary key.
	UserID    string
	Temporary bool
	// Duration is how long the session lasts; zero means 12 hours, for a root user one hour.
	Duration           time.Duration
	MFADevice, MFACode string
	At                 time.Time
}

// OfUser returns the session of a user or a root user. No policy decides, as at AWS: the session has no more rights than the
// key. The error is a *Refused.
func OfUser(r *UserRequest) (*session.Session, error) {
	p := r.Caller.Principal()
	d := r.Duration
	if d == 0 {
		d = defaultUserDuration
	}
	outside := checkDuration(d, maxUserDuration)
	switch {
	case r.Temporary || p.Kind != policy.User && p.Kind != policy.Root:
		return nil, &Refused{Code: AccessDenied, Message: "Cannot call GetSessionToken with session credentials"}
	case r.MFADevice != "" || r.MFACode != "":
		return nil, noMFA()
	case outside != nil:
		return nil, outside
	case r.At.IsZero() || r.UserID == "" || p.ARN == "":
		return nil, &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "the request has no time, or the caller no id"}
	}
	if p.Kind == policy.Root {
		d = min(d, maxRootDuration)
	}
	issued := seconds(r.At)
	return &session.Session{User: p.ARN, UserID: r.UserID, Issued: issued, Expires: issued.Add(d)}, nil
}
