package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// LineVersion is the version of the decision log's lines that FromLine reads.
const LineVersion = 1

// line has the fields of a line of the decision log that FromLine reads.
type line struct {
	Message string `json:"msg"`
	Version *int   `json:"v"`
	Logged
}

// Logged is the decision in a line of the decision log.
type Logged struct {
	Time         string   `json:"time"`
	Decision     string   `json:"decision"`
	Reason       string   `json:"reason"`
	Step         string   `json:"step,omitempty"`
	Status       int      `json:"status,omitempty"`
	API          string   `json:"api,omitempty"`
	Stage        string   `json:"stage,omitempty"`
	Route        string   `json:"route,omitempty"`
	Host         string   `json:"host,omitempty"`
	Method       string   `json:"method,omitempty"`
	Path         string   `json:"path,omitempty"`
	Client       string   `json:"client,omitempty"`
	Principal    string   `json:"principal,omitempty"`
	Authorizer   string   `json:"authorizer,omitempty"`
	Policy       string   `json:"policy,omitempty"`
	Statement    string   `json:"statement,omitempty"`
	Condition    string   `json:"condition,omitempty"`
	ConditionKey string   `json:"condition_key,omitempty"`
	Detail       string   `json:"detail,omitempty"`
	AccessKeyID  string   `json:"access_key,omitempty"`
	Issuer       string   `json:"issuer,omitempty"`
	Audience     []string `json:"audience,omitempty"`
	ClientID     string   `json:"client_id,omitempty"`
	TokenKeyID   string   `json:"key_id,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
	NeededScopes []string `json:"needed_scopes,omitempty"`
	// Action, Role, SessionName and IssuedKey are of a call of STS.
	Action      string   `json:"action,omitempty"`
	Role        string   `json:"role,omitempty"`
	SessionName string   `json:"session_name,omitempty"`
	IssuedKey   string   `json:"issued_key,omitempty"`
	Cut         []string `json:"cut,omitempty"`
}

// FromLine makes an Input of a line of the decision log: the last one, if there are several. A line has no query, headers and body.
func FromLine(data []byte) (*Input, error) {
	data = bytes.TrimSpace(data)
	if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
		data = data[i+1:]
	}
	var l line
	if len(data) > maxInput || json.Unmarshal(data, &l) != nil || l.Message != "decision" {
		return nil, errors.New("it is not a line of the decision log, which is a JSON object with the msg decision")
	}
	switch {
	case l.Version == nil:
		return nil, fmt.Errorf("the line has no version (v); lines of version %d can be explained", LineVersion)
	case *l.Version != LineVersion:
		return nil, fmt.Errorf("the line has the version %d (v); lines of version %d can be explained", *l.Version, LineVersion)
	}
	s, err := l.setting()
	if err != nil {
		return nil, err
	}
	m := message{method: l.Method, scheme: "https", host: l.Host, path: l.target()}
	in, err := m.input(s)
	if err != nil {
		return nil, err
	}
	in.logged = &l.Logged
	if strings.HasPrefix(l.Principal, "arn:") && l.Step != string(authz.StepCaller) { // at that step, the caller is not verified
		in.caller = l.Principal
	}
	return in, nil
}

// target returns the line's path as a client may have sent it. A line has the canonical path, with few escapes, unless no step after the
// path was reached.
func (l *Logged) target() string {
	if step := authz.Step(l.Step); step == "" || step == authz.StepMethod || step == authz.StepPath {
		return l.Path
	}
	var b strings.Builder
	for i := range len(l.Path) {
		if c := l.Path[i]; c <= ' ' || c >= 0x7f || c == '?' || c == '#' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// setting returns what the line says of what surrounded its request. Its API and stage are those that Envoy's configuration named, or those
// of the host.
func (l *Logged) setting() (s Setting, err error) {
	if l.API != "" && l.Stage != "" {
		s.Extensions = map[string]string{"portcullis.api": l.API, "portcullis.stage": l.Stage}
	}
	if l.Client != "" {
		if s.Client, err = netip.ParseAddr(l.Client); err != nil {
			return s, errors.New("the line's client is not an address")
		}
	}
	if at, err := time.Parse(time.RFC3339, l.Time); err == nil {
		s.Time = at
	}
	return s, nil
}

// ownReason is the note of a Report that repeats a line.
const ownReason = "a line of the log has no query, headers, token, body and TLS, on which its decision may have depended: the line's own reason is shown"

// notes says how a decision about the request of a line relates to the line. A nil Logged has no notes.
func (l *Logged) notes(d *authz.Decision) []string {
	if l == nil {
		return nil
	}
	all := []string{"a line of the log has no query, headers, token and body: the steps that need them see none"}
	if l.Decision != authz.Word(d.Allow) || l.Reason != d.Reason.Code.String() {
		all = append(all, "the line says "+l.Decision+" for the reason "+l.Reason+", and this explanation "+word(d)+" for "+d.Reason.Code.String())
	}
	return all
}

// isAlone reports whether a line has no request that could be decided again: it could not be read, or is a call of STS.
func (l *Logged) isAlone() bool {
	return l != nil && (l.Method == "" || l.Path == "" || l.Step == string(authz.StepSTS))
}

// needsMore reports whether a decision about the request of a line differs from the line because of what a line does not have: a header, a
// token, a signature, an API key, TLS, or the way by which the request came.
func (l *Logged) needsMore(d *authz.Decision) bool {
	if l.isAlone() {
		return true
	}
	if l.Decision == authz.Word(d.Allow) && l.Reason == d.Reason.Code.String() && l.Statement == d.Reason.Statement && l.Detail == d.Reason.Detail {
		return false
	}
	if l.isCut() || reasonsOfMore[codeOf(l.Reason)] || isKeyOfMore(l.ConditionKey) || isKeyOfMore(d.Reason.ConditionKey) {
		return true
	}
	switch d.Step {
	case authz.StepArrival, authz.StepCaller, authz.StepAPIKey:
		return !d.Allow
	default:
		return false
	}
}

// isCut reports whether the line names its request in part only.
func (l *Logged) isCut() bool {
	return slices.ContainsFunc(l.Cut, func(name string) bool { return name == "path" || name == "host" || name == "method" })
}

// reasonsOfMore are the reasons that depend on headers, on Envoy's configuration, or on what went on in the server.
var reasonsOfMore = map[authz.Code]bool{
	authz.CodeInternal: true, authz.CodeBadRequest: true, authz.CodeBadClientAddress: true, authz.CodePreflight: true, authz.CodeTooLarge: true,
	authz.CodeEnvoyConfig: true, authz.CodeNotReady: true, authz.CodeOverload: true, authz.CodeUndecodable: true, authz.CodeCanceled: true,
	authz.CodeProbe: true, authz.CodeUnrecorded: true,
}

// keysOfMore are the condition keys whose values a line does not have.
var keysOfMore = []string{
	"aws:SecureTransport", "aws:UserAgent", "aws:Referer", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp", "portcullis:SourcePrincipal",
}

func isKeyOfMore(key string) bool {
	return slices.ContainsFunc(keysOfMore, func(k string) bool { return strings.EqualFold(k, key) })
}

// withhold removes the values of condition keys from a trace that a line does not have.
func (l *Logged) withhold(t *gateway.Trace) {
	if l == nil {
		return
	}
	for _, e := range t.Evaluations {
		for key := range e.Values {
			if isKeyOfMore(key) {
				e.Values[key] = "not known from a line of the log"
			}
		}
	}
}

// instead puts what the line says in place of a decision, and of the end of its trace.
func (l *Logged) instead(d *authz.Decision, t *gateway.Trace) {
	address, _ := netip.ParseAddr(l.Client)
	*d = authz.Decision{
		Allow: l.Decision == Allow, Step: authz.Step(l.Step), Denial: authz.Response{Status: l.Status},
		Reason: authz.Reason{
			Code: codeOf(l.Reason), Policy: l.Policy, Statement: l.Statement, Condition: l.Condition, ConditionKey: l.ConditionKey, Detail: l.Detail,
		},
		Caller: authz.Caller{
			Principal: l.Principal, AccessKeyID: l.AccessKeyID, Issuer: l.Issuer, Audience: l.Audience, ClientID: l.ClientID,
			TokenKeyID: l.TokenKeyID, Scopes: l.Scopes,
		},
		API: l.API, Stage: l.Stage, Route: l.Route, Authorizer: l.Authorizer, Method: l.Method, Host: l.Host, Path: l.Path,
		ClientAddress: address, NeededScopes: l.NeededScopes,
	}
	ends := func(s gateway.TraceStep) bool { return s.Name == d.Step }
	if i := slices.IndexFunc(t.Steps, ends); i >= 0 {
		t.Steps = t.Steps[:i]
	} else if len(t.Steps) > 0 {
		t.Steps = t.Steps[:len(t.Steps)-1]
	}
	t.Evaluations, t.Combined = nil, ""
	if d.Step == "" {
		t.Steps, t.Routes = nil, nil
		return
	}
	outcome := map[string]string{Allow: "allows", Preflight: "answers", Deny: "denies"}[word(d)]
	t.Steps = append(t.Steps, gateway.TraceStep{Name: d.Step, Outcome: outcome, Found: l.Detail})
}

// codeOf returns the code with a text. A text that is not a code is kept as one, without a meaning.
func codeOf(text string) authz.Code {
	if text == authz.CodeInternal.String() {
		return authz.CodeInternal
	}
	return authz.Code(text)
}
