// Package trust decides who may assume a role, and for what session: the operations AssumeRole and AssumeRoleWithWebIdentity of
// AWS STS, without their protocol.
//
// Start at Assume in assume.go. check.go has the limits of the parameters, facts.go has what policies see of a request.
//
// # Decisions
//
// 2026-11-28: a role's trust policy has to allow, in the caller's own account too. The tables by which API Gateway combines
// policies do not apply: there, an identity-based policy alone is enough.
//
// 2026-11-28: an identity that chains roles needs sts:SetSourceIdentity in its own policies as well as in the trust policy, as
// "Monitor and control actions taken with assumed roles" (IAM User Guide) says. The same is asked if it does not pass a source
// identity and its session has one, since the new session has it, too.
//
// 2026-11-28: transitive tags that a session passes on need sts:TagSession in the trust policy of the next role, as tags that are passed do.
//
// 2026-11-28: a role that does not exist is refused with the same message as one that does not trust the caller.
//
// 2026-11-28: nobody has an MFA device here. A request that names one is refused, and does not go on without it.
package trust
