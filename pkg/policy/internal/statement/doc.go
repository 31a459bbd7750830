// Package statement is a policy's statement in the form in which it is evaluated: whether it concerns an action, names the caller,
// fits the resource and holds by its conditions. Package policy compiles statements and decides what several of them mean together.
//
// Start at Entry.Applies in query.go. An Index finds the statements that a request could concern without looking at the others.
//
// # Decisions
//
// 2026-11-23: a statement is found by its action's service and by the rarest literal piece of its resource, at the beginning of
// the resource's last part or at one of its slashes. So a policy of a thousand statements costs what one of ten does, also
// where stages are wildcards.
package statement
