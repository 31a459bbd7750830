package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

func TestTrail(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "releases/1/p.yaml"), "")
	write(t, filepath.Join(dir, "volume/..1/p.yaml"), "")
	link("..1", "volume/..data")
	link("..data/p.yaml", "volume/p.yaml")
	link("releases/1", "current")
	link(filepath.Join(dir, "current"), "absolute")
	link("../releases/1/p.yaml", "volume/up.yaml")
	link("nowhere/p.yaml", "dangling")
	link("loop", "loop")
	for path, want := range map[string][]string{
		"releases/1/p.yaml":    {"releases/1/p.yaml"},
		"volume/p.yaml":        {"volume/p.yaml", "volume/..data", "volume/..1/p.yaml"},
		"current/p.yaml":       {"current", "releases/1/p.yaml"},
		"absolute/p.yaml":      {"absolute", "current", "releases/1/p.yaml"},
		"volume/up.yaml":       {"volume/up.yaml", "releases/1/p.yaml"},
		"dangling":             {"dangling", "nowhere"},
		"releases/2/p.yaml":    {"releases/2"},
		"releases/../releases": {"releases"},
	} {
		var got []string
		for _, name := range trail(filepath.Join(dir, path)) {
			short, _ := filepath.Rel(dir, name)
			got = append(got, short)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if got := trail(filepath.Join(dir, "loop")); len(got) != maxLinks+1 {
		t.Errorf("a link to itself: %d names", len(got))
	}
}

func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var due debounce
		due.event()
		time.Sleep(quietTime / 2)
		due.event()
		if <-due.timer; time.Since(start) != quietTime*3/2 {
			t.Errorf("acted after %v", time.Since(start))
		}
		due, start = debounce{}, time.Now()
		for due.event(); ; due.event() {
			select {
			case <-due.timer:
				if time.Since(start) != longestWait {
					t.Errorf("acted after %v of constant events", time.Since(start))
				}
				return
			case <-time.After(quietTime / 2):
			}
		}
	})
}

// watching is a watcher that counts, on its own.
type watching struct {
	*watcher
	acts atomic.Int64
	log  *logtest.Buffer
	stop func()
}

func watchFiles(t *testing.T, files ...string) *watching {
	t.Helper()
	w := &watching{log: &logtest.Buffer{}}
	w.watcher = &watcher{
		files: func() []string { return files }, act: func() { w.acts.Add(1) }, kick: make(chan struct{}, 1),
		log: slog.New(slog.NewTextHandler(w.log, nil)), metrics: newMetrics("", nil, nil, func() float64 { return 0 }),
	}
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	w.stop = func() { cancel(); running.Wait() }
	t.Cleanup(w.stop)
	return w
}

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "conf", "p.yaml")
	write(t, file, "1")
	w := watchFiles(t, file)
	write(t, filepath.Join(dir, "conf", "other"), "1")
	time.Sleep(2 * quietTime)
	if n := w.acts.Load(); n != 0 {
		t.Errorf("acted %d times for another file", n)
	}
	for range 5 {
		write(t, file, "2")
		time.Sleep(quietTime / 10)
	}
	eventually(t, "one act for a burst", func() bool { return w.acts.Load() == 1 })

	// An editor writes beside the file and renames.
	write(t, file+"~", "3")
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an act for a rename", func() bool { return w.acts.Load() == 2 })

	// The folder is exchanged for another one.
	write(t, filepath.Join(dir, "next", "p.yaml"), "4")
	if err := os.Rename(filepath.Join(dir, "conf"), filepath.Join(dir, "before")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "conf")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an act for another folder", func() bool { return w.acts.Load() >= 3 })
	time.Sleep(3 * quietTime)
	before := w.acts.Load()
	write(t, file, "5")
	eventually(t, "the new folder is watched", func() bool { return w.acts.Load() > before })
}

// TestNewFilesAreReadOnceMore changes what is watched while it acts: what happened before the watch has not been seen.
func TestNewFilesAreReadOnceMore(t *testing.T) {
	files := []string{filepath.Join(t.TempDir(), "p.yaml"), filepath.Join(t.TempDir(), "p.yaml")}
	var acts atomic.Int64
	w := &watcher{
		files: func() []string { return files[:min(2, 1+acts.Load())] }, act: func() { acts.Add(1) }, kick: make(chan struct{}, 1),
		log: slog.New(slog.DiscardHandler), metrics: newMetrics("", nil, nil, func() float64 { return 0 }),
	}
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	w.kick <- struct{}{}
	eventually(t, "a second act", func() bool { return acts.Load() == 2 })
	time.Sleep(2 * quietTime)
	cancel()
	running.Wait()
	if n := acts.Load(); n != 2 {
		t.Errorf("%d acts", n)
	}
}

func TestWatcherErrorsAreToldAndReadAgain(t *testing.T) {
	w := watchFiles(t, filepath.Join(t.TempDir(), "p.yaml"))
	w.notify.Errors <- fsnotify.ErrEventOverflow
	eventually(t, "an act after an overflow", func() bool { return w.acts.Load() == 1 })
	if err := w.notify.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an act after the watcher ended", func() bool { return w.acts.Load() == 2 })
	w.stop()
	if !w.deaf || strings.Count(w.log.String(), "level=ERROR") < 2 {
		t.Errorf("deaf %v, log %s", w.deaf, w.log)
	}
}

// TestADeafWatcherPolls has a system that gives no watcher.
func TestADeafWatcherPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acts := 0
		w := &watcher{
			files: func() []string { return nil }, act: func() { acts++ }, kick: make(chan struct{}, 1),
			log: slog.New(slog.DiscardHandler), metrics: newMetrics("", nil, nil, func() float64 { return 0 }),
		}
		w.fail(fsnotify.ErrClosed)
		ctx, cancel := context.WithTimeout(t.Context(), 3*pollInterval+time.Second)
		defer cancel()
		w.run(ctx)
		if acts != 3 {
			t.Errorf("%d acts", acts)
		}
	})
}

// Of a folder that is watched, whatever is added, removed or turned in it counts.
func TestWatchFolder(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"added":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "b.json"), nil, 0o600) },
		"removed": func(dir string) error { return os.Remove(filepath.Join(dir, "a.json")) },
		"turned": func(dir string) error {
			if err := os.Symlink("..two", filepath.Join(dir, "..new")); err != nil {
				return err
			}
			return os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data"))
		},
		"replaced": func(dir string) error {
			if err := os.Rename(dir, dir+".old"); err != nil {
				return err
			}
			return os.Mkdir(dir, 0o755)
		},
	} {
		dir := filepath.Join(t.TempDir(), "accounts")
		write(t, filepath.Join(dir, "a.json"), "")
		w := watchFiles(t, dir)
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an act after "+name, func() bool { return w.acts.Load() > 0 })
	}
}
