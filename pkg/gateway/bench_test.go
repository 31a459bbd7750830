package gateway

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// manyAPIs are n APIs with 10 routes each, on a host of their own and on a base path of a shared one.
func manyAPIs(n int) []API {
	apis := make([]API, n)
	for i := range apis {
		a := testAPI("GET /", "GET /pets", "POST /pets", "GET /pets/{petId}", "PUT /pets/{petId}", "DELETE /pets/{petId}",
			"GET /pets/{petId}/photos", "GET /orders/{orderId}", "ANY /admin/{proxy+}", "GET /health")
		a.ID = fmt.Sprintf("api%07d", i)
		a.Stages = []Stage{{Name: "prod", Domains: []string{fmt.Sprintf("api%d.example.com", i), fmt.Sprintf("shared.example.com/v1/api%d", i)}}}
		a.ExecuteAPIEndpoint = true
		apis[i] = a
	}
	return apis
}

func benchmarkRequest(host, target string) *authz.Request {
	r := get(target, "user-agent", "curl/8", "accept", "*/*", "x-forwarded-for", "192.0.2.9", "x-forwarded-proto", "https",
		"cookie", "a=b", "accept-encoding", "gzip", "x-request-id", testID, "content-type", "application/json")
	r.Host = host
	return r
}

func BenchmarkAuthorize(b *testing.B) {
	const deny = `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`
	for _, n := range []int{1, 10_000} {
		apis := manyAPIs(n)
		g := mustNew(b, apis...)
		apis[n/2] = guardedBy(b, apis[n/2], allowBut(deny))
		guarded := mustNew(b, apis...)
		own := fmt.Sprintf("api%d.example.com", n/2)
		for _, bb := range []struct {
			name    string
			gateway *Gateway
			request *authz.Request
		}{
			{"open", g, benchmarkRequest(own, "/pets/7/photos?page=2")},
			{"open by base path", g, benchmarkRequest("shared.example.com", fmt.Sprintf("/v1/api%d/pets/7/photos", n/2))},
			{"policy", guarded, benchmarkRequest(own, "/pets/7/photos")},
		} {
			b.Run(fmt.Sprintf("%s/%d APIs", bb.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if d := bb.gateway.Authorize(b.Context(), bb.request); !d.Allow {
						b.Fatal(d.Reason)
					}
				}
			})
		}
	}
}

func TestAllocations(t *testing.T) {
	open := mustNew(t, testAPI("GET /pets/{petId}"))
	guarded := mustNew(t, guardedBy(t, testAPI("GET /pets/{petId}"), allowBut()))
	r := benchmarkRequest("pets.example.com", "/pets/7?page=2")
	strict := testAPI("GET /Pets/{petId}", "GET /v1/{proxy+}")
	strict.StrictPaths, strict.Stages[0].Domains = true, []string{"pets.example.com", "pets.example.com/V1/Pets"}
	anyCase := benchmarkRequest("pets.example.com", "/V1/A-Base-Path/Longer-Than-32-Bytes/In/Capitals?page=2")
	strict.Routes[1].Resource = "/{proxy+}"
	for _, tt := range []struct {
		name    string
		gateway *Gateway
		request *authz.Request
		atMost  float64
	}{{"open", open, r, 2}, {"policy", guarded, r, 5}, {"strictPaths and base paths, in capitals", mustNew(t, strict), anyCase, 2}} {
		got := testing.AllocsPerRun(100, func() {
			if d := tt.gateway.Authorize(t.Context(), tt.request); !d.Allow {
				t.Fatal(d.Reason)
			}
		})
		if got > tt.atMost {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.atMost)
		}
	}
}

// BenchmarkNew compiles 10,000 APIs and reports what they hold in memory.
func BenchmarkNew(b *testing.B) {
	apis := manyAPIs(10_000)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := mustNew(b, apis...)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(g)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB/gateway")
}
