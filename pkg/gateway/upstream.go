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

// mapHeaders fills in the headers that an allowed request's upstream gets, and those that it must not get: whatever the
// client sent under a name that any API maps. Names are compared as an upstream might that reads x_user and x.user as x-user
// (CGI does).
func (in *invocation) mapHeaders(context.Context) outcome {
	for _, h := range in.route.Upstream {
		value, ok := in.Value(h.Value)
		if !ok {
			continue
		}
		if h.Value.SaidByAuthorizer() {
			value = answer.EscapePercent(value)
		}
		in.setHeaders = append(in.setHeaders, authz.Field{Name: h.Name, Value: answer.EncodeHeaderValue(value)})
	}
	for name := range in.request.Headers() {
		if in.gateway.Mapped.Has(name) {
			in.removeHeader(name)
		}
	}
	in.removeSignature()
	if in.fault != nil {
		return deny(in.fault)
	}
	return goOn()
}

// keepHeaders refuses a request whose Connection header lists a header that an API maps.
//
// 2026-11-25: such a header comes with a protocol upgrade only, where Envoy hands Connection on as it is, and the next proxy would take
// the mapped header away. Cut out of the list it could not be: Envoy takes an upgrade from what the client wrote.
func (in *invocation) keepHeaders(context.Context) outcome {
	if in.losesUpstream() {
		return deny(answer.Bad(authz.CodeBadRequest, "the Connection header lists a header that an API maps: whoever is behind Envoy would drop it"))
	}
	return goOn()
}

// losesUpstream reports whether Connection lists a header that some API maps. What is listed ends at the next hop (RFC 9110, section
// 7.6.1): a proxy behind Envoy would drop what is set for the upstream, which then takes the request for one without. Envoy itself hands
// Connection on with a protocol upgrade alone.
func (in *invocation) losesUpstream() bool {
	for line := range in.request.HeaderValues("connection") {
		for name := range strings.SplitSeq(line, ",") {
			if in.gateway.Mapped.Has(strings.Trim(name, " \t")) {
				return true
			}
		}
	}
	return false
}

// removeHeader removes a header from the upstream's request unless it is set there.
func (in *invocation) removeHeader(name string) {
	set := func(f authz.Field) bool { return f.Name == name }
	if !slices.ContainsFunc(in.setHeaders, set) && !slices.Contains(in.removeHeaders, name) {
		in.removeHeaders = append(in.removeHeaders, name)
	}
}

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
