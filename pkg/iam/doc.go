// Package iam models the part of AWS IAM that an API needs: the users, roles and groups of accounts with their
// policies, and access keys. It verifies signed requests and returns the caller and the policies that apply.
//
// Accounts are read as `aws iam get-account-authorization-details` prints them. AWS does not disclose secret keys, so a
// signature is verified with keys that portcullis was given.
//
// # Decisions
//
// 2026-11-23: an export is read field by field from one buffer, not as a tree, because an export of 100,000 users has
// 100 MB. A field that is not in the API's reference is refused, because it may affect permissions in a way that this
// version does not know.
//
// 2026-11-23: an attached policy that is not in the export is a fault. Policies that are not attached are not compiled.
//
// 2026-11-23: the trust policy of a role does not affect a key that the configuration gives to a session of the role. That key proves
// that the session exists.
//
// 2026-11-28: trust policies are compiled when an export is read, so that their faults are found, and kept as text: a role of a service
// account then needs 640 bytes, and 3,200 otherwise. They are compiled again for the first request that needs them. Managed policies that
// sessions may name are kept in the same way.
//
// 2026-11-23: for a temporary key without an issue time, aws:TokenIssueTime is the beginning of 1970, and not absent.
// Otherwise a policy that revokes older sessions would miss a session whose time is not configured.
//
// 2026-11-25: derived signing keys are cached by key id, version of the secret, date, region and service. The caller
// provides the cache, because it outlives a configuration. The version is derived from the secret itself. Measured
// against a map with locks, on 2 busy cores, best of four: 2.3 us and 3 allocations with the key cached (the map: 2.8
// and 3), 8.5 us and 15 with a new one (the map: 6.3 and 8). A key added to the cache may be found only after the next
// signature has been verified.
//
// 2026-11-23: a signature is verified only if Envoy has sent the whole body, even if the request has none, because an
// unbuffered request with a chunked body looks like one without a body. The exception is a signature that does not
// cover the body, if AllowUnsignedPayload is set.
//
// 2026-11-25: if Envoy sends headers as text, it writes "!" for bytes that are not UTF-8. A signed header with a "!"
// then does not prove what the upstream gets, and the answer is 500 and names the setting to change. Otherwise anyone
// who sees a signed "a!b" could send other bytes in its place.
//
// 2026-11-25: an inactive key is answered like an unknown key, as in AWS.
//
// 2026-11-28: a session is resumed from its token and from the account as it is now. The role or user is found by its ARN, and its unique
// id must be the one in the token: a role that was deleted, or created anew, ends its sessions. A session also ends if one of its managed
// policies is gone, because what it allowed is then not known.
//
// 2026-11-28: everything that is wrong with a session token is answered like an unknown key, and so is a session whose role is gone. Only
// an expired session has an answer of its own, as on AWS; nobody gets it without a genuine token.
//
// 2026-11-28: configured keys come before sessions. An id of the configuration is never looked for in a token.
//
// 2026-11-28: a session that was issued more than five minutes from now is refused. It would escape a Deny on aws:TokenIssueTime that was
// written today.
//
// 2026-11-28: opened sessions are cached by the Store, the key id and the whole token, for 15 minutes. A new configuration has a Store of
// its own and finds none of them. Each check that misses opens the token itself and waits for nobody: some 30 us of work, once for
// each token and replica.
package iam
