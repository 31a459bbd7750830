package runner

import (
	"errors"
	"fmt"
)

// ErrUnavailable is what every error of Invoke is that the function itself did not report.
var ErrUnavailable = errors.New("the function is not available")

// The kinds of ErrUnavailable.
var (
	// ErrTimeout: the function did not answer in time, and its process was killed.
	ErrTimeout = fmt.Errorf("%w: it did not answer in time", ErrUnavailable)
	// ErrCrashed: the process ended, or gave the event up.
	ErrCrashed = fmt.Errorf("%w: its process ended without an answer", ErrUnavailable)
	// ErrMemory: the process had more memory than the function may have, and was killed.
	ErrMemory = fmt.Errorf("%w: its process had too much memory", ErrUnavailable)
	// ErrStart: no process comes up.
	ErrStart = fmt.Errorf("%w: its process does not start", ErrUnavailable)
	// ErrBusy: too many events wait already.
	ErrBusy = fmt.Errorf("%w: too many events wait for it", ErrUnavailable)
	// ErrClosed: the Runner was closed.
	ErrClosed = fmt.Errorf("%w: its runner is closed", ErrUnavailable)
)

// errAgain says that an event never reached a process.
var errAgain = errors.New("the event was not delivered")

// FunctionError is the error that a function answered with.
type FunctionError struct {
	// Type is the name of the error, as "Exception" or "Runtime.HandlerNotFound".
	Type string
	// Message is the function's own text, which may hold anything: it is to be compared, not shown.
	Message string
}

// Error names the type and not the message, which may quote what a client sent.
func (e *FunctionError) Error() string {
	if e.Type == "" {
		return "the function answered with an error"
	}
	return fmt.Sprintf("the function answered with an error of type %q", e.Type)
}
