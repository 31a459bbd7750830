// Package lint finds what is legal in a resource-based policy and surely wrong where the policy is attached: a statement that can
// never apply, a condition that says nothing, an Allow that lets in more callers than its author can have meant.
//
// Start at Check in lint.go. overlap.go decides whether a Resource can fit a route of the API.
//
// # Decisions
//
// 2026-11-25: an Allow for everybody without conditions is warned of where its Resource takes in routes with a Lambda authorizer
// or AWS_IAM, also by a wildcard that runs across slashes: "/prod/*/admin*" takes in GET /orders/admin. Where it takes in other
// routes alone there is no warning, because those need such an Allow.
//
// 2026-11-28: an Allow for everybody with conditions is warned of where it concerns a Lambda authorizer's route, unless a Deny has a
// condition on the same key: the authorizer's own Allow is enough, so that the condition keeps nobody out.
package lint
