package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// hangingFunctions are those of waitingAPIs; each has many requests wait.
const hangingFunctions = 4

// hangs is a function that does not answer while a test runs.
func hangs(t *testing.T) (url string, called *atomic.Int64) {
	t.Helper()
	called, over := &atomic.Int64{}, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called.Add(1)
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	return server.URL, called
}

// waitingAPIs are APIs whose function hangs, and one that is open.
func waitingAPIs(url string) string {
	var apis, functions strings.Builder
	for i := range hangingFunctions {
		arn := fmt.Sprintf("arn:aws:lambda:eu-west-1:111122223333:function:slow%d", i)
		fmt.Fprintf(&apis, `
  - id: slow%d
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [slow%d.example.com]}]
    authorizers: {door: {lambda: {type: TOKEN, function: %q, resultTtl: 0s, timeout: 10s}}}
    routes: [{route: GET /slow, authorizer: door}]
`, i, i, arn)
		fmt.Fprintf(&functions, "  %q: {url: %q}\n", arn, url)
	}
	return "apis:" + apis.String() + `
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    routes: [{route: GET /open, authorization: NONE}]
functions:
` + functions.String()
}

// While more checks wait than Envoy asks about by default, an API that waits for nothing is served.
func TestWaitingChecks(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		url, called := hangs(t)
		s := start(t, setup{envoy: bin, config: waitingAPIs(url), printed: []string{}})
		openWhileOthersWait(t, s, called)
	})
}

func openWhileOthersWait(t *testing.T, s *stack, called *atomic.Int64) {
	t.Helper()
	const waiting = 1500
	for i := range waiting {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw := request("GET", "/slow", fmt.Sprintf("Authorization: token-%d", i))
		if _, err := io.WriteString(c, to(fmt.Sprintf("slow%d.example.com", i%hangingFunctions), raw)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "functions are called", func() bool { return called.Load() > 0 })
	for range 20 {
		time.Sleep(20 * time.Millisecond)
		s.allowed(t, s.get(t, "/open"))
	}
}

// It is so at the gateway of a mesh, which asks as many at once as the DestinationRule says.
func TestMeshWaitingChecks(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	url, called := hangs(t)
	n := nodes()[0]
	gateway, _, _ := strings.Cut(meshGateway, "---\n")
	n.resources = gateway + virtualService("pets", "pets.example.com")
	for i := range hangingFunctions {
		n.resources += virtualService(fmt.Sprintf("slow%d", i), fmt.Sprintf("slow%d.example.com", i))
	}
	openWhileOthersWait(t, startMesh(t, n, setup{config: waitingAPIs(url)}, "15s").stack, called)
}
