// Package cognito is API Gateway's authorizer for callers with a token of an Amazon Cognito user pool (COGNITO_USER_POOLS).
//
// A method without scopes takes ID tokens, a method with scopes access tokens that have any one of them. Whatever is wrong with a
// token is answered with 401, missing scopes included.
//
// # Decisions
//
// 2026-11-25: identityValidationExpression has to match the whole of the token's aud. An expression that RE2 cannot compile
// (look-around, back-references), or reads otherwise than Java (a class within a class, &&), is refused. Access tokens have no aud
// and are refused where there is an expression, as API Gateway refuses them; a user pool's token whose aud is a list has to match
// with each of its elements.
//
// 2026-11-25: the token says which pool it is from by its iss; a token of a pool that is not one of the authorizer's is refused
// before a key is looked for.
//
// 2026-11-25: "The incoming token has expired" is said of tokens of a pool of the authorizer's with a good signature only.
//
// 2026-11-25: RS256 is the only algorithm, as it is Cognito's. The clock's leeway is zero unless configured.
//
// 2026-11-25: claims are written as REST APIs get them: lists such as cognito:groups with commas, numbers as they stand in the
// token, null not at all.
package cognito
