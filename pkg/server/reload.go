package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// reloader reads configurations and swaps them in. One goroutine at a time uses it.
type reloader struct {
	read     func() (Loaded, error)
	gate     *gate
	recorder *recorder
	metrics  *metrics
	log      *slog.Logger
	watch    []string // always watched
	// needsSTS refuses configurations that issue no sessions.
	needsSTS bool
	tried    []string // files of the last reading, good or bad
	// retired are the configurations that serve no longer and that a check still uses: each is closed, and its channel then.
	retired []<-chan struct{}
	// refused says in one line when and why the configuration on disk does not serve; nil while it does.
	refused atomic.Pointer[string]
}

// A configuration that is replaced is kept until its last check ends. A reload waits for that, so that besides the configuration that
// serves there is one more: the one before, or the next one.
const (
	// patience is how long a reload waits at most: it may be the one that revokes.
	patience = 5 * time.Second
	// maxRetired is how many checks that do not end may keep configurations before a reload waits for longer than any check takes.
	maxRetired   = 2
	longestCheck = time.Minute
	// drainPoll is how often the checks of a configuration are looked at.
	drainPoll = 5 * time.Millisecond
)

// first loads the configuration that the process starts with. What reading leaves behind goes back to the system: a sidecar may never have
// enough to do for another collection.
func (r *reloader) first(ctx context.Context) error {
	defer debug.FreeOSMemory()
	loaded, err := r.load()
	if err != nil {
		return err
	}
	return r.swap(ctx, loaded)
}

// again reads the configuration once more and swaps it in if it is good and another one. Changes that come while it waits are part
// of what it reads, those that come later call for another reading.
func (r *reloader) again(ctx context.Context) {
	r.recorder.reopen()
	if r.settle(ctx); ctx.Err() != nil {
		return
	}
	defer collectOften()()
	loaded, err := r.load()
	switch {
	case err != nil:
		r.refuse(err)
		debug.FreeOSMemory()
	case loaded.Digest == r.gate.serving.Load().Digest:
		r.metrics.read(resultUnchanged)
		r.refused.Store(nil)
		r.log.Info("configuration unchanged", "digest", loaded.Digest)
		r.discard(loaded)
	default:
		if err := r.swap(ctx, loaded); err != nil {
			r.refuse(err)
		}
	}
}

func (r *reloader) refuse(err error) {
	r.metrics.read(resultRefused)
	line := fmt.Sprintf("the reload of %s was refused: %s", time.Now().UTC().Format(time.RFC3339), oneLine(err))
	r.refused.Store(&line)
	r.log.Error("configuration refused, the last good one serves on", "digest", r.gate.serving.Load().Digest, "faults", err.Error())
}

// swap starts a configuration and lets it serve; one that cannot be started is closed.
func (r *reloader) swap(ctx context.Context, loaded *Loaded) error {
	err := r.start(ctx, loaded)
	if err == nil {
		err = r.recorder.use(loaded.DecisionLog, loaded.APIs) //nolint:contextcheck // the log that is replaced has a time of its own
	}
	if err != nil {
		r.discard(loaded)
		return err
	}
	if old := r.gate.serving.Swap(loaded); old != nil {
		r.retire(ctx, old)
	}
	r.refused.Store(nil)
	r.metrics.read(resultLoaded)
	r.metrics.serving(loaded)
	for _, warning := range loaded.Warnings {
		r.log.Warn("configuration warning", "warning", warning)
	}
	r.log.Info("configuration loaded", "digest", loaded.Digest, "apis", loaded.APIs, "routes", loaded.Routes)
	return nil
}

// retire closes a configuration once its last check has ended, unless the process ends first.
func (r *reloader) retire(ctx context.Context, old *Loaded) {
	closed := make(chan struct{})
	r.retired = append(r.retired, closed)
	go func() {
		defer close(closed)
		if r.drain(ctx, old) {
			debug.FreeOSMemory()
		}
	}()
}

// drain reports whether it has closed a configuration.
func (r *reloader) drain(ctx context.Context, old *Loaded) bool {
	if !old.users.wait(ctx) {
		return false
	}
	r.close(old)
	return true
}

// settle waits until no configuration is left but the one that serves, within bounds, or until ctx ends.
func (r *reloader) settle(ctx context.Context) {
	r.retired = slices.DeleteFunc(r.retired, isClosed)
	wait := patience
	if len(r.retired) >= maxRetired {
		wait = longestCheck
	}
	late := time.After(wait)
	for len(r.retired) > 0 {
		select {
		case <-r.retired[0]:
			r.retired = slices.DeleteFunc(r.retired, isClosed)
		case <-ctx.Done():
			return
		case <-late:
			r.log.Warn("checks still use old configurations; the next one is loaded beside them", "waited", wait.String(), "configurations", len(r.retired))
			return
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// discard closes a configuration that never served.
func (r *reloader) discard(l *Loaded) {
	r.close(l)
	debug.FreeOSMemory()
}

// collectOften makes the garbage collector keep the heap small while a configuration is read, beside the one that serves. The result
// puts it back.
func collectOften() (restore func()) {
	before := debug.SetGCPercent(readingGCPercent)
	if before >= 0 && before <= readingGCPercent {
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}

// readingGCPercent is how much the heap may grow while a configuration is read, in percent of what is live.
const readingGCPercent = 50

// firstWait is how long the first configuration waits for what it needs from outside. Longer, an issuer that is down would keep
// every other route from being served.
const firstWait = 250 * time.Millisecond

// start makes an error of a panic.
func (r *reloader) start(ctx context.Context, loaded *Loaded) (err error) {
	defer r.recovered("starting the configuration", &err)
	if loaded.Start != nil {
		loaded.Start(ctx)
	}
	if loaded.Wait == nil {
		return nil
	}
	if r.gate.serving.Load() == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, firstWait)
		defer cancel()
	}
	loaded.Wait(ctx)
	return nil
}

// recovered is deferred: it makes an error of a panic, whose value may hold a secret.
func (r *reloader) recovered(what string, err *error) {
	if p := recover(); p != nil {
		r.log.Error(what+" panicked", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		*err = errors.New(what + " panicked; the log has the stack")
	}
}

// close ends a configuration that does not serve. A panic of it ends nothing else.
func (r *reloader) close(l *Loaded) {
	var err error // logged
	defer r.recovered("closing a configuration", &err)
	if l.Close != nil {
		l.Close()
	}
}

// load reads the configuration; what goes wrong, a panic included, is an error.
func (r *reloader) load() (_ *Loaded, err error) {
	defer r.recovered("reading the configuration", &err)
	loaded, err := r.read()
	if len(loaded.Files) > 0 {
		r.tried = loaded.Files
	}
	if err == nil && loaded.Authorizer == nil {
		err = errors.New("the configuration decides nothing")
	}
	if err == nil && r.needsSTS && loaded.STS == nil {
		err = errNoSessions
		r.close(&loaded)
	}
	loaded.users = &users{}
	return &loaded, err
}

// files are those whose change calls for another reading: a file that only the serving configuration names counts too, for a
// refused one may be corrected by going back.
func (r *reloader) files() []string {
	var serving []string
	if loaded := r.gate.serving.Load(); loaded != nil {
		serving = loaded.Files
	}
	return slices.Concat(r.watch, r.tried, serving)
}

// oneLine is the first line of an error and how many more it has.
func oneLine(err error) string {
	first, rest, more := strings.Cut(err.Error(), "\n")
	if !more {
		return first
	}
	return fmt.Sprintf("%s (and %d more)", first, strings.Count(rest, "\n")+1)
}
