// Package condition implements the Condition block of a policy: condition keys and the values that a request has for them,
// the operators, and text with wildcards and policy variables, which stands in resources too.
//
// Start at Condition in condition.go: a policy's values are added to it when the policy is loaded, and Holds asks it about a
// request. matcher.go has one type for each group of operators. Names follow the IAM User Guide's pages "IAM JSON policy elements:
// Condition operators" and "AWS global condition context keys".
//
// # Decisions
//
// 2026-11-23: numbers, dates, addresses, patterns and variables are read when the policy is loaded. A value that its operator cannot
// read is a fault and never a condition that does not match: in a Deny such a condition would open the API.
//
// 2026-11-23: the addresses of a condition stand in one prefix table, so that a thousand of them cost what one does.
package condition
