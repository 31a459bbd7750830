// Package workload finds the callers who do not sign their requests: workloads with a verified certificate, and holders of a token. Each counts
// as a session of the role that it is mapped to, if the role's trust policy admits it.
//
// Start with Finder.Find. The request must have no signature: a signature decides alone, and the caller of this package sees to it.
//
// Decisions:
//
// 2026-11-28: policies see a workload with a SPIFFE id as they see one that comes by AWS' IAM Roles Anywhere, which has the same purpose: the
// service rolesanywhere.amazonaws.com assumes the role and passes the id as the session tag x509SAN/URI. Policies that were written for AWS
// keep their meaning, and no form of principal is invented. There is no trust anchor, so aws:SourceArn is absent.
//
// 2026-11-28: a token is the bearer token of Authorization, verified as STS verifies web identities: by its issuer's keys and the issuer's
// audiences. The token of a route's own authorizer is not used, because a route has one authorization.
//
// 2026-11-28: two identities are refused, even if both lead to one role. Which of them is meant could otherwise depend on a header that a
// proxy or a browser adds.
//
// 2026-11-28: the trust policy is asked for each request, as if the caller assumed the role anew. A changed policy and an expired token
// count at once. aws:TokenIssueTime is therefore the time of the request, and does not revoke.
package workload
