package gateway

import (
	"errors"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
)

// noRoute answers a request for which there is no route. A REST API takes such a request for one that should have been
// signed, and complains about the signature.
//
// 2026-11-23, where AWS says nothing: a request whose signature is right, and one whose signature we are to blame for not
// verifying, have no route and nothing else.
func (in *invocation) noRoute() error {
	reason := authz.Reason{Code: authz.CodeNoRoute, Detail: "the API has no such resource and method"}
	none := &answer.Refusal{Type: answer.MissingAuthenticationToken, Reason: reason}
	if in.gateway.signatures == nil {
		return none
	}
	_, err := in.verify()
	if complaint, ok := errors.AsType[*answer.Refusal](err); ok && complaint.Type != answer.InternalError {
		complaint.Reason = reason
		return complaint
	}
	return none
}
