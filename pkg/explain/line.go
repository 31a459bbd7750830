package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// LineVersion is the version of the decision log's lines that FromLine reads.
const LineVersion = 1

// line is what FromLine reads of a line of the decision log.
type line struct {
	Message   string `json:"msg"`
	Version   *int   `json:"v"`
	Host      string `json:"host"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	Client    string `json:"client"`
	Principal string `json:"principal"`
	API       string `json:"api"`
	Stage     string `json:"stage"`
	Logged
}

// Logged is what a line of the decision log says of its decision.
type Logged struct {
	Time         string   `json:"time"`
	Decision     string   `json:"decision"`
	Reason       string   `json:"reason"`
	Step         string   `json:"step,omitempty"`
	Status       int      `json:"status,omitempty"`
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
	case l.Method == "" || l.Path == "":
		return nil, errors.New("the line has no method or path: its request was denied before it was read; look up its reason with --reasons")
	}
	s, err := l.setting()
	if err != nil {
		return nil, err
	}
	m := message{method: l.Method, scheme: "https", host: l.Host, path: l.Path}
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

// setting returns what the line says of what surrounded its request. Its API and stage are those that Envoy's configuration named, or those
// of the host.
func (l *line) setting() (s Setting, err error) {
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

// notes says how a decision about the request of a line relates to the line. A nil Logged has no notes.
func (l *Logged) notes(d *authz.Decision) []string {
	switch {
	case l == nil:
		return nil
	case l.needsMore(d):
		return []string{"a line of the log has no query, headers, token and body, so the step " + string(d.Step) + " cannot be repeated: the line's own reason is shown"}
	}
	all := []string{"a line of the log has no query, headers, token and body: the steps that need them see none"}
	if l.Decision != authz.Word(d.Allow) || l.Reason != d.Reason.Code.String() {
		all = append(all, "the line says "+l.Decision+" for the reason "+l.Reason+", and this explanation "+word(d)+" for "+d.Reason.Code.String())
	}
	return all
}

// needsMore reports whether a decision about the request of a line is denied for want of what a line does not have: a token, a signature,
// an API key or the way by which the request came.
func (l *Logged) needsMore(d *authz.Decision) bool {
	switch d.Step {
	case authz.StepArrival, authz.StepCaller, authz.StepAPIKey:
		return !d.Allow && (d.Reason.Code.String() != l.Reason || d.Reason.Detail != l.Detail)
	default:
		return false
	}
}

// instead puts what the line says in place of how a decision ended, and of the last step of its trace.
func (l *Logged) instead(d *authz.Decision, t *gateway.Trace) {
	d.Allow, d.Step, d.Denial = l.Decision == Allow, authz.Step(l.Step), authz.Response{Status: l.Status}
	d.Reason = authz.Reason{
		Code: codeOf(l.Reason), Policy: l.Policy, Statement: l.Statement, Condition: l.Condition, ConditionKey: l.ConditionKey, Detail: l.Detail,
	}
	d.Caller.AccessKeyID, d.Caller.Issuer, d.Caller.Audience = l.AccessKeyID, l.Issuer, l.Audience
	d.Caller.ClientID, d.Caller.TokenKeyID, d.Caller.Scopes = l.ClientID, l.TokenKeyID, l.Scopes
	d.NeededScopes = l.NeededScopes
	if n := len(t.Steps); n > 0 {
		outcome := "denies"
		if d.Allow {
			outcome = "allows"
		}
		t.Steps[n-1] = gateway.TraceStep{Name: d.Step, Outcome: outcome, Found: l.Detail}
	}
}

// codeOf returns the code with a text. A text that is not a code is kept as one, without a meaning.
func codeOf(text string) authz.Code {
	if text == authz.CodeInternal.String() {
		return authz.CodeInternal
	}
	return authz.Code(text)
}
