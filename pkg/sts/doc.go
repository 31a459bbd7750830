// Package sts is an AWS Security Token Service: it issues session credentials for roles and users, by the AWS Query API that every AWS
// SDK speaks. It needs no AWS account. Only package awsidentity contacts AWS.
//
// Start at Server in server.go, which is the HTTP side and outlives configurations. A Service has the operations by one configuration;
// its table of actions is in service.go. Package iam decides who may assume a role, package session seals the sessions.
//
// # Decisions
//
// 2026-11-28: a parameter that is given twice is refused, and so is a known parameter that is empty. An empty Policy would otherwise be
// none, and the session would not be narrowed. Parameters that STS does not know are ignored, as STS does, unless they differ
// from a known one only in case.
//
// 2026-11-28: only GetCallerIdentity is served by GET. URLs are logged on their way, and a web identity token in one is a secret in
// those logs.
//
// 2026-11-28: a presigned request lasts 15 minutes at most, as at STS. STS ignores X-Amz-Expires; here, a shorter time counts.
//
// 2026-11-28: a signed call is for one STS: its Host, which every signature covers, has to be a host of iam.sts.urls. At AWS, host
// and region of a signature are those of one endpoint. A call that was signed for another STS, or for AWS's, would otherwise give
// credentials here to anyone who relays it, if both know the key. Without urls, the exact names of the TLS certificate count, and loopback
// addresses for clients on the same machine. A wildcard of a certificate does not count: it may be that of several STS. The region of
// the scope is not compared: SDKs put the region of their own configuration there, and aws-sdk-go-v2 none at all.
//
// 2026-11-28: aws:RequestedRegion has the regions of all APIs, for credentials are for all of them. The region of the scope is the client's
// choice, so policies do not see it.
//
// 2026-11-28: an operation that the decision log cannot record is refused if the audit is required, like a check.
//
// 2026-11-28: aud has to name one of the issuer's audiences, also where the token has azp. The condition key aud of trust
// policies is azp then, as at AWS.
//
// 2026-11-28: calls have a limit on their rate besides the one on their number. A call takes a fraction of a millisecond, so a storm
// of calls never has many at work, and takes the processors from checks all the same. boto3 asks on each use of credentials that
// expire within 15 minutes. A call beyond the rate is answered with a pause, during which it holds nothing but its connection.
//
// 2026-11-28: the rate of a caller counts only verified calls: anyone who names the key of another could use up its rate otherwise.
//
// 2026-11-28: there are no CORS headers. No page in a browser has a reason to call.
package sts
