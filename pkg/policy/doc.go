// Package policy is the IAM policy language: it reads policies (JSON or YAML), finds every fault in them at load, compiles
// them, and evaluates them by IAM's policy evaluation logic.
//
// The order of evaluation is in evaluate.go. Names follow the IAM User Guide's pages "IAM JSON policy elements reference" and
// "Policy evaluation logic".
//
// A policy that cannot be read is a nil *Policy beside its faults. Nil never allows anything, but a nil Boundary or Resource
// in Policies means that there is none: a caller that goes on after a fault would turn a broken boundary into no boundary.
// Whoever loads a policy refuses the whole configuration when Parse returns a fault that is not a warning. In lists (Identity,
// Session, the levels of SCP and RCP) a nil policy grants nothing and still counts: a session with a nil session policy has
// no permissions left.
//
// # Decisions
//
// 2026-11-23: everything is read when the policy is loaded: numbers, dates, addresses, patterns and variables. A value that its
// operator cannot read is a fault and never a condition that does not match, for in a Deny that would open.
//
// 2026-11-23: a statement is found by its action's service and by the rarest literal piece of its resource, at the beginning of
// the resource's last part or at one of its slashes. So a policy of a thousand statements costs what one of ten does, also
// where stages are wildcards. Addresses of a condition stand in one prefix table.
//
// 2026-11-23: a policy's Denies and Allows have an index each. All Denies of all policies are looked at before the first
// Allow, as the evaluation logic says; which statement is named in the result does not depend on the index, but is the first.
//
// 2026-11-23: where AWS's documents leave a point open, the choice stands in the comment of the function that makes it, after
// the word "Choice". Each choice is the closed one: what is unclear does not help an Allow and does not stop a Deny.
//
// 2026-11-25: an Allow for everybody without conditions is warned of where its Resource takes in routes with a Lambda authorizer
// or AWS_IAM, also by a wildcard that runs across slashes: "/prod/*/admin*" takes in GET /orders/admin. Where it takes in other
// routes alone there is no warning, for those need such an Allow.
//
// 2026-11-28: a function's answer may not stand with escaped quotes, as a policy file may. API Gateway too answers 500 to text.
//
// 2026-11-28: an Allow for everybody with conditions is warned of where it concerns a Lambda authorizer's route, unless a Deny has a
// condition on the same key: the authorizer's own Allow is enough, so that the condition keeps nobody out.
package policy
