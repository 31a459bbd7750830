package runner

import (
	"errors"
	"runtime"
	"time"
)

// backoff says how long a process rests before it is started again.
type backoff struct{ first, asked, most time.Duration }

// after returns the rest after so many failures without an answer in between. A process that had asked for events comes back
// soon: what made it end may have been the event.
func (b backoff) after(failures int, asked bool) time.Duration {
	if failures <= 1 {
		return 0
	}
	limit := b.most
	if asked {
		limit = b.asked
	}
	return min(b.first<<min(failures-2, 16), limit)
}

// supervise keeps one process running until the Runner is closed. Its thread starts the processes, which get a signal when that
// thread ends; and what a process may never do is set for the thread, so nothing else may run on it, ever after.
func (r *Runner) supervise() {
	runtime.LockOSThread()
	if err := restrictThread(); err != nil {
		r.log.Error("a process of the function cannot be confined, and is not started", "error", err)
		r.setResting(true)
		<-r.closing
		return
	}
	failures := 0
	for {
		outcome := r.runOnce()
		if outcome.answered {
			failures = 0
		}
		failures++
		if r.isClosing() || !r.restFor(r.backoff.after(failures, outcome.asked)) {
			return
		}
	}
}

// outcome is how a process ended.
type outcome struct {
	asked    bool // it asked for events
	answered bool // it answered one
}

// runOnce starts a process, sees it to its end and says how far it came.
func (r *Runner) runOnce() outcome {
	w, err := r.newWorker()
	if err != nil {
		r.log.Error("a process of the function does not start", "error", err)
		return outcome{}
	}
	r.stats.starts.Add(1)
	r.stats.running.Add(1)
	defer r.stats.running.Add(-1)
	fault := w.watch()
	r.count(fault)
	w.end(fault)
	log := r.log.With("pid", w.proc.pid, "status", w.proc.status())
	if errors.Is(fault, ErrClosed) {
		log.Info("a process of the function was ended")
	} else {
		log.Error("a process of the function ended", "error", fault)
	}
	return outcome{asked: w.hasAsked(), answered: w.hasAnswered()}
}

// count counts how a process ended.
func (r *Runner) count(fault error) {
	switch {
	case errors.Is(fault, ErrClosed):
	case errors.Is(fault, ErrTimeout), errors.Is(fault, errSlowStart):
		r.stats.timeouts.Add(1)
	case errors.Is(fault, ErrMemory):
		r.stats.outOfMemory.Add(1)
	default:
		r.stats.crashes.Add(1)
	}
}

func (r *Runner) isClosing() bool {
	select {
	case <-r.closing:
		return true
	default:
		return false
	}
}

// restFor waits, and says whether to go on.
func (r *Runner) restFor(d time.Duration) bool {
	if d == 0 {
		return true
	}
	r.setResting(true)
	defer r.setResting(false)
	select {
	case <-time.After(d):
		return true
	case <-r.closing:
		return false
	}
}
