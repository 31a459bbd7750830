// Package bulkhead divides a bounded number of places among those who ask for them, so that one who asks for many leaves places
// for the others. A place is a check that waits, a call that runs, or a byte that is held.
//
// Tree is where to start reading: Enter takes places along a path, such as API, authorizer and caller, and Leave gives them back.
// The package never waits: what does not fit is refused at once.
//
// # Decisions
//
// 2026-11-28: a group may hold as many places as are free, or a small multiple of that (Shares.Multiple). One group that takes all it
// gets holds a half and leaves a half free; two hold a third each, and n of them 1/(n+1) each. A fixed share is no answer: either the
// shares of all APIs together exceed the total, and 70 hanging functions fill it, or each is so small that the only busy API is
// refused while everything is free. The rule is that of shared memory switches (Choudhury and Hahne, "Dynamic Queue Length Thresholds
// for Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking, 1998).
//
// 2026-11-28: that rule alone fails for those who come late. What has been given is not taken back, and what waits for a function may wait
// for ten seconds and more: the first that hangs takes a half, the second a quarter, and the tenth finds nothing. So half of the
// places are divided evenly among the groups that there can be (Expect: the APIs of the configuration), and the rule holds for the
// other half. An API always gets what it is guaranteed, however many others hang; where it is the only one, that is everything. Where there are more APIs than that half has places,
// nothing is guaranteed, and the rule holds for all of them.
//
// 2026-11-28: below the first level the rule is applied to what the parent may still take. So one authorizer leaves room to the
// others of its API, and one caller to the others of its authorizer, also while the other APIs have left theirs nothing beyond what
// is guaranteed. How many callers there are nobody knows: a client with many tokens can use up the share of one authorizer.
//
// 2026-11-28: a group that holds nothing is forgotten, so that memory is bounded by the places and not by what clients send.
// Groups are known by a hash with a seed of the process: two that fall together share a share, which harms nobody and cannot
// be prepared.
//
// 2026-11-28: a request for several places fits if the whole of it fits. Nothing is counted before that is known: a request that is refused
// takes no room from others, not even for a moment.
package bulkhead
