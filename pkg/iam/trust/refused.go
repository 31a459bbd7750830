package trust

import "fmt"

// Code is the code of an error of STS.
type Code string

// The codes.
const (
	AccessDenied            Code = "AccessDenied"
	ValidationError         Code = "ValidationError"
	MalformedPolicyDocument Code = "MalformedPolicyDocument"
	ExpiredToken            Code = "ExpiredToken"
	InternalFailure         Code = "InternalFailure"
)

// Refused is the error of a request that is refused.
type Refused struct {
	Code Code
	// Message is for the client, as STS words it. Detail is for the log and says what was missing; it is empty if Message says it.
	Message, Detail string
	// Explicit reports that a Deny decided. The others name what decided, or the condition that failed, where that is known.
	Explicit                                   bool
	Policy, Statement, Condition, ConditionKey string
}

// Error returns the code, the message and the detail.
func (r *Refused) Error() string {
	if r.Detail == "" {
		return string(r.Code) + ": " + r.Message
	}
	return string(r.Code) + ": " + r.Message + " (" + r.Detail + ")"
}

func invalid(format string, args ...any) *Refused {
	return &Refused{Code: ValidationError, Message: fmt.Sprintf(format, args...)}
}
