// Package fault says what is wrong with a configuration and where.
//
// Packages that read or check a part of a configuration return a Fault: portcullis.yaml, access keys, accounts' exports, policies.
//
// To begin with, read Fault; then Place, which travels with a value to the package that checks it; then Report, which gathers faults
// and leaves out those that only follow from another.
package fault
