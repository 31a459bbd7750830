// Package cache keeps what was learned from outside, such as a verified token's claims or an authorizer's answer, in bounded
// memory, and makes what it does not have once, however many ask for it.
//
// Nothing may depend on a hit: an entry may be dropped at any time, also before it was ever found.
//
// # Decisions
//
// 2026-11-25: an entry holds the whole of its key and a hit compares all of it. The hash that finds it has a seed of its own in
// each process, so that nobody can prepare keys that push each other out.
//
// 2026-11-25: the expiry is compared with the clock on every hit. Ristretto's own expiry only frees memory.
//
// 2026-11-25: what is made is made for all who wait for it and for nobody in particular: it goes on when the first who asked
// has left, for at most the time that it was given. A result that was begun before its scope was flushed is handed to those
// who asked before the flush, and is not kept.
//
// 2026-11-25: what a flush names may be wider than an entry's scope, and is part of its key: a flush has to cover what scopes
// hold that no process knows any more, or only another replica. A list of former scopes would be one process's, and would
// have to be bounded by forgetting some.
//
// 2026-11-25: of 131,072 scopes the newest epoch is remembered. Beyond, the older half is forgotten, and with it that of a scope
// that is not known nothing counts that is as old: what was flushed stays flushed, and what was not is made once more.
//
// 2026-11-25: scopes share 1,024 generation counters. A flush may take entries of another scope with it, which then are made
// again; memory does not grow with the number of scopes.
//
// 2026-11-28: the number of entries that are made at a time is bounded, because a flight outlives those who asked: without a bound,
// clients who come and go could pile them up. Each API and each authorizer has its share of it (package bulkhead), or one slow
// function's flights would leave none to the others. Beyond its share Do fails.
//
// 2026-11-25: an entry that grows is removed and added again. Ristretto does not make room for an update.
//
// 2026-11-25: what lies in Redis is sealed (AES-256-GCM, a key of its own for each text, derived by a random salt) for its
// place: the whole key, and the epochs of its flush scopes that were valid before it was made. It cannot be forged, moved, or come back
// after a flush, and its names tell nothing of the keys. An epoch is random and carries its time: one that is older than what a
// process has seen, or was told of by a flush, counts for nothing there, and a new one takes its place. A process that starts after a flush has seen nothing: to it, anyone who kept the
// old epoch and value and can write to Redis could show both, until the expiry that is inside.
//
// 2026-11-25: what comes from Redis is kept until the expiry that is inside, and no longer than its reader would keep what it
// makes itself: the writer's clock may be ahead. A flush that Redis refuses is an error, and yet one here: epochs from before it
// count no more.
//
// 2026-11-25: replies are bounded before the client library sees them: it makes room for whatever size a reply names.
//
// 2026-11-25: replicas that miss at the same moment each make the entry. A lock across machines would make Redis a part of
// every answer.
//
// 2026-11-25: when the connection by which flushes come has come up, at the start and after it was lost, the first level is
// emptied: what was missed before is unknown.
//
// 2026-11-28: the last message about a flush lies in Redis, too, as the marker, under a name that does not depend on the key.
// Each replica looks at it once a second, and with each read. A marker that no message has told of empties the first level.
// So a flush arrives where Redis grants no channels, and where a connection is lost that nobody has noticed.
//
// 2026-11-28: while Redis cannot be asked for the marker, the first level counts for 10 seconds. A replica that is cut off
// cannot be told from a Redis that is gone, and 300 seconds are too long for an answer that was revoked. A function is asked
// at most once in 10 seconds, for each caller and replica.
//
// 2026-11-28: a message or marker that does not open is another key's flush, and may be of anything. It empties the first level,
// and what is stored under this key: that has the epoch of everything among its epochs. Nobody is told: replicas of two keys
// would tell each other without an end. Anyone who may publish can do this; after four times at once it counts once in 5
// seconds, and meanwhile what is stored is not used. The same message again counts for nothing.
//
// 2026-11-28: an epoch is bound to the run of the server in which it was begun: the run id, which a start changes, and the
// replication id, which a failover changes. A server that starts from a snapshot, or a replica that has missed a flush, brings no
// epoch back that counts, for replicas either that have seen nothing of the flush. Both are asked for with each read, by INFO, so
// that no connection outlives what was asked. A server that does not say them is not used.
package cache
