// Package credentials gets session credentials of a portcullis for a caller who holds AWS credentials, and hands them to AWS SDKs: as a
// credential_process, or as the container-credentials endpoint on loopback.
//
// Start at Source in source.go: it finds AWS credentials, presigns GetCallerIdentity and sends the URL to portcullis' STS. Endpoint in
// endpoint.go serves what a Source returns.
//
// # Decisions
//
// 2026-11-28: the URL is made here and not by the SDK's client of STS. AWS_ENDPOINT_URL and its like often point to portcullis in the
// environment of such a caller, and the SDK would presign for that host. For the same reason they are removed from the process's environment.
//
// 2026-11-28: the signed header has the URL that is dialed, and nothing else decides about it. An STS that relays the URL to another
// portcullis gets nothing there.
//
// 2026-11-28: X-Amz-Expires is a random number of 180 to 300 seconds. AWS ignores it, and it makes two URLs of the same second differ: a
// portcullis takes each URL once.
package credentials
