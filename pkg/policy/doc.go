// Package policy is the IAM policy language: it reads policies (JSON or YAML), finds every fault in them when they are loaded,
// compiles them, and evaluates them by IAM's policy evaluation logic.
//
// Start at Evaluate in evaluate.go, which has the order of evaluation, or at Parse in policy.go. The parts are packages of their
// own: document reads JSON and YAML, condition has the operators and the values of a request, statement decides whether one
// statement applies, and lint finds what is surely wrong in a policy. Names follow the IAM User Guide's pages "IAM JSON policy
// elements reference" and "Policy evaluation logic".
//
// A policy that cannot be read is a nil *Policy beside its faults. Nil never allows anything, but a nil Boundary or Resource
// in Policies means that there is none: a caller that goes on after a fault would turn a broken boundary into no boundary.
// A caller of Parse must refuse the whole configuration when Parse returns a fault that is not a warning. In lists (Identity,
// Session, the levels of SCP and RCP) a nil policy grants nothing and still counts: a session with a nil session policy has
// no permissions left.
//
// # Decisions
//
// 2026-11-23: a policy's Denies and Allows have an index each. All Denies of all policies are looked at before the first
// Allow, as the evaluation logic says; which statement is named in the result does not depend on the index, but is the first.
//
// 2026-11-23: where AWS's documents leave a point open, the choice stands in the comment of the function that makes it, after
// the word "Choice". Each choice is the closed one: what is unclear does not help an Allow and does not stop a Deny.
//
// 2026-11-28: a function's answer may not stand with escaped quotes, as a policy file may. API Gateway too answers 500 to text.
//
// 2026-11-28: a role's trust policy is a kind of its own, and the resource-based policy of a request for its role. Unlike any other, it has
// to allow in the caller's own account too; Evaluate sees to it.
//
// 2026-11-28: package statement knows nothing of the order of evaluation, and lint sees the same statements as the evaluation. This
// package gives the types of its parts their public names, so that callers import this package alone.
package policy
