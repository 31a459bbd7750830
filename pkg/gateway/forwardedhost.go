package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// hostHeaders are headers by which some servers take another host than the request's, as answer.Hyphenated writes them. Beside them stands host=
// in Forwarded.
var hostHeaders = []string{"forwarded", "x-forwarded-host", "x-forwarded-server", "x-host", "x-http-host-override", "x-original-host"}

// keepHost refuses a request that would pass if X-Forwarded-Host, or a header like it, names a host of another stage and none of its own.
//
// 2026-11-28: two stages may share an upstream that tells them apart by the host, and frameworks take the host from that header. Hosts
// that are no stage's pass, for a proxy in front of Envoy may have written them.
func (in *invocation) keepHost(context.Context) outcome {
	if in.namesAnotherHost() {
		return deny(answer.Bad(authz.CodeBadRequest, "a header such as X-Forwarded-Host names the host of another stage, which an upstream that they share might take for the request's"))
	}
	return goOn()
}

// namesAnotherHost reports whether a header names a host that leads to other stages than the request's. Where stages share an upstream, it
// tells them apart by the host, and many frameworks take that from X-Forwarded-Host, whoever has sent it. Envoy hands the header on. A proxy
// in front of Envoy may name any host that is not another stage's.
func (in *invocation) namesAnotherHost() bool {
	for name, line := range in.request.Headers() {
		if name = answer.Hyphenated(name); !slices.Contains(hostHeaders, name) {
			continue
		}
		for value := range strings.FieldsFuncSeq(line, isListMark) {
			if name == "forwarded" {
				key, host, _ := strings.Cut(value, "=")
				if value = host; !strings.EqualFold(strings.Trim(key, " \t"), "host") {
					continue
				}
			}
			if isAnothers(in.gateway, canon.Host(strings.Trim(value, " \t\"")), in.stage) {
				return true
			}
		}
	}
	return false
}

// isListMark tells what separates the entries of a list, and the parameters of an entry.
func isListMark(r rune) bool { return r == ',' || r == ';' }

// isAnothers reports whether a host is known and does not lead to the stage.
func isAnothers(g *model.Gateway, name string, s *model.Stage) bool {
	h := g.Host(name)
	return h != nil && h.Owner != s.API && !s.Hosts[name]
}
