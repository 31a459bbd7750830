package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
)

// Kind is a kind of failure. The zero value is an internal error.
type Kind uint8

// The kinds.
const (
	// Internal means that the verifier is not configured: answer 500.
	Internal Kind = iota
	// BodyUnknown means that the payload hash needs the body, and the request does not contain all of it. The component
	// that buffers bodies is at fault, not the client: answer 500 and inform the operator.
	BodyUnknown
	// MissingAuthenticationToken means that the request is not signed.
	MissingAuthenticationToken
	// IncompleteSignature means that the parts of the signature cannot be read.
	IncompleteSignature
	// InvalidSignature means that the signature does not match, has expired or has the wrong scope.
	InvalidSignature
	// UnrecognizedClient means that the key id is unknown or the session token does not match the key's.
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

// Error is the reason why a request was not verified. It holds no secret, and only hashes of the Authorization header.
type Error struct {
	Kind Kind
	// Message is the message for the client.
	Message string
	// Detail is a message for the operator, if it says more than Message.
	Detail string
	// KeyID is the id of the key that the request claims to be signed by, if the verifier has the key and came to comparing signatures.
	KeyID string
	// Debug is set if Config.Debug is on. It is for the client and not for a log.
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

// mismatch returns the error for every signature that does not match.
func mismatch(detail string) *Error {
	return &Error{Kind: InvalidSignature, Detail: detail, Message: "The request signature we calculated does not match the " +
		"signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for " +
		"details."}
}

// hashed returns a part of the Authorization header as messages show it.
func hashed(value string) string {
	return "(hashed with SHA-256 and encoded with Base64): '" + base64SHA256(value) + "'"
}

// base64SHA256 identifies a value from the client without showing it.
func base64SHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func notKeyValue(authorization string) *Error {
	return incomplete("Invalid key=value pair (missing equal-sign) in Authorization header " + hashed(authorization) + ".")
}
