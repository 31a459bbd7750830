// Package sam makes a CloudFormation template of a SAM template, as the transform AWS::Serverless-2016-10-31 does: as far as it decides
// who may call an API.
//
// Transform in transform.go has the order of work: implicit.go finds the API of each event and makes the implicit ones, globals.go
// merges Globals, event.go adds the operations of functions and state machines, rest.go and http.go make the APIs with their stages,
// domain.go and plan.go what belongs to them. Intrinsic functions stay as they are, but for the references to parameters that SAM
// itself resolves (parameters.go). Package document edits the OpenAPI documents.
//
// Decisions (2026-11-28):
//   - Quirks of the translator are kept: what it leaves open is open at AWS. A note says so where that is rarely intended.
//   - What the translator refuses is a fault, if it concerns an API. Properties of functions that do not are not looked at, so a
//     template need not be packaged: CodeUri may name a local folder.
//   - A null that the translator writes into the template, as for an authorizer without a function, is a fault here, for
//     CloudFormation refuses it.
//   - Permissions of functions, tags and DNS records are not made.
//
// The test oracle_test.go compares the result with that of the translator itself, version 1.115.0.
package sam
