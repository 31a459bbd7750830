package gateway

import (
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
)

// requireAPIKey asks for an API key where the route requires one: the x-api-key header, or the usageIdentifierKey of the Lambda
// authorizer's answer ("Choose an API key source in API Gateway").
//
// 2026-11-28: the API key comes after the authorizer and the policies, as on API Gateway: with a bad token and a bad key the answer is 401.
// It is not authorization: a good key allows nothing that the policies deny. x-api-key on several lines is not a key, because the upstream might
// take another line than the one that was compared. The header is handed on as the client sent it, as on API Gateway. Usage plans'
// throttles and quotas are not counted.
func (in *invocation) requireAPIKey(context.Context) outcome {
	if !in.route.APIKeyRequired {
		return goOn()
	}
	shown := in.showAPIKey()
	if shown == "" {
		return deny(invalidAPIKey("the request has no API key, or several"))
	}
	key := in.stage.API.APIKeys.Find(shown)
	switch {
	case key == nil:
		return deny(invalidAPIKey("the API key is unknown"))
	case !key.Enabled:
		return deny(invalidAPIKey("the API key " + key.Label + " is not enabled"))
	case !key.Counts(in.stage):
		return deny(invalidAPIKey("the API key " + key.Label + " is not for the stage"))
	}
	in.apiKey, in.shownKey = key, shown
	return goOn()
}

// showAPIKey returns the API key that the caller shows, or that the function found for the caller; empty for none.
func (in *invocation) showAPIKey() string {
	if !in.stage.API.APIKeys.FromAuthorizer {
		if value, lines := in.request.Header("x-api-key"); lines == 1 {
			return value
		}
		return ""
	}
	if in.answer == nil {
		return ""
	}
	return in.answer.UsageIdentifierKey()
}

// invalidAPIKey refuses a request for its API key, whose value detail does not repeat. The client is not told what is wrong with it.
func invalidAPIKey(detail string) *authz.Refusal {
	return &authz.Refusal{ResponseType: authz.ResponseInvalidAPIKey, Reason: authz.Reason{Code: authz.CodeInvalidAPIKey, Detail: detail}}
}

// ofAPIKey is a value that only requests with an API key have, on routes that require one.
func (in *invocation) ofAPIKey(kind answer.Kind) (string, bool) {
	switch {
	case in.apiKey == nil:
		return "", false
	case kind == answer.APIKeyID:
		return in.apiKey.ID, true
	default:
		return in.shownKey, true
	}
}
