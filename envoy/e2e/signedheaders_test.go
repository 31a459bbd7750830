package e2e

import "testing"

// signedHeaders are headers that a client may sign, and whether Envoy hands them on as they came: as printed it does, but for those that
// are Envoy's own to say, and those that are for one connection alone. README.md lists them.
var signedHeaders = []struct {
	name, value string
	kept        bool
}{
	{"X-Request-Id", "1b4e28ba-2fa1-11d2-883f-0016d3cca427", true},
	{"X-Request-Id", "my-request-7", true},
	{"Accept", "application/json, */*;q=0.1", true},
	{"Accept-Encoding", "gzip, br", true},
	{"Via", "1.1 proxy", true},
	{"Forwarded", "for=192.0.2.1", true},
	{"X-Real-Ip", "192.0.2.1", true},
	{"X-Forwarded-Host", "www.example.com", true},
	{"X-Forwarded-Port", "443", true},
	{"X-Forwarded-Prefix", "/x", true},
	{"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
	{"Tracestate", "a=b", true},
	{"X-B3-Traceid", "463ac35c9f6413ad48485a3953bb6124", true},
	{"X-Client-Trace-Id", "t-1", true},
	{"Cache-Control", "no-cache", true},
	{"Cookie", "a=1; b=2", true},
	{"Range", "bytes=0-9", true},
	{"If-None-Match", `"x"`, true},
	{"Origin", "https://www.example.com", true},
	{"Referer", "https://www.example.com/", true},
	{"Grpc-Timeout", "1S", true},
	{"Te", "trailers", true},
	{"Server", "x", true},
	{"X-Envoy-Anything", "x", true},
	{"Proxy-Authorization", "Basic eDp5", true},
	{"Early-Data", "1", true},
	{"Content-Encoding", "gzip", true},
	{"Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==", true},

	{"X-Forwarded-For", "192.0.2.1", false},
	{"X-Forwarded-Proto", "https", false},
	{"X-Forwarded-Proto", "http", true},
	{"X-Forwarded-Client-Cert", "Hash=x", false},
	{"X-Envoy-Internal", "true", false},
	{"X-Envoy-Retry-On", "5xx", false},
	{"X-Envoy-Upstream-Rq-Timeout-Ms", "5", false},
	{"X-Envoy-Original-Path", "/x", false},
	{"X-Envoy-External-Address", "192.0.2.1", false},
	{"Te", "gzip", false},
	{"Keep-Alive", "timeout=5", false},
	{"Connection", "keep-alive", false},
	{"Connection", "x-tag", false},
	{"Proxy-Connection", "keep-alive", false},
	{"Upgrade", "x", false},
}

// Headers that clients sign are verified as they came, but for those that Envoy writes or takes off.
func TestSignedHeaders(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		c := signing("")
		c.envoy = bin
		s := start(t, c)
		for _, tc := range signedHeaders {
			r := by(user(owner, member), inHeader, "GET", "/pets/7")
			r.Headers = append(r.Headers, [2]string{tc.name, tc.value})
			signed := goClient().mustSign(t, r)
			answers := []answer{s.send11(t, signed)}
			if tc.kept { // the others are not all to be had by HTTP/2
				answers = append(answers, s.send20(t, signed))
			}
			seen := len(s.upstream.Take())
			for _, a := range answers {
				if passes := a.status == 200; passes != tc.kept || !passes && a.status != 403 || seen > 0 != tc.kept {
					t.Errorf("%s: %s, signed: %d %s; want it to pass: %v", tc.name, tc.value, a.status, a.body, tc.kept)
				}
			}
		}
	})
}
