// Package authorizer makes an authorizer of portcullis.yaml of a security scheme's x-amazon-apigateway-authorizer: one for a function, for
// tokens of Cognito user pools, or for JSON Web Tokens.
//
// To begin with, read Make in authorizer.go.
//
// # Decisions
//
// 2026-11-28: a REQUEST authorizer without an identity source remembers no answers, whatever its TTL. API Gateway refuses one with a TTL
// above zero; remembered, the answer to one caller would count for all.
//
// 2026-11-28: identity sources are taken in the syntax of either kind of API, and written in that of the API's own.
package authorizer
