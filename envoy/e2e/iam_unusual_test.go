package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// Why a request that a client has signed is refused, by its client or by its client and mode. README.md says so too.
var (
	unescapedByEnvoy = map[string]string{
		"aws-sdk-go-v2": envoyUnescapes, "botocore": envoyUnescapes, "awscrt": envoyUnescapes, "smithy": envoyUnescapes, "aws4": envoyUnescapes,
	}
	escapedByEnvoy  = map[string]string{"botocore": envoyEscapes, "awscrt": envoyEscapes, "smithy": envoyEscapes}
	signedAsWritten = map[string]string{"aws-sdk-go-v2": "it signs the path as written, and Envoy cleans it up"}
	takesAsEncoded  = map[string]string{"botocore header": "it takes the URL for encoded already, and signs the query as written"}
)

const (
	envoyUnescapes = "Envoy decodes what needs no escape in a path, after it was signed"
	envoyEscapes   = "it sends a bar or a caret as it stands, and Envoy encodes them after they were signed"
)

func unusual() []signable {
	tag := func(value string) [][2]string { return [][2]string{{"X-Tag", value}} }
	notParsed := map[string]string{"botocore header": takesAsEncoded["botocore header"], "awscrt": "it takes the query for an address"}
	return []signable{
		{name: "marks", target: "/pets/a*b'c(d)!~e"},
		{name: "escaped marks", target: "/pets/%2A%27%28%29%21"},
		{name: "an escaped tilde", target: "/pets/a%7Eb", not: unescapedByEnvoy},
		{name: "an escaped letter", target: "/pets/%41", not: unescapedByEnvoy},
		{name: "marks in the query", target: "/pets?q=*'()!~&a=%2A%27%28%29%21%7E", not: takesAsEncoded},
		{name: "two slashes", target: "/pets//7", not: signedAsWritten},
		{name: "a slash at the end", target: "/pets/7/"},
		{name: "dots at the end", target: "/pets/7..."},
		{name: "a dot segment", target: "/pets/./7", not: signedAsWritten},
		{name: "two dots", target: "/pets/x/../7", not: signedAsWritten},
		{name: "a plus in the path", target: "/pets/a+b"},
		{name: "an escaped plus in the path", target: "/pets/a%2Bb"},
		{name: "an escaped percent", target: "/pets/a%25b"},
		{name: "an escaped escape", target: "/pets/a%2541b"},
		{name: "reserved in the path", target: "/pets/a=b&c;d:e@f$g,h"},
		{name: "a bar in the path", target: "/pets/a|b", not: escapedByEnvoy},
		{name: "a caret in the path", target: "/pets/a^b", not: escapedByEnvoy},
		{name: "an escaped bar and caret in the path", target: "/pets/a%7Cb%5Ec"},
		{name: "a lower-case escape", target: "/pets/%c3%a9"},
		{name: "a question mark alone", target: "/pets?"},
		{name: "empty pieces", target: "/pets?&a=1&&b=2&", not: takesAsEncoded},
		{name: "equal signs", target: "/pets?a=b=c==&=x", not: takesAsEncoded},
		{name: "escaped delimiters", target: "/pets?a=x%26b%3D1&c=%25%23%3B"},
		{name: "question marks", target: "/pets?a=?&b=??", not: takesAsEncoded},
		{name: "lower-case escapes in the query", target: "/pets?a=%c3%a9%2f", not: takesAsEncoded},
		{name: "an address in the query", target: "/pets?u=http://a/b:c@d,e;f", not: notParsed},
		{name: "brackets", target: "/pets?a[]=1&a[]=2", not: takesAsEncoded},
		{name: "a header not ASCII", target: "/pets", headers: tag("é")},
		{name: "quotes", target: "/pets", headers: tag(`"a   b"`)},
		{name: "a tab", target: "/pets", headers: tag("a\tb")},
		{name: "an empty header", target: "/pets", headers: tag("")},
		{name: "commas", target: "/pets", headers: tag("a, b,c")},
		{name: "an exclamation mark in a header", target: "/pets", headers: tag("a!b")},
	}
}

