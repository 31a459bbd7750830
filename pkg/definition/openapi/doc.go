// Package openapi reads an OpenAPI 3.0, OpenAPI 3.1 or Swagger 2.0 document as API Gateway imports it, and returns an API in the terms
// of portcullis.yaml, whose values keep their positions in the document.
//
// Read returns a route for each operation. A route whose guard cannot be built, or cannot be told, has the field unresolved in place of
// an authorization: it stays in the routing table, and every request for it is refused. The Report says why.
//
// To begin with, read Read in read.go; then guardOf in security.go, which decides what guards an operation.
//
// # Decisions
//
// 2026-11-28: the security of the document's root guards an operation without one of its own, unless the document is one of Swagger 2.0.
// API Gateway's documentation says that REST APIs do not use it. What API Gateway answers after an import of OpenAPI 3 says otherwise:
// the snapshots of LocalStack's tests test_import_with_global_api_key_authorizer and test_import_with_cognito_auth_identity_source,
// recorded from AWS in July 2025, have the authorizer and the scopes of the root at each method. Of Swagger 2.0 there is no such record,
// and AWS's developers said in 2017 that it is not used (awslabs/aws-apigateway-importer, issue 204). Each such operation is noted.
//
// 2026-11-28: a method of API Gateway has one authorizer. Which one it takes of several is not documented, so such an operation is
// refused. Several entries of security, and several names in one entry, are one requirement: API key and authorizer.
//
// 2026-11-28: API Gateway ignores a security scheme without an extension, and an operation with no other scheme is open. Here it is
// refused, until the field values of the definition says what the scheme stands for.
//
// 2026-11-28: a path that no route can have blocks the whole API. Left out, its requests would be served by a greedy route.
package openapi
