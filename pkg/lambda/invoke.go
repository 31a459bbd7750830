package lambda

import "context"

// Invoker invokes functions. It returns the function's answer as it came, or an error: a *FunctionError where the function
// was reached and has failed, an *InvokeError where it was not. Any other error counts as a function that was not reached.
type Invoker interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// FunctionError is the error that a function has ended with.
type FunctionError struct {
	// Message is the error's message. It may hold anything and is shown to nobody.
	Message string
}

func (e *FunctionError) Error() string { return "the function has ended with an error" }

// Failure is why a function could not be asked.
type Failure uint8

const (
	// Unreachable means that there was no connection, or that something in between has answered. It is the zero value.
	Unreachable Failure = iota
	// TimedOut means that no answer came in time.
	TimedOut
	// Throttled means that the function runs too often already.
	Throttled
	// NotPermitted means that there is no such function or that we may not invoke it.
	NotPermitted
	// TooLarge means that the answer exceeds its limit.
	TooLarge
	// Busy means that too many invocations wait already.
	Busy
	// BreakerOpen means that the function was not reached several times and is left alone for a while.
	BreakerOpen
	// NotRunning means that the function runs here, and its process is not up. It is started again without a caller's doing, so
	// that leaving it alone for longer would help nobody.
	NotRunning
	// Broken means that the function was connected with and has not answered as one does: its connection broke, or its server
	// failed. One event may have done it, so that it says nothing about others.
	Broken
)

// InvokeError is an invocation that has failed before the function could answer.
type InvokeError struct {
	Failure Failure
	// Detail is for the operator, without secrets and without anything that a client or a function has sent.
	Detail string
}

func (e *InvokeError) Error() string { return e.Detail }

// newFunctionError reads what Lambda makes of a function's error: an object with errorMessage.
func newFunctionError(payload []byte) *FunctionError {
	e := &FunctionError{}
	if !text(members(payload)["errorMessage"], &e.Message) {
		e.Message = ""
	}
	return e
}

// isFunctionError reports whether a payload has the shape in which runtimes report an error, and decides nothing.
func isFunctionError(payload []byte) bool {
	m := members(payload)
	has := func(name string) bool { _, ok := m[name]; return ok }
	return (has("errorMessage") || has("errorType")) && !has("policyDocument") && !has("isAuthorized")
}
