// Package policy is the IAM policy language: it reads policies (JSON or YAML), finds every fault in them at load, compiles
// them, and evaluates them by IAM's policy evaluation logic.
//
// The order of evaluation is in evaluate.go. Names follow the IAM User Guide's pages "IAM JSON policy elements reference" and
// "Policy evaluation logic".
//
// A policy that cannot be read is a nil *Policy beside its faults. Nil never allows anything, but a nil Boundary or Resource
// in Policies means that there is none: a caller that goes on after a fault would turn a broken boundary into no boundary.
// Whoever loads a policy refuses the whole configuration when Parse returns a fault that is not a warning.
package policy
