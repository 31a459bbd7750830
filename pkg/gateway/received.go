package gateway

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// eventPaths returns the paths of an event: path has a domain's base path and not a stage's name, full has either, and within is
// what the route's parameters are taken from. On REST APIs they are as the client sent them, as on API Gateway; on HTTP APIs they
// are decoded, as there.
//
// 2026-11-28: a REST API's function is told path and path parameters as the client sent them, as on API Gateway. Only the method ARN
// is canonical. A path with a pattern's characters is refused before, in every form that two decodings lead to.
func (in *invocation) eventPaths() (path, full, within string) {
	path, full, within = in.full.Text, in.full.Text, in.path
	if !in.stage.API.HTTP {
		full = in.request.Path()
		path = canon.CollapseLeading(full)
		within = receivedWithin(path, in.full.Text, in.path)
	}
	if h := in.gateway.Host(in.host); h != nil && h.Owner != nil {
		path = within
	}
	return path, full, within
}

// receivedWithin returns the part of a received path that a canonical path within the stage was made of. Decoding leaves every
// slash where it is, so that counting slashes finds it.
func receivedWithin(received, full, within string) string {
	if within == "/" {
		return within
	}
	rest := received
	for range strings.Count(full, "/") - strings.Count(within, "/") {
		rest = rest[canon.SegmentEnd(rest, 0):]
	}
	return rest
}
