package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	quietTime    = 100 * time.Millisecond // editors truncate before they write
	longestWait  = 2 * time.Second        // under constant events
	pollInterval = 10 * time.Second       // where watching fails
	maxLinks     = 40                     // as the kernel
)

// watcher calls act when one of the files changes, appears or goes, or when it is kicked.
type watcher struct {
	files   func() []string
	act     func()
	kick    chan struct{} // of one place
	log     *slog.Logger
	metrics *metrics

	notify *fsnotify.Watcher // nil if the system has none to give
	events <-chan fsnotify.Event
	errors <-chan error
	names  map[string]bool // the paths whose events count
	dirs   map[string]bool // the folders among them: the events of whatever is in one count too
	deaf   bool            // something cannot be watched: poll
}

// start watches the files that are known now. From here on no change is missed.
func (w *watcher) start() {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		w.fail(err)
		return
	}
	w.notify, w.events, w.errors = notify, notify.Events, notify.Errors
	w.arm()
}

func (w *watcher) fail(err error) {
	w.deaf = true
	w.metrics.watchErrors.Inc()
	w.log.Error("files cannot be watched; they are read again at intervals", "error", err, "interval", pollInterval.String())
}

// arm brings the watched directories up to date, and tells whether there are new ones: what changed in them before has not
// been seen.
func (w *watcher) arm() (added bool) {
	if w.notify == nil {
		return false
	}
	w.names, w.dirs, w.deaf = map[string]bool{}, map[string]bool{}, false
	dirs := map[string]bool{}
	for _, file := range w.files() {
		names := trail(file)
		for _, name := range names {
			w.names[name] = true
			dirs[filepath.Dir(name)] = true
		}
		if len(names) > 0 && isDir(names[len(names)-1]) {
			w.dirs[names[len(names)-1]], dirs[names[len(names)-1]] = true, true
		}
	}
	for _, dir := range w.notify.WatchList() {
		if !dirs[dir] {
			_ = w.notify.Remove(dir) // fails only if it is gone already
		}
		delete(dirs, dir)
	}
	for dir := range dirs {
		if err := w.notify.Add(dir); err != nil {
			w.fail(err)
		}
		added = true
	}
	return added
}

// run acts until ctx ends.
func (w *watcher) run(ctx context.Context) {
	defer w.close()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	var due debounce
	if w.arm() {
		due.event()
	}
	for w.wait(ctx, poll.C, &due) {
		due = debounce{}
		w.act()
		if w.arm() {
			due.event()
		}
	}
}

// wait returns true when it is time to act, and false when ctx has ended.
func (w *watcher) wait(ctx context.Context, poll <-chan time.Time, due *debounce) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-w.kick:
			return true
		case <-due.timer:
			return true
		case <-poll:
			if w.deaf {
				return true
			}
		case e, open := <-w.events:
			if !open {
				w.events = nil
				w.fail(fsnotify.ErrClosed)
				return true
			}
			if w.concerns(e) {
				due.event()
			}
		case err, open := <-w.errors:
			if !open { // closed together with events, which are answered above
				w.errors = nil
				continue
			}
			w.fail(err) // events may be lost
			return true
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (w *watcher) close() {
	if w.notify != nil {
		_ = w.notify.Close()
	}
}

// concerns tells whether an event is about one of the files, a link on the way to one, or a watched directory itself.
func (w *watcher) concerns(e fsnotify.Event) bool {
	if w.names[e.Name] || w.dirs[filepath.Dir(e.Name)] {
		return true
	}
	for name := range w.names {
		if filepath.Dir(name) == e.Name {
			return true // moved or gone, and with it its watch: arm makes a new one
		}
	}
	return false
}

// debounce waits for a time without events, but not forever. Its zero value waits for an event.
type debounce struct {
	first time.Time
	timer <-chan time.Time
}

func (d *debounce) event() {
	now := time.Now()
	if d.timer == nil {
		d.first = now
	}
	d.timer = time.After(min(quietTime, d.first.Add(longestWait).Sub(now)))
}

// trail lists the paths that a change of what path leads to would show at: each symbolic link on the way, and the file, or
// the first part of the way that does not exist. Their directories hold no links.
func trail(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	const separator = string(filepath.Separator)
	var names []string
	here, parts := separator, strings.Split(path, separator)
	for links := 0; len(parts) > 0; {
		next := filepath.Join(here, parts[0])
		target, err := os.Readlink(next)
		switch {
		case err == nil && links < maxLinks:
			links++
			names = append(names, next)
			if filepath.IsAbs(target) {
				here = separator
			}
			parts = append(strings.Split(target, separator), parts[1:]...)
		case os.IsNotExist(err):
			return append(names, next)
		default:
			here, parts = next, parts[1:]
		}
	}
	return append(names, here)
}
