package decisionlog

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Entry is one decision as the log shows it. An empty field is left out of the line.
type Entry struct {
	Time time.Time
	// Took is how long the decision took.
	Took  time.Duration
	Allow bool
	Code  authz.Code
	Step  authz.Step
	// Status is the status of the client's answer; 0 for a request that passes.
	Status int

	RequestID, Host, Method, Path              string
	ClientAddress                              netip.Addr
	API, Stage, Route                          string
	Principal, AccessKey, Issuer               string
	ClientID, KeyID                            string
	Audience, Scopes, NeededScopes             []string
	Authorizer, Cache                          string
	Policy, Statement, Condition, ConditionKey string
	Detail                                     string
	// Action and the others are of a call of STS: its operation, and the session that it asked for or got. Step is then StepSTS.
	Action, Role, SessionName, IssuedKey string

	// Request is where the chosen headers and query parameters come from; nil if the check could not be read.
	Request *authz.Request
	// Claims is where the chosen claims come from; nil if no token was verified.
	Claims authz.Claims
}

// share is whose share of the audit's places an Entry takes.
func (e *Entry) share() string {
	if e.Step == authz.StepSTS {
		return "sts:" // not the id of an API
	}
	return e.API
}

// outcome is the kind of a decision. Each is sampled by itself.
type outcome uint8

const (
	allowed outcome = iota
	denied
	failed
)

// outcome tells a request that passes, or a preflight that is answered, from a denial, and that from a failure of the server's side.
func (e *Entry) outcome() outcome {
	switch {
	case passes(e.Allow, e.Code):
		return allowed
	case e.Status >= 500:
		return failed
	default:
		return denied
	}
}

// passes reports whether a decision counts as one that lets the request pass.
func passes(allow bool, code authz.Code) bool { return allow || code == authz.CodePreflight }

// isError reports whether an operator has to correct something: Envoy's configuration, or portcullis itself.
func (e *Entry) isError() bool {
	return !e.Allow && (e.Code == authz.CodeEnvoyConfig || e.Code == authz.CodeInternal || e.Code == authz.CodeUnrecorded)
}

func (e *Entry) level() slog.Level {
	if e.isError() {
		return slog.LevelError
	}
	return slog.LevelInfo
}
