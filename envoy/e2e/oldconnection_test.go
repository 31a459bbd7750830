package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// signedLater is an API whose routes below /pets are open, before they are AWS_IAM.
const signedLater = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    upstreamHeaders: {x-caller: $context.identity.userArn}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: "ANY /pets/{proxy+}", authorization: NONE}
iam:
  accounts: [{file: 111122223333.json}]
  accessKeys: [{file: access-keys.yaml}]
`

// signedNow is signedLater once its routes are signed.
func signedNow() string {
	return strings.Replace(signedLater, `/pets/{proxy+}", authorization: NONE`, `/pets/{proxy+}", authorization: AWS_IAM`, 1)
}

// byFiles makes Envoy read the listeners and routes of a bootstrap from files that can be replaced, each for itself, as xDS hands them
// out. Without listeners it writes the routes alone.
func byFiles(t *testing.T, dir, bootstrap string, listeners bool) string {
	t.Helper()
	doc := mapping(t, documents(t, bootstrap)[0])
	static := mapping(t, doc["static_resources"])
	listener := mapping(t, static["listeners"].([]any)[0])
	manager := mapping(t, listener["filter_chains"].([]any)[0])
	manager = mapping(t, mapping(t, manager["filters"].([]any)[0])["typed_config"])
	routes := mapping(t, manager["route_config"])
	delete(manager, "route_config")
	from := func(file string) any {
		return map[string]any{"path_config_source": map[string]any{"path": filepath.Join(dir, file)}}
	}
	manager["rds"] = map[string]any{"route_config_name": routes["name"], "config_source": from("routes.yaml")}
	writeResource(t, filepath.Join(dir, "routes.yaml"), "envoy.config.route.v3.RouteConfiguration", routes)
	if listeners {
		writeResource(t, filepath.Join(dir, "listeners.yaml"), "envoy.config.listener.v3.Listener", listener)
	}
	delete(static, "listeners")
	doc["dynamic_resources"] = map[string]any{"lds_config": from("listeners.yaml")}
	doc["node"] = map[string]any{"id": "envoy", "cluster": "envoy"}
	return marshal(t, doc)
}

func writeResource(t *testing.T, path, kind string, resource map[string]any) {
	t.Helper()
	resource["@type"] = "type.googleapis.com/" + kind
	text := marshal(t, map[string]any{"resources": []any{resource}})
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// connections are open ones to Envoy.
type connections []net.Conn

// connect opens connections, each of which is used once.
func (s *stack) connect(t *testing.T, n int) *connections {
	t.Helper()
	all := &connections{}
	for range n {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request("GET", "/open")); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		*all = append(*all, c)
	}
	s.upstream.Take()
	return all
}

// send uses one of the connections up.
func (all *connections) send(t *testing.T, raw string) answer {
	t.Helper()
	return exchange(t, all.next(t), raw)
}

// next removes one of the connections.
func (all *connections) next(t *testing.T) net.Conn {
	t.Helper()
	if len(*all) == 0 {
		t.Fatal("no connection is left")
	}
	c := (*all)[0]
	*all = (*all)[1:]
	return c
}

// Connections that are older than the first signed route keep the filter that they were opened with, which waits for no body. A signature
// over another body than the one that is sent verifies on them no more than on new ones.
func TestOldConnectionsVerifyBodies(t *testing.T) {
	t.Parallel()
	for name, listeners := range map[string]bool{"routes": false, "routes and listener": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachEnvoy(t, func(t *testing.T, bin string) {
				port := envoytest.FreePort(t)
				flags := []string{"--listen", "127.0.0.1:" + port}
				s := start(t, setup{
					envoy: bin, config: signedLater, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
					printed: flags, change: func(dir, bootstrap string) string { return byFiles(t, dir, bootstrap, true) },
				})
				old := s.connect(t, 12)
				s.write(t, "portcullis.yaml", signedNow())
				byFiles(t, s.dir, s.print(t, flags...), listeners)
				oldConnectionsVerify(t, s, old)
			})
		})
	}
}

// becomesSigned waits for signedNow to be in force, and returns a request that was signed without a body.
func (s *stack) becomesSigned(t *testing.T) signed {
	t.Helper()
	empty := goClient().mustSign(t, by(user(owner, grants), inHeader, "POST", "/pets/7"))
	eventually(t, "the route is signed", func() bool {
		return s.get(t, "/pets/7").status == 403 && s.send11(t, empty).status == 200
	})
	s.upstream.Take()
	return empty
}

// chunked is a request with its body in chunks.
func chunked(r signed, body string) string {
	r.Body = nil
	return r.without("Content-Length").with("Transfer-Encoding", "chunked").wire() + body
}

// oldConnectionsVerify waits for signedNow to be in force, and then tries bodies on connections that are older.
func oldConnectionsVerify(t *testing.T, s *stack, old *connections) {
	t.Helper()
	alice, empty := user(owner, grants), s.becomesSigned(t)
	withBody := func(body string) signed {
		r := by(alice, inHeader, "POST", "/pets/7")
		r.Body = []byte(body)
		return goClient().mustSign(t, r)
	}
	s.denied(t, old.send(t, chunked(empty, "9\r\n{\"x\": \"y\"\r\n0\r\n\r\n")), 403)
	s.denied(t, old.send(t, chunked(empty, "1\r\nx\r\n0\r\n\r\n")), 403)
	s.denied(t, old.send(t, chunked(withBody("text"), "4\r\ntest\r\n0\r\n\r\n")), 403)
	s.denied(t, old.send(t, empty.body("text").wire()), 403)
	// Bytes that the old filter hands on as "!".
	for signed, sent := range map[string]string{"a!b": "a\xffb", "!": "\x80", "a\xffb": "a!b"} {
		a := old.send(t, withBody(signed).body(sent).wire())
		if seen := s.upstream.Take(); len(seen) > 0 || a.status == 200 {
			t.Errorf("%q was signed, %q was sent: status %d, the upstream saw %v", signed, sent, a.status, seen)
		}
	}
	good := withBody("text")
	s.passes(t, old.send(t, good.wire()), good, alice)
	s.passes(t, old.send(t, chunked(empty, "0\r\n\r\n")), empty, alice)
}

// A connection in plain text that is older than the listener's TLS is not a secure one.
func TestOldConnectionsAreNotSecure(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		config := strings.Replace(secured, "routes:\n", "routes:\n      - {route: GET /open, authorization: NONE}\n", 1)
		config = strings.ReplaceAll(config, `"execute-api:/*", Condition`, `"execute-api:/*/GET/pets", Condition`)
		flags := []string{"--listen", "127.0.0.1:" + envoytest.FreePort(t)}
		s := start(t, setup{envoy: bin, config: config, printed: flags, change: func(dir, bootstrap string) string { return byFiles(t, dir, bootstrap, true) }})
		old := s.connect(t, 2)
		s.denied(t, old.send(t, request("GET", "/pets")), 403)
		newAuthority(t, s.dir).issue(t, s.dir, "server", "pets.example.com")
		byFiles(t, s.dir, s.print(t, append(flags, "--tls-cert", s.dir+"/server.crt", "--tls-key", s.dir+"/server.key")...), true)
		client := &tls.Config{RootCAs: pool(t, s.dir), ServerName: "pets.example.com"}
		eventually(t, "the listener ends TLS", func() bool {
			c, err := tls.Dial("tcp", s.addr, client)
			return err == nil && exchange(t, c, request("GET", "/pets")).status == 200
		})
		s.upstream.Take()
		s.denied(t, old.send(t, request("GET", "/pets", "X-Forwarded-Proto: https")), 403)
	})
}
