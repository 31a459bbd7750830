// Package decisionlog writes a line of JSON for each decision, to standard output, a file or an OpenTelemetry collector.
//
// Start with Open and Log.Record. internal/stream and otlp have the sinks. The schema is the list fields in schema.go; README.md shows it as a table.
//
// # Decisions
//
// 2026-11-28: a line is encoded while the check runs, because the texts of a decision are parts of a message whose memory is used again.
// A queue for each sink holds encoded lines. The check never waits for a sink, unless the audit is required.
//
// 2026-11-28: "audit: required" means that a decision counts only if its line is written: the write has returned without an error. Such
// lines go through one queue, which serves the APIs in turn and limits the share of each. A check waits for at most a second, and is
// denied then. A line that was being written at that time may say "allow" for a request that was denied. The reverse never happens.
//
// 2026-11-28: lines are sent to collectors through the generated OTLP service and not through the OpenTelemetry log SDK. The SDK's batch
// processor drops records without counting them, and its log API is not stable yet. A collector behind a proxy that knows no gRPC gets the same
// messages by HTTP. Redirects are not followed, because the headers may be credentials.
//
// 2026-11-28: lines escape all characters that terminals or HTML interpret, and all that are not printable. A log line is often pasted
// into a ticket or shown by a console.
package decisionlog
