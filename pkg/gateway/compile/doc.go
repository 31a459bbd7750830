// Package compile turns a Config, which is API Gateway's terms in Go, into what requests are decided by. It checks every shape and every
// name, and reports all faults at once. Nothing here sees a request.
//
// Start with Config, and with New for the order of things.
package compile
