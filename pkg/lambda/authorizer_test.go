package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		err          error
		responseType authz.ResponseType
		code         authz.Code
	}{
		"Unauthorized":             {&FunctionError{Message: "Unauthorized"}, unauthorized, authz.CodeUnauthorized},
		"wrapped":                  {fmt.Errorf("x: %w", &FunctionError{Message: "Unauthorized"}), unauthorized, authz.CodeUnauthorized},
		"unauthorized":             {&FunctionError{Message: "unauthorized"}, configurationError, authz.CodeAuthorizerAnswer},
		"Unauthorized and more":    {&FunctionError{Message: "Unauthorized."}, configurationError, authz.CodeAuthorizerAnswer},
		"another error":            {&FunctionError{Message: "Error: Invalid token"}, configurationError, authz.CodeAuthorizerAnswer},
		"an error without message": {&FunctionError{}, configurationError, authz.CodeAuthorizerAnswer},
		"unreachable":              {&InvokeError{Unreachable, "x"}, authorizerFailure, authz.CodeAuthorizerFailed},
		"timed out":                {&InvokeError{TimedOut, "x"}, authorizerFailure, authz.CodeAuthorizerFailed},
		"throttled":                {&InvokeError{Throttled, "x"}, authorizerFailure, authz.CodeAuthorizerFailed},
		"not permitted":            {&InvokeError{NotPermitted, "x"}, configurationError, authz.CodeAuthorizerFailed},
		"too large":                {&InvokeError{TooLarge, "x"}, configurationError, authz.CodeAuthorizerAnswer},
		"busy":                     {&InvokeError{Busy, "x"}, authorizerFailure, authz.CodeOverload},
		"breaker":                  {&InvokeError{BreakerOpen, "x"}, authorizerFailure, authz.CodeAuthorizerFailed},
		"anything else":            {errors.New("x"), authorizerFailure, authz.CodeAuthorizerFailed},
		"its own deadline":         {context.DeadlineExceeded, authorizerFailure, authz.CodeAuthorizerFailed},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ttl := range []int{0, 300} {
				config := tokenConfig(fails(c.err)) // the answer beside the error would allow
				config.TTL, config.Cache = seconds(ttl), newCache(t)
				answer, err := mustNew(t, config).Authorize(t.Context(), call("t"))
				if r := refusalOf(t, answer, err); r.ResponseType != c.responseType || r.Reason.Code != c.code || r.Reason.Detail == "" {
					t.Errorf("TTL %d: %+v", ttl, r)
				}
			}
		})
	}
}

