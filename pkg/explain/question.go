package explain

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Question is a question to a running server: an Input and Options.
type Question struct {
	Check   json.RawMessage `json:"check"`
	Logged  *Logged         `json:"logged,omitempty"`
	As      string          `json:"as,omitempty"`
	Offline bool            `json:"offline,omitempty"`
}

// Question returns the question about the Input. The caller of a line of the decision log counts as the signer, unless as names one.
func (in *Input) Question(as string, offline bool) Question {
	if as == "" {
		as = in.caller
	}
	return Question{Check: in.check, Logged: in.logged, As: as, Offline: offline}
}

func (q *Question) options(signer func(string, time.Time) *gateway.Signed) (Options, error) {
	o := Options{Offline: q.Offline}
	if q.As == "" {
		return o, nil
	}
	if o.As = signer(q.As, time.Now()); o.As == nil {
		if q.Logged != nil {
			return o, nil // a token's subject, or a caller whose key was removed
		}
		return o, errors.New("--as: no access key of the configuration belongs to that ARN, and no account has such a user or role; write the ARN of a user, or arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION")
	}
	return o, nil
}
