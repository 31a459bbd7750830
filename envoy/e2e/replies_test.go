package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// reply fails unless an answer of Envoy's own is worded as API Gateway words it.
func (s *stack) reply(t *testing.T, a answer, status int, message, errorType string) {
	t.Helper()
	s.denied(t, a, status)
	if a.body != says(message) || a.header.Get("content-type") != "application/json" || a.header.Get("x-amzn-errortype") != errorType {
		t.Errorf("%d %q %v; want %q and %s", a.status, a.body, a.header, message, errorType)
	}
	if id := a.header.Get("x-amzn-requestid"); len(id) == 36 != (errorType != "") || a.header.Get("x-amz-apigw-id") != "" {
		t.Errorf("%d: request id %q, or not Envoy's answer: %v", a.status, id, a.header)
	}
}

// Answers of Envoy's own are worded as API Gateway words them, and its log says what happened.
func TestEnvoysOwnAnswers(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		c := signing("")
		c.envoy, c.answer = bin, func(s envoytest.Seen) string {
			if strings.HasPrefix(s.Target, "/pets/slow") {
				time.Sleep(time.Second)
			}
			return "ok"
		}
		c.change = func(_, bootstrap string) string {
			return strings.ReplaceAll(bootstrap, "route: {cluster: upstream", "route: {timeout: 0.3s, cluster: upstream")
		}
		s := start(t, c)
		alice := user(owner, member)
		long := by(alice, inHeader, "POST", "/pets/7")
		long.Body = bytes.Repeat([]byte("x"), 1<<20+1)
		s.reply(t, s.send11(t, goClient().mustSign(t, long)), 413, "Request Too Long", "RequestTooLargeException")
		if got := s.logged(t, "/pets/7"); got.Details != "request_payload_too_large" {
			t.Errorf("the log says %+v", got)
		}
		s.reply(t, s.get(t, "/long", "x-long: "+strings.Repeat("x", 70<<10)), 431, "Request Header Fields Too Large", "")
		if a := s.get2(t, "/long", hpack.HeaderField{Name: "x-long", Value: strings.Repeat("x", 70<<10)}); a.status != 0 {
			s.reply(t, a, 431, "Request Header Fields Too Large", "")
		}
		a := s.send11(t, goClient().mustSign(t, by(alice, inHeader, "GET", "/pets/slow")))
		s.upstream.Take()
		s.reply(t, a, 504, "Endpoint request timed out", "InternalServerErrorException")

		// What portcullis answers stays as it is.
		a = s.get(t, "/pets", manyHeaders(1000)...)
		if s.denied(t, a, 431); a.header.Get("x-amz-apigw-id") == "" {
			t.Errorf("an answer of portcullis': %+v", a)
		}
		s.portcullis.Kill()
		s.reply(t, s.get(t, "/gone"), 503, "Service Unavailable", "ServiceUnavailableException")
		if got := s.logged(t, "/gone"); got.Details != "ext_authz_error" || got.Flags != "UAEX" {
			t.Errorf("the log says %+v", got)
		}
	})
}

// It is so in a mesh, where a signed X-Request-Id stays as it is too.
func TestMeshEnvoysOwnAnswers(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes()[:2] {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t, n, setup{config: signedNow(), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}}, "15s")
			r := by(user(owner, grants), inHeader, "GET", "/pets/7")
			r.Headers = append(r.Headers, [2]string{"X-Request-Id", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"})
			m.allowed(t, m.send11(t, goClient().mustSign(t, r)))
			r.Method, r.Body = "POST", bytes.Repeat([]byte("x"), 1<<20+1)
			m.reply(t, m.send11(t, goClient().mustSign(t, r)), 413, "Request Too Long", "RequestTooLargeException")
			m.portcullis.Kill()
			m.reply(t, m.get(t, "/open"), 503, "Service Unavailable", "ServiceUnavailableException")
			m.noneRejected(t)
		})
	}
}
