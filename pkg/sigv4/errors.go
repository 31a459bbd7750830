package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
)

// Kind is a kind of failure. The zero value is a fault of our own.
type Kind uint8

// The kinds.
const (
	// Internal means that the verifier was not set up: answer 500.
	Internal Kind = iota
	// BodyUnknown means that the payload hash needs the body and the request does not carry all of it. It is a fault of
	// whoever buffers bodies, not of the client: answer 500 and tell the operator.
	BodyUnknown
	// MissingAuthenticationToken means that nothing is signed.
	MissingAuthenticationToken
	// IncompleteSignature means that the signature's parts cannot be read.
	IncompleteSignature
	// InvalidSignature means that the signature is another one, is of another time or is scoped to something else.
	InvalidSignature
	// UnrecognizedClient means that the key id is unknown or the session token is not the key's.
	UnrecognizedClient
	// ExpiredToken means that the key has expired.
	ExpiredToken
)

// ResponseType is API Gateway's gateway response type.
func (k Kind) ResponseType() string {
	switch k {
	case MissingAuthenticationToken:
		return "MISSING_AUTHENTICATION_TOKEN"
	case IncompleteSignature, InvalidSignature:
		return "INVALID_SIGNATURE"
	case UnrecognizedClient:
		return "ACCESS_DENIED"
	case ExpiredToken:
		return "EXPIRED_TOKEN"
	default:
		return "DEFAULT_5XX"
	}
}

// ErrorType is the value of x-amzn-ErrorType.
func (k Kind) ErrorType() string {
	switch k {
	case MissingAuthenticationToken:
		return "MissingAuthenticationTokenException"
	case IncompleteSignature:
		return "IncompleteSignatureException"
	case InvalidSignature:
		return "InvalidSignatureException"
	case UnrecognizedClient:
		return "UnrecognizedClientException"
	case ExpiredToken:
		return "ExpiredTokenException"
	default:
		return "InternalServerErrorException"
	}
}

// Error is why a request was not verified. It holds no secret, and nothing of the Authorization header but hashes.
type Error struct {
	Kind Kind
	// Message is what the client is told.
	Message string
	// Detail is a sentence for the operator where the message does not say it.
	Detail string
	// Debug is set where Config.Debug is on. It is for the client and not for a log.
	Debug *Debug
}

func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Message
	}
	return "sigv4: " + e.Kind.ErrorType() + ": " + text
}

func incomplete(message string) *Error { return &Error{Kind: IncompleteSignature, Message: message} }

func invalid(message string) *Error { return &Error{Kind: InvalidSignature, Message: message} }

// mismatch is the answer to every signature that is not the one we calculate.
func mismatch(detail string) *Error {
	return &Error{Kind: InvalidSignature, Detail: detail, Message: "The request signature we calculated does not match the " +
		"signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for " +
		"details."}
}

// hashed is how a part of the Authorization header is told.
func hashed(value string) string {
	return "(hashed with SHA-256 and encoded with Base64): '" + base64SHA256(value) + "'"
}

// base64SHA256 is how something a client sent is told without telling it.
func base64SHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func notKeyValue(authorization string) *Error {
	return incomplete("Invalid key=value pair (missing equal-sign) in Authorization header " + hashed(authorization) + ".")
}
