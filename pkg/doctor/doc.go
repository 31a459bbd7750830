// Package doctor finds the settings of a running Envoy that make portcullis decide wrongly, that break signatures, or
// that leave a route unguarded.
//
// Package dump reads what an Envoy, a file of its config_dump or istioctl say of a configuration. Examine applies the
// rules to it, and returns findings. Package rulebook has every rule with its reason and its fix. The files check_*.go
// have the conditions: one file for each part of Envoy's configuration. Package live sends probes.
//
// # Decisions
//
// 2026-11-28: the JSON is walked as it is. Every real dump holds types that portcullis does not know, and protojson
// refuses a dump at the first of them. A name is looked up in snake case, as Envoy writes it, and in camel case, as
// istioctl does.
//
// 2026-11-28: what a dump does not show is a finding, not a pass: a route configuration that is missing, or a filter
// that is discovered and not there (unseen). An unknown filter before ext_authz is a note, because every build of Envoy
// adds some.
//
// 2026-11-28: settings of a route are found as Envoy 1.40 finds them. The most specific level that mentions the filter
// decides whether it runs. The most specific ExtAuthzPerRoute decides on disabled and on the body, as a whole. Context
// extensions are merged over all levels.
//
// 2026-11-28: a listener that does not ask is a finding only if it can lead to what is guarded: by an upstream address,
// a domain or a listener in common with a guarded one, or by an upstream that is not known. An Envoy often serves other
// applications too, also in the same listener for other server names. In an Envoy without any check, each listener is a
// finding.
//
// 2026-11-28: Envoy redacts the values of context extensions, so a dump shows only that they are there. Package live
// finds wrong values: portcullis answers a probe that has a token of its admin port with what arrived (pkg/probe). Only
// routes that the dump shows to be guarded get probes.
//
// 2026-11-28: Envoy Gateway has one ext_authz filter for each SecurityPolicy. All of them are examined, and a route with
// those that run for it. The filter portcullis-unguarded runs for every route unless another filter has allowed the
// request, and counts only where no other one runs.
//
// 2026-11-28: rewrites come after the check, so a rewritten path is a note: the policies cannot see it. It is wrong if
// the client writes it. Removing a base path is what portcullis envoy prints.
package doctor
