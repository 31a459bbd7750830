// Package fault describes what is wrong with a configuration, and where.
//
// Packages that read or check a part of a configuration return Faults: portcullis.yaml, access keys, accounts' exports,
// policies.
//
// Start with Fault; then Place, which travels with a value to the package that checks it; then Report, which collects
// faults and drops those that only follow from another.
package fault
