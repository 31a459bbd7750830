package authz

// Refusal is an authenticator's denial, in API Gateway's terms. Its zero value is an internal error.
type Refusal struct {
	// ResponseType is the gateway response type, such as INVALID_SIGNATURE; empty for an internal error, about which the
	// client is told nothing.
	ResponseType string
	// ErrorType and Message stand in for the response type's own unless they are empty.
	ErrorType, Message string
	// Explanation is what the client of an HTTP API is told beside the fixed message; empty for nothing. It is for debugging.
	Explanation string
	// Challenge is the www-authenticate header that an HTTP API answers with; empty for none.
	Challenge string
	Reason    Reason
}

func (r *Refusal) Error() string { return r.Reason.Code.String() + ": " + r.Reason.Detail }