// Each client signs what is unusual, and each request passes, or is refused for the reason that is given.
func TestClientsSignTheUnusual(t *testing.T) {
	t.Parallel()
	s := start(t, signing(""))
	eachClient(t, func(t *testing.T, c client, m mode) {
		for _, tc := range unusual() {
			tc.method = "GET"
			request := c.mustSign(t, tc.signedBy(user(owner, member), m))
			a := s.send11(t, request)
			seen := s.upstream.Take()
			why := tc.not[c.name] + tc.not[c.name+" "+string(m)]
			switch passes := a.status == 200 && len(seen) == 1; {
			case why == "" && !passes:
				t.Errorf("%s: %d %s", tc.name, a.status, a.body)
			case why == "":
				s.keepsSignature(t, seen[0], request)
			case a.status != 403 || len(seen) > 0:
				t.Errorf("%s: %d, although %s", tc.name, a.status, why)
			}
		}
	})
}

// A presigned request is good for as long as X-Amz-Expires says, up to maxExpires, and for 5 minutes without it.
func TestPresignedRequestsEnd(t *testing.T) {
	t.Parallel()
	config := signing("")
	config.config = strings.Replace(config.config, "apis:\n", "apis:\n"+longLinks, 1)
	config.edits = append(config.edits, byHost("pets.example.com", "long.example.com")...)
	s := start(t, config)
	for _, c := range []struct {
		host    string
		expires int
		age     time.Duration
		status  int
	}{
		{"pets", 0, time.Second, 200}, {"pets", 0, 4 * time.Minute, 200}, {"pets", 0, 6 * time.Minute, 403},
		{"pets", 86400, 4 * time.Minute, 200}, {"pets", 86400, 10 * time.Minute, 403}, {"pets", 60, 2 * time.Minute, 403},
		{"long", 86400, 10 * time.Minute, 200}, {"long", 86400, 2 * time.Hour, 403}, {"long", 0, 10 * time.Minute, 403},
	} {
		r := by(user(owner, member), presigned, "GET", "/pets/7")
		r.URL = strings.Replace(r.URL, "pets.example.com", c.host+".example.com", 1)
		r.Expires, r.Time = c.expires, time.Now().Add(-c.age).UTC().Format(amzDate)
		a := s.at(t, c.host+".example.com", goClient().mustSign(t, r).Target)
		if a.status != c.status || c.status == 403 && !strings.Contains(a.body, "Signature expired: ") {
			t.Errorf("%+v: %d %s", c, a.status, a.body)
		}
	}
}

// Where Envoy sends headers as text, it writes "!" for bytes that are not UTF-8: those bytes must not pass under the signature of a "!".
func TestBytesForAnExclamationMark(t *testing.T) {
	t.Parallel()
	for name, edits := range map[string][]envoytest.Edit{"as shipped": nil, "headers joined": {joinedHeaders}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := signing("")
			c.edits = edits
			s := start(t, c)
			for _, m := range []mode{inHeader, presigned} {
				r := by(user(owner, member), m, "GET", "/pets/7")
				r.Headers = append(r.Headers, [2]string{"X-Tag", "a!b"})
				good := goClient().mustSign(t, r)
				bad := good.without("X-Tag").with("X-Tag", "a\xffb")
				if edits == nil {
					s.allowed(t, s.send11(t, good))
					check(t, s, s.send11(t, bad), 403, invalidSignature, mismatch)
					continue
				}
				for _, request := range []signed{good, bad} {
					a := s.send11(t, request)
					check(t, s, a, 500, "InternalServerErrorException", internal)
					s.explained(t, a, "AWS_IAM", "encode_raw_headers: true")
				}
			}
		})
	}
}

// longLinks is an API whose presigned requests are good for an hour.
const longLinks = `
  - id: d1d2d3d4d5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [long.example.com]}]
    signatures: {maxExpires: 3600}
    routes: [{route: "GET /pets/{petId}", authorization: AWS_IAM}]
    resourcePolicy: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}]}
`
