// Package answer renders the answers to requests that do not pass: API Gateway's gateway responses and an HTTP API's errors, with status,
// headers and body. It also has the escaping of values in them, and the answers to CORS preflights. Decisions are not made here.
//
// Start with REST, which renders an authz.Refusal.
package answer
