// Package session makes and reads the session tokens of temporary credentials. A token holds its session, sealed under a key that all
// replicas share, so that no replica stores sessions. Start at Ring.
//
// # Decisions
//
// 2026-11-28: each token is sealed under a key of its own, derived (HKDF-SHA256) from the ring key and a random salt of 192 bits. A nonce of
// 96 bits, as AES-GCM has it, must not repeat under one key, and random ones may after 2^32 tokens. Among 2^40 salts of 192 bits, two are
// equal with a probability of 2^-113. The nonce is constant, because no key seals twice.
//
// 2026-11-28: the id of the ring key is in clear, because it selects the key. Everything in clear and the access key id are associated
// data: a token works under no other id, and under no other key of the ring.
//
// 2026-11-28: the secret access key is derived from the ring key and the whole token. Nobody can change a token and keep a secret that fits
// it, and a client need not sign the header that carries its token.
//
// 2026-11-28: Open gives one answer for all tokens that it does not open. It tries a random key for a key id that is not in the ring, so
// that time does not tell which ids are.
//
// 2026-11-28: a token has one form. Another alphabet, padding, line breaks and unused bits that are not zero are refused, and so is a
// packed session that differs from what it would be packed to again. Otherwise two texts could stand for one session.
//
// 2026-11-28: a session is deflated where that is shorter, with a dictionary, because clients hash the token with every request and so does
// portcullis. Inflating stops at 16 KiB, and only what this ring has sealed comes that far.
//
// 2026-11-28: a key that is not 32 bytes in base64, or visibly not random, is a fault. A key is derived from nothing: the ring takes no
// passwords.
package session
