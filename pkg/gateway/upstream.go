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

// mapHeaders sets the headers of the upstream's request. It removes what the client sent under a name that any API maps. Names are
// compared as by an upstream that reads x_user and x.user as x-user, as CGI does.
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
	for _, h := range in.watched() {
		if in.gateway.Mapped.Has(h.Name) {
			in.removeHeader(h.Name)
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
// 2026-11-25: Envoy passes on Connection with a protocol upgrade only. The next proxy would then remove the mapped header. The name
// cannot be removed from the list, because Envoy takes the upgrade from what the client wrote.
func (in *invocation) keepHeaders(context.Context) outcome {
	if in.losesUpstream() {
		return deny(answer.Bad(authz.CodeBadRequest, "the Connection header lists a header that an API maps, so a proxy behind Envoy would drop it"))
	}
	return goOn()
}

// losesUpstream reports whether Connection lists a header that an API maps. Listed headers end at the next hop (RFC 9110, section
// 7.6.1).
func (in *invocation) losesUpstream() bool {
	for _, h := range in.watched() {
		if h.Name != "connection" {
			continue
		}
		for name := range strings.SplitSeq(h.Value, ",") {
			if in.gateway.Mapped.Has(strings.Trim(name, " \t")) {
				return true
			}
		}
	}
	return false
}

// watched returns the header lines that the last steps look at: Connection, and those whose name may be one of a mapped header or of
// hostHeaders. Few requests have one.
func (in *invocation) watched() []authz.Field {
	if in.isWatched {
		return in.watchedLines
	}
	in.isWatched = true
	for name, value := range in.request.Headers() {
		mark := answer.MarkOf(name)
		if in.gateway.Mapped.MayHave(mark) || hostHeaders.MayHave(mark) || name == "connection" {
			in.watchedLines = append(in.watchedLines, authz.Field{Name: name, Value: value})
		}
	}
	return in.watchedLines
}

// removeHeader removes a header from the upstream's request unless it is set there.
func (in *invocation) removeHeader(name string) {
	set := func(f authz.Field) bool { return f.Name == name }
	if !slices.ContainsFunc(in.setHeaders, set) && !slices.Contains(in.removeHeaders, name) {
		in.removeHeaders = append(in.removeHeaders, name)
	}
}

// hostHeaders are headers that some servers prefer to the Host header. Of Forwarded, the parameter host counts.
var hostHeaders = answer.NewHeaderNames("forwarded", "x-forwarded-host", "x-forwarded-server", "x-host", "x-http-host-override", "x-original-host")

// keepHost refuses a request with an X-Forwarded-Host, or a similar header, that names a host of another stage.
//
// 2026-11-28: two stages may share an upstream that tells them apart by the host. Envoy passes on the header, and many frameworks take the
// host from it. Hosts that do not belong to a stage pass, because a proxy in front of Envoy may have written them.
func (in *invocation) keepHost(context.Context) outcome {
	if in.namesAnotherHost() {
		return deny(answer.Bad(authz.CodeBadRequest, "a header such as X-Forwarded-Host names the host of another stage, and an upstream that both share might use it as the request's host"))
	}
	return goOn()
}

// namesAnotherHost reports whether one of the hostHeaders names a host that leads to other stages than the request's.
func (in *invocation) namesAnotherHost() bool {
	for _, h := range in.watched() {
		if !hostHeaders.Has(h.Name) {
			continue
		}
		name := answer.Hyphenated(h.Name)
		for value := range strings.FieldsFuncSeq(h.Value, isListMark) {
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

// isListMark reports whether a character separates the entries of a list, or the parameters of an entry.
func isListMark(r rune) bool { return r == ',' || r == ';' }

// isAnothers reports whether a host is known and does not lead to the stage.
func isAnothers(g *model.Gateway, name string, s *model.Stage) bool {
	h := g.Host(name)
	return h != nil && h.Owner != s.API && !s.Hosts[name]
}

// removeSignature removes a signature from the upstream's request, because its reader could repeat the request. Of a signature that was
// not verified, API Gateway drops the Authorization header ("Important notes for API Gateway REST APIs"). So does portcullis, and the
// security token with it.
func (in *invocation) removeSignature() {
	if in.signed == nil {
		if signedInHeader(in.request) {
			in.removeHeader("authorization")
			in.removeHeader("x-amz-security-token")
		}
		return
	}
	for _, name := range in.signed.SpentHeaders {
		in.removeHeader(name)
	}
	if len(in.signed.SpentQuery) > 0 {
		in.target = withoutParameters(in.request, in.signed.SpentQuery)
	}
}

// withoutParameters returns a request's target without the query parameters that have one of the names, in any case and however they are
// escaped. The rest of the query stays the same, byte for byte.
func withoutParameters(r *authz.Request, names []string) string {
	var b strings.Builder
	b.WriteString(r.Path())
	separator := byte('?')
	for pair := range strings.SplitSeq(r.RawQuery(), "&") {
		name, _, _ := strings.Cut(pair, "=")
		name = canon.Unescape(name)
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(pair)
		separator = '&'
	}
	return b.String()
}
