package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestReloadOnChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "portcullis.yaml")
	write(t, file, "v1")
	r := serve(t, Config{Load: loadsFile(file), Watch: []string{file}})
	client := r.client()
	write(t, file, "v2")
	eventually(t, "v2 serves", func() bool { return check(t, client) == "v2" })
	r.metric(`portcullis_reloads_total{result="loaded"} 2`)

	write(t, file, "bad")
	eventually(t, "the refusal is told", func() bool {
		status, body := r.get("/readyz")
		return status == 200 && strings.HasPrefix(body, "ready, with an old configuration: the reload of ") &&
			strings.HasSuffix(body, " was refused: portcullis.yaml:3: routes: unknown field \"rout\" (and 1 more)\n")
	})
	if got := check(t, client); got != "v2" {
		t.Errorf("after a refused reload: %s", got)
	}
	r.metric(`portcullis_config_last_reload_successful 0`)
	r.metric(`portcullis_reloads_total{result="refused"} 1`)
	r.metric(`portcullis_config_info{digest="v2"} 1`)
	if !strings.Contains(r.log.String(), "portcullis.yaml:9: no API") {
		t.Errorf("the log has not all faults: %s", r.log)
	}

	write(t, file, "v2")
	eventually(t, "the old text is good again", func() bool { _, body := r.get("/readyz"); return body == "ready\n" })
	r.metric(`portcullis_reloads_total{result="unchanged"} 1`)
	r.metric(`portcullis_config_last_reload_successful 1`)
	if !strings.Contains(r.log.String(), "configuration unchanged") {
		t.Error("the log does not say unchanged")
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a missing file is refused", func() bool { _, body := r.get("/readyz"); return strings.Contains(body, "no such file") })
	write(t, file, "v3")
	eventually(t, "a file that appears is read", func() bool { return check(t, client) == "v3" })
}

// reads is how often the configuration has been read to the end.
func reads(r *running) int {
	return strings.Count(r.log.String(), "configuration loaded") + strings.Count(r.log.String(), "configuration refused")
}

func TestReloadOnSignal(t *testing.T) {
	version := atomic.Int64{}
	r := serve(t, Config{Load: func() (Loaded, error) {
		v := strconv.FormatInt(version.Add(1), 10)
		if v == "3" {
			panic("secret of the configuration")
		}
		return Loaded{Authorizer: allowAs(v), Digest: v, Warnings: []string{"w" + v}}, nil
	}})
	client := r.client()
	for i, want := range []string{"2", "2", "4"} {
		r.reload <- syscall.SIGHUP
		eventually(t, fmt.Sprintf("reading %d", i+2), func() bool { return reads(r) == i+2 })
		if got := check(t, client); got != want {
			t.Errorf("after reading %d: %s, want %s", i+2, got, want)
		}
	}
	if log := r.log.String(); !strings.Contains(log, "panicked") || strings.Contains(log, "secret of") || !strings.Contains(log, "warning=w4") {
		t.Errorf("log: %s", log)
	}
}

// A configuration is started before it serves, one that does not come to serve is closed, and one that has served is closed
// once nothing can use it any more.
func TestConfigurationsStartAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []string
		note := func(event string) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, event)
		}
		digest := "1"
		r := &reloader{
			recorder: quiet(),
			gate:     &gate{max: 1}, metrics: newMetrics("", nil, nil, func() float64 { return 0 }), log: slog.New(slog.DiscardHandler),
		}
		r.read = func() (Loaded, error) {
			name := digest
			return Loaded{
				Authorizer: allowAs(name), Digest: name,
				Start: func(context.Context) {
					if serving := r.gate.serving.Load(); serving != nil && serving.Digest == name {
						t.Errorf("%s serves before it is started", name)
					}
					note("start " + name)
				},
				Close: func() { note("close " + name) },
			}, nil
		}
		if err := r.first(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.again(t.Context())
		digest = "2"
		_, users := r.gate.use()
		r.again(t.Context())
		time.Sleep(time.Hour)
		note("a check ends")
		users.Add(-1)
		time.Sleep(2 * drainPoll)
		synctest.Wait()
		want := []string{"start 1", "close 1", "start 2", "a check ends", "close 1"}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The first configuration does not wait long for what it needs from outside; the old one serves while another waits.
func TestOnlyAReloadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reloader{
			recorder: quiet(),
			gate:     &gate{max: 1}, metrics: newMetrics("", nil, nil, func() float64 { return 0 }), log: slog.New(slog.DiscardHandler),
		}
		digest := "1"
		r.read = func() (Loaded, error) {
			return Loaded{Authorizer: allowAs(digest), Digest: digest, Wait: func(ctx context.Context) {
				select {
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
			}}, nil
		}
		begun := time.Now()
		if err := r.first(t.Context()); err != nil || time.Since(begun) > firstWait {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		digest, begun = "2", time.Now()
		if r.again(t.Context()); time.Since(begun) != 3*time.Second || r.gate.serving.Load().Digest != "2" {
			t.Errorf("%s serves after %v", r.gate.serving.Load().Digest, time.Since(begun))
		}
	})
}

