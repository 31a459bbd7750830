// Package bulkhead divides a limited number of places among groups, so that a group that asks for many leaves places
// for the others. A place is a check that waits, a call that runs, or a byte that is held.
//
// Start with Tree: Enter takes places along a path, such as API, authorizer and caller, and Leave gives them back. The
// package never waits: it refuses at once what does not fit.
//
// # Decisions
//
// 2026-11-28: a group may hold as many places as are free, or a small multiple of that (Shares.Multiple). A single
// greedy group takes half and leaves half free; n of them take 1/(n+1) each. Fixed shares do not work. Either the
// shares of all APIs together exceed the total, and 70 hanging functions fill it, or each is so small that the only
// busy API is refused while everything is free. The rule comes from shared memory switches (Choudhury and Hahne,
// "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking, 1998).
//
// 2026-11-28: that rule alone fails for latecomers. Places are not taken back, and a check may wait for a function for
// more than ten seconds: the first hanging API takes half, the second a quarter, and the tenth finds nothing. So half
// of the places are divided evenly among the expected groups (Expect: the APIs of the configuration), and the rule
// applies to the other half. An API always gets its guaranteed places, however many others hang. A single API gets
// everything. If there are more APIs than places in that half, nothing is guaranteed, and the rule applies to all of
// them.
//
// 2026-11-28: below the first level, the rule applies to what the parent may still take. So one authorizer leaves
// places for the others of its API, and one caller for the others of its authorizer, even if other APIs have left only
// the guaranteed places. The number of callers is unknown: a client with many tokens can use up the share of one
// authorizer.
//
// 2026-11-28: a group that holds nothing is forgotten, so the places limit the memory, not what clients send. Groups
// are identified by a hash with a seed of the process. Two groups with the same hash share a share, which is harmless
// and cannot be forced.
//
// 2026-11-28: a request for several places succeeds only if all of them fit. Nothing is counted before that is known,
// so a refused request never takes places from others.
package bulkhead
