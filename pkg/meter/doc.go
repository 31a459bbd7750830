// Package meter counts the decisions of each route. A route gets its Meter when its configuration is compiled, so that counting one needs
// neither a look-up nor memory. Meters outlive configurations: a route that stays goes on counting.
//
// Start with Meters, then Set, which one configuration holds, then Meter.
//
// # Decisions
//
// 2026-11-28: a configuration has at most 2,000 series of routes. The decisions of the routes after these are counted together, with the
// name "_other", by authorization type. Prometheus keeps every series in memory, and an API has as many as it has routes and reasons.
//
// 2026-11-28: portcullis_checks_total and the latencies are sums that are made when they are read. A check counts once, in its route's
// Meter. What a removed route has counted stays in the sums.
package meter
