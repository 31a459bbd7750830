package sts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// Config configures a Service. Store and Sessions are required.
type Config struct {
	// Store has the roles and the access keys.
	Store *iam.Store
	// Sessions seals the sessions.
	Sessions *session.Ring
	// Tokens verifies web identity tokens; nil if no issuer's tokens are accepted. Its claims are rendered as JSON.
	Tokens *jwt.Verifier
	// Audiences are the audiences of which a token must name one, by issuer.
	Audiences map[string][]string
	// ClientAddress returns the address of a request's client. Nil means the peer of the connection.
	ClientAddress func(*authz.Request) (netip.Addr, error)
	// Actions are operations besides those of this package, by name.
	Actions map[string]*Action
	// Hosts are those that signed calls are for, as clients write them: with a port unless it is that of the scheme. Without Hosts, they are
	// those of the certificate and, for clients on this machine, loopback addresses.
	Hosts []string
	// Regions are those of the APIs, for policies that ask for aws:RequestedRegion.
	Regions []string
	// CallsPerSecond is the rate of all calls; zero means DefaultCallsPerSecond.
	CallsPerSecond int
	// Explain shows clients what their signature was compared with, if it does not match.
	Explain bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service answers calls by one configuration. It is immutable and safe for concurrent use.
type Service struct {
	store          *iam.Store
	sessions       *session.Ring
	tokens         *jwt.Verifier
	audiences      map[string]map[string]struct{}
	clientAddress  func(*authz.Request) (netip.Addr, error)
	signatures     *iam.Verifier
	actions        map[string]*Action
	hosts, regions []string
	callsPerSecond int
	now            func() time.Time
}

// Action is an operation of the API.
type Action struct {
	// Unsigned operations authenticate the caller themselves. All others have a Call with a Caller.
	Unsigned bool
	// ByGet allows the method GET too.
	ByGet bool
	Shape Shape
	// Run returns the result. An error that is not an *Error or an *iam.Refused is answered as an internal failure.
	Run func(ctx context.Context, c *Call) ([]Field, error)
}

// Call is one call.
type Call struct {
	*Parameters
	// Caller is who signed the call; nil for an Unsigned action.
	Caller *iam.Caller
	// Request is the HTTP request, with its body.
	Request *authz.Request
	// ClientAddress is the address of the client.
	ClientAddress netip.Addr
	At            time.Time

	service *Service
	pace    *pace
	event   *Event
	// certified are the names of the certificate.
	certified []string
}

// Regions are those of this STS, for policies that ask for aws:RequestedRegion.
func (c *Call) Regions() []string { return c.service.regions }

// Describe says in the log who calls and what for. Empty texts change nothing.
func (c *Call) Describe(principal, role, sessionName string) {
	for _, text := range [...]struct {
		to   *string
		from string
	}{{&c.event.Principal, principal}, {&c.event.Role, role}, {&c.event.SessionName, sessionName}} {
		if text.from != "" {
			*text.to = text.from
		}
	}
}

// skew is by how much clocks of clients may differ, as at STS. A presigned request lasts as long, or shorter if X-Amz-Expires says so.
const skew = 15 * time.Minute

// New returns a Service.
func New(c Config) (*Service, error) {
	s := &Service{
		store: c.Store, sessions: c.Sessions, tokens: c.Tokens, clientAddress: c.ClientAddress, callsPerSecond: c.CallsPerSecond,
		audiences: map[string]map[string]struct{}{}, now: c.Now, hosts: c.Hosts, regions: c.Regions,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.callsPerSecond == 0 {
		s.callsPerSecond = DefaultCallsPerSecond
	}
	if s.clientAddress == nil {
		s.clientAddress = func(r *authz.Request) (netip.Addr, error) { return r.Peer, nil }
	}
	var faults []error
	if c.Store == nil || c.Sessions == nil {
		faults = append(faults, errors.New("sts: Store or Sessions is missing"))
	}
	if s.callsPerSecond < 1 {
		faults = append(faults, errors.New("sts: CallsPerSecond is negative"))
	}
	for issuer, audiences := range c.Audiences {
		s.audiences[issuer] = make(map[string]struct{}, len(audiences))
		for _, a := range audiences {
			s.audiences[issuer][a] = struct{}{}
		}
	}
	s.actions = s.builtIn()
	for name, a := range c.Actions {
		if s.actions[name] != nil || a == nil || a.Run == nil {
			faults = append(faults, fmt.Errorf("sts: the action %s is given twice, or does nothing", name))
		}
		s.actions[name] = a
	}
	// Derived keys are not cached: the region of a scope is the client's choice, so it could replace the keys that checks need.
	var err error
	s.signatures, err = iam.New(iam.Config{Store: c.Store, Explain: c.Explain, Now: s.now}).Verifier(iam.Options{
		AnyRegion: true, Service: "sts", ClockSkew: skew, MaxExpires: skew, DisableSigV4A: true,
	})
	if err = errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	return s, nil
}

// builtIn is the table of the operations of STS.
func (s *Service) builtIn() map[string]*Action {
	return map[string]*Action{
		"AssumeRole":                {Shape: assumeRoleShape, Run: s.assumeRole},
		"AssumeRoleWithWebIdentity": {Unsigned: true, Shape: webIdentityShape, Run: s.assumeRoleWithWebIdentity},
		"GetCallerIdentity":         {ByGet: true, Run: s.getCallerIdentity},
		"GetSessionToken":           {Shape: sessionTokenShape, Run: s.getSessionToken},
	}
}

// do runs one call.
func (s *Service) do(ctx context.Context, c *Call) ([]Field, error) {
	body, _ := c.Request.Body()
	parameters, failed := readParameters(c.Request.RawQuery(), string(body))
	if failed != nil {
		return nil, failed
	}
	c.Parameters = parameters
	name, failed := parameters.action()
	if failed != nil {
		return nil, failed
	}
	action := s.actions[name]
	if action == nil {
		return nil, notFound(name, version)
	}
	c.event.Action = name
	if c.Request.Method == "GET" && !action.ByGet {
		return nil, &Error{Code: InvalidAction, Message: "The operation " + name + " needs the method POST."}
	}
	if !action.Unsigned {
		if err := s.authenticate(c); err != nil {
			return nil, err
		}
	}
	shape := action.Shape
	if failed := parameters.fit(&shape); failed != nil {
		return nil, failed
	}
	return action.Run(ctx, c)
}

// authenticate finds who signed a call.
func (s *Service) authenticate(c *Call) error {
	caller, err := s.signatures.Verify(c.Request)
	if err != nil {
		if r, ok := errors.AsType[*authz.Refusal](err); ok {
			c.event.AccessKey = r.Caller.AccessKeyID
		}
		return err
	}
	c.Caller = caller
	c.event.AccessKey, c.event.Principal = caller.AccessKeyID(), caller.Principal().ARN
	if !s.own(caller.SignedHost(), c) {
		return &Error{
			Code: SignatureDoesNotMatch, Message: "The request is signed for another host than this STS.",
			Detail: "the call is signed for the host " + printable(caller.SignedHost()) + ", which is not one of iam.sts.urls, nor of the certificate: write its URL to iam.sts.urls if clients reach this STS by it",
		}
	}
	return c.Within("key", caller.AccessKeyID())
}

// Within takes a call from the rate of a verified caller, of which there may be several kinds. Its error is for the client.
func (c *Call) Within(kind, id string) error {
	if c.pace.caller(kind, id, c.At) {
		return nil
	}
	return &Error{Code: Throttling, Message: throttledMessage, Detail: "more calls than the caller's share of iam.sts.callsPerSecond"}
}
