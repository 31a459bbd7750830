// Package answer has the answers to requests that do not pass: API Gateway's gateway responses and an HTTP API's errors, their statuses,
// headers and bodies, and how values are written into them. It decides nothing. A Refusal says what kind of answer a request gets, and
// REST and HTTP render it.
//
// Start with Refusal and REST.
package answer
