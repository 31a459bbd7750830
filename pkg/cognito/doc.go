// Package cognito is API Gateway's authorizer for callers with a token of an Amazon Cognito user pool
// (COGNITO_USER_POOLS).
//
// A method without scopes accepts ID tokens. A method with scopes accepts access tokens with any one of them. Every
// problem with a token is answered with 401, missing scopes included.
//
// # Decisions
//
// 2026-11-25: identityValidationExpression must match the whole aud of the token. An expression is refused if RE2
// cannot compile it (look-around, back-references) or reads it differently from Java (a class within a class, &&). As
// in API Gateway, access tokens have no aud and are refused if there is an expression. If aud is a list, each element
// must match.
//
// 2026-11-25: the token's iss says which pool it is from. A token of any other pool is refused before a key is looked
// up.
//
// 2026-11-25: only tokens of the authorizer's pools with a valid signature get the message "The incoming token has
// expired".
//
// 2026-11-25: RS256 is the only algorithm, as in Cognito. The allowed clock skew is zero by default.
//
// 2026-11-25: claims are written as REST APIs receive them: lists such as cognito:groups with commas, numbers as in the
// token, and null is omitted.
package cognito
