// Package routes lists the routes of a configuration with what guards each, says which of them are open by mistake, and what a change of
// the configuration opens or closes.
//
// To begin with, read List in list.go; then Warnings and Compare.
package routes
