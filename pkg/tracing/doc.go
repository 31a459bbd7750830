// Package tracing sends OpenTelemetry traces of decisions to a collector: a span for each traced decision, and below it one for each
// outside call that the decision waited for (a function, the keys of an issuer, Redis).
//
// Start with New in tracing.go, then Start. sample.go decides which checks are traced.
//
// # Decisions
//
// 2026-11-28: a trace that Envoy has begun is continued, but Envoy may have taken its id and its sampled flag from the client. So the id
// does not take part in sampling, and the flag alone traces at most a share of all checks (Config.SampledShare). A trace's state and its
// baggage are not read.
//
// 2026-11-28: spans have the names that the decision log has, and of the request nothing but its id.
//
// 2026-11-28: spans wait in a bounded queue, and a full one drops them. The error handler of OpenTelemetry is one for the process and
// writes to standard error, so the exporter's errors end here: they are counted, and logged at a bounded rate.
package tracing
