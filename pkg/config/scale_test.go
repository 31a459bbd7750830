package config

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// manyAPIs is a configuration of n APIs with ten routes each and, if wanted, a small policy.
func manyAPIs(n int, policy bool) string {
	var b strings.Builder
	b.WriteString("apis:\n")
	for i := range n {
		fmt.Fprintf(&b, `  - id: a%09d
    account: "111122223333"
    region: eu-west-1
    stages:
      - name: prod
        domains: [h%d.example.com, api.example.com/p%d]
        variables: {alias: live}
`, i, i, i)
		if policy {
			b.WriteString(`    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: "*"
          Action: execute-api:Invoke
          Resource: execute-api:/prod/GET/*
        - Sid: office
          Effect: Deny
          Principal: "*"
          Action: execute-api:Invoke
          Resource: execute-api:/prod/GET/r1/*
          Condition: {NotIpAddress: {aws:SourceIp: [192.0.2.0/24]}}
`)
		}
		b.WriteString("    routes:\n")
		for r := range 10 {
			fmt.Fprintf(&b, "      - {route: \"GET /r%d/{id}\", authorization: NONE}\n", r)
		}
	}
	return b.String()
}

// processorTime returns the processor time of this process: unlike the time on the clock, it does not depend on what else the machine
// does.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// 10,000 APIs with ten routes and a policy each load within 10 s and 1 GB.
func TestScale(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("takes seconds, and measures nothing under the race detector")
	}
	const apis = 10_000
	name := writeConfig(t, manyAPIs(apis, true))
	start := processorTime()
	s, err := Load(name, pool.Dry())
	took := processorTime() - start
	if err != nil {
		t.Fatal(err)
	}
	if s.APIs != apis || s.Routes != 10*apis || len(s.Warnings) != 0 {
		t.Errorf("%d APIs, %d routes, %d warnings", s.APIs, s.Routes, len(s.Warnings))
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%v, %d MB from the system", took, m.Sys>>20)
	if took > 10*time.Second {
		t.Errorf("took %v, want at most 10 s", took)
	}
	if m.Sys > 1<<30 { // never given back to the count: the most that there was
		t.Errorf("took %d MB from the system, want at most 1 GB", m.Sys>>20)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, policy := range []bool{false, true} {
		b.Run(fmt.Sprintf("apis=1000/policy=%v", policy), func(b *testing.B) {
			name := writeConfig(b, manyAPIs(1000, policy))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(name, pool.Dry()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
