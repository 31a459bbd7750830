// Package fault holds what is said of a configuration that is wrong: a Fault, where it stands, and the Report that gathers them.
//
// All who read a part of a configuration speak of it with these words: portcullis.yaml, access keys, accounts' exports, policies.
//
// To begin with, read Fault; then Place, which travels with a value to whoever checks it; then Report, which leaves out what only
// follows from another fault.
package fault
