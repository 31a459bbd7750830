// Package explain says why a request is allowed or denied, and what to change.
//
// Start with Explain. It takes a request in one of four forms, which input.go, line.go and message.go read. It sends the request through the
// server's own code with a trace attached (pkg/extauthz and gateway.Explain), and makes a Report of the trace. text.go prints a Report for
// people; a Report is also the JSON for programs.
//
// # Decisions
//
// 2026-11-28: a Report shows of the request what the decision log may show: method, host, canonical path and client address. Values of
// headers and of query parameters, bodies, tokens and signatures never appear. The answer's body is exact but for texts that the client
// sent in such a value: they are replaced by "…".
//
// 2026-11-28: text from outside is escaped: a character that is not printable, or that changes the direction of text, is written as \u202e.
//
// 2026-11-28: the request of a decision line is decided again, because the question is often whether a change of the configuration helps.
// The line has no headers, no credentials and no TLS. If the new decision differs, and the line's or the new one depends on those, the Report
// shows what the line says instead. A denied request is never explained as one that passes because its header is missing.
package explain