// A configuration whose start panics does not serve, and does not end the process.
func TestAStartThatPanics(t *testing.T) {
	var log bytes.Buffer
	closed := false
	r := &reloader{
		recorder: quiet(),
		gate:     &gate{max: 1}, metrics: newMetrics("", nil, nil, func() float64 { return 0 }), log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	start := func(context.Context) {}
	r.read = func() (Loaded, error) {
		return Loaded{Authorizer: allowAs("1"), Digest: fmt.Sprint(closed, r.gate.serving.Load() != nil), Start: start, Close: func() { closed = true }}, nil
	}
	if err := r.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	serving := r.gate.serving.Load()
	start = func(context.Context) { panic("the secret of a key") }
	r.again(t.Context())
	if r.gate.serving.Load() != serving || r.refused.Load() == nil || !closed {
		t.Errorf("serves: %v, refused: %v, closed: %v", r.gate.serving.Load() != serving, r.refused.Load(), closed)
	}
	if text := log.String(); strings.Contains(text, "secret of") || !strings.Contains(text, "panicked") {
		t.Errorf("log: %s", text)
	}
	r.gate.serving.Store(nil)
	if err := r.first(t.Context()); err == nil || r.gate.serving.Load() != nil {
		t.Errorf("first: %v", err)
	}
}

func TestSamplesOfOthers(t *testing.T) {
	r := serve(t, Config{
		Load: func() (Loaded, error) { return Loaded{Authorizer: allowAs("1"), Digest: "1"}, nil },
		Samples: func() []authz.Sample {
			return []authz.Sample{
				{Name: "portcullis_things_total", Help: "Things.", Labels: []authz.Field{{Name: "kind", Value: "a\xff\"b"}}, Value: 3},
				{Name: "portcullis_things_age_seconds", Help: "Their age.", Value: 1.5},
			}
		},
	})
	r.metric(`portcullis_things_total{kind="a?\"b"} 3`)
	r.metric(`portcullis_things_age_seconds 1.5`)
	r.metric(`# TYPE portcullis_things_total counter`)
	r.metric(`# TYPE portcullis_things_age_seconds gauge`)
}

// TestReloadUnderLoad asks 1,000 times and more while the configuration is swapped 20 times, every other one broken. An answer
// is wrong if it comes from a configuration that was refused, or is older than the one that served when it was asked.
func TestReloadUnderLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "portcullis.yaml")
	write(t, file, "0")
	r := serve(t, Config{Load: func() (Loaded, error) {
		l, err := loadsFile(file)()
		l.Files = nil // reloads by signal alone, so that each one can be waited for
		return l, err
	}})
	client := r.client()
	var serving, newest, asked atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := serving.Load()
				got, err := strconv.ParseInt(check(t, client), 10, 64)
				if err != nil || got < least || got > newest.Load() || got%2 != 0 {
					t.Errorf("answer %d (%v), while %d to %d served", got, err, least, newest.Load())
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range int64(20) {
		version, before := i+1, asked.Load()
		text := strconv.FormatInt(version, 10)
		if version%2 == 1 {
			text = "bad " + text
		} else {
			newest.Store(version)
		}
		write(t, file, text)
		r.reload <- syscall.SIGHUP
		eventually(t, fmt.Sprintf("reload %d", version), func() bool { return reads(r) == int(version)+1 })
		if version%2 == 0 {
			serving.Store(version)
		}
		eventually(t, "requests in between", func() bool { return asked.Load() >= before+50 || t.Failed() })
	}
	close(stop)
	load.Wait()
	if asked.Load() < 1000 {
		t.Errorf("only %d requests", asked.Load())
	}
	r.metric(`portcullis_reloads_total{result="loaded"} 11`)
	r.metric(`portcullis_reloads_total{result="refused"} 10`)
}

