package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestASlowFunctionKeepsToItself has more callers wait for one function than it may have at once, and asks for all else.
func TestASlowFunctionKeepsToItself(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	slow := newCloud(t, func(w http.ResponseWriter, _ string, e map[string]any) {
		<-let
		fmt.Fprint(w, policyFor("Allow", arnOf(e)))
	})
	fast := newCloud(t, allowsGood)
	s := start(t, setup{config: `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      slow: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:slow"}}
      fast: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:fast", resultTtl: 0s}}
    routes:
      - {route: GET /slow, authorizer: slow}
      - {route: GET /fast, authorizer: fast}
      - {route: GET /open, authorization: NONE}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:slow": {url: "` + slow.URL + `", concurrency: 10, queue: 20}
  "arn:aws:lambda:eu-west-1:111122223333:function:fast": {url: "` + fast.URL + `"}
`})
	s.allowed(t, s.get(t, "/fast", shows("good")))
	const callers = 100
	var statuses [600]atomic.Int64
	var all sync.WaitGroup
	var sent atomic.Int64
	for i := range callers {
		all.Go(func() { statuses[quick(s.addr, "/slow", "t"+strconv.Itoa(i), &sent)].Add(1) })
	}
	eventually(t, "10 are asked about, 20 wait, 70 are refused", func() bool { return statuses[500].Load() == 70 })
	begun, slowest := time.Now(), time.Duration(0)
	for range 20 {
		one := time.Now()
		s.allowed(t, s.get(t, "/open"))
		s.allowed(t, s.get(t, "/fast", shows("good")))
		s.denied(t, s.get(t, "/fast", shows("bad")), 403)
		slowest = max(slowest, time.Since(one))
	}
	t.Logf("60 requests in %v, the slowest three in %v", time.Since(begun), slowest)
	if slowest > 3*time.Second {
		t.Errorf("three requests took %v while another function was slow", slowest)
	}
	if got := s.metric(t, `portcullis_function_invocations_in_flight{function="arn:aws:lambda:eu-west-1:111122223333:function:slow"}`); got != 10 {
		t.Errorf("%v invocations of the slow function, want 10", got)
	}
	close(let)
	all.Wait()
	if ok, refused := statuses[200].Load(), statuses[500].Load(); ok != 30 || refused != 70 {
		t.Errorf("%d were allowed and %d refused, want 30 and 70", ok, refused)
	}
}

// TestEnvoyGivesUpBeforeTheFunction has the time limit of the check, 1s in the file, run out first: closed, and the late answer is
// of use to those who come after.
func TestEnvoyGivesUpBeforeTheFunction(t *testing.T) {
	t.Parallel()
	f := newCloud(t, func(w http.ResponseWriter, _ string, e map[string]any) {
		time.Sleep(1500 * time.Millisecond)
		fmt.Fprint(w, policyFor("Allow", arnOf(e)))
	})
	s := start(t, setup{config: rememberedBy(f.URL, "300s"), hurried: true})
	s.givesUp(t, s.get(t, "/a", shows("good")))
	eventually(t, "the answer is there", func() bool { return s.get(t, "/a", shows("good")).status == 200 })
	if seen := s.upstream.Take(); len(seen) != 1 {
		t.Errorf("the upstream saw %d requests, want the one that was allowed", len(seen))
	}
	if n := f.take("good"); n != 1 {
		t.Errorf("%d calls, want one", n)
	}
	// Where nothing is remembered nobody ever gets in.
	for range 2 {
		s.givesUp(t, s.get(t, "/never", shows("good")))
	}
}

// givesUp checks that a check has run out of time: Envoy answers 503, unless portcullis, whose time ends in the same moment, is first with
// its 500.
func (s *stack) givesUp(t *testing.T, a answer) {
	t.Helper()
	if a.status == 500 {
		s.denied(t, a, 500)
		return
	}
	s.denied(t, a, 503)
}

// processOf is the process that a function has last run in.
func processOf(t *testing.T, calls string) int {
	t.Helper()
	all := called(t, calls)
	_, pid, _ := strings.Cut(all[len(all)-1], ":")
	number, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// isGone says that a process has ended; somebody else may have to reap it.
func isGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// runningDoors are the APIs whose function runs by its command.
func runningDoors(t *testing.T, l language) (s *stack, calls string) {
	t.Helper()
	calls = filepath.Join(t.TempDir(), "calls")
	s = start(t, setup{config: strings.Replace(doors, "FUNCTION", l.function(t, calls), 1), edits: byHost("pets.example.com", "http.example.com")})
	s.allowed(t, s.get(t, "/token", shows("allow")))
	return s, calls
}

// TestFunctionsEndWithPortcullis kills portcullis, and it lets it end.
func TestFunctionsEndWithPortcullis(t *testing.T) {
	t.Parallel()
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s, calls := runningDoors(t, l)
			pid := processOf(t, calls)
			if isGone(pid) {
				t.Fatal("the function's process has ended already")
			}
			s.portcullis.Kill()
			eventually(t, "the function's process has ended", func() bool { return isGone(pid) })
			s.denied(t, s.get(t, "/token", shows("allow")), 503)
		})
	}
}

