package iam

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// Config configures an Authenticator. Store is required.
type Config struct {
	Store *Store
	// SigningKeys and PublicKeys are caches that outlive the Authenticator; nil disables them.
	SigningKeys *SigningKeys
	PublicKeys  *PublicKeys
	// Sessions caches opened sessions and outlives the Authenticator too.
	Sessions *Sessions
	// Explain shows clients what their signature was compared with, if it does not match.
	Explain bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Authenticator verifies who has signed a request. It is safe for concurrent use.
type Authenticator struct {
	store       *Store
	signingKeys *SigningKeys
	publicKeys  *PublicKeys
	sessions    *Sessions
	explain     bool
	now         func() time.Time
}

// New returns an Authenticator.
func New(c Config) *Authenticator {
	a := &Authenticator{
		store: c.Store, signingKeys: c.SigningKeys, publicKeys: c.PublicKeys, sessions: c.Sessions, explain: c.Explain, now: c.Now,
	}
	if a.store == nil {
		a.store = &Store{}
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a
}

// Options set how the signatures of some requests are verified. Region is required unless AnyRegion is set; the rest is as in
// sigv4.Config.
type Options struct {
	Region               string
	AnyRegion            bool
	Service              string
	MaxExpires           time.Duration
	ClockSkew            time.Duration
	PlusLiteral          bool
	HostAliases          []string
	DisableSigV4A        bool
	AllowUnsignedPayload bool
}

// Verifier verifies signatures with one set of options. It is safe for concurrent use.
type Verifier struct {
	*Authenticator
	signatures *sigv4.Verifier
}

// Verifier returns a Verifier.
func (a *Authenticator) Verifier(o Options) (*Verifier, error) {
	regions := []string{o.Region}
	if o.AnyRegion {
		regions = nil
	}
	v, err := sigv4.New(sigv4.Config{
		Regions: regions, AnyRegion: o.AnyRegion, Service: o.Service, ClockSkew: o.ClockSkew, Key: a.key, SigningKey: a.signingKey, PublicKey: a.publicKey, Now: a.now,
		MaxExpires: o.MaxExpires, PlusLiteral: o.PlusLiteral, HostAliases: o.HostAliases, DisableSigV4A: o.DisableSigV4A,
		AllowUnsignedPayload: o.AllowUnsignedPayload, Debug: a.explain,
	})
	if err != nil {
		return nil, err
	}
	return &Verifier{a, v}, nil
}

// Verify returns the signer of a request. On failure the error is an *authz.Refusal and the Caller is nil.
func (v *Verifier) Verify(r *authz.Request) (*Caller, error) {
	body, state := r.Body()
	result, err := v.signatures.Verify(&sigv4.Request{
		Method: r.Method, Target: r.Target, Host: r.Host, Headers: r.Headers(), Body: body, BodyComplete: state == authz.BodyComplete,
	})
	switch {
	case err != nil:
		return nil, refusal(err, state)
	case state != authz.BodyComplete && !result.UnsignedPayload:
		return nil, bodyRefusal(state)
	case r.TextHeaders && maybeAltered(r, result.SignedHeaders):
		return nil, &authz.Refusal{Reason: authz.Reason{Code: authz.CodeEnvoyConfig, Detail: "AWS_IAM: Envoy may have replaced bytes of " +
			"a signed header: set encode_raw_headers: true on the ext_authz filter"}}
	}
	found, ok := result.Owner.(*identity)
	if !ok || found == nil {
		return nil, internalError("a verified key has no owner")
	}
	at := r.Time
	if at.IsZero() {
		at = v.now()
	}
	return &Caller{identity: found, signature: result, at: at}, nil
}

// maybeAltered reports whether Envoy may have replaced bytes that are not UTF-8 with "!" in a signed header. Such a
// header would match a signature over "!" although the upstream gets the original bytes.
func maybeAltered(r *authz.Request, names string) bool {
	for name := range strings.SplitSeq(names, ";") {
		for value := range r.HeaderValues(name) {
			if strings.IndexByte(value, '!') >= 0 {
				return true
			}
		}
	}
	return false
}

// refusal returns the response for the client and the reason for the operator.
func refusal(err error, state authz.BodyState) error {
	failed, ok := errors.AsType[*sigv4.Error](err)
	if !ok || failed.Kind == sigv4.Internal {
		return internalError(err.Error())
	}
	if failed.Kind == sigv4.BodyUnknown {
		return bodyRefusal(state)
	}
	r := &authz.Refusal{
		ResponseType: authz.ResponseType(failed.Kind.ResponseType()), ErrorType: failed.Kind.ErrorType(), Message: failed.Message + failed.Debug.Text(),
		Reason: authz.Reason{Code: code(failed.Kind), Detail: detail(failed)}, Caller: authz.Caller{AccessKeyID: failed.KeyID},
	}
	if failed.Debug != nil {
		r.Explanation = r.Message
	}
	return r
}

func code(kind sigv4.Kind) authz.Code {
	switch kind {
	case sigv4.MissingAuthenticationToken:
		return authz.CodeNotSigned
	case sigv4.UnrecognizedClient:
		return authz.CodeUnknownKey
	case sigv4.ExpiredToken:
		return authz.CodeExpiredToken
	case sigv4.IncompleteSignature, sigv4.InvalidSignature, sigv4.BodyUnknown, sigv4.Internal:
	}
	return authz.CodeBadSignature
}

// detail returns the message for the operator. Messages for the client contain only hashes of Authorization.
func detail(e *sigv4.Error) string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Message
}

// bodyRefusal names the Envoy setting that prevents verifying a signature.
func bodyRefusal(state authz.BodyState) error {
	what := map[authz.BodyState]string{
		authz.BodyUnknown: "the request's body is not buffered: set with_request_body on the ext_authz filter and " +
			"context_extensions portcullis.body: buffered on the route (Envoy never buffers that of a WebSocket)",
		authz.BodyPartial: "Envoy cut the request's body: set with_request_body.allow_partial_message: false",
		authz.BodyAltered: "Envoy may have replaced bytes of the request's body: set with_request_body.pack_as_bytes: true",
	}[state]
	if what == "" {
		what = fmt.Sprintf("the request's body is in state %d", state)
	}
	return &authz.Refusal{Reason: authz.Reason{Code: authz.CodeEnvoyConfig, Detail: "AWS_IAM: " + what}}
}

func internalError(detail string) error {
	return &authz.Refusal{Reason: authz.Reason{Code: authz.CodeInternal, Detail: detail}}
}
