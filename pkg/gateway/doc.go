// Package gateway is API Gateway's authorization: it finds the API, stage and route of a request, lets the route's guard decide, and
// answers with the gateway response or with the headers that the upstream gets.
//
// Start in authorize.go: its list order has every step of a decision, and each entry names the method that runs. A step denies unless it
// says otherwise, and the last one alone allows. guard.go has what the authorization types mean.
//
// New compiles a Config, which package compile documents. canon has the forms of paths and hosts, routing the look-up of routes, answer
// what clients are told. A comment with a date, such as "2026-11-28:", is a decision where AWS is silent, or where portcullis is stricter;
// it stands at the function that takes it.
package gateway
