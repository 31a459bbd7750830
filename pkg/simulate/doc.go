// Package simulate evaluates policies alone, in the shape of IAM's SimulateCustomPolicy: its request, its response, and three
// fields more for what it leaves out (session policies, service control policies by level, the role behind a session).
//
// The names and their meanings are those of the IAM API Reference's page "SimulateCustomPolicy". Nothing but the request
// counts: a condition key that ContextEntries does not give is absent, aws:CurrentTime too.
//
// # Decisions
//
// 2026-11-23: One result for each action and resource, in that order, each with the decision for that resource. AWS's simulator
// gave as many, and has since begun to give one for an action with the most restrictive decision of all resources; scripts
// that look for a resource by EvalResourceName read ours, and ResourceSpecificResults holds the same decision where AWS has
// it now. Without MaxItems all results come at once, as the AWS CLI prints them.
//
// 2026-11-23: The resource's account is the one in its ARN; ResourceOwner is for resources whose ARN has none, and without it the
// owner is the caller's account. So AWS has it. A caller without an ARN belongs to ResourceOwner and, without one, to the account
// of each resource: then the policies alone decide. Without an ARN and without identity-based policies it is the anonymous
// caller, and any other policy that only a caller with an account has is refused. A root user is allowed what is not denied.
//
// 2026-11-23: The resource "*" is compared as it stands: only "*" and NotResource in a policy cover it.
//
// 2026-11-23: A request that cannot be understood whole is refused: unknown and duplicate fields, a value that its
// ContextKeyType cannot hold, a policy that AWS would not store. ResourceHandlingOption, which asks for EC2's rules, is refused,
// too. Values in a policy that their operator cannot read are taken, as IAM takes them, and nothing equals them.
//
// 2026-11-23: MatchedStatements are those that made the decision: the Denys of an explicit deny, the Allows of identity-based and
// resource-based policies, none for an implicit deny. AWS leaves service control policies out of them; here their Denys are
// in, because no other field would name them.
//
// 2026-11-23: Positions are what IAM's own reader gives, seen in its published answers: a statement ends in the column behind its
// brace; it begins behind its opening brace if it stands alone, and in a list where the list's bracket or the statement before
// it ended.
package simulate