func TestBrokenCalls(t *testing.T) {
	for name, c := range map[string]Call{
		"no identity":       call(),
		"an empty identity": call(""),
		"too many":          call("a", "b"),
		"no event":          {Identity: []string{"t"}},
		"a nil event":       {Identity: []string{"t"}, Event: testEvent{}},
		"no request":        {Identity: []string{"t"}, Event: testEvent{&authz.Event{}}},
	} {
		f := answers(allowAll)
		config := tokenConfig(f)
		config.TTL, config.Cache = seconds(300), newCache(t)
		answer, err := mustNew(t, config).Authorize(t.Context(), c)
		if r := refusalOf(t, answer, err); r.ResponseType != "" || r.Reason.Code != authz.CodeInternal || f.calls.Load() != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestPanicIsARefusal(t *testing.T) {
	for _, ttl := range []int{0, 300} {
		config := tokenConfig(&function{answer: func(context.Context, int, []byte) (string, error) { panic("s3cr3t") }})
		config.TTL, config.Cache = seconds(ttl), newCache(t)
		answer, err := mustNew(t, config).Authorize(t.Context(), call("t"))
		if r := refusalOf(t, answer, err); r.ResponseType != "" || r.Reason.Code != authz.CodeInternal || strings.Contains(r.Reason.Detail, "s3cr3t") {
			t.Errorf("%+v", r)
		}
	}
}

// slow is a function that takes its time, unless it is told to stop.
func slow(d time.Duration) *function {
	return &function{answer: func(ctx context.Context, _ int, _ []byte) (string, error) {
		select {
		case <-time.After(d):
			return allowAll, nil
		case <-ctx.Done():
			return allowAll, ctx.Err()
		}
	}}
}

// bubble runs a test of an authorizer in bubble time.
func bubble(t *testing.T, f *function, ttl int, test func(t *testing.T, a *Authorizer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := cache.New[*Answer](cache.Config{Name: "authorizers", MaxBytes: 16 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		config := tokenConfig(f)
		config.TTL, config.Cache, config.Timeout = seconds(ttl), c, 2*time.Second
		test(t, mustNew(t, config))
		time.Sleep(config.Timeout) // flights outlive who asked
	})
}

func TestOneFlight(t *testing.T) {
	f := slow(time.Second)
	bubble(t, f, 300, func(t *testing.T, a *Authorizer) {
		var all sync.WaitGroup
		for range 300 {
			all.Go(func() {
				if answer, err := a.Authorize(t.Context(), call("t")); err != nil || !allows(answer, testARN) {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	if f.calls.Load() != 1 {
		t.Errorf("%d calls, want one", f.calls.Load())
	}
}

func TestTTLZeroSharesNothing(t *testing.T) {
	f := slow(time.Second)
	bubble(t, f, 0, func(t *testing.T, a *Authorizer) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if answer, err := a.Authorize(t.Context(), call("t")); err != nil || !allows(answer, testARN) {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	if f.calls.Load() != 100 {
		t.Errorf("%d calls, want 100", f.calls.Load())
	}
}

func TestUnkept(t *testing.T) {
	f := answers(allowAll)
	config := tokenConfig(f)
	config.TTL, config.Cache = seconds(300), newCache(t)
	a := mustNew(t, config)
	ask := func(unkept bool, wantCalls int64, want authz.CacheState) {
		t.Helper()
		c := call("t")
		c.Unkept = unkept
		answer, err := a.Authorize(t.Context(), c)
		if err != nil || answer.Cache() != want || f.calls.Load() != wantCalls {
			t.Errorf("%v: %v after %d calls, want %v after %d", err, answer.Cache(), f.calls.Load(), want, wantCalls)
		}
	}
	ask(true, 1, authz.CacheMiss)
	ask(true, 2, authz.CacheMiss) // the first answer was not kept
	ask(false, 3, authz.CacheMiss)
	config.Cache.Wait()
	ask(true, 3, authz.CacheHit) // what is kept is used
}

func TestFirstCallerLeaves(t *testing.T) {
	f := slow(time.Second)
	bubble(t, f, 300, func(t *testing.T, a *Authorizer) {
		first, leave := context.WithCancel(t.Context())
		identity := []string{string([]byte("token"))}
		var all sync.WaitGroup
		all.Go(func() {
			c := call(identity...)
			answer, err := a.Authorize(first, c)
			if r := refusalOf(t, answer, err); r.Reason.Code != authz.CodeCanceled || r.ResponseType != authorizerFailure {
				t.Errorf("%+v", r)
			}
		})
		synctest.Wait()
		for range 10 {
			all.Go(func() {
				if answer, err := a.Authorize(t.Context(), call("token")); err != nil || !allows(answer, testARN) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		leave()
		all.Wait()
	})
	if f.calls.Load() != 1 {
		t.Errorf("%d calls, want one", f.calls.Load())
	}
}

func TestHangingFunction(t *testing.T) {
	for _, ttl := range []int{0, 300} {
		f := slow(time.Hour)
		bubble(t, f, ttl, func(t *testing.T, a *Authorizer) {
			begun := time.Now()
			answer, err := a.Authorize(t.Context(), call("t"))
			if r := refusalOf(t, answer, err); r.ResponseType != authorizerFailure || r.Reason.Code != authz.CodeAuthorizerFailed {
				t.Errorf("%+v", r)
			}
			if took := time.Since(begun); took != 2*time.Second {
				t.Errorf("TTL %d: it took %v, want the authorizer's timeout", ttl, took)
			}
			synctest.Wait() // the flight has ended too
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			begun = time.Now()
			answer, err = a.Authorize(ctx, call("t"))
			if r := refusalOf(t, answer, err); r.Reason.Code != authz.CodeCanceled || time.Since(begun) != 500*time.Millisecond {
				t.Errorf("TTL %d: %+v after %v, want the check's own time", ttl, r, time.Since(begun))
			}
		})
	}
}

// TestTTLCountsFromTheAnswer has a function that takes a second, and an answer that is good for five. A hit does not prolong it.
func TestTTLCountsFromTheAnswer(t *testing.T) {
	f := slow(time.Second)
	bubble(t, f, 5, func(t *testing.T, a *Authorizer) {
		begun := time.Now()
		for _, step := range []struct {
			at    time.Duration
			calls int64
		}{{0, 1}, {3 * time.Second, 1}, {5900 * time.Millisecond, 1}, {6100 * time.Millisecond, 2}} {
			time.Sleep(step.at - time.Since(begun))
			if answer, err := a.Authorize(t.Context(), call("t")); err != nil || !allows(answer, testARN) {
				t.Fatal(err)
			}
			if f.calls.Load() != step.calls {
				t.Errorf("%d calls at %v, want %d", f.calls.Load(), step.at, step.calls)
			}
		}
	})
}

// TestKeys changes what a key is made of, one by one: none finds the answer of another.
func TestKeys(t *testing.T) {
	f := answers(allowAll)
	c := newCache(t)
	config := func() Config {
		return Config{
			Name: "partners", Type: Request, IdentitySource: []string{"method.request.header.a", "method.request.header.b"},
			TTL: seconds(300), Function: testFunction, Invoker: f, Cache: c, Digest: []string{"http://127.0.0.1:1", "role"},
		}
	}
	ask := func(config Config, api, stage string, identity ...string) {
		t.Helper()
		c := call(identity...)
		c.API, c.Stage = api, stage
		if answer, err := mustNew(t, config).Authorize(t.Context(), c); err != nil || !allows(answer, testARN) {
			t.Fatal(err)
		}
	}
	changed := func(change func(*Config)) Config {
		c := config()
		change(&c)
		return c
	}
	ask(config(), "api", "prod", "a", "b")
	ask(config(), "api", "prod", "a", "b")
	if f.calls.Load() != 1 {
		t.Fatalf("%d calls: the same authorizer, made anew, has to find its answer", f.calls.Load())
	}
	for i, again := range []func(){
		func() { ask(config(), "api2", "prod", "a", "b") },
		func() { ask(config(), "api", "dev", "a", "b") },
		func() { ask(config(), "apip", "rod", "a", "b") },
		func() { ask(config(), "api", "prod", "ab", "b") },
		func() { ask(config(), "api", "prod", "b", "a") },
		func() { ask(config(), "api", "prod", "a", "B") },
		func() { ask(config(), "api", "prod", "a,b", "c") },
		func() { ask(config(), "api", "prod", "a", "b,c") },
		func() { ask(changed(func(c *Config) { c.Name = "staff" }), "api", "prod", "a", "b") },
		func() { ask(changed(func(c *Config) { c.Function += ":live" }), "api", "prod", "a", "b") },
		func() {
			ask(changed(func(c *Config) { c.Digest = []string{"http://127.0.0.1:1role"} }), "api", "prod", "a", "b")
		},
		func() { ask(changed(func(c *Config) { c.Digest[1] = "other" }), "api", "prod", "a", "b") },
		func() { ask(changed(func(c *Config) { c.TTL = seconds(299) }), "api", "prod", "a", "b") },
		func() {
			ask(changed(func(c *Config) { c.IdentitySource[0] = "method.request.header.c" }), "api", "prod", "a", "b")
		},
		func() {
			ask(changed(func(c *Config) { c.HTTP, c.PayloadFormatVersion = true, "1.0" }), "api", "prod", "a", "b")
		},
		func() {
			ask(changed(func(c *Config) { c.HTTP, c.PayloadFormatVersion = true, "2.0" }), "api", "prod", "a", "b")
		},
	} {
		before := f.calls.Load()
		again()
		if f.calls.Load() != before+1 {
			t.Errorf("change %d: found the answer of another", i)
		}
	}
	c.Flush(FlushScope("api", "prod", config().Name))
	before := f.calls.Load()
	ask(config(), "api", "prod", "a", "b")
	if f.calls.Load() != before+1 {
		t.Error("found a flushed answer")
	}
}

// TestIdentityIsNotKept changes the bytes of an identity after the call, as a buffer that is used again does.
func TestIdentityIsNotKept(t *testing.T) {
	f := answers(allowAll)
	config := tokenConfig(f)
	config.TTL, config.Cache = seconds(300), newCache(t)
	a := mustNew(t, config)
	buffer := []byte("t1")
	identity := []string{unsafe.String(&buffer[0], len(buffer))}
	for i, token := range []string{"t1", "t2", "t1"} {
		copy(buffer, token)
		if _, err := a.Authorize(t.Context(), call(identity...)); err != nil {
			t.Fatal(err)
		}
		if want := min(int64(i)+1, 2); f.calls.Load() != want {
			t.Errorf("%d calls after %s, want %d", f.calls.Load(), token, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no name":               {func(c *Config) { c.Name = "" }, "no name"},
		"no function":           {func(c *Config) { c.Function = "" }, "write the Lambda function's ARN"},
		"no invoker":            {func(c *Config) { c.Invoker = nil }, "write the Lambda function's ARN"},
		"no type":               {func(c *Config) { c.Type = "" }, "write TOKEN or REQUEST"},
		"another type":          {func(c *Config) { c.Type = "token" }, "write TOKEN or REQUEST"},
		"TOKEN on HTTP":         {func(c *Config) { c.HTTP, c.PayloadFormatVersion = true, "1.0" }, "write REQUEST"},
		"TOKEN without source":  {func(c *Config) { c.IdentitySource = nil }, "has one identitySource"},
		"TOKEN with two":        {func(c *Config) { c.IdentitySource = []string{"a", "b"} }, "has one identitySource"},
		"REST with a version":   {func(c *Config) { c.PayloadFormatVersion = "1.0" }, "take it away"},
		"REST, simple":          {func(c *Config) { c.EnableSimpleResponses = true }, "belongs to HTTP APIs"},
		"HTTP, no version":      {func(c *Config) { c.Type, c.HTTP = Request, true }, `needs "1.0" or "2.0"`},
		"HTTP, another version": {func(c *Config) { c.Type, c.HTTP, c.PayloadFormatVersion = Request, true, "3.0" }, `write "1.0" or "2.0"`},
		"HTTP 1.0, simple": {func(c *Config) {
			c.Type, c.HTTP, c.PayloadFormatVersion, c.EnableSimpleResponses = Request, true, "1.0", true
		}, `needs payloadFormatVersion "2.0"`},
		"TTL too long":            {func(c *Config) { c.TTL = seconds(3601) }, "up to 3600s"},
		"TTL negative":            {func(c *Config) { c.TTL = seconds(-1) }, "up to 3600s"},
		"TTL without source":      {func(c *Config) { c.Type, c.IdentitySource, c.TTL = Request, nil, seconds(1) }, "Identity source must be set"},
		"the default, no source":  {func(c *Config) { c.Type, c.IdentitySource, c.TTL = Request, nil, nil }, "Identity source must be set"},
		"timeout negative":        {func(c *Config) { c.Timeout = -1 }, "timeout"},
		"timeout too long":        {func(c *Config) { c.Timeout = time.Hour }, "timeout"},
		"answers too long":        {func(c *Config) { c.Limits.Bytes = 10 << 20 }, "bytes of an answer"},
		"negative statements":     {func(c *Config) { c.Limits.Statements = -1 }, "statements of an answer"},
		"all faults, not the one": {func(c *Config) { c.Name, c.TTL = "", seconds(-1) }, "resultTtl"},
	} {
		config := tokenConfig(answers(allowAll))
		config.Name, config.Function = "partners", testFunction
		c.change(&config)
		if a, err := New(config); err == nil || a != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	http := simpleConfig(answers(""))
	http.TTL = nil
	rest := tokenConfig(answers(""))
	rest.TTL = nil
	if a, b := mustNew(t, http), mustNew(t, rest); a.ttl != 0 || b.ttl != 300*time.Second || a.timeout != 10*time.Second {
		t.Errorf("defaults: TTL %v on HTTP, %v on REST, timeout %v", a.ttl, b.ttl, a.timeout)
	}
}

func TestScopeOfStagesInTurn(t *testing.T) {
	a := mustNew(t, tokenConfig(answers(allowAll)))
	for range 3 {
		for _, of := range [][2]string{{"api", "prod"}, {"api", "test"}, {"apiprod", ""}, {"other", "prod"}} {
			got := a.scope(of[0], of[1])
			fresh := mustNew(t, tokenConfig(answers(allowAll))).scope(of[0], of[1])
			if got.scope != fresh.scope || !slices.Equal(got.flushes, fresh.flushes) {
				t.Errorf("the scope of %q is another's", of)
			}
		}
	}
}
