// Package awsidentity lets callers who hold only AWS credentials have sessions of roles here: an action of STS takes a presigned
// GetCallerIdentity URL, asks AWS's STS with it who signed, and issues a session if the configuration lists that identity.
//
// Start at Action in action.go. parse in url.go reads the URL, Client in client.go sends it, identity.go reads who AWS says it is, and
// Listing in listing.go says which roles that identity may have.
//
// # Decisions
//
// 2026-11-28: nothing of the client's URL is sent but values that were checked one by one. Its host is a key of a table, compared as
// text, so no other spelling of a host is understood.
//
// 2026-11-28: a URL is bound to this STS by a signed header with one of its configured URLs. There is no default: a URL that was made for
// another installation is useless here. Only the two signed headers exist, so no header can change what AWS understands.
//
// 2026-11-28: AWS accepts a presigned URL of GetCallerIdentity for 15 minutes, whatever X-Amz-Expires says. Here it lasts 5 minutes, or
// shorter if X-Amz-Expires says so.
//
// 2026-11-28: a signature counts once. The Client remembers the signatures that AWS has accepted until their URLs are too old. Replicas
// do not share this memory, so a URL that leaks on its way may be used once at each other replica. When the memory is full, calls are
// throttled: to forget a signature would allow it again.
//
// 2026-11-28: AWS does not tell when the caller's credentials end, how they are narrowed by session policies, nor whether they were
// revoked. So a session lasts an hour at most, and what the client says about the end can only shorten it. Without that, temporary keys
// get 15 minutes. aws:TokenIssueTime is the beginning of 1970 for temporary keys: a policy that revokes older sessions revokes these.
//
// 2026-11-28: the key is temporary if its id begins with ASIA. AWS verified the signature with the key of that id.
//
// 2026-11-28: an account belongs to one partition. Nothing that AWS documents says that the number of an account is not used again in
// another partition. An account without a partition is one of the partition aws.
//
// 2026-11-28: the listing is the grant, and the role's trust policy need not allow. Its Deny statements count. AWS
// does not tell everything about a caller: a role whose trust policy has a Deny is refused if the Deny may depend on what is not known. Root users and federated users cannot be listed and are refused, also by an entry for their account.
package awsidentity
