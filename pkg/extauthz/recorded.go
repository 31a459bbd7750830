package extauthz

import (
	"context"
	"errors"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// ErrNotRecorded is returned for a text that is not a CheckRequest.
var ErrNotRecorded = errors.New("it is not a CheckRequest in protobuf's JSON form")

// CheckRecorded answers a CheckRequest in protobuf's JSON form, as grpcurl sends it, in the way in which Check answers it on the wire. It
// returns the decision. The error does not repeat the text, which may contain secrets.
func CheckRecorded(ctx context.Context, a Authorizer, text []byte) (authz.Decision, error) {
	var in authv3.CheckRequest
	if err := protojson.Unmarshal(text, &in); err != nil {
		return authz.Decision{}, ErrNotRecorded
	}
	var decision authz.Decision
	s := New(Config{Authorizer: a, Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { decision = *d }})
	if _, err := s.Check(ctx, &in); err != nil {
		return authz.Decision{}, err
	}
	return decision, nil
}