// TestFunctionsFinishWhatTheyDo ends portcullis while a function is asked.
func TestFunctionsFinishWhatTheyDo(t *testing.T) {
	t.Parallel()
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s, calls := runningDoors(t, l)
			var statuses [600]atomic.Int64
			var sent atomic.Int64
			var asked sync.WaitGroup
			asked.Go(func() { statuses[quick(s.addr, "/token", "slow", &sent)].Add(1) })
			eventually(t, "the function is asked", func() bool { return times(called(t, calls), "slow") == 1 })
			pid := processOf(t, calls)
			s.portcullis.Signal(syscall.SIGTERM)
			asked.Wait()
			if statuses[200].Load() != 1 {
				t.Error("the request that the function was asked about has not passed")
			}
			select {
			case <-s.portcullis.Done():
			case <-time.After(patience):
				t.Fatal("portcullis still runs")
			}
			if !isGone(pid) {
				t.Error("the function's process still runs")
			}
		})
	}
}

// TestAFunctionIsToldNothingElse looks at the environment of a function, and what it can read of portcullis.
func TestAFunctionIsToldNothingElse(t *testing.T) {
	t.Setenv("PORTCULLIS_E2E_SECRET", "s3cr3t") // portcullis inherits it
	s, calls := runningDoors(t, language{"go", goFunction})
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", processOf(t, calls)))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(environment); strings.Contains(text, "s3cr3t") || !strings.Contains(text, "AWS_LAMBDA_RUNTIME_API=") {
		t.Errorf("the function's environment: %q", text)
	}
	s.allowed(t, s.get(t, "/token", shows("allow")))
}

// TestAReloadKeepsTheProcess reloads what has nothing to do with the function, and then what has.
func TestAReloadKeepsTheProcess(t *testing.T) {
	t.Parallel()
	calls := filepath.Join(t.TempDir(), "calls")
	config := strings.Replace(doors, "FUNCTION", goFunction(t, calls), 1)
	s := start(t, setup{config: config, edits: byHost("pets.example.com", "http.example.com")})
	s.allowed(t, s.get(t, "/token", shows("allow")))
	first := processOf(t, calls)
	loads := 1.0
	reload := func(config string) {
		t.Helper()
		s.write(t, "portcullis.yaml", config)
		loads++
		eventually(t, "the configuration is read", func() bool { return s.metric(t, `portcullis_reloads_total{result="loaded"}`) >= loads })
	}
	config = strings.Replace(config, "    routes:\n", "    routes:\n      - {route: GET /open, authorization: NONE}\n", 1)
	reload(config)
	s.allowed(t, s.get(t, "/token", shows("allow")))
	if now := processOf(t, calls); now != first {
		t.Errorf("the function runs in the process %d, before in %d", now, first)
	}
	slow := make(chan answer, 1)
	go func() { slow <- s.get(t, "/token", shows("slow")) }()
	eventually(t, "the old process is asked", func() bool { return times(called(t, calls), "slow") > 0 })
	reload(strings.Replace(config, "environment: {", "environment: {COLOR: red, ", 1))
	s.allowed(t, <-slow) // a check that began before the reload keeps the process that it has asked
	s.allowed(t, s.get(t, "/token", shows("allow")))
	if processOf(t, calls) == first {
		t.Error("the function still runs in the old process")
	}
	eventually(t, "the old process has ended", func() bool { return isGone(first) })
}

// TestReloadsUnderLoad changes the function's own environment again and again while it is asked: each change is a new process,
// and not one answer is wrong.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	calls := filepath.Join(t.TempDir(), "calls")
	config := strings.Replace(doors, "FUNCTION", goFunction(t, calls), 1)
	s := start(t, setup{config: config, edits: byHost("pets.example.com", "http.example.com")})
	s.allowed(t, s.get(t, "/token", shows("allow")))
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	var asked, sent atomic.Int64
	for _, o := range []outcome{outcomes[0], outcomes[1], outcomes[2], outcomes[3]} {
		load.Go(func() {
			for ctx.Err() == nil {
				if got := quick(s.addr, "/token", o.token, &sent); got != o.status {
					t.Errorf("%s: status %d, want %d", o.token, got, o.status)
				}
				asked.Add(1)
			}
		})
	}
	processes := map[int]bool{}
	for i := range 4 {
		s.write(t, "portcullis.yaml", strings.Replace(config, "environment: {", fmt.Sprintf("environment: {ROUND: %q, ", strconv.Itoa(i)), 1))
		eventually(t, "the configuration is read", func() bool { return s.metric(t, `portcullis_reloads_total{result="loaded"}`) >= float64(i+2) })
		from := asked.Load()
		eventually(t, "the load goes on", func() bool { return asked.Load() > from+40 })
		processes[processOf(t, calls)] = true
	}
	if len(processes) != 4 {
		t.Errorf("the function ran in %d processes, want one for each environment", len(processes))
	}
}
