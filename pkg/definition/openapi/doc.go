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
// 2026-11-28: on a REST API the security of the document's root guards nothing, as API Gateway documents, and each operation that it
// would guard elsewhere is noted. On an HTTP API, and where the kind of API cannot be told, API Gateway says nothing: it guards.
//
// 2026-11-28: a method of API Gateway has one authorizer. Which one it takes of several is not documented, so such an operation is
// refused. Several entries of security, and several names in one entry, are one requirement: API key and authorizer.
//
// 2026-11-28: API Gateway ignores a security scheme without an extension, and an operation with no other scheme is open. Here it is
// refused, until the field values of the definition says what the scheme stands for.
//
// 2026-11-28: a path that no route can have blocks the whole API. Left out, its requests would be served by a greedy route.
package openapi
