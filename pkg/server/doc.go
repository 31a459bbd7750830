// Package server is the process around the checks: gRPC for Envoy, HTTP for operators, reload of the configuration, the record
// of decisions, and an orderly end.
//
// # Decisions
//
// 2026-11-25: a CORS preflight that the gateway answers is a deny with the reason "preflight" in metrics and logs, for Envoy is
// told to deny it. The decision log treats it as an allowed request: --decision-log=denied leaves it out, and the sample applies.
//
// 2026-11-25: the admin port answers from the start, /readyz with no, so that a long first load looks like a process that is not ready
// and not like a dead one. The port for checks opens when the configuration serves, and the addresses are printed then. It too was open
// from the start, and denied with 503 until then: a client that takes an open port for a server that is ready (a TCP probe, Envoy's choice among
// several portcullis) had requests denied that the configuration allows. A port that refuses sends them to another one.
//
// 2026-11-28: decision lines go to package decisionlog, whose sinks never hold up a check unless the configuration requires an audit. The
// log belongs to a configuration: a reload opens the new sinks first, and is refused if one cannot be opened. Without decisionLog in the
// configuration, lines go to the process's own log, as before.
//
// 2026-11-28: SIGPIPE is caught. Go ends a process that writes to a standard output whose reader has gone; now the write fails, and the line
// is counted as dropped.
//
// 2026-11-23: watched are directories, and of every symbolic link on the way to a file the directory it lies in: a Kubernetes
// ConfigMap is swapped by renaming the link ..data, and a watched file goes dead with it. Of a folder whose files are read,
// whatever happens in it counts.
//
// 2026-11-23: a check that Envoy sends after the drain has begun is still answered; GOAWAY, not a denial, moves Envoy on to
// another instance.
//
// 2026-11-28: a configuration that is replaced is closed when its last check ends (gate.use counts them); it was kept for a minute, and
// 16 reloads of 10,000 APIs took three times the memory of one. A reload waits for that before it reads, so that two configurations live at
// a time. A check that hangs must not hold up the reload that revokes: after 5 s (patience) the next one is read beside the old ones, and
// with two old ones left after a minute, which no check outlives. While a configuration is read the heap may grow by half instead of
// fivefold, and what is free afterwards goes back to the system.
//
// 2026-11-25: the heap may grow to five times what is live before it is collected (--gc-percent 400), and up to nine tenths of the memory
// that the container has (--memory-limit); GOGC and GOMEMLIMIT win over both. A check leaves 4 KB of garbage behind; at Go's own 100
// percent, collecting it took a fourth of the time.
//
// 2026-11-25: 64 goroutines a processor wait for checks. With two, most checks of a burst had a goroutine of their own, and growing its
// stack cost as much as deciding. gRPC's windows and write buffers are as they come: measured, they made no difference.
//
// 2026-11-28: a changed client CA begins another gRPC server behind the same port, and the one before drains: gRPC can send GOAWAY
// to all connections of a server, and not to one. The same is done, at most once in 10 seconds, a minute before a client's certificate
// expires; when it does, its connection is closed. Sessions are not resumed where clients show certificates.
//
// 2026-11-28: a connection with TLS lasts 10 minutes. It bounds the use of a client's certificate where no timer does, such as
// after the machine has slept.
//
// 2026-11-28: the bytes of bodies are counted by API, of which one leaves a part to the others. A check that does not verify a signature over
// its body lets go of it as soon as its route is known, and what verifies one waits for nothing: bodies are held for the time that
// hashing them takes, and a queue for them is not needed.
//
// 2026-11-28: checks and bytes are counted only where they fit. They were added first and compared then: a check that was refused
// could have others refused that did fit.
//
// 2026-11-28: the first configuration waits 250 ms for what it needs from outside, and a reload 3 s, for meanwhile the old one
// serves. An issuer that is down at the start closes its own routes and keeps no other from being served.
package server