// Changes that come faster than configurations are read are joined, and the last one is not lost.
func TestReloadsAreJoined(t *testing.T) {
	file := filepath.Join(t.TempDir(), "portcullis.yaml")
	write(t, file, "0")
	var reading, most, times atomic.Int64
	r := serve(t, Config{Watch: []string{file}, Load: func() (Loaded, error) {
		most.Store(max(most.Load(), reading.Add(1)))
		defer reading.Add(-1)
		times.Add(1)
		l, err := loadsFile(file)()
		time.Sleep(150 * time.Millisecond)
		return l, err
	}})
	const changes = 60
	for i := range changes {
		write(t, file, fmt.Sprint(i+1))
		r.reload <- syscall.SIGHUP
		time.Sleep(10 * time.Millisecond)
	}
	client := r.client()
	eventually(t, "the last change serves", func() bool { return check(t, client) == fmt.Sprint(changes) })
	if most.Load() != 1 || times.Load() > changes/2 {
		t.Errorf("%d changes were read %d times, %d at once", changes, times.Load(), most.Load())
	}
}

// TestReloadOfAConfigMap swaps the files as the kubelet does: a new folder, and one rename of the link ..data.
func TestReloadOfAConfigMap(t *testing.T) {
	volume := t.TempDir()
	swap := func(folder, text string) {
		t.Helper()
		write(t, filepath.Join(volume, folder, "portcullis.yaml"), text)
		link := filepath.Join(volume, "..data_tmp")
		if err := os.Symlink(folder, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(volume, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..2026_11_23_1", "v1")
	file := filepath.Join(volume, "portcullis.yaml")
	if err := os.Symlink("..data/portcullis.yaml", file); err != nil {
		t.Fatal(err)
	}
	r := serve(t, Config{Load: loadsFile(file), Watch: []string{file}})
	client := r.client()
	for i, want := range []string{"v2", "v3", "v4"} {
		swap(fmt.Sprintf("..2026_11_23_%d", i+2), want)
		if err := os.RemoveAll(filepath.Join(volume, fmt.Sprintf("..2026_11_23_%d", i+1))); err != nil {
			t.Fatal(err)
		}
		eventually(t, want+" serves", func() bool { return check(t, client) == want })
	}
}

// TestAFaultThatAnotherFileMends refuses a configuration for a file that is missing in a folder that does not exist either.
func TestAFaultThatAnotherFileMends(t *testing.T) {
	file, policy := filepath.Join(t.TempDir(), "portcullis.yaml"), filepath.Join(t.TempDir(), "policies", "deep", "pets.json")
	write(t, file, "v1")
	main := loadsFile(file)
	read := func() (Loaded, error) {
		l, err := main()
		if l.Digest == "v1" || err != nil {
			return l, err
		}
		text, err := os.ReadFile(policy)
		l.Files = append(l.Files, policy)
		l.Digest += string(text)
		return l, err
	}
	r := serve(t, Config{Load: read, Watch: []string{file}})
	client := r.client()
	write(t, file, "v2")
	eventually(t, "the missing file is refused", func() bool { _, body := r.get("/readyz"); return strings.Contains(body, "refused") })
	if got := check(t, client); got != "v1" {
		t.Errorf("meanwhile: %s", got)
	}
	if err := os.MkdirAll(filepath.Dir(policy), 0o755); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * quietTime / 2)
	write(t, policy, "{}")
	eventually(t, "v2 serves", func() bool { return check(t, client) == "v2" })
	write(t, policy, "{ }")
	eventually(t, "a change of the other file", func() bool { _, body := r.get("/metrics"); return strings.Contains(body, `digest="v2{ }"`) })
}
