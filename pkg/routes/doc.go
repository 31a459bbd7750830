// Package routes lists the routes of a configuration with what guards each, says which of them are open by mistake, and what a change of
// the configuration opens or closes.
//
// Start with List in list.go, then Compare in compare.go. guard.go compares what guards two routes, sample.go finds the requests to ask
// about, and warn.go has Warnings.
package routes
