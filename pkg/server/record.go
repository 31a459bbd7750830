package server

import (
	"cmp"
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog/otlp"
	"github.com/portcullis-authz/portcullis/pkg/extauthz"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// lastLines is how long lines may take to be written when a log is closed.
const lastLines = 2 * time.Second

// recorder counts every decision and logs those that it was told to. One goroutine at a time changes the log.
type recorder struct {
	metrics     *metrics
	environment decisionlog.Environment
	// flags are the settings without a configuration's.
	flags decisionlog.Config
	// log is nil until a configuration is loaded. It stays when it is closed, so that a required audit goes on denying.
	log atomic.Pointer[logInUse]
	// retiring are the logs that were replaced and are not closed yet.
	retiring sync.WaitGroup
}

// logInUse is a log and the checks that use it.
type logInUse struct {
	*decisionlog.Log
	config decisionlog.Config
	users  users
}

func newRecorder(c Config, m *metrics) *recorder {
	return &recorder{metrics: m, flags: flagSettings(c), environment: decisionlog.Environment{
		Stdout: c.Stdout, Log: c.Log, LogWriter: c.LogLines, Counters: &decisionlog.Counters{}, Checks: c.MaxChecks,
		OTLP: func(o decisionlog.OTLP) (decisionlog.Sink, error) { return otlp.Open(o, c.Version) },
	}}
}

// flagSettings are those of --decision-log and --decision-log-sample.
func flagSettings(c Config) decisionlog.Config {
	s := decisionlog.Sampling{Denied: 1, Errors: 1}
	switch c.DecisionLog {
	case LogAll:
		s.Allowed = c.DecisionLogSample
	case LogOff:
		s = decisionlog.Sampling{}
	case LogDenied:
	}
	return decisionlog.Config{Log: true, Sampling: s}
}

// use logs decisions as a configuration says, from now on; nil leaves it to the flags. The log before is retired.
func (r *recorder) use(c *decisionlog.Config, apis int) error {
	settings := r.flags
	if c != nil {
		settings = *c
		settings.Sampling = settings.Sampling.Or(r.flags.Sampling)
	}
	old := r.log.Load()
	if old != nil && reflect.DeepEqual(old.config, settings) {
		old.Expect(apis)
		return nil
	}
	log, err := decisionlog.Open(settings, r.environment)
	if err != nil {
		return err
	}
	log.Expect(apis)
	r.log.Store(&logInUse{Log: log, config: settings})
	r.retiring.Go(func() { old.retire() })
	return nil
}

// retire closes a log once no check uses it, or after lastLines. A check that is still at work then loses its line, or is denied if the
// audit is required. A nil log needs nothing.
func (l *logInUse) retire() {
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastLines)
	defer cancel()
	l.users.wait(ctx)
	l.Close(lastLines)
}

// record is called once for each check, before it is answered. It waits only for a required audit, and denies what that does not record.
func (r *recorder) record(q *authz.Request, d *authz.Decision, took time.Duration) {
	if err := r.write(q, d, took); err != nil {
		unrecorded(d, err)
	}
	r.metrics.check(d, took)
}

func (r *recorder) write(q *authz.Request, d *authz.Decision, took time.Duration) error {
	l, n := acquire(&r.log, func(l *logInUse) *users { return &l.users })
	if l == nil {
		return nil
	}
	defer n.Add(-1)
	if !l.Wants(d.Allow, d.Reason.Code) {
		return nil
	}
	e := entry(q, d, took)
	return l.Record(&e)
}

// recordSTS is called for each call of STS before it is answered. It waits only for a required audit. The process's own log has a line
// of STS itself.
func (r *recorder) recordSTS(e *sts.Event) error {
	l, n := acquire(&r.log, func(l *logInUse) *users { return &l.users })
	if l == nil {
		return nil
	}
	defer n.Add(-1)
	if l.config.Log || !l.Wants(e.Issued, e.Reason.Code) {
		return nil
	}
	entry := decisionlog.Entry{
		Time: e.Time, Took: e.Took, Allow: e.Issued, Code: e.Reason.Code, Step: authz.StepSTS, RequestID: e.RequestID, Host: e.Host, Method: e.Method,
		ClientAddress: e.ClientAddress, Principal: cmp.Or(e.Principal, e.Subject), AccessKey: e.AccessKey, Issuer: e.Issuer,
		Policy: e.Reason.Policy, Statement: e.Reason.Statement, Condition: e.Reason.Condition, ConditionKey: e.Reason.ConditionKey, Detail: e.Reason.Detail,
		Action: e.Action, Role: e.Role, SessionName: e.SessionName, IssuedKey: e.IssuedKey,
	}
	if !e.Issued {
		entry.Status = e.Status
	}
	return l.Record(&entry)
}

// unrecorded makes a decision a denial. It keeps the request id, which a line that is written too late has.
func unrecorded(d *authz.Decision, err error) {
	d.Reason = authz.Reason{Code: authz.CodeUnrecorded, Detail: "the audit is required: " + err.Error()}
	d.SetHeaders, d.RemoveHeaders, d.Target, d.ResponseHeaders = nil, nil, "", nil
	extauthz.Deny(d, 500)
}

// entry is a decision as the log has it. Host, method and path are as received if they could not be read.
func entry(r *authz.Request, d *authz.Decision, took time.Duration) decisionlog.Entry {
	e := decisionlog.Entry{
		Time: time.Now(), Took: took, Allow: d.Allow, Code: d.Reason.Code, Step: d.Step,
		RequestID: d.RequestID, ClientAddress: d.ClientAddress,
		API: d.API, Stage: d.Stage, Route: d.Route,
		Principal: d.Caller.Principal, AccessKey: d.Caller.AccessKeyID, Issuer: d.Caller.Issuer, Audience: d.Caller.Audience,
		ClientID: d.Caller.ClientID, KeyID: d.Caller.TokenKeyID, Scopes: d.Caller.Scopes, NeededScopes: d.NeededScopes,
		Authorizer: d.Authorizer, Cache: d.Cache.String(), Policy: d.Reason.Policy, Statement: d.Reason.Statement,
		Condition: d.Reason.Condition, ConditionKey: d.Reason.ConditionKey, Detail: d.Reason.Detail, Request: r, Claims: d.Claims,
	}
	if !d.Allow {
		e.Status = d.Denial.Status
	}
	e.Method, e.Host, e.Path = d.Asked(r)
	return e
}

// samples are the numbers of the log.
func (r *recorder) samples() []authz.Sample {
	samples := r.environment.Counters.Samples()
	if l := r.log.Load(); l != nil {
		samples = append(samples, l.Samples()...)
	}
	return samples
}

// reopen makes files follow their names again.
func (r *recorder) reopen() {
	if l := r.log.Load(); l != nil {
		l.Reopen()
	}
}

// close writes the lines that are left, within bounds. It is called when the log changes no more.
func (r *recorder) close() {
	r.log.Load().retire()
	r.retiring.Wait()
}
