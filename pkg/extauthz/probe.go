package extauthz

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/probe"
)

// probed answers a request that has the live token of a probe with what arrived. Any other request is not one, and the
// token decides before the request is read, so that an answer says too why it could not be.
func (s *Server) probed(m *message) (*authz.Request, authz.Decision, bool) {
	if m.refused != nil {
		return nil, authz.Decision{}, false
	}
	tokens := values(&m.attributes, probe.Header)
	if len(tokens) != 1 || !s.config.Probes.Use(string(tokens[0])) {
		return nil, authz.Decision{}, false
	}
	answer := arrived(&m.attributes)
	r, refused := m.request()
	if refused != nil {
		answer.Refused = refused.detail
	}
	d := Refuse(403, authz.CodeProbe, "a probe of portcullis doctor")
	body, err := json.Marshal(answer)
	if err != nil {
		return r, Refuse(500, authz.CodeInternal, "the answer to a probe cannot be written"), true
	}
	d.Denial.Body = string(body)
	return r, d, true
}

// arrived describes a request.
func arrived(a *attributes) probe.Answer {
	answer := probe.Answer{
		Version: probe.AnswerVersion, Method: a.method, Path: a.path, Host: a.host, Raw: len(a.headerMap) > 0,
		Extensions: map[string]string{}, Headers: map[string][][]byte{}, Body: "none",
	}
	for _, e := range a.extensions {
		if isOurs(e.Name) {
			answer.Extensions[e.Name] = e.Value
		}
	}
	for _, h := range slices.Concat(a.headers, a.headerMap) {
		if name := strings.ToLower(h.Name); strings.HasPrefix(name, probe.Echo) {
			answer.Headers[name] = append(answer.Headers[name], []byte(h.Value))
		}
	}
	switch proto := values(a, "x-forwarded-proto"); {
	case len(proto) == 0:
	case len(proto) == 1 && (string(proto[0]) == "http" || string(proto[0]) == "https"):
		answer.ForwardedProto = string(proto[0])
	default:
		answer.ForwardedProto = "other"
	}
	body := a.rawBody
	switch {
	case len(body) > 0:
		answer.Body = "bytes"
	case len(a.body) > 0:
		answer.Body, body = "text", a.body
	}
	sum := sha256.Sum256(body)
	answer.BodyBytes, answer.BodySHA256 = len(body), sum[:]
	return answer
}

// values returns the values of a header.
func values(a *attributes, name string) [][]byte {
	var all [][]byte
	for _, h := range slices.Concat(a.headers, a.headerMap) {
		if strings.EqualFold(h.Name, name) {
			all = append(all, []byte(h.Value))
		}
	}
	return all
}
