package sts

import (
	"errors"
	"net/http"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
)

// Code is the code of an error, as SDKs compare it.
type Code string

// The codes, from "Common Errors" and the operations of the AWS STS API Reference.
const (
	AccessDenied               Code = "AccessDenied"
	ExpiredToken               Code = "ExpiredToken"
	ExpiredTokenException      Code = "ExpiredTokenException"
	IDPCommunicationError      Code = "IDPCommunicationError"
	IncompleteSignature        Code = "IncompleteSignature"
	InternalFailure            Code = "InternalFailure"
	InvalidAction              Code = "InvalidAction"
	InvalidClientTokenID       Code = "InvalidClientTokenId"
	InvalidIdentityToken       Code = "InvalidIdentityToken"
	MalformedPolicyDocument    Code = "MalformedPolicyDocument"
	MalformedQueryString       Code = "MalformedQueryString"
	MissingAction              Code = "MissingAction"
	MissingAuthenticationToken Code = "MissingAuthenticationToken"
	PackedPolicyTooLarge       Code = "PackedPolicyTooLarge"
	ServiceUnavailable         Code = "ServiceUnavailable"
	SignatureDoesNotMatch      Code = "SignatureDoesNotMatch"
	Throttling                 Code = "Throttling"
	ValidationError            Code = "ValidationError"
)

// statuses has the HTTP status of each code. A code that is not here is not sent.
var statuses = map[Code]int{
	AccessDenied:               http.StatusForbidden,
	ExpiredToken:               http.StatusForbidden,
	ExpiredTokenException:      http.StatusBadRequest,
	IDPCommunicationError:      http.StatusBadRequest,
	IncompleteSignature:        http.StatusBadRequest,
	InternalFailure:            http.StatusInternalServerError,
	InvalidAction:              http.StatusBadRequest,
	InvalidClientTokenID:       http.StatusForbidden,
	InvalidIdentityToken:       http.StatusBadRequest,
	MalformedPolicyDocument:    http.StatusBadRequest,
	MalformedQueryString:       http.StatusBadRequest,
	MissingAction:              http.StatusBadRequest,
	MissingAuthenticationToken: http.StatusForbidden,
	PackedPolicyTooLarge:       http.StatusBadRequest,
	ServiceUnavailable:         http.StatusServiceUnavailable,
	SignatureDoesNotMatch:      http.StatusForbidden,
	Throttling:                 http.StatusBadRequest,
	ValidationError:            http.StatusBadRequest,
}

// Error is an error as the client sees it. The zero value is an internal failure.
type Error struct {
	Code    Code
	Message string
	// Detail is for the log; empty if Message says everything.
	Detail string

	// decided says which policy decided; nil if none did.
	decided *iam.Refused
	// status replaces that of the code, for requests that are not calls.
	status int
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.reason() }

// reason is for the log.
func (e *Error) reason() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Message
}

func (e *Error) httpStatus() int {
	if e.status != 0 {
		return e.status
	}
	return statuses[e.Code]
}

// codes has the reason codes of errors. Codes that are not here are those of parameters.
var codes = map[Code]authz.Code{
	AccessDenied:               authz.CodeUntrustedCaller,
	ExpiredToken:               authz.CodeExpiredToken,
	ExpiredTokenException:      authz.CodeExpiredToken,
	IDPCommunicationError:      authz.CodeAuthorizerFailed,
	IncompleteSignature:        authz.CodeBadSignature,
	InternalFailure:            authz.CodeInternal,
	InvalidClientTokenID:       authz.CodeUnknownKey,
	InvalidIdentityToken:       authz.CodeUnauthorized,
	MissingAuthenticationToken: authz.CodeNotSigned,
	ServiceUnavailable:         authz.CodeNotReady,
	SignatureDoesNotMatch:      authz.CodeBadSignature,
	Throttling:                 authz.CodeOverload,
}

// reasonCode is the code for the decision log.
func (e *Error) reasonCode() authz.Code {
	if e.decided != nil && e.decided.Explicit {
		return authz.CodeExplicitDeny
	}
	if code, ok := codes[e.Code]; ok {
		return code
	}
	return authz.CodeBadRequest
}

const internalMessage = "The request processing has failed because of an unknown error, exception or failure."

func internal(detail string) *Error {
	return &Error{Code: InternalFailure, Message: internalMessage, Detail: detail}
}

// errorOf returns any error as the client sees it. Only errors with a code are shown; what others say is for the log.
func errorOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && statuses[e.Code] != 0 {
		return e
	}
	if r, ok := errors.AsType[*iam.Refused](err); ok && statuses[Code(r.Code)] != 0 {
		return &Error{Code: Code(r.Code), Message: r.Message, Detail: r.Detail, decided: r}
	}
	if r, ok := errors.AsType[*authz.Refusal](err); ok {
		return signatureError(r)
	}
	return internal(err.Error())
}

// signatureError names what package iam says about a signature in the words of STS, which differ from those of API Gateway.
func signatureError(r *authz.Refusal) *Error {
	e := &Error{Message: r.Message, Detail: r.Reason.Detail}
	switch r.ErrorType {
	case "MissingAuthenticationTokenException":
		e.Code, e.Message = MissingAuthenticationToken, "Request is missing Authentication Token"
	case "IncompleteSignatureException":
		e.Code = IncompleteSignature
	case "InvalidSignatureException":
		e.Code = SignatureDoesNotMatch
	case "UnrecognizedClientException":
		e.Code = InvalidClientTokenID
	case "ExpiredTokenException":
		e.Code = ExpiredToken
	default:
		return internal(r.Reason.Detail)
	}
	return e
}

// tokenError names what package jwt says about a web identity token in the words of STS.
func tokenError(f *jwt.Failure) *Error {
	e := &Error{Code: InvalidIdentityToken, Message: "The web identity token that was passed could not be validated: " + f.Description(), Detail: f.Detail()}
	switch f.Code() {
	case authz.CodeExpiredToken:
		e.Code, e.Message = ExpiredTokenException, "Token expired: the web identity token that was passed is expired"
	case authz.CodeAuthorizerFailed:
		e.Code, e.Message = IDPCommunicationError, "Couldn't retrieve verification key from your identity provider"
	case authz.CodeOverload:
		e.Code, e.Message = Throttling, throttledMessage
	default:
	}
	return e
}

const throttledMessage = "Rate exceeded"
