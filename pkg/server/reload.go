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
	read    func() (Loaded, error)
	gate    *gate
	metrics *metrics
	log     *slog.Logger
	watch   []string // always watched
	tried   []string // files of the last reading, good or bad
	// refused says in one line when and why the configuration on disk does not serve; nil while it does.
	refused atomic.Pointer[string]
}

// retirement is how long a configuration is kept that no longer serves: longer than any check that still uses it.
const retirement = time.Minute

// first loads the configuration that the process starts with.
func (r *reloader) first(ctx context.Context) error {
	loaded, err := r.load()
	if err != nil {
		return err
	}
	return r.swap(ctx, loaded)
}

// again reads the configuration once more and swaps it in if it is good and another one.
func (r *reloader) again(ctx context.Context) {
	loaded, err := r.load()
	switch {
	case err != nil:
		r.refuse(err)
	case loaded.Digest == r.gate.serving.Load().Digest:
		r.metrics.read(resultUnchanged)
		r.refused.Store(nil)
		r.close(loaded)
		r.log.Info("configuration unchanged", "digest", loaded.Digest)
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
	if err := r.start(ctx, loaded); err != nil {
		r.close(loaded)
		return err
	}
	if old := r.gate.serving.Swap(loaded); old != nil {
		time.AfterFunc(retirement, func() { r.close(old) })
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
	return &loaded, err
}

// files are those whose change calls for another reading: a file that only the serving configuration names counts too, for a
// refused one may be mended by going back.
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
