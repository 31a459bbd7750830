// Package iam is AWS IAM as far as an API needs it: the users, roles and groups of accounts with their policies, the access
// keys that stand for them, and the check of a signed request, which says who has called and what applies to the caller.
//
// Accounts are read as `aws iam get-account-authorization-details` prints them. AWS never tells a secret key, so a signature
// is verified against keys that portcullis was given.
//
// # Decisions
//
// 2026-11-23: an export is read field by field from one buffer, never as a tree: an export of 100,000 users is 100 MB. A
// field that is not in the API's reference is refused, for it may say something about permissions that this version does not
// know of.
//
// 2026-11-23: a policy that is attached and not in the export is a fault. Policies that are attached to nobody are not
// compiled.
//
// 2026-11-23: trust policies are not read. They say who may assume a role; that a session exists is said by its access key.
//
// 2026-11-23: of a temporary key without an issue time, aws:TokenIssueTime is the beginning of 1970, and not absent: a policy
// that revokes older sessions must not miss one because nobody wrote down its time.
//
// 2026-11-25: derived signing keys are kept by key id, version of the secret, date, region and service, in a cache that is
// handed in, for it outlives a configuration. The version is taken from the secret itself. Measured against a map with locks,
// on 2 busy cores, best of four: 2.3 us and 3 allocations with the key cached (the map: 2.8 and 3), 8.5 us and 15 with a new
// one (the map: 6.3 and 8); what is added to the cache may be found only after the next signature has been verified.
//
// 2026-11-23: a signature is verified only where Envoy has sent the whole body, even if the request has none: an unbuffered
// request with a chunked body looks like one without. The exception is a signature that leaves the body out, where
// AllowUnsignedPayload says so.
//
// 2026-11-25: where Envoy sends headers as text, it writes "!" for bytes that are not UTF-8. A signed header that holds a "!" is then no
// proof of what the upstream gets, and the answer is 500 with the setting that ends it; without it, whoever sees a signed "a!b" could
// send other bytes in its place.
//
// 2026-11-25: an inactive key is answered as one that is not known: AWS does not tell which it is.
package iam
