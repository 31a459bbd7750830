package meter_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/meter"
)

var (
	allowed = authz.Decision{Allow: true, Reason: authz.Reason{Code: authz.CodeAllowed}}
	denied  = authz.Decision{Reason: authz.Reason{Code: authz.CodeExplicitDeny}}
	getPets = authz.MeterKey{API: "a1b2c3d4e5", Stage: "prod", Route: "GET /pets", Authorization: "AWS_IAM"}
)

// value returns the sum of the samples with a name whose labels have the values.
func value(t *testing.T, m *meter.Meters, name string, labels map[string]string) (sum float64, series int) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range m.Samples() {
		if id := fmt.Sprint(s.Name, s.Labels); seen[id] {
			t.Fatalf("%s occurs twice", id)
		} else {
			seen[id] = true
		}
		matches := s.Name == name
		for _, l := range s.Labels {
			if want, ok := labels[l.Name]; ok && want != l.Value {
				matches = false
			}
		}
		if !matches {
			continue
		}
		series++
		if sum += s.Value; s.Histogram != nil {
			sum += float64(s.Histogram.Count)
		}
	}
	return sum, series
}

func expect(t *testing.T, m *meter.Meters, name string, labels map[string]string, want float64) {
	t.Helper()
	if got, _ := value(t, m, name, labels); got != want {
		t.Errorf("%s%v: %v, want %v", name, labels, got, want)
	}
}

func TestARouteGoesOnCountingAfterAReload(t *testing.T) {
	m := meter.New()
	before := m.Set()
	before.Meter(getPets).Count(&allowed, time.Millisecond)
	after := m.Set()
	after.Meter(getPets).Count(&denied, time.Millisecond)
	before.Close()
	after.Meter(getPets).Count(&allowed, time.Second)
	expect(t, m, "portcullis_decisions_total", map[string]string{"route": "GET /pets", "decision": "allow", "reason": "allowed"}, 2)
	expect(t, m, "portcullis_decisions_total", map[string]string{"route": "GET /pets", "decision": "deny", "reason": "explicit_deny", "authorizer": meter.None}, 1)
	expect(t, m, "portcullis_checks_total", map[string]string{"decision": "allow"}, 2)
	expect(t, m, "portcullis_authorization_duration_seconds", map[string]string{"authorization": "AWS_IAM"}, 3)
	expect(t, m, "portcullis_check_duration_seconds", nil, 3)
}

// A decision may be counted after its configuration was closed.
func TestTheSumsKeepWhatARemovedRouteHasCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := meter.New()
		set := m.Set()
		route := set.Meter(getPets)
		route.Count(&allowed, time.Millisecond)
		set.Close()
		set.Close()
		route.Count(&allowed, time.Millisecond)
		for range 3 {
			expect(t, m, "portcullis_decisions_total", nil, 0)
			expect(t, m, "portcullis_checks_total", nil, 2)
			expect(t, m, "portcullis_check_duration_seconds", nil, 2)
			time.Sleep(time.Minute)
		}
		again := m.Set()
		again.Meter(getPets).Count(&allowed, time.Millisecond)
		expect(t, m, "portcullis_decisions_total", nil, 1)
		expect(t, m, "portcullis_checks_total", nil, 3)
	})
}

func TestRoutesAfterTheFirst2000AreOther(t *testing.T) {
	m := meter.New()
	for range 3 { // a reload changes nothing
		set := m.Set()
		for i := range meter.MaxRoutes + 500 {
			k := getPets
			if k.Route = fmt.Sprintf("GET /pets/%d", i); i%2 == 0 {
				k.Authorization, k.Authorizer = "CUSTOM", "partners"
			}
			set.Meter(authz.MeterKey{API: fmt.Sprint("a", i), Stage: "prod"}).Count(&denied, time.Millisecond)
			set.Meter(k).Count(&allowed, time.Millisecond)
		}
		defer set.Close()
	}
	n, series := value(t, m, "portcullis_decisions_total", map[string]string{"decision": "allow"})
	if n != 3*(meter.MaxRoutes+500) || series != meter.MaxRoutes+2 {
		t.Errorf("%v decisions in %d series", n, series)
	}
	if _, series = value(t, m, "portcullis_decisions_total", map[string]string{"decision": "deny"}); series != meter.MaxRoutes+1 {
		t.Errorf("%d series of stages", series)
	}
	other := map[string]string{"api": meter.Other, "stage": meter.Other, "route": meter.Other, "authorizer": meter.Other, "authorization": "CUSTOM"}
	expect(t, m, "portcullis_decisions_total", other, 750)
	expect(t, m, "portcullis_authorization_duration_seconds", map[string]string{"authorization": "CUSTOM"}, 3750)
}

// A configuration that replaces all routes gets series for its own.
func TestReplacedRoutesGetTheirOwnSeries(t *testing.T) {
	m := meter.New()
	for generation := range 3 {
		set := m.Set()
		defer set.Close()
		for i := range meter.MaxRoutes {
			set.Meter(authz.MeterKey{API: fmt.Sprint("a", generation), Stage: "prod", Route: fmt.Sprint("GET /", i)}).Count(&allowed, 0)
		}
		expect(t, m, "portcullis_decisions_total", map[string]string{"api": fmt.Sprint("a", generation)}, meter.MaxRoutes)
	}
}

func TestCountingNeedsNoMemory(t *testing.T) {
	route := meter.New().Set().Meter(getPets)
	if n := testing.AllocsPerRun(100, func() { route.Count(&allowed, time.Millisecond); route.Count(&denied, time.Second) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrentCountsAreComplete(t *testing.T) {
	m := meter.New()
	set := m.Set()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				d := authz.Decision{Reason: authz.Reason{Code: authz.Code(fmt.Sprint("code", i%10))}}
				if i%3 == 0 {
					m.None().Count(&d, time.Microsecond)
				} else {
					set.Meter(getPets).Count(&d, time.Minute)
				}
			}
			m.Samples()
		})
	}
	all.Wait()
	expect(t, m, "portcullis_decisions_total", nil, 8000)
	expect(t, m, "portcullis_checks_total", map[string]string{"reason": "code7"}, 800)
}

func BenchmarkCount(b *testing.B) {
	route := meter.New().Set().Meter(getPets)
	for b.Loop() {
		route.Count(&allowed, 100*time.Microsecond)
	}
}
